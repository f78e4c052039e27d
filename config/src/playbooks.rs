//! Every playbook as text: the shipped ones, then the home's, which add or replace by file name.

use crate::document;
use crate::error::{ConfigError, Problem};
use crate::home::Home;
use crate::shipped;

/// Most playbooks in a home.
const MOST: usize = 1000;

/// Origin (`shipped NAME`, or the file's path) and YAML of every playbook, shipped ones first.
/// Nothing is parsed here.
///
/// # Errors
/// When a file cannot be read, is larger than 1 MB, or is not text; all such files are named.
pub fn all(home: &Home) -> Result<Vec<(String, String)>, ConfigError> {
    let mut problems = Vec::new();
    let own = own(home, &mut problems);
    if !problems.is_empty() {
        return Err(ConfigError::Wrong(problems));
    }
    let replaced = |name: &str| own.iter().any(|(stem, ..)| stem == name);
    let shipped = shipped::playbooks()
        .iter()
        .filter(|(name, _)| !replaced(name))
        .map(|(name, yaml)| (format!("shipped {name}"), (*yaml).to_owned()));
    let all = shipped.chain(
        own.iter()
            .map(|(_, path, yaml)| (path.clone(), yaml.clone())),
    );
    Ok(all.collect())
}

/// File stem, path and text of the home's playbooks, in order of name.
fn own(home: &Home, problems: &mut Vec<Problem>) -> Vec<(String, String, String)> {
    let folder = home.playbooks();
    let entries = match std::fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Vec::new(),
        Err(error) => {
            problems.push(Problem::new(
                folder.display(),
                format!("cannot be read: {error}"),
            ));
            return Vec::new();
        }
    };
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.ends_with(".yaml") && !name.starts_with('.'))
        .collect();
    names.sort();
    if names.len() > MOST {
        let message = format!("holds more than {MOST} playbooks");
        problems.push(Problem::new(folder.display(), message));
        names.truncate(MOST);
    }
    let mut own = Vec::new();
    for name in names {
        let path = folder.join(&name);
        match document::read_text(&path) {
            Ok(Some(yaml)) => {
                let stem = name.trim_end_matches(".yaml").to_owned();
                own.push((stem, path.display().to_string(), yaml));
            }
            Ok(None) => {}
            Err(problem) => problems.push(problem),
        }
    }
    own
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn the_persons_own_add_and_replace() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path());
        let shipped = all(&home).unwrap();
        assert_eq!(shipped.len(), shipped::playbooks().len());
        home.ensure().unwrap();
        for name in ["run-tests.yaml", "mine.yaml", ".hidden.yaml", "notes.txt"] {
            std::fs::write(home.playbooks().join(name), name).unwrap();
        }
        let both = all(&home).unwrap();
        assert_eq!(both.len(), shipped.len() + 1);
        let texts: Vec<&str> = both
            .iter()
            .rev()
            .take(2)
            .map(|(_, yaml)| yaml.as_str())
            .collect();
        assert_eq!(texts, ["run-tests.yaml", "mine.yaml"]);
        assert!(!both.iter().any(|(origin, _)| origin == "shipped run-tests"));
    }

    #[test]
    fn unreadable_ones_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path());
        home.ensure().unwrap();
        std::fs::write(home.playbooks().join("x.yaml"), [0xff]).unwrap();
        let said = all(&home).unwrap_err().to_string();
        assert!(said.ends_with("x.yaml: is not UTF-8 text"), "{said}");
    }
}
