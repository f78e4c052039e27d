//! A repository on a branch of a git repository, at any URL that git pushes to. The branch has nothing to
//! do with the others; its tree holds the objects. What is put is pushed at once in one commit, never
//! forced: whoever was faster is fetched and built upon. What is removed makes a new branch without a past,
//! and takes the place of exactly the one that was looked at, or nothing happens.

use super::command::{Git as Program, OF_BACKUPS};
use super::login::Login;
use super::{Found, Store};
use crate::error::BackupError;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The branch.
pub const BRANCH: &str = "refs/heads/ai-infra-backup";
/// Where its newest commit stands here.
const HERE: &str = "refs/kept/branch";
/// So many bytes are pushed at a time.
const PUSH_BYTES: u64 = 64 * 1024 * 1024;
/// How a repository on this machine is served: what is sealed is neither compressed nor compared there either, which
/// would take most of the time. Elsewhere that is for whoever serves it to say.
const SERVED: &str = "--upload-pack=git -c core.compression=0 -c pack.window=0 -c core.bigFileThreshold=256k upload-pack";
/// How it takes what is pushed.
const TAKEN: &str =
    "--receive-pack=git -c core.compression=0 -c core.bigFileThreshold=256k receive-pack";
/// How often a push is tried when others push too.
const TRIES: u32 = 8;

/// An object as git keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Blob {
    id: String,
    bytes: u64,
}

/// A branch of a git repository.
#[derive(Debug)]
pub struct Git {
    program: Program,
    url: String,
    /// The commit that `objects` began from; `None` before the first push.
    head: Option<String>,
    /// What the branch holds with what was put and removed here; `None` until it was looked at.
    objects: Option<BTreeMap<String, Blob>>,
    put: BTreeMap<String, Blob>,
    removed: BTreeSet<String>,
    unsent: u64,
}

impl Git {
    /// The branch at a URL. What was fetched and pushed is kept in `here`, a folder of its own.
    pub fn at(url: &str, here: &Path, login: &Login) -> Self {
        Self {
            program: Program::new(here, url, login, OF_BACKUPS),
            url: url.to_owned(),
            head: None,
            objects: None,
            put: BTreeMap::new(),
            removed: BTreeSet::new(),
            unsent: 0,
        }
    }

    /// The branch's objects, looked at where they were not.
    fn objects(&mut self) -> Result<&mut BTreeMap<String, Blob>, BackupError> {
        let objects = match self.objects.take() {
            Some(objects) => objects,
            None => {
                self.program.make()?;
                self.fetch()?
            }
        };
        Ok(self.objects.insert(objects))
    }

    /// What the branch holds at its place now.
    fn fetch(&mut self) -> Result<BTreeMap<String, Blob>, BackupError> {
        let said = self.program.run(&["ls-remote", &self.url, BRANCH], &[])?;
        let said = String::from_utf8_lossy(&said);
        self.head = said.split_whitespace().next().map(str::to_owned);
        let Some(head) = &self.head else {
            return Ok(BTreeMap::new());
        };
        let known = self
            .program
            .run(&["rev-parse", "-q", "--verify", HERE], &[]);
        let known = known.map(|id| String::from_utf8_lossy(&id).trim().to_owned());
        if known.ok().as_ref() != Some(head) {
            let refs = format!("+{BRANCH}:{HERE}");
            let mut words = vec!["fetch", "-q", "--no-tags", "--depth=1"];
            words.extend(self.is_here().then_some(SERVED));
            words.extend([self.url.as_str(), &refs]);
            self.program.run(&words, &[])?;
        }
        let listed = self
            .program
            .run(&["ls-tree", "-r", "-l", "-z", "--full-tree", HERE], &[])?;
        let mut objects = BTreeMap::new();
        for line in listed.split(|b| *b == 0).filter(|line| !line.is_empty()) {
            let line = String::from_utf8_lossy(line);
            let Some((about, name)) = line.split_once('\t') else {
                continue;
            };
            let mut words = about.split_whitespace();
            if let (Some(_), Some("blob"), Some(id), Some(bytes)) =
                (words.next(), words.next(), words.next(), words.next())
            {
                let blob = Blob {
                    id: id.to_owned(),
                    bytes: bytes.parse().unwrap_or_default(),
                };
                objects.insert(name.to_owned(), blob);
            }
        }
        // It may have moved between the two looks; what was fetched is what counts.
        let head = self.program.run(&["rev-parse", "--verify", HERE], &[])?;
        self.head = Some(String::from_utf8_lossy(&head).trim().to_owned());
        Ok(objects)
    }

    fn is_here(&self) -> bool {
        self.url.starts_with("file://")
    }

