//! Memories as files that can be carried: written to a folder or to one `.tar.zst`, read from a folder or from
//! an archive that anybody may have made. What is read is bounded, and a name never leads anywhere: nothing is
//! unpacked to the disk.

use crate::entry::{ENTRY_BYTES, Entry};
use crate::tree::record_paths;
use ruzstd::encoding::{CompressionLevel, compress};
use std::fs::{self, File};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Component, Path, PathBuf};

/// Most files one import reads.
const FILES: usize = 100_000;
/// Most an archive may hold, in bytes.
const ARCHIVE_BYTES: u64 = 512 * 1024 * 1024;
/// How deep below a folder files are looked for.
const DEEPEST: usize = 12;
/// The folder everything lies in, in an archive.
const TOP: &str = "ai-infra-memory";
/// The end of an archive's name.
const ARCHIVE: &str = ".tar.zst";

/// Why memories cannot be carried.
#[derive(Debug, thiserror::Error)]
pub enum CarryError {
    /// The file system refused.
    #[error("{0} cannot be read or written: {1}")]
    Io(PathBuf, #[source] io::Error),
    /// There is something in the way.
    #[error("{0} is there already: name a file or folder that is not")]
    There(PathBuf),
    /// The archive is not one, or would do what an archive of memories has no need of.
    #[error("{0} is refused as an archive of memories: {1}")]
    Archive(PathBuf, String),
    /// Too much.
    #[error("{0} holds more than {FILES} files: import a part of it")]
    TooMany(PathBuf),
}

/// What an export wrote.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Exported {
    /// Records.
    pub records: u64,
    /// Size of their files, in bytes.
    pub bytes: u64,
}

/// Markdown files that were read, with where they lay, and what was left out and why.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Brought {
    /// Path below the source, and text.
    pub files: Vec<(PathBuf, String)>,
    /// What was left out, with the reason.
    pub left_out: Vec<String>,
}

/// Writes the records below `root`, of one project or of all, to `to`: an archive where that ends in
/// `.tar.zst`, else a folder. The memory need not be owned: files of it are whole at any time.
///
/// # Errors
/// When something lies at `to` already, or the disk refuses.
pub fn export(root: &Path, to: &Path, project: Option<&str>) -> Result<Exported, CarryError> {
    if fs::symlink_metadata(to).is_ok() {
        return Err(CarryError::There(to.to_owned()));
    }
    let mut exported = Exported::default();
    let mut paths = record_paths(root);
    paths.sort();
    let records = paths.into_iter().filter_map(|path| {
        let text = bounded(&root.join(&path)).ok()?;
        let stem = path.file_stem()?.to_str()?;
        let entry = Entry::parse(stem, &text).ok()?;
        let wanted = project.is_none_or(|name| entry.project.as_deref() == Some(name));
        wanted.then_some((path, text))
    });
    let records = records.inspect(|(_, text)| {
        exported.records += 1;
        exported.bytes += text.len() as u64;
    });
    let done = match to.to_string_lossy().ends_with(ARCHIVE) {
        true => to_archive(records, to),
        false => to_folder(records, to),
    };
    done.map_err(|error| CarryError::Io(to.to_owned(), error))?;
    Ok(exported)
}

type Records<'a> = &'a mut dyn Iterator<Item = (PathBuf, String)>;

fn to_folder(mut records: impl Iterator<Item = (PathBuf, String)>, to: &Path) -> io::Result<()> {
    let mut private = fs::DirBuilder::new();
    private.recursive(true).mode(0o700).create(to)?;
    let records: Records<'_> = &mut records;
    for (path, text) in records {
        let target = to.join(path);
        private.create(target.parent().unwrap_or(to))?;
        fs::write(target, text)?;
    }
    Ok(())
}

fn to_archive(mut records: impl Iterator<Item = (PathBuf, String)>, to: &Path) -> io::Result<()> {
    let folder = match to.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let mut plain = tempfile::tempfile_in(folder)?;
    let mut tar = tar::Builder::new(&mut plain);
    let records: Records<'_> = &mut records;
    for (path, text) in records {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o600);
        header.set_cksum();
        tar.append_data(&mut header, Path::new(TOP).join(path), text.as_bytes())?;
    }
    tar.finish()?;
    drop(tar);
    plain.rewind()?;
    let mut packed = tempfile::NamedTempFile::new_in(folder)?;
    compress(&mut plain, &mut packed, CompressionLevel::Fastest);
    packed.flush()?;
    packed.as_file().sync_all()?;
    packed.persist_noclobber(to).map_err(|error| error.error)?;
    Ok(())
}

/// Reads the Markdown files of a folder, of an archive (`.tar.zst`, `.tar.gz`, `.tar`), or one file.
///
/// # Errors
/// When there is nothing to read, or an archive holds links, names that lead out of it, or too much.
pub fn read(source: &Path) -> Result<Brought, CarryError> {
    read_within(source, ARCHIVE_BYTES)
}

