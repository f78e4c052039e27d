//! The git program, on a bare repository of our own: no hooks, no questions, no work tree. Nothing of a
//! person's repositories is run here.

use crate::error::{BackupError, file};
use config::error::quoted;
use config::secret::Secret;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// Settings for every call: what is kept is sealed, so compressing and comparing it is of no use; a
/// connection that stands still for a minute is given up.
const SETTINGS: [&str; 13] = [
    "core.hooksPath=/dev/null",
    "core.compression=0",
    "core.bigFileThreshold=256k",
    "pack.window=0",
    "pack.threads=1",
    "gc.auto=0",
    "maintenance.auto=false",
    "http.lowSpeedLimit=100",
    "http.lowSpeedTime=60",
    "user.name=ai-infra",
    "user.email=ai-infra@localhost",
    "commit.gpgSign=false",
    "fetch.recurseSubmodules=false",
];
/// Variables of a git command that we may have been started from.
const NOT_OURS: [&str; 7] = [
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_NAMESPACE",
    "GIT_PREFIX",
];
/// What answers git's question for a password; the token is in its environment, in no command line.
const HELPER: &str =
    "!f() { echo username=x-access-token; echo \"password=$AI_INFRA_GIT_TOKEN\"; }; f";

/// The program.
#[derive(Debug)]
pub struct Git {
    here: PathBuf,
    url: String,
    token: Option<Secret>,
}

impl Git {
    /// On a repository in a folder, for a URL.
    pub fn new(here: &Path, url: &str, token: Option<&Secret>) -> Self {
        Self {
            here: here.to_owned(),
            url: url.to_owned(),
            token: token.cloned(),
        }
    }

    /// Makes the repository, where there is none.
    pub fn make(&self) -> Result<(), BackupError> {
        crate::repository::make_private(&self.here)?;
        if !self.here.join("HEAD").exists() {
            // Whatever the person's own git makes.
            self.run(&["init", "-q", "--bare", "--object-format=sha1"], &[])?;
        }
        Ok(())
    }

    /// Runs git; answers what it printed.
    pub fn run(&self, words: &[&str], input: &[u8]) -> Result<Vec<u8>, BackupError> {
        self.run_with(words, input, None)
    }

    /// A tree of `mode id TAB name NUL` lines.
    pub fn tree(&self, lines: &[u8]) -> Result<String, BackupError> {
        self.tree_upon(None, lines)
    }

    /// The same, upon what another tree or commit holds. Mode 0 takes a name away.
    pub fn tree_upon(&self, base: Option<&str>, lines: &[u8]) -> Result<String, BackupError> {
        let index = self.scratch()?;
        let index = index.path().join("index");
        if let Some(base) = base {
            self.run_with(&["read-tree", base], &[], Some(&index))?;
        }
        self.run_with(&["update-index", "-z", "--index-info"], lines, Some(&index))?;
        let tree = self.run_with(&["write-tree"], &[], Some(&index))?;
        Ok(String::from_utf8_lossy(&tree).trim().to_owned())
    }

    fn scratch(&self) -> Result<tempfile::TempDir, BackupError> {
        tempfile::Builder::new()
            .prefix("index-")
            .tempdir_in(&self.here)
            .map_err(file("write", &self.here))
    }

    /// Merges lines: what changed from `base` to `ours` and to `theirs`. `None` where both changed the
    /// same lines, or lines beside each other.
    pub fn merge(
        &self,
        base: &[u8],
        ours: &[u8],
        theirs: &[u8],
    ) -> Result<Option<Vec<u8>>, BackupError> {
        let scratch = self.scratch()?;
        let mut words = vec!["merge-file".to_owned(), "-q".to_owned(), "-p".to_owned()];
        for (name, bytes) in [("ours", ours), ("base", base), ("theirs", theirs)] {
            let path = scratch.path().join(name);
            std::fs::write(&path, bytes).map_err(file("write", &path))?;
            words.push(path.to_string_lossy().into_owned());
        }
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let done = self.spawned(&words, &[], None)?;
        match done.status.code() {
            Some(0) => Ok(Some(done.stdout)),
            Some(1..=127) => Ok(None),
            _ => Err(self.failed(&done)),
        }
    }

    /// Lets go of what no branch holds any more.
    pub fn sweep(&self) -> Result<(), BackupError> {
        self.run(&["reflog", "expire", "--expire=now", "--all"], &[])?;
        self.run(&["prune", "--expire=now"], &[]).map(|_| ())
    }

    fn run_with(
        &self,
        words: &[&str],
        input: &[u8],
        index: Option<&Path>,
    ) -> Result<Vec<u8>, BackupError> {
        let done = self.spawned(words, input, index)?;
        match done.status.success() {
            true => Ok(done.stdout),
            false => Err(self.failed(&done)),
        }
    }