    /// A commit of these objects.
    fn commit(&self, objects: &BTreeMap<String, Blob>) -> Result<String, BackupError> {
        let mut lines = Vec::new();
        for (name, blob) in objects {
            lines.extend_from_slice(format!("100644 {}\t{name}\0", blob.id).as_bytes());
        }
        let tree = self.program.tree(&lines)?;
        let mut words = vec!["commit-tree", &tree, "-m", "ai-infra backup"];
        // Without a past: what was removed is to be gone.
        if let Some(head) = self.head.as_deref().filter(|_| self.removed.is_empty()) {
            words.extend(["-p", head]);
        }
        let commit = self.program.run(&words, &[])?;
        Ok(String::from_utf8_lossy(&commit).trim().to_owned())
    }

    /// Pushes a commit; false where the branch is no longer the one that was looked at.
    fn push(&self, commit: &str) -> Result<bool, BackupError> {
        let refs = format!("{commit}:{BRANCH}");
        let expected = self.head.as_deref().unwrap_or_default();
        let lease = format!("--force-with-lease={BRANCH}:{expected}");
        let mut words = vec!["push", "-q", "--porcelain"];
        if !self.removed.is_empty() || self.head.is_none() {
            words.push(&lease);
        }
        words.extend(self.is_here().then_some(TAKEN));
        words.extend([self.url.as_str(), &refs]);
        match self.program.run(&words, &[]) {
            Ok(_) => Ok(true),
            Err(BackupError::Target { said, .. }) if is_race(&said) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Builds upon what others pushed meanwhile.
    fn catch_up(&mut self, before: &BTreeMap<String, Blob>) -> Result<(), BackupError> {
        let mut now = self.fetch()?;
        let gone = before.keys().any(|name| {
            !now.contains_key(name) && !self.put.contains_key(name) && !self.removed.contains(name)
        });
        if gone || !self.removed.is_empty() {
            self.forget();
            return Err(BackupError::Busy(format!(
                "{}: somebody else changed what is kept there at the same time; nothing is lost: run it again",
                self.place()
            )));
        }
        now.extend(self.put.clone());
        self.objects = Some(now);
        Ok(())
    }

    fn forget(&mut self) {
        self.put.clear();
        self.removed.clear();
        self.objects = None;
        self.unsent = 0;
    }
}

/// Whether a push was refused because somebody else pushed.
pub(crate) fn is_race(said: &str) -> bool {
    [
        "non-fast-forward",
        "fetch first",
        "stale info",
        "cannot lock ref",
        "reference already exists",
        "failed to update ref",
    ]
    .iter()
    .any(|word| said.contains(word))
}

impl Store for Git {
    fn place(&self) -> String {
        super::command::shown(&self.url)
    }

    fn list(&mut self, folder: &str) -> Result<Vec<Found>, BackupError> {
        let below = format!("{folder}/");
        let found = self.objects()?.range(below.clone()..);
        Ok(found
            .take_while(|(name, _)| name.starts_with(&below))
            .map(|(name, blob)| Found {
                name: name.clone(),
                bytes: blob.bytes,
            })
            .collect())
    }

    fn get(&mut self, name: &str) -> Result<Option<Vec<u8>>, BackupError> {
        let Some(blob) = self.objects()?.get(name).cloned() else {
            return Ok(None);
        };
        Ok(Some(self.program.blob(&blob.id, blob.bytes)?))
    }

    fn put(&mut self, name: &str, bytes: &[u8]) -> Result<(), BackupError> {
        self.objects()?;
        let id = self.program.run(&["hash-object", "-w", "--stdin"], bytes)?;
        let blob = Blob {
            id: String::from_utf8_lossy(&id).trim().to_owned(),
            bytes: bytes.len() as u64,
        };
        self.put.insert(name.to_owned(), blob.clone());
        self.removed.remove(name);
        self.objects()?.insert(name.to_owned(), blob);
        self.unsent += bytes.len() as u64;
        match self.unsent >= PUSH_BYTES {
            true => self.settle(),
            false => Ok(()),
        }
    }

    fn remove(&mut self, name: &str) -> Result<(), BackupError> {
        if self.objects()?.remove(name).is_some() {
            self.put.remove(name);
            self.removed.insert(name.to_owned());
        }
        Ok(())
    }

    fn settle(&mut self) -> Result<(), BackupError> {
        if self.put.is_empty() && self.removed.is_empty() {
            return Ok(());
        }
        for _ in 0..TRIES {
            let objects = self.objects()?.clone();
            let commit = self.commit(&objects)?;
            if self.push(&commit)? {
                self.program.run(&["update-ref", HERE, &commit], &[])?;
                if !self.removed.is_empty() {
                    let needed = objects.values().map(|blob| blob.bytes).sum();
                    self.program.sweep(needed)?;
                }
                self.head = Some(commit);
                self.put.clear();
                self.removed.clear();
                self.unsent = 0;
                return Ok(());
            }
            self.catch_up(&objects)?;
        }
        self.forget();
        Err(BackupError::Busy(format!(
            "{}: others push there all the time; nothing is lost: run it again",
            self.place()
        )))
    }

    fn refuses_races(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::process::Command;

    struct Room(tempfile::TempDir);

    impl Room {
        fn new() -> Self {
            let room = Room(tempfile::tempdir().unwrap());
            let made = Command::new("git")
                .args(["init", "-q", "--bare"])
                .arg(room.0.path().join("there.git"))
                .status();
            assert!(
                made.unwrap().success(),
                "git is needed: apt-get install git"
            );
            room
        }

        fn at(&self, here: &str) -> Git {
            let url = format!("file://{}", self.0.path().join("there.git").display());
            Git::at(&url, &self.0.path().join(here), &Login::default())
        }

        fn commits(&self) -> usize {
            let said = Command::new("git")
                .arg("-C")
                .arg(self.0.path().join("there.git"))
                .args(["rev-list", "--count", BRANCH])
                .output();
            String::from_utf8(said.unwrap().stdout)
                .unwrap()
                .trim()
                .parse()
                .unwrap()
        }
    }

    fn names(git: &mut Git, folder: &str) -> Vec<String> {
        git.list(folder)
            .unwrap()
            .into_iter()
            .map(|found| found.name)
            .collect()
    }

    #[test]
    fn what_is_put_is_there_for_others_after_it_was_settled() {
        let room = Room::new();
        let mut one = room.at("one");
        assert_eq!(one.get("a/x").unwrap(), None);
        one.put("a/x", b"\0binary\xff").unwrap();
        one.put("ab", b"").unwrap();
        assert_eq!(one.get("a/x").unwrap().unwrap(), b"\0binary\xff");
        assert_eq!(room.at("two").get("a/x").unwrap(), None);
        one.settle().unwrap();
        let mut two = room.at("two");
        assert_eq!(two.get("a/x").unwrap().unwrap(), b"\0binary\xff");
        assert_eq!(names(&mut two, "a"), ["a/x"]);
        assert_eq!(one.list("a").unwrap()[0].bytes, 8);
        one.settle().unwrap();
        assert_eq!(room.commits(), 1, "nothing new is no commit");
    }

    #[test]
    fn two_who_push_build_upon_each_other() {
        let room = Room::new();
        let (mut one, mut two) = (room.at("one"), room.at("two"));
        assert_eq!(
            (names(&mut one, "a"), names(&mut two, "a")),
            (vec![], vec![])
        );
        one.put("a/1", b"1").unwrap();
        two.put("a/2", b"2").unwrap();
        one.settle().unwrap();
        two.settle().unwrap();
        one.put("a/3", b"3").unwrap();
        one.settle().unwrap();
        assert_eq!(names(&mut room.at("three"), "a"), ["a/1", "a/2", "a/3"]);
        assert_eq!(room.commits(), 3);
    }

    #[test]
    fn what_is_removed_leaves_no_past_and_never_takes_what_others_put() {
        let room = Room::new();
        let (mut one, mut two) = (room.at("one"), room.at("two"));
        one.put("a/1", b"1").unwrap();
        one.put("a/2", b"2").unwrap();
        one.settle().unwrap();
        assert_eq!(names(&mut two, "a").len(), 2);
        one.remove("a/1").unwrap();
        one.settle().unwrap();
        assert_eq!(room.commits(), 1);
        // Two has not seen that: what it names may be gone, so it must look again.
        two.put("a/3", b"3").unwrap();
        assert!(
            two.settle()
                .unwrap_err()
                .to_string()
                .contains("run it again")
        );
        two.put("a/3", b"3").unwrap();
        two.settle().unwrap();
        // And one has not seen two's: it removes nothing.
        one.remove("a/2").unwrap();
        assert!(
            one.settle()
                .unwrap_err()
                .to_string()
                .contains("run it again")
        );
        assert_eq!(names(&mut room.at("three"), "a"), ["a/2", "a/3"]);
    }

    #[test]
    fn what_is_wrong_is_said_without_the_password() {
        let room = Room::new();
        let url = format!(
            "file://user:hunter2@{}",
            room.0.path().join("not.git").display()
        );
        let mut none = Git::at(&url, &room.0.path().join("four"), &Login::default());
        let said = none.list("a").unwrap_err().to_string();
        assert!(
            !said.contains("hunter2") && said.contains("not.git"),
            "{said}"
        );
    }
}
