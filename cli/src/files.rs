//! Files that a person attaches to a request: read here, with the person's own rights, so that the
//! supervisor opens nothing on somebody's word; looked at for secrets; handed over to be kept.

use crate::failure::Failure;
use crate::render::text::size;
use inspect::secret_rules;
use protocol::attachment::{self, AttachmentError};
use protocol::exit;
use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// A file that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picked {
    /// Its name, without folders.
    pub name: String,
    /// All of it.
    pub content: Vec<u8>,
    /// Why it looks like a secret, in a few words.
    pub worry: Option<String>,
}

/// Reads files that are to be attached, at most `limit` MiB each.
///
/// # Errors
/// For the first that cannot be attached, with what can be done.
pub fn read_all<P: AsRef<Path>>(paths: &[P], limit: u64) -> Result<Vec<Picked>, Failure> {
    if paths.len() > attachment::MOST {
        return Err(Failure::usage(AttachmentError::TooMany(paths.len())));
    }
    let mut names = BTreeSet::new();
    let mut picked = Vec::new();
    for path in paths {
        let file = read(path.as_ref(), limit)?;
        if !names.insert(file.name.clone()) {
            return Err(Failure::usage(AttachmentError::Twice(file.name)));
        }
        picked.push(file);
    }
    Ok(picked)
}

fn read(path: &Path, limit: u64) -> Result<Picked, Failure> {
    let shown = path.display();
    let name = path.file_name().and_then(|name| name.to_str());
    let name = name.ok_or_else(|| {
        Failure::usage(format!(
            "cannot attach {shown}: it has no name that is plain text; rename it"
        ))
    })?;
    attachment::check_name(name).map_err(Failure::usage)?;
    let file = open(path).map_err(|error| {
        let why = match error.kind() {
            io::ErrorKind::NotFound => "there is no such file".to_owned(),
            io::ErrorKind::PermissionDenied => "you may not read it".to_owned(),
            _ => error.to_string(),
        };
        Failure::usage(format!("cannot attach {shown}: {why}"))
    })?;
    let cannot = |error: io::Error| Failure::usage(format!("cannot attach {shown}: {error}"));
    let meta = file.metadata().map_err(cannot)?;
    if meta.is_dir() {
        return Err(Failure::usage(format!(
            "cannot attach {shown}: it is a folder; attach its files, or make it the folder the request is about"
        )));
    }
    if !meta.is_file() {
        return Err(Failure::usage(format!(
            "cannot attach {shown}: it is a pipe, a device or a socket; write what it gives into a file and attach that"
        )));
    }
    let most = limit << 20;
    let too_large = |bytes: u64, more: &str| {
        Failure::usage(format!(
            "cannot attach {shown}: it has {more}{}, at most {limit} MiB are attached (team.attach_mb)",
            size(bytes)
        ))
        .hint("put it into the folder the request is about, and name it there")
    };
    if meta.len() > most {
        return Err(too_large(meta.len(), ""));
    }
    let mut content = Vec::new();
    // What grows while it is read, or says no size, is bounded all the same.
    file.take(most + 1)
        .read_to_end(&mut content)
        .map_err(cannot)?;
    if content.len() as u64 > most {
        return Err(too_large(most, "more than "));
    }
    Ok(Picked {
        worry: worry(name, &content),
        name: name.to_owned(),
        content,
    })
}

/// Opens without waiting for anybody: a pipe that nobody writes to does not hold it up.
fn open(path: &Path) -> io::Result<File> {
    let flags = nix::fcntl::OFlag::O_NONBLOCK | nix::fcntl::OFlag::O_NOCTTY;
    OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits())
        .open(path)
}

