//! Places inside: the scratch folders, and workspace paths with their symlinks followed and checked.

use super::super::wire::Hello;
use crate::control_files::is_fixed;
use crate::sandbox::environment::CARGO;
use crate::sandbox::spec::{ATTACHMENTS, HOME, WORKSPACE};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

/// Links out of the workspace are refused: all but the fault of a test.
static CHECKED: AtomicBool = AtomicBool::new(true);

/// Says whether links out of the workspace are refused.
pub(super) fn check_links(checked: bool) {
    CHECKED.store(checked, Ordering::Relaxed);
}

/// Makes the home and cache folders in scratch, and goes to the workspace where there is one.
pub(super) fn prepare(host: bool) -> io::Result<()> {
    std::fs::create_dir_all(HOME)?;
    std::fs::create_dir_all("/tmp/cache")?;
    std::env::set_current_dir(if host { "/" } else { WORKSPACE })
}

/// Gives cargo a folder of its own: the toolchain's cannot be written, and what is fetched is kept
/// for the project. Its settings come along.
pub(super) fn prepare_caches(hello: &Hello) -> io::Result<()> {
    let cargo = Path::new(CARGO);
    if cargo.parent().is_none_or(|cache| !cache.is_dir()) {
        return Ok(());
    }
    std::fs::create_dir_all(cargo)?;
    let own = cargo.join("config.toml");
    // What a task before this one was told is over.
    if own.symlink_metadata().is_ok_and(|file| file.is_file()) {
        std::fs::remove_file(&own)?;
    }
    let shown = hello.landlock.paths.keys();
    for from in shown {
        let name = ["config.toml", "config"]
            .into_iter()
            .find(|name| from.ends_with(Path::new(".cargo").join(name)));
        let linked = name.map(|name| std::os::unix::fs::symlink(from, cargo.join(name)));
        match linked {
            Some(Err(e)) if e.kind() != io::ErrorKind::AlreadyExists => return Err(e),
            _ => {}
        }
    }
    match hello.cargo.is_empty() {
        true => Ok(()),
        false => tell_cargo(cargo, &own, &hello.cargo),
    }
}

/// Adds to the settings that came along where cargo finds its registries: it knows no variable for that.
fn tell_cargo(cargo: &Path, own: &Path, lines: &str) -> io::Result<()> {
    // Of two files cargo reads the one with the old name.
    let old = cargo.join("config");
    let known = std::fs::read_to_string(&old).or_else(|_| std::fs::read_to_string(own));
    for link in [&old, own] {
        match std::fs::remove_file(link) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
    }
    std::fs::write(own, known.unwrap_or_default() + "\n" + lines)
}

/// The workspace as a path.
pub(super) fn root() -> &'static Path {
    Path::new(WORKSPACE)
}

/// Where a clean path leads, symlinks followed; an error when that is out of the workspace or does
/// not exist. An absolute path is one of the files that were handed in with the request.
pub(super) fn existing(path: &str) -> Result<PathBuf, String> {
    let full = root().join(path);
    let real = full.canonicalize().map_err(|e| sentence(path, &e))?;
    if full.starts_with(ATTACHMENTS) && real.starts_with(ATTACHMENTS) {
        return Ok(real);
    }
    inside(path, real)
}

/// Where a file to be written lies: the target of an existing path, else the real place of its
/// nearest existing folder with the rest joined.
pub(super) fn writable(path: &str) -> Result<PathBuf, String> {
    let full = root().join(path);
    if full.symlink_metadata().is_ok() {
        // A dangling link cannot be resolved and is refused with the reason.
        return existing(path);
    }
    let mut above = full.as_path();
    let mut rest = Vec::new();
    while above.symlink_metadata().is_err() {
        rest.push(above.file_name().ok_or("the path has no name")?.to_owned());
        above = above.parent().ok_or("the path has no folder")?;
    }
    let real = above.canonicalize().map_err(|e| sentence(path, &e))?;
    let mut place = inside(path, real)?;
    place.extend(rest.into_iter().rev());
    Ok(place)
}

fn inside(path: &str, real: PathBuf) -> Result<PathBuf, String> {
    if real.starts_with(root()) || !CHECKED.load(Ordering::Relaxed) {
        Ok(real)
    } else {
        Err(format!(
            "{path} leads out of the workspace through a symlink"
        ))
    }
}

/// What went wrong with a path, as people say it.
pub(super) fn sentence(path: &str, error: &io::Error) -> String {
    let by = path.split('/').next().filter(|name| is_fixed(name));
    if let (Some(name), io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::ResourceBusy) =
        (by, error.kind())
    {
        return format!(
            "{path} is read-only for tasks: programs obey {name} without being asked; say in the result what a person should change in it"
        );
    }
    match error.kind() {
        io::ErrorKind::NotFound => format!("{path} does not exist"),
        io::ErrorKind::PermissionDenied => format!("{path} may not be used: permission denied"),
        io::ErrorKind::ReadOnlyFilesystem => format!("{path} is read-only here"),
        _ => format!("{path}: {error}"),
    }
}

/// A real place as people see it: relative to the workspace.
pub(super) fn shown(path: &Path) -> String {
    let relative = path.strip_prefix(root()).unwrap_or(path);
    match relative.to_string_lossy() {
        empty if empty.is_empty() => ".".to_owned(),
        text => text.into_owned(),
    }
}
