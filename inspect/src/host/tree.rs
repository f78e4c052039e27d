//! A host's files below a folder that is its `/`: links lead where they would on that host and never out of the
//! folder, reads are bounded, and what could not be read is remembered, so that a report can say so.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::{File, Metadata};
use std::io::{self, ErrorKind, Read};
use std::path::{Component, Path, PathBuf};

use serde::Serialize;

/// Largest file that is read whole, in bytes.
const WHOLE: u64 = 4 << 20;
/// Links followed in one path.
const LINKS: usize = 40;
/// Entries of one folder.
const ENTRIES: usize = 20_000;

/// Something a scan would have read and could not.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Unread {
    /// The path, as on the host.
    pub path: String,
    /// Why, in a few words.
    pub why: String,
}

/// The files of a host.
#[derive(Debug)]
pub struct Tree {
    root: PathBuf,
    unread: RefCell<BTreeMap<String, String>>,
}

impl Tree {
    /// The host whose `/` is this folder.
    pub fn new(root: &Path) -> Tree {
        Tree {
            root: root.to_path_buf(),
            unread: RefCell::new(BTreeMap::new()),
        }
    }

    /// Where a path of the host really lies.
    ///
    /// # Errors
    /// As the operating system says, and for links that go round.
    pub fn real(&self, path: &str) -> io::Result<PathBuf> {
        self.follow(Path::new(path), true)
    }

    fn follow(&self, path: &Path, last: bool) -> io::Result<PathBuf> {
        let mut todo: Vec<PathBuf> = pieces(path);
        let mut place = PathBuf::new();
        let mut links = 0;
        while let Some(piece) = todo.pop() {
            if piece.as_os_str() == ".." {
                place.pop();
                continue;
            }
            place.push(&piece);
            if todo.is_empty() && !last {
                break;
            }
            let Ok(target) = std::fs::read_link(self.root.join(&place)) else {
                continue;
            };
            links += 1;
            if links > LINKS {
                return Err(io::Error::other("its links go round"));
            }
            place.pop();
            if target.is_absolute() {
                place = PathBuf::new();
            }
            todo.extend(pieces(&target));
        }
        Ok(self.root.join(place))
    }

    /// A path of the host as the host names it after its links were followed.
    pub fn real_name(&self, path: &str) -> Option<String> {
        let real = self.real(path).ok()?;
        let name = real.strip_prefix(&self.root).ok()?;
        Some(format!("/{}", name.display()))
    }

    /// What a path is, links followed.
    pub fn metadata(&self, path: &str) -> io::Result<Metadata> {
        self.real(path)?.symlink_metadata()
    }

    /// Whether there is something.
    pub fn exists(&self, path: &str) -> bool {
        self.metadata(path).is_ok()
    }

    /// Opens a regular file; nothing that could block.
    pub fn open(&self, path: &str) -> io::Result<File> {
        let real = self.real(path)?;
        if !real.symlink_metadata()?.is_file() {
            return Err(io::Error::other("it is no regular file"));
        }
        File::open(real)
    }

    /// The start of a file as text; nothing where it is not there, and noted where it may not be read.
    pub fn text(&self, path: &str) -> Option<String> {
        self.bytes(path)
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The start of a file.
    pub fn bytes(&self, path: &str) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        let read = self
            .open(path)
            .and_then(|file| file.take(WHOLE).read_to_end(&mut bytes));
        match read {
            Ok(_) => Some(bytes),
            Err(error) => {
                self.missed(path, &error);
                None
            }
        }
    }