/// The same of an archive that unpacks to at most so many bytes.
///
/// # Errors
/// As [`read`].
pub fn read_within(source: &Path, most: u64) -> Result<Brought, CarryError> {
    let io = |error| CarryError::Io(source.to_owned(), error);
    let meta = fs::metadata(source).map_err(io)?;
    if meta.is_dir() {
        return read_folder(source);
    }
    if source.extension().is_some_and(|end| end == "md") {
        let name = PathBuf::from(source.file_name().unwrap_or_default());
        let text = bounded(source).map_err(io)?;
        return Ok(Brought {
            files: vec![(name, text)],
            left_out: Vec::new(),
        });
    }
    let mut file = File::open(source).map_err(io)?;
    let mut magic = [0u8; 4];
    let read = file.read(&mut magic).map_err(io)?;
    file.rewind().map_err(io)?;
    let wrong = |why: String| CarryError::Archive(source.to_owned(), why);
    match magic.get(..read).unwrap_or_default() {
        [0x28, 0xb5, 0x2f, 0xfd] => {
            let plain = ruzstd::decoding::StreamingDecoder::new(file);
            read_archive(
                source,
                plain.map_err(|error| wrong(error.to_string()))?,
                most,
            )
        }
        [0x1f, 0x8b, ..] => read_archive(source, flate2::read::MultiGzDecoder::new(file), most),
        _ => read_archive(source, file, most),
    }
}

fn read_folder(source: &Path) -> Result<Brought, CarryError> {
    let mut brought = Brought::default();
    let mut todo = vec![(PathBuf::new(), 0)];
    while let Some((folder, depth)) = todo.pop() {
        let at = source.join(&folder);
        let entries = fs::read_dir(&at).map_err(|error| CarryError::Io(at, error))?;
        for entry in entries.flatten() {
            let path = folder.join(entry.file_name());
            let kind = entry.file_type();
            match kind {
                _ if is_passed_over(&path) => {}
                Ok(kind) if kind.is_dir() && depth < DEEPEST => todo.push((path, depth + 1)),
                Ok(kind) if kind.is_file() => match bounded(&entry.path()) {
                    Ok(text) => brought.files.push((path, text)),
                    Err(error) => brought
                        .left_out
                        .push(format!("{}: {error}", path.display())),
                },
                Ok(kind) if kind.is_symlink() => {
                    brought
                        .left_out
                        .push(format!("{}: it is a link", path.display()));
                }
                _ => {}
            }
            if brought.files.len() > FILES {
                return Err(CarryError::TooMany(source.to_owned()));
            }
        }
    }
    brought.files.sort();
    Ok(brought)
}

fn read_archive(source: &Path, plain: impl Read, most: u64) -> Result<Brought, CarryError> {
    let wrong = |why: String| CarryError::Archive(source.to_owned(), why);
    // What a reader of archives says of bytes that are none is made of those bytes.
    let broken = |error: io::Error| match error.raw_os_error() {
        Some(_) => wrong(format!("it cannot be read: {error}")),
        None => wrong(
            "it is no archive, or a broken one (`ai-infra memory export` makes them)".to_owned(),
        ),
    };
    let mut brought = Brought::default();
    let mut archive = tar::Archive::new(plain.take(most));
    let mut seen = 0;
    for entry in archive.entries().map_err(broken)? {
        let mut entry = entry.map_err(broken)?;
        let path = entry.path().map_err(broken)?.into_owned();
        let shown = path.display().to_string();
        let inside = |part: Component<'_>| matches!(part, Component::Normal(_) | Component::CurDir);
        if !path.components().all(inside) {
            return Err(wrong(format!("`{shown}` leads out of it")));
        }
        let kind = entry.header().entry_type();
        if kind.is_dir() {
            continue;
        }
        if !kind.is_file() {
            return Err(wrong(format!("`{shown}` is a link or a device")));
        }
        seen += 1;
        if seen > FILES {
            return Err(CarryError::TooMany(source.to_owned()));
        }
        if is_passed_over(&path) || path.extension().is_none_or(|end| end != "md") {
            continue;
        }
        match text_of(&mut entry) {
            Ok(text) => brought.files.push((path, text)),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                brought.left_out.push(format!("{shown}: {error}"));
            }
            Err(error) => return Err(broken(error)),
        }
    }
    if archive.into_inner().limit() == 0 {
        return Err(wrong(format!("it holds more than {ARCHIVE_BYTES} bytes")));
    }
    if seen == 0 {
        return Err(wrong("it holds no files".to_owned()));
    }
    Ok(brought)
}

/// Hidden files, what was forgotten, and what only explains the folder.
fn is_passed_over(path: &Path) -> bool {
    let hidden = path.components().any(|part| match part {
        Component::Normal(name) => name.as_encoded_bytes().starts_with(b"."),
        _ => false,
    });
    let forgotten = path
        .components()
        .any(|part| part.as_os_str() == "Forgotten");
    let is_text = path.extension().is_some_and(|end| end == "md");
    let explains = path.file_name().is_some_and(|name| name == "README.md");
    hidden || forgotten || explains || (path.extension().is_some() && !is_text)
}

/// A file's text, if it is text and not too large.
fn bounded(path: &Path) -> io::Result<String> {
    text_of(&mut File::open(path)?)
}

fn text_of(file: &mut impl Read) -> io::Result<String> {
    let invalid = |why: &str| io::Error::new(io::ErrorKind::InvalidData, why.to_owned());
    let mut bytes = Vec::new();
    file.take(ENTRY_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > ENTRY_BYTES {
        return Err(invalid("it is larger than 1 MiB"));
    }
    String::from_utf8(bytes).map_err(|_| invalid("it is not UTF-8 text"))
}
