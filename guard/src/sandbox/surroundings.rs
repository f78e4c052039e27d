//! What this machine looks like, as far as a sandbox's arguments depend on it. Looked at here, so
//! that building the arguments stays pure.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// One of `/bin`, `/lib`, …: a link into `/usr` on merged systems, a folder on others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SystemFolder {
    /// A symlink with this target.
    Link(PathBuf),
    /// A folder of its own.
    Folder,
}

/// What was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Surroundings {
    /// Whether the caller is root.
    pub root: bool,
    /// The process that asks for the sandbox.
    pub holder: u32,
    /// Version of bwrap: (major, minor).
    pub bwrap: (u32, u32),
    /// `/bin` and its like that exist.
    pub folders: Vec<(PathBuf, SystemFolder)>,
    /// Harmless files and folders of `/etc` that exist.
    pub etc: Vec<PathBuf>,
    /// Files that names of hosts are looked up by: (what they really are, where they are expected).
    pub names: Vec<(PathBuf, PathBuf)>,
}

/// Why no sandbox can be made here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SurroundingsError {
    /// bwrap is missing or does not answer.
    #[error("bubblewrap is not usable ({0}): install it with `apt-get install bubblewrap`")]
    NoBwrap(String),
    /// bwrap is too old.
    #[error("bubblewrap {0}.{1} is too old: 0.5 or later is needed")]
    OldBwrap(u32, u32),
}

const FOLDERS: [&str; 6] = ["/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"];

/// Nothing here holds credentials; `pip.conf`, `npmrc`, `gitconfig` and `netrc` may, and are left out.
const ETC: [&str; 25] = [
    "/etc/alternatives",
    "/etc/ca-certificates",
    "/etc/ca-certificates.conf",
    "/etc/debian_version",
    "/etc/fonts",
    "/etc/host.conf",
    "/etc/java-17-openjdk",
    "/etc/java-21-openjdk",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/locale.alias",
    "/etc/localtime",
    "/etc/magic",
    "/etc/mime.types",
    "/etc/nsswitch.conf",
    "/etc/os-release",
    "/etc/perl",
    "/etc/php",
    "/etc/pki",
    "/etc/protocols",
    "/etc/python3",
    "/etc/services",
    "/etc/terminfo",
    "/etc/timezone",
];

/// Certificates only: `/etc/ssl/private` is not for anyone inside.
const ETC_SSL: [&str; 3] = [
    "/etc/ssl/certs",
    "/etc/ssl/openssl.cnf",
    "/etc/ssl/cert.pem",
];

/// What names of hosts are looked up by, for sandboxes with a network.
const NAMES: [&str; 2] = ["/etc/hosts", "/etc/resolv.conf"];

/// Looks at the machine. Runs `bwrap --version` once a process.
pub fn look() -> Result<Surroundings, SurroundingsError> {
    static VERSION: OnceLock<Result<(u32, u32), SurroundingsError>> = OnceLock::new();
    let bwrap = VERSION.get_or_init(ask_version).clone()?;
    if bwrap < (0, 5) {
        return Err(SurroundingsError::OldBwrap(bwrap.0, bwrap.1));
    }
    Ok(Surroundings {
        root: nix::unistd::geteuid().is_root(),
        holder: std::process::id(),
        bwrap,
        folders: FOLDERS.iter().filter_map(|path| folder(path)).collect(),
        etc: ETC
            .iter()
            .chain(&ETC_SSL)
            .map(PathBuf::from)
            .filter(|path| path.exists())
            .collect(),
        names: NAMES
            .iter()
            .map(PathBuf::from)
            // One of them is often a link into `/run`, which no sandbox sees.
            .filter_map(|path| Some((path.canonicalize().ok()?, path)))
            .collect(),
    })
}

fn folder(path: &str) -> Option<(PathBuf, SystemFolder)> {
    let path = PathBuf::from(path);
    let seen = match std::fs::read_link(&path) {
        Ok(target) => SystemFolder::Link(target),
        Err(_) if path.is_dir() => SystemFolder::Folder,
        Err(_) => return None,
    };
    Some((path, seen))
}

fn ask_version() -> Result<(u32, u32), SurroundingsError> {
    let output = Command::new("bwrap")
        .arg("--version")
        .stdin(Stdio::null())
        .output()
        .map_err(|e| SurroundingsError::NoBwrap(e.to_string()))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    parse_version(&text).ok_or(SurroundingsError::NoBwrap(format!(
        "it says `{}`",
        text.trim()
    )))
}

fn parse_version(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.trim().rsplit(' ').next()?.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// The user that owns a path, following symlinks; `None` when it cannot be looked at.
pub fn owner_of(path: &Path) -> Option<(u32, u32)> {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(path).ok().map(|m| (m.uid(), m.gid()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read() {
        assert_eq!(parse_version("bubblewrap 0.8.0\n"), Some((0, 8)));
        assert_eq!(parse_version("bubblewrap 1.2"), Some((1, 2)));
        assert_eq!(parse_version(""), None);
        assert_eq!(parse_version("bubblewrap x.y"), None);
    }
}
