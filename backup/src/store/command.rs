//! The git program, on a bare repository of our own: no hooks, no questions, no work tree. Nothing of a
//! person's repositories is run here.

pub use super::bounded::Bounds;
use super::bounded::{self, Over};
use super::login::Login;
use crate::error::{BackupError, file};
use config::error::quoted;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

/// Settings for every call: what is kept is sealed, so compressing and comparing it is of no use; a
/// connection that stands still for a minute is given up.
const SETTINGS: [&str; 15] = [
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
    // What is fetched lies in one pack, so that it can be measured and swept away.
    "fetch.unpackLimit=1",
    "protocol.ext.allow=never",
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

/// For a repository of sealed backups: as large as the disk allows, a pack at a time.
pub const OF_BACKUPS: Bounds = Bounds {
    time: Duration::from_secs(12 * 3600),
    still: Duration::from_secs(15 * 60),
    answer: 1 << 30,
    growth: u64::MAX,
    free: 256 * 1000 * 1000,
};
/// For one of settings and texts.
pub const OF_SETTINGS: Bounds = Bounds {
    time: Duration::from_secs(300),
    still: Duration::from_secs(300),
    answer: 64 * 1024 * 1024,
    growth: 256 * 1024 * 1024,
    free: 256 * 1000 * 1000,
};
/// More packs, loose objects or bytes of packs than this are put together.
const MESSY: (u64, u64, u64) = (50, 5000, OF_SETTINGS.growth / 2);

/// The program.
#[derive(Debug)]
pub struct Git {
    here: PathBuf,
    url: String,
    login: Login,
    bounds: Bounds,
    /// Whether the user's git has a way of its own to call ssh.
    own_ssh: OnceLock<bool>,
}

impl Git {
    /// On a repository in a folder, for a URL.
    pub fn new(here: &Path, url: &str, login: &Login, bounds: Bounds) -> Self {
        Self {
            here: here.to_owned(),
            url: url.to_owned(),
            login: login.clone(),
            bounds,
            own_ssh: OnceLock::new(),
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

    /// A blob of which it is known how large it is. Read into as much room, it is never in memory twice.
    pub fn blob(&self, id: &str, bytes: u64) -> Result<Vec<u8>, BackupError> {
        let exactly = Bounds {
            answer: bytes,
            ..self.bounds
        };
        let done = self.spawned(&["cat-file", "blob", id], &[], None, &exactly)?;
        self.good(done)
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
        let done = self.spawned(&words, &[], None, &self.bounds)?;
        match done.status.code() {
            Some(0) => Ok(Some(done.stdout)),
            Some(1..=127) => Ok(None),
            _ => Err(self.failed(&done)),
        }
    }

    /// Lets go of what no branch holds any more; `needed` are the bytes that one does. Packs that were
    /// fetched are written anew where they hold much else.
    pub fn sweep(&self, needed: u64) -> Result<(), BackupError> {
        self.run(&["reflog", "expire", "--expire=now", "--all"], &[])?;
        self.run(&["prune", "--expire=now"], &[])?;
        let (_, _, packed) = self.counted()?;
        if packed > needed + needed / 2 {
            self.run(&["repack", "-a", "-d", "-q"], &[])?;
        }
        Ok(())
    }

    /// Puts together what many runs have left in many files, now and then.
    pub fn tidy(&self) -> Result<(), BackupError> {
        let (loose, packs, bytes) = self.counted()?;
        if packs > MESSY.0 || loose > MESSY.1 || bytes > MESSY.2 {
            self.run(&["reflog", "expire", "--expire=now", "--all"], &[])?;
            self.run(&["repack", "-a", "-d", "-q"], &[])?;
            self.run(&["prune", "--expire=now"], &[])?;
        }
        Ok(())
    }

    /// How many loose objects, how many packs, and the bytes of those.
    fn counted(&self) -> Result<(u64, u64, u64), BackupError> {
        let said = self.run(&["count-objects", "-v"], &[])?;
        let said = String::from_utf8_lossy(&said).into_owned();
        let number = |name: &str| {
            let mut lines = said.lines().filter_map(|line| line.split_once(": "));
            let found = lines.find(|(is, _)| *is == name);
            found.and_then(|(_, n)| n.parse::<u64>().ok()).unwrap_or(0)
        };
        Ok((number("count"), number("packs"), number("size-pack") * 1024))
    }

    fn run_with(
        &self,
        words: &[&str],
        input: &[u8],
        index: Option<&Path>,
    ) -> Result<Vec<u8>, BackupError> {
        let done = self.spawned(words, input, index, &self.bounds)?;
        self.good(done)
    }

    fn good(&self, done: Output) -> Result<Vec<u8>, BackupError> {
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
        bounds: &Bounds,
    ) -> Result<Output, BackupError> {
        let mut command = Command::new("git");
        command.arg("--git-dir").arg(&self.here);
        for setting in SETTINGS {
            command.args(["-c", setting]);
        }
        if let (Some(token), Some(site)) = (&self.login.token, site(&self.url)) {
            command.args(["-c", &format!("credential.{site}.helper=")]);
            command.args(["-c", &format!("credential.{site}.helper={HELPER}")]);
            command.env("AI_INFRA_GIT_TOKEN", token.reveal());
        }
        let has_own = || *self.own_ssh.get_or_init(has_own_ssh);
        if let Some(ssh) = self.login.ssh(&self.url, has_own) {
            command.args(["-c", &format!("core.sshCommand={ssh}")]);
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
        let wrong = |said: String| BackupError::Target {
            target: shown(&self.url),
            said,
        };
        let ran = bounded::run(command, input, &self.here, bounds);
        let ran = ran
            .map_err(|error| wrong(format!("git cannot be run ({error}): apt-get install git")))?;
        ran.map_err(|over| wrong(too_much(over, bounds)))
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

fn has_own_ssh() -> bool {
    let mut asked = Command::new("git");
    asked.args(["config", "--global", "--get", "core.sshCommand"]);
    asked.stderr(Stdio::null()).current_dir("/");
    asked.output().is_ok_and(|said| !said.stdout.is_empty())
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

/// Why it was ended, and what to do.
fn too_much(over: Over, bounds: &Bounds) -> String {
    let megabytes = |bytes: u64| bytes / 1_000_000;
    match over {
        Over::Time => format!(
            "git was ended after {} minutes: the place is very slow, or holds far more than is kept there by this team; look whether it is the right one",
            bounds.time.as_secs() / 60
        ),
        Over::Still => format!(
            "git was ended: for {} minutes next to nothing was read or written; the place keeps the connection open and does not answer",
            bounds.still.as_secs() / 60
        ),
        Over::Answer | Over::Growth => format!(
            "more than {} MB would have been fetched or listed, so it was broken off: that is not what this team keeps there; look whether it is the right place",
            megabytes(bounds.answer.min(bounds.growth))
        ),
        Over::Free => format!(
            "less than {} MB would be left on the disk of the home, so it was broken off: make room there",
            megabytes(bounds.free)
        ),
    }
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
            "it does not take the ssh key of this user: put its public half there, or name another one as backup.ssh.key",
        ),
        (
            "HOST IDENTIFICATION HAS CHANGED",
            "its host key is another one than before: the server was set up anew, or somebody stands in between; ask its owner, then take the old one out with ssh-keygen -R and add the new one",
        ),
        (
            "Host key verification failed",
            "its host key is not known here: compare what `ssh-keyscan HOST` says with what its owner tells you, then add the line to known_hosts of this user (or of backup.ssh.known_hosts)",
        ),
        (
            "Connection timed out",
            "it does not answer: is it up, and the port right?",
        ),
        (
            "Connection refused",
            "nobody listens there: is it up, and the port right?",
        ),
        (
            "certificate",
            "its certificate is not in order, so nothing was sent",
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
        .filter(|line| !line.bytes().all(|b| b == b'@'))
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