    fn spawned(
        &self,
        words: &[&str],
        input: &[u8],
        index: Option<&Path>,
    ) -> Result<Output, BackupError> {
        let mut command = Command::new("git");
        command.arg("--git-dir").arg(&self.here);
        for setting in SETTINGS {
            command.args(["-c", setting]);
        }
        if let (Some(token), Some(site)) = (&self.token, site(&self.url)) {
            command.args(["-c", &format!("credential.{site}.helper=")]);
            command.args(["-c", &format!("credential.{site}.helper={HELPER}")]);
            command.env("AI_INFRA_GIT_TOKEN", token.reveal());
        }
        for name in NOT_OURS {
            command.env_remove(name);
        }
        if let Some(index) = index {
            command.env("GIT_INDEX_FILE", index);
        }
        command
            .args(words)
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("LC_ALL", "C")
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| BackupError::Target {
            target: shown(&self.url),
            said: format!("git cannot be run ({error}): apt-get install git"),
        })?;
        // Fed beside it, so that neither waits for the other. One that ends early says why itself.
        let to = child.stdin.take();
        let (done, fed) = std::thread::scope(|scope| {
            let feeding = scope.spawn(move || to.map_or(Ok(()), |mut to| to.write_all(input)));
            (child.wait_with_output(), feeding.join())
        });
        let done = done.map_err(file("wait for", Path::new("git")))?;
        match fed {
            Ok(Err(error)) if done.status.success() => {
                Err(file("write to", Path::new("git"))(error))
            }
            _ => Ok(done),
        }
    }

    fn failed(&self, done: &Output) -> BackupError {
        let mut said = String::from_utf8_lossy(&done.stdout).into_owned();
        said.push_str(&String::from_utf8_lossy(&done.stderr));
        BackupError::Target {
            target: shown(&self.url),
            said: explained(&said.replace(&self.url, &shown(&self.url))),
        }
    }
}

/// `https://host/` of a URL that a token is for.
fn site(url: &str) -> Option<String> {
    let rest = url.strip_prefix("https://")?;
    let host = rest.split('/').next()?;
    Some(format!("https://{}", host.rsplit('@').next()?))
}

/// A URL without a password.
pub fn shown(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return quoted(url);
    };
    let end = rest.find('/').unwrap_or(rest.len());
    let (host, path) = rest.split_at(end);
    let host = host.rsplit('@').next().unwrap_or_default();
    let text: String = format!("{scheme}://{host}{path}");
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}

/// What git said, in one line, with the next step where it is known.
fn explained(said: &str) -> String {
    let next = [
        (
            "Authentication failed",
            "the token is wrong or may not write there: ai-infra secret set github-pat",
        ),
        (
            "could not read Username",
            "it asks for a token: ai-infra secret set github-pat",
        ),
        (
            "Permission denied (publickey",
            "no ssh key of this user is known there",
        ),
        (
            "Host key verification failed",
            "its host key is not known to this user: connect to it once by hand with ssh",
        ),
        (
            "Repository not found",
            "there is no such repository, or the token does not see it; at GitHub `ai-infra backup run --create` makes it",
        ),
        (
            "does not appear to be a git repository",
            "there is no git repository: make an empty one first",
        ),
        (
            "Could not resolve host",
            "the name is unknown, or there is no network",
        ),
        (
            "exceeds GitHub's file size limit",
            "an object is too large for this place",
        ),
        (
            "protected branch",
            "the branch is protected there: allow it to be pushed",
        ),
    ];
    let line = said
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .filter(|line| !line.starts_with("hint:") && !line.starts_with("To ") && *line != "Done")
        .take(3)
        .collect::<Vec<_>>()
        .join("; ");
    let line: String = line.chars().filter(|c| !c.is_control()).take(300).collect();
    let found = next.iter().find(|(word, _)| said.contains(word));
    match found {
        Some((_, next)) => format!("{next} (git: {line})"),
        None => format!("git: {line}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_shown_without_passwords() {
        for (url, expected) in [
            ("https://u:p@h.example/a.git", "https://h.example/a.git"),
            ("ssh://git@h/a", "ssh://h/a"),
            ("git@h:a/b.git", "git@h:a/b.git"),
            ("file:///srv/x.git", "file:///srv/x.git"),
        ] {
            assert_eq!(shown(url), expected);
        }
        assert_eq!(
            site("https://u@h:8443/a/b"),
            Some("https://h:8443".to_owned())
        );
        assert_eq!(site("http://h/a"), None, "a token is not sent in the clear");
    }

    #[test]
    fn what_git_says_comes_with_the_next_step() {
        for (said, expected) in [
            (
                "fatal: Authentication failed for 'https://x'",
                "secret set github-pat (git: fatal: Auth",
            ),
            ("hint: x\nfatal: odd\x1b[31m", "git: fatal: odd[31m"),
        ] {
            assert!(explained(said).contains(expected), "{}", explained(said));
        }
    }
}