    /// The same, where a refusal says nothing: files of processes that end, or belong to others.
    pub fn quietly(&self, path: &str) -> Option<String> {
        let mut bytes = Vec::new();
        let file = self.open(path).ok()?;
        file.take(WHOLE).read_to_end(&mut bytes).ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Names in a folder, in order; none where it is not there, and noted where it may not be read.
    pub fn list(&self, path: &str) -> Vec<String> {
        match self.real(path).and_then(std::fs::read_dir) {
            Ok(entries) => {
                let names = entries.flatten().take(ENTRIES);
                let mut names: Vec<String> = names
                    .filter_map(|entry| entry.file_name().into_string().ok())
                    .collect();
                names.sort();
                names
            }
            Err(error) => {
                self.missed(path, &error);
                Vec::new()
            }
        }
    }

    /// Where a link leads, word for word.
    pub fn link(&self, path: &str) -> Option<String> {
        let place = self.follow(Path::new(path), false).ok()?;
        let target = std::fs::read_link(place).ok()?;
        Some(target.to_string_lossy().into_owned())
    }

    /// Notes what could not be read; what is not there is nothing to note.
    pub fn missed(&self, path: &str, error: &io::Error) {
        let why = match error.kind() {
            ErrorKind::NotFound | ErrorKind::NotADirectory => return,
            ErrorKind::PermissionDenied => "permission denied".to_owned(),
            _ => error.to_string(),
        };
        self.note(path, &why);
    }

    /// Notes what could not be read, with the reason.
    pub fn note(&self, path: &str, why: &str) {
        let mut unread = self.unread.borrow_mut();
        unread
            .entry(path.to_owned())
            .or_insert_with(|| why.to_owned());
    }

    /// Everything noted, in order of path.
    pub fn unread(&self) -> Vec<Unread> {
        let unread = self.unread.borrow();
        let one = |(path, why): (&String, &String)| Unread {
            path: path.clone(),
            why: why.clone(),
        };
        unread.iter().map(one).collect()
    }

    /// The kind of container this is, where it says that it is one.
    pub fn container(&self) -> Option<String> {
        if let Some(name) = self.quietly("/run/systemd/container") {
            return Some(name.trim().chars().take(40).collect());
        }
        if self.exists("/.dockerenv") {
            return Some("docker".to_owned());
        }
        self.exists("/run/.containerenv")
            .then(|| "podman".to_owned())
    }

    /// The host's name.
    pub fn hostname(&self) -> String {
        let kernel = self.quietly("/proc/sys/kernel/hostname");
        let name = kernel
            .or_else(|| self.quietly("/etc/hostname"))
            .unwrap_or_default();
        name.trim().chars().take(80).collect()
    }

    /// The host's time zone; UTC where it has none.
    pub fn zone(&self) -> jiff::tz::TimeZone {
        let zone = |bytes: &Vec<u8>| jiff::tz::TimeZone::tzif("local", bytes).ok();
        let file = self.open("/etc/localtime").ok();
        let read = |file: File| {
            let mut bytes = Vec::new();
            file.take(1 << 20)
                .read_to_end(&mut bytes)
                .ok()
                .map(|_| bytes)
        };
        file.and_then(read)
            .as_ref()
            .and_then(zone)
            .unwrap_or(jiff::tz::TimeZone::UTC)
    }
}

/// The pieces of a path, the first one last.
fn pieces(path: &Path) -> Vec<PathBuf> {
    let names = path.components().rev().filter_map(|piece| match piece {
        Component::Normal(name) => Some(PathBuf::from(name)),
        Component::ParentDir => Some(PathBuf::from("..")),
        _ => None,
    });
    names.collect()
}

/// A tree of files for a test.
#[cfg(test)]
pub mod planted {
    #![allow(clippy::unwrap_used, missing_docs)]
    use super::*;

    pub struct Planted(pub tempfile::TempDir);

    impl Planted {
        pub fn new(files: &[(&str, &str)]) -> Planted {
            let planted = Planted(tempfile::tempdir().unwrap());
            files
                .iter()
                .for_each(|(path, text)| planted.put(path, text));
            planted
        }

        pub fn put(&self, path: &str, text: impl AsRef<[u8]>) {
            let path = self.place(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }

        pub fn link(&self, path: &str, target: &str) {
            let path = self.place(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::os::unix::fs::symlink(target, path).unwrap();
        }

        pub fn place(&self, path: &str) -> PathBuf {
            self.0.path().join(path.trim_start_matches('/'))
        }

        pub fn tree(&self) -> Tree {
            Tree::new(self.0.path())
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::planted::Planted;

    #[test]
    fn links_lead_where_they_would_on_the_host() {
        let host = Planted::new(&[("/real/a", "A"), ("/etc/b", "B")]);
        for (path, target) in [
            ("/etc/abs", "/real/a"),
            ("/etc/up", "../../../../real/a"),
            ("/etc/out", "/../../../../etc/passwd"),
            ("/dir", "/real"),
            ("/round", "/round"),
            ("/proc/1/fd/3", "socket:[77]"),
        ] {
            host.link(path, target);
        }
        let tree = host.tree();
        for (path, expected) in [
            ("/etc/abs", Some("A")),
            ("/etc/up", Some("A")),
            ("/etc/out", None),
            ("/dir/a", Some("A")),
            ("/dir/../etc/b", Some("B")),
            ("/nothing", None),
            ("/dir", None),
            ("/round", None),
        ] {
            assert_eq!(tree.text(path).as_deref(), expected, "{path}");
        }
        assert_eq!(tree.link("/proc/1/fd/3").as_deref(), Some("socket:[77]"));
        assert_eq!(tree.real_name("/dir/a").as_deref(), Some("/real/a"));
        let unread: Vec<_> = tree.unread().into_iter().map(|u| u.path).collect();
        assert_eq!(unread, ["/dir", "/round"]);
    }
}
