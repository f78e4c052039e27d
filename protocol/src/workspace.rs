//! Folders that the team works in, under names that are easier to say than paths.

use crate::ids::ShortId;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Longest name, in characters.
const LONGEST: usize = 64;

/// A registered folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Workspace {
    /// What it is called here.
    pub name: String,
    /// The host it lies on.
    pub host: String,
    /// Where, absolute.
    pub path: String,
    /// `repository`, `folder`, or `gone`; nothing where it lies on another host.
    #[serde(default)]
    pub kind: Option<String>,
    /// When it was registered.
    pub added: Timestamp,
    /// The newest task there.
    pub last_task: Option<ShortId>,
    /// When that was accepted.
    pub last: Option<Timestamp>,
}

/// The name a folder gets where nobody gives it one: the end of its path in plain letters.
pub fn name_of(path: &str) -> String {
    let end = path.trim_end_matches('/').rsplit('/').next();
    let plain: String = end
        .unwrap_or_default()
        .to_lowercase()
        .chars()
        .map(|c| match c {
            'a'..='z' | '0'..='9' | '.' | '_' => c,
            _ => '-',
        })
        .take(LONGEST - 8)
        .collect();
    match plain.trim_matches(['-', '.', '_']) {
        "" => "folder".to_owned(),
        plain => plain.to_owned(),
    }
}

/// Whether a name can be given: such that it is never taken for a path or an option.
pub fn is_name(text: &str) -> bool {
    let plain = |c: char| matches!(c, 'a'..='z' | '0'..='9' | '.' | '_' | '-');
    !text.is_empty()
        && text.len() <= LONGEST
        && text.chars().all(plain)
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_folder_has_a_name_that_can_be_given() {
        for (path, name) in [
            ("/srv/shop", "shop"),
            ("/srv/My Shop (2)/", "my-shop--2"),
            ("/srv/.config", "config"),
            ("/srv/été", "t"),
            ("/", "folder"),
            ("/srv/…", "folder"),
        ] {
            assert_eq!(name_of(path), name, "{path}");
            assert!(is_name(&name_of(path)), "{path}");
        }
        assert!(is_name(&format!("{}-1000", name_of(&"x".repeat(300)))));
    }

    #[test]
    fn names_are_no_paths_and_no_options() {
        for name in ["", ".", "..", "a/b", "-x", "A", "a b", "~", "été"] {
            assert!(!is_name(name), "{name}");
        }
        assert!(is_name("shop-2.1_x"));
    }
}
