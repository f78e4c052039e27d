//! Values that are never printed: in memory behind [`Secret`], on disk as `secrets/NAME` with
//! mode 0600, from another service by way of the daemon, or from the environment under their
//! well-known names.

use crate::env::Env;
use crate::error::{ConfigError, quoted};
use crate::home::Home;
use crate::private_file;
use crate::vault;
use serde::{Deserialize, Serialize, Serializer};
use std::collections::BTreeMap;
use std::fmt;

/// Largest secret, in bytes.
const SECRET_BYTES: u64 = 64 * 1024;

/// Names that also have a well-known variable.
const VARIABLES: [(&str, &str); 7] = [
    ("anthropic-api-key", "ANTHROPIC_API_KEY"),
    ("redis-password", "REDIS_PASSWORD"),
    ("postgres-password", "POSTGRES_PASSWORD"),
    ("github-pat", "GITHUB_TOKEN"),
    ("s3-access-key", "AWS_ACCESS_KEY_ID"),
    ("s3-secret-key", "AWS_SECRET_ACCESS_KEY"),
    ("s3-session-token", "AWS_SESSION_TOKEN"),
];

/// Names that the program itself looks for.
pub fn names() -> impl Iterator<Item = &'static str> {
    VARIABLES.into_iter().map(|(name, _)| name)
}

/// A value that shows itself only to [`Secret::reveal`].
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Wraps a value.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }
    /// The value itself.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("***")
    }
}

/// Refuses names that are not 1 to 64 characters of a-z, 0-9 and `-`.
pub fn check_name(name: &str) -> Result<(), ConfigError> {
    let good = (1..=64).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if good {
        return Ok(());
    }
    Err(ConfigError::Secret(format!(
        "`{}` is not a secret's name: use 1 to 64 characters of a-z, 0-9 and -, starting with a letter",
        quoted(name)
    )))
}

/// Keeps a secret in the home. A line end at the end of the value is not part of it.
pub fn set(home: &Home, name: &str, value: &str) -> Result<(), ConfigError> {
    check_name(name)?;
    let value = value.trim_end_matches(['\r', '\n']);
    let problem = if value.is_empty() {
        "is empty"
    } else if value.len() as u64 >= SECRET_BYTES {
        "is larger than 64 kB"
    } else if value.contains('\0') {
        "holds a NUL character"
    } else {
        return private_file::write(&home.secrets().join(name), value.as_bytes());
    };
    Err(ConfigError::Secret(format!(
        "the value of secret `{name}` {problem}; nothing was kept"
    )))
}

/// Where a secret comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// This variable.
    Variable(&'static str),
    /// AWS Secrets Manager, known since then.
    Aws(String),
    /// A file of the home.
    File,
}

/// Every secret that is known, by name, from the place that counts.
///
/// # Errors
/// When the folder cannot be read.
pub fn places(home: &Home, env: &Env) -> Result<Vec<(String, Place)>, ConfigError> {
    let mut all: BTreeMap<String, Place> = list(home)?
        .into_iter()
        .map(|name| (name, Place::File))
        .collect();
    all.extend(
        vault::all_handed(env)
            .into_iter()
            .map(|(name, since)| (name, Place::Aws(since))),
    );
    let set = |(_, variable): &&(&str, &str)| env.get(variable).is_some();
    let variables = VARIABLES.iter().filter(set);
    all.extend(variables.map(|(name, variable)| ((*name).to_owned(), Place::Variable(variable))));
    Ok(all.into_iter().collect())
}

/// A secret by name: its well-known variable first, then what another service keeps, then its file;
/// `None` where none has it.
pub fn find(home: &Home, env: &Env, name: &str) -> Result<Option<Secret>, ConfigError> {
    check_name(name)?;
    let variable = VARIABLES.iter().find(|(known, _)| *known == name);
    if let Some(value) = variable.and_then(|(_, variable)| env.get(variable)) {
        return Ok(Some(Secret::new(value)));
    }
    if let Some(value) = vault::handed(env, name) {
        return Ok(Some(Secret::new(value)));
    }
    let path = home.secrets().join(name);
    let Some(bytes) = private_file::read(&path, SECRET_BYTES)? else {
        return Ok(None);
    };
    let text = String::from_utf8(bytes)
        .map_err(|_| ConfigError::file("read", &path, "it is not UTF-8 text"))?;
    let value = text.trim_end_matches(['\r', '\n']);
    Ok((!value.is_empty()).then(|| Secret::new(value)))
}

/// Names of the secrets kept in the home, in order.
pub fn list(home: &Home) -> Result<Vec<String>, ConfigError> {
    let folder = home.secrets();
    let entries = match std::fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(ConfigError::file("read", &folder, error)),
    };
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| check_name(name).is_ok())
        .collect();
    names.sort();
    Ok(names)
}

/// Every value that can be had here, named by settings or not, for whoever hides them in what is written. What
/// cannot be read is nobody's to hide.
pub fn every(home: &Home, env: &Env) -> Vec<Secret> {
    let known = places(home, env).unwrap_or_default();
    let found = known
        .iter()
        .filter_map(|(name, _)| find(home, env, name).ok()?);
    found.collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn never_printed() {
        let secret = Secret::new("sk-ant-1");
        let shown = format!(
            "{secret} {secret:?} {}",
            serde_json::to_string(&secret).unwrap()
        );
        assert_eq!(shown, "*** *** \"***\"");
    }

    #[test]
    fn kept_found_and_listed() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path());
        home.ensure().unwrap();
        let empty = Env::default();
        assert_eq!(find(&home, &empty, "anthropic-api-key"), Ok(None));
        set(&home, "anthropic-api-key", "sk-1\n").unwrap();
        let found = find(&home, &empty, "anthropic-api-key").unwrap().unwrap();
        assert_eq!(found.reveal(), "sk-1");
        let env = Env::from_pairs([("ANTHROPIC_API_KEY", "sk-2")]);
        let found = find(&home, &env, "anthropic-api-key").unwrap().unwrap();
        assert_eq!(found.reveal(), "sk-2");
        assert_eq!(list(&home).unwrap(), ["anthropic-api-key"]);
    }

    #[test]
    fn bad_names_and_values_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path());
        home.ensure().unwrap();
        for name in ["", "../x", "A", "a b", "a/b", &"a".repeat(65)] {
            assert!(set(&home, name, "v").is_err(), "{name}");
            assert!(find(&home, &Env::default(), name).is_err(), "{name}");
        }
        for value in ["", "\n", "a\0b", &"x".repeat(70_000)] {
            assert!(set(&home, "a", value).is_err());
        }
    }
}
