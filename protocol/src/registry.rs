//! Kinds of places that programs fetch from with a token that they never see: each client is told in its own way where the
//! place is, and each place is shown the token in its own way.

use serde::{Deserialize, Serialize};

/// Whose clients fetch from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RegistryKind {
    /// A package index of Python.
    Pip,
    /// A registry of npm packages.
    Npm,
    /// A registry of crates with a sparse index.
    Cargo,
    /// Repositories of git over HTTPS, for reading.
    Git,
}

impl RegistryKind {
    /// The words of settings, in the order of the kinds.
    pub const WORDS: [&str; 4] = ["pip", "npm", "cargo", "git"];

    /// From its word.
    pub fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "pip" => Self::Pip,
            "npm" => Self::Npm,
            "cargo" => Self::Cargo,
            "git" => Self::Git,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_a_kind_and_no_other() {
        for word in RegistryKind::WORDS {
            let kind = RegistryKind::parse(word);
            let back = serde_json::to_value(kind).unwrap_or_default();
            assert_eq!(back, word);
        }
        assert_eq!(RegistryKind::parse("maven"), None);
    }
}
