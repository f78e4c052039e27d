//! What a person writes as the place of backups, and the store it means.

use super::Store;
use super::command::shown;
use super::folder::Folder;
use super::git::Git;
use super::login::Login;
use super::s3::{Access, S3};
use crate::error::BackupError;
use config::error::quoted;
use std::fmt;
use std::path::PathBuf;

/// A place, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A folder of this machine.
    Folder(PathBuf),
    /// A git repository.
    Git(String),
    /// A bucket, and what stands before every name in it.
    S3(String, String),
}

/// What the places need beside their names.
#[derive(Debug, Clone)]
pub struct Keys {
    /// The folder in which git keeps what it fetched and pushed.
    pub cache: PathBuf,
    /// For git.
    pub git: Login,
    /// For S3.
    pub s3: Access,
}

/// What may be written.
const EXPECTED: &str =
    "write /a/folder, ssh://, https://, file:// or git@host:path for git, or s3://bucket/prefix";

impl Target {
    /// Reads a place.
    ///
    /// # Errors
    /// When it is none, with what may be written.
    pub fn read(text: &str) -> Result<Self, BackupError> {
        let refused = |why: &str| {
            let shown = shown(text);
            Err(BackupError::Refused(format!("`{shown}` {why}: {EXPECTED}")))
        };
        if text.chars().any(char::is_control) || text.len() > 2000 {
            return refused("is no place for backups");
        }
        if let Some(bucket) = text.strip_prefix("s3://") {
            let (bucket, prefix) = bucket.split_once('/').unwrap_or((bucket, ""));
            let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
            let parts = || prefix.trim_matches('/').split('/');
            let dots = parts().any(|part| part == "." || part == "..");
            let empty = !prefix.trim_matches('/').is_empty() && parts().any(str::is_empty);
            return match !bucket.is_empty() && bucket.bytes().all(plain) && !dots && !empty {
                true => Ok(Target::S3(
                    bucket.to_owned(),
                    prefix.trim_matches('/').to_owned(),
                )),
                false => refused("names no bucket"),
            };
        }
        let over = ["ssh://", "https://", "http://", "file:///", "git://"];
        if over.iter().any(|scheme| {
            text.strip_prefix(scheme)
                .is_some_and(|rest| !rest.is_empty())
        }) {
            return Ok(Target::Git(text.to_owned()));
        }
        if text.starts_with('/') && !text.trim_end_matches('/').is_empty() {
            return Ok(Target::Folder(PathBuf::from(text.trim_end_matches('/'))));
        }
        match text.split_once(':') {
            // As ssh writes it: user@host:path.
            Some((host, path))
                if host.contains('@')
                    && !host.starts_with('-')
                    && !host.contains('/')
                    && !path.is_empty()
                    && !path.starts_with(':') =>
            {
                Ok(Target::Git(text.to_owned()))
            }
            None if !text.trim_matches('/').is_empty() => {
                refused("is not an absolute path, so it would be another place elsewhere")
            }
            _ => refused("is no place for backups"),
        }
    }

    /// Its store. Called, and used, on a thread that may block, with a runtime beside it.
    pub fn store(&self, keys: &Keys) -> Result<Box<dyn Store>, BackupError> {
        Ok(match self {
            Target::Folder(folder) => Box::new(Folder::at(folder)),
            Target::Git(url) => {
                let own = crate::pack::digest(url.as_bytes()).to_string();
                let here = keys.cache.join("git").join(&own[..16]);
                Box::new(Git::at(url, &here, &keys.git))
            }
            Target::S3(bucket, prefix) => Box::new(S3::at(bucket, prefix, &keys.s3)?),
        })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::Folder(folder) => f.write_str(&folder.to_string_lossy()),
            Target::Git(url) => f.write_str(&shown(url)),
            Target::S3(bucket, prefix) if prefix.is_empty() => write!(f, "s3://{}", quoted(bucket)),
            Target::S3(bucket, prefix) => write!(f, "s3://{}/{}", quoted(bucket), quoted(prefix)),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn places_are_told_apart() {
        let git = |url: &str| Ok(Target::Git(url.to_owned()));
        let bucket =
            |bucket: &str, prefix: &str| Ok(Target::S3(bucket.to_owned(), prefix.to_owned()));
        for (text, expected) in [
            ("/mnt/b", Ok(Target::Folder("/mnt/b".into()))),
            ("/mnt/b/", Ok(Target::Folder("/mnt/b".into()))),
            ("https://h/a.git", git("https://h/a.git")),
            ("file:///srv/a.git", git("file:///srv/a.git")),
            ("git@h:a/b.git", git("git@h:a/b.git")),
            ("s3://b", bucket("b", "")),
            ("s3://b/a/c/", bucket("b", "a/c")),
            ("s3://b/../c", Err("no bucket")),
            ("s3://b/a//c", Err("no bucket")),
            ("s3://", Err("no bucket")),
            ("s3://b?x", Err("no bucket")),
            ("", Err("no place")),
            ("/", Err("no place")),
            ("https://", Err("no place")),
            ("file://relative", Err("no place")),
            ("ext::sh -c x", Err("no place")),
            ("-oProxyCommand=x@h:y", Err("no place")),
            ("a\nb", Err("no place")),
            ("backups", Err("absolute path")),
            ("./backups", Err("absolute path")),
            ("ftp://u:hunter2@x/y", Err("no place")),
        ] {
            match (Target::read(text), expected) {
                (Ok(read), expected) => assert_eq!(Ok(read), expected, "{text}"),
                (Err(said), Err(part)) => {
                    let said = said.to_string();
                    assert!(said.contains(part) && !said.contains("hunter2"), "{said}");
                }
                (Err(said), Ok(_)) => panic!("{text}: {said}"),
            }
        }
    }
}
