//! What belongs to the configuration: which folders of the home, which names, how large. The same rules
//! hold for what lies here and for what comes from there.

use crate::error::{BackupError, file};
use config::home::Home;
use config::in_force::{self, Content};
use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

/// The folders of the home, and of the repository.
pub const FOLDERS: [&str; 6] = [
    "config",
    "agents",
    "playbooks",
    "schedules",
    "TELOS",
    "hooks",
];
/// Most files.
const MOST_FILES: usize = 2000;
/// Longest path, in bytes.
const PATH_BYTES: usize = 200;
/// Deepest folder.
const DEEP: usize = 8;

/// Whether a path lies in the folders that are kept on both sides.
pub fn is_inside(path: &str) -> bool {
    let mut parts = path.split('/');
    let top = parts.next().unwrap_or_default();
    FOLDERS.contains(&top) && parts.next().is_some()
}

/// Whether a name is one that editors, systems and git leave behind: it stays where it is.
pub fn is_left_over(path: &str) -> bool {
    path.split('/').any(|name| {
        name.starts_with('.')
            || name.ends_with('~')
            || name.ends_with(".swp")
            || (name.starts_with('#') && name.ends_with('#'))
    })
}

/// Why a path cannot be kept on both sides; `None` where it can.
pub fn refused(path: &str) -> Option<&'static str> {
    if path.len() > PATH_BYTES || path.split('/').count() > DEEP {
        return Some("its path is too long or too deep");
    }
    if path.chars().any(char::is_control) || path.contains('\\') || path.contains(':') {
        return Some("its name holds a character that is not allowed on every system");
    }
    // git takes some names for its own folder on systems that fold them.
    let odd = |name: &str| {
        let name = name.to_ascii_lowercase();
        name.is_empty() || name == "git~1" || name.ends_with('.') || name.ends_with(' ')
    };
    path.split('/')
        .any(odd)
        .then_some("its name is one that git or another system gives a meaning")
}

/// What lies in the home.
#[derive(Debug, Default)]
pub struct Ours {
    /// Files that can be kept on both sides.
    pub files: BTreeMap<String, Content>,
    /// What cannot be, and why.
    pub refused: Vec<(String, String)>,
}

/// Reads what lies in the home.
///
/// # Errors
/// When a folder cannot be read, or holds far too much.
pub fn read(home: &Home) -> Result<Ours, BackupError> {
    let mut ours = Ours::default();
    for top in FOLDERS {
        folder(&home.root, top, &mut ours)?;
    }
    Ok(ours)
}

fn folder(root: &Path, path: &str, ours: &mut Ours) -> Result<(), BackupError> {
    let place = root.join(path);
    let about = match fs::symlink_metadata(&place) {
        Ok(about) => about,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(file("look at", &place)(error)),
    };
    if !about.is_dir() {
        let why = "it is a link: what it leads to is not sent".to_owned();
        ours.refused.push((path.to_owned(), why));
        return Ok(());
    }
    let entries = fs::read_dir(&place).map_err(file("read", &place))?;
    let mut names = Vec::new();
    for entry in entries {
        names.push(entry.map_err(file("read", &place))?.file_name());
    }
    names.sort();
    for name in names {
        let Some(name) = name.to_str() else {
            let shown = format!("{path}/{}", name.to_string_lossy());
            ours.refused
                .push((shown, "its name is not UTF-8".to_owned()));
            continue;
        };
        let below = format!("{path}/{name}");
        if is_left_over(&below) {
            continue;
        }
        if let Some(why) = refused(&below) {
            ours.refused.push((below, why.to_owned()));
            continue;
        }
        let place = root.join(&below);
        if fs::symlink_metadata(&place).is_ok_and(|about| about.is_dir()) {
            folder(root, &below, ours)?;
            continue;
        }
        match in_force::read(&place) {
            Ok(Some(content)) => {
                ours.files.insert(below, content);
            }
            // Gone since.
            Ok(None) => {}
            Err(error) => ours.refused.push((below, error.to_string())),
        }
        if ours.files.len() > MOST_FILES {
            return Err(BackupError::Refused(format!(
                "{} and its neighbours hold more than {MOST_FILES} files: they are for settings, agents and playbooks alone",
                root.join(path).display()
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn paths_are_told_apart() {
        for (path, inside) in [
            ("config/a.yaml", true),
            ("agents/x/AGENT.md", true),
            ("config", false),
            ("secrets/x", false),
            ("README.md", false),
            ("configs/a", false),
        ] {
            assert_eq!(is_inside(path), inside, "{path}");
        }
        for (path, good) in [
            ("config/a.yaml", true),
            ("TELOS/my goals.md", true),
            ("config/a\nb", false),
            ("config/git~1/x", false),
            ("config/a:b", false),
            ("config/a\\b", false),
            ("config//b", false),
            ("config/a./b", false),
            ("config/a/b/c/d/e/f/g/h", false),
        ] {
            assert_eq!(refused(path).is_none(), good, "{path}");
        }
        for name in [".git/config", "a/.b.swp", "a.yaml~", "x/#a#", ".tmpAb"] {
            assert!(is_left_over(name), "{name}");
        }
        assert!(!is_left_over("a/b.yaml"));
    }

    #[test]
    fn what_is_no_plain_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path().join("h"));
        home.ensure().unwrap();
        let at = |path: &str| home.root.join(path);
        fs::write(at("config/a.yaml"), "x").unwrap();
        fs::write(at("config/large"), vec![b'x'; 1_100_000]).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", at("config/link")).unwrap();
        std::os::unix::fs::symlink("/etc", at("TELOS")).unwrap();
        fs::write(at("secrets/key"), "x").unwrap();
        let ours = read(&home).unwrap();
        let names: Vec<&String> = ours.files.keys().collect();
        assert_eq!(names, ["config/a.yaml"]);
        let refused: Vec<&str> = ours.refused.iter().map(|(path, _)| path.as_str()).collect();
        assert_eq!(refused, ["config/large", "config/link", "TELOS"]);
    }
}