/// What speaks against showing a file to an agent, and with a key to the provider of its model.
fn worry(name: &str, content: &[u8]) -> Option<String> {
    const NAMES: &[&str] = &[
        ".env",
        ".netrc",
        ".pgpass",
        ".npmrc",
        ".pypirc",
        ".htpasswd",
        ".git-credentials",
        "credentials",
        "credentials.json",
        "id_rsa",
        "id_dsa",
        "id_ecdsa",
        "id_ed25519",
        "shadow",
        "gshadow",
    ];
    const ENDS: &[&str] = &[
        ".key",
        ".p12",
        ".pfx",
        ".jks",
        ".kdbx",
        ".keystore",
        ".tfstate",
    ];
    let lower = name.to_lowercase();
    let of_environment = lower.strip_prefix(".env.").is_some_and(|rest| {
        !["example", "sample", "template", "dist"]
            .iter()
            .any(|harmless| rest.ends_with(harmless))
    });
    if NAMES.contains(&lower.as_str()) || of_environment || ENDS.iter().any(|e| lower.ends_with(e))
    {
        return Some("files of that name usually hold secrets".to_owned());
    }
    let text = std::str::from_utf8(content).ok()?;
    let found = secret_rules::find(text).into_iter().next()?;
    Some(format!(
        "line {} looks like a secret ({})",
        found.line, found.rule
    ))
}

/// What is said of files that look like secrets, where nobody can be asked.
pub fn refusal(worrying: &[&Picked]) -> Failure {
    let first = worrying.first();
    let (name, why) = first.map_or(("", ""), |file| {
        (
            file.name.as_str(),
            file.worry.as_deref().unwrap_or_default(),
        )
    });
    Failure::new(
        exit::WAITS,
        format!("{name} was not attached: {why}, and the agent, with a key also the provider of its model, would see it"),
    )
    .hint("to attach it all the same: --even-secrets")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::path::PathBuf;

    #[test]
    fn only_ordinary_files_of_a_bounded_size_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("notes.txt"), "hello").unwrap();
        std::fs::write(at("none"), "").unwrap();
        nix::unistd::mkfifo(&at("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        let large = File::create(at("large")).unwrap();
        large.set_len((1 << 20) + 1).unwrap();
        std::os::unix::fs::symlink(at("notes.txt"), at("link")).unwrap();
        let check = |path: PathBuf, expected: &str| {
            let said = match read_all(std::slice::from_ref(&path), 1) {
                Ok(files) => format!("{} bytes", files[0].content.len()),
                Err(failure) => failure.message,
            };
            assert!(said.contains(expected), "{path:?}: {said}");
        };
        check(at("notes.txt"), "5 bytes");
        check(at("link"), "5 bytes");
        check(at("none"), "0 bytes");
        check(at("missing"), "there is no such file");
        check(folder.path().to_owned(), "it is a folder");
        check(at("pipe"), "it is a pipe, a device or a socket");
        check("/dev/zero".into(), "it is a pipe, a device or a socket");
        check(at("large"), "at most 1 MiB are attached");
        check("/".into(), "no name");
        let twice = read_all(&[at("notes.txt"), at("notes.txt")], 1).unwrap_err();
        assert!(twice.message.contains("two attached files"), "{twice:?}");
    }

    #[test]
    fn what_looks_like_a_secret_is_noticed() {
        let key = format!(
            "-----BEGIN RSA {}-----\nMIIEpAIBAAKCAQEA7bq3xW9zT2\n",
            "PRIVATE KEY"
        );
        for (name, content, worries) in [
            ("notes.txt", "the meeting is at nine", false),
            (".env", "", true),
            (".env.local", "", true),
            (".env.example", "", false),
            ("ID_RSA", "", true),
            ("id_rsa.pub", "ssh-rsa AAAA", false),
            ("server.key", "", true),
            ("keys.md", "how keys work", false),
            ("server.pem", key.as_str(), true),
            ("conf.yaml", "db_password: \"tR8#vq2Lm!z\"\n", true),
        ] {
            assert_eq!(worry(name, content.as_bytes()).is_some(), worries, "{name}");
        }
    }
}
