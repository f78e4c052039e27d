//! What this machine keeps of a configuration repository: a bare git repository of its own, with the state
//! both sides knew last (`refs/kept/base`) and what was there when it was last looked at
//! (`refs/kept/theirs`). Thrown away, every file that differs is a conflict; nothing is lost.

use super::scope;
use super::tree::{Entry, Tree};
use crate::error::BackupError;
use crate::store::command::{Git, OF_SETTINGS, shown};
use crate::store::git::BRANCH as SEALED;
use crate::store::login::Login;
use config::in_force::Content;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

/// What both sides knew last.
const BASE: &str = "refs/kept/base";
/// What was there last.
const THEIRS: &str = "refs/kept/theirs";
/// The branch of a repository that has none yet.
const FIRST: &str = "refs/heads/main";
/// Largest listing of what is there, in files.
const MOST_FILES: usize = 20_000;

/// What a commit holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// The files that belong to the configuration.
    pub files: Tree,
    /// What lies among them and cannot be taken, and why.
    pub refused: Vec<(String, String)>,
}

/// The repository.
#[derive(Debug)]
pub struct Shelf {
    git: Git,
    url: String,
}

/// What came of a look at the place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Looked {
    /// The branch there.
    pub branch: String,
    /// Its newest commit; `None` where the repository is empty.
    pub head: Option<String>,
    /// Whether what was seen before is no longer part of its past.
    pub rewritten: bool,
}

impl Shelf {
    /// The one of a URL; made where there is none.
    pub fn open(folder: &Path, url: &str, login: &Login) -> Result<Self, BackupError> {
        let own = crate::pack::digest(url.as_bytes()).to_string();
        let git = Git::new(&folder.join(&own[..16]), url, login, OF_SETTINGS);
        git.make()?;
        Ok(Self {
            git,
            url: url.to_owned(),
        })
    }

    /// The place, as it may be shown.
    pub fn place(&self) -> String {
        shown(&self.url)
    }

    fn text(&self, words: &[&str]) -> Result<String, BackupError> {
        let said = self.git.run(words, &[])?;
        Ok(String::from_utf8_lossy(&said).trim().to_owned())
    }

    fn reference(&self, name: &str) -> Option<String> {
        let words = ["rev-parse", "-q", "--verify", name];
        self.text(&words).ok().filter(|id| !id.is_empty())
    }

    /// The commit both sides knew last.
    pub fn base(&self) -> Option<String> {
        self.reference(BASE)
    }

    /// The newest commit that was seen there.
    pub fn theirs(&self) -> Option<String> {
        self.reference(THEIRS)
    }

    /// Looks at the place and fetches what is new.
    pub fn look(&self) -> Result<Looked, BackupError> {
        let said = self.text(&["ls-remote", "--symref", &self.url, "HEAD", "refs/heads/*"])?;
        let mut branch = None;
        let mut heads = BTreeMap::new();
        for line in said.lines() {
            match line.split_once('\t') {
                Some((what, "HEAD")) => {
                    branch = what.strip_prefix("ref: ").map(str::to_owned).or(branch);
                }
                Some((id, name)) => {
                    heads.insert(name.to_owned(), id.to_owned());
                }
                None => {}
            }
        }
        // The branch of sealed backups may be the only one that was ever pushed there.
        let branch = branch
            .filter(|branch| branch != SEALED && heads.contains_key(branch))
            .unwrap_or_else(|| FIRST.to_owned());
        let before = self.theirs();
        let Some(id) = heads.get(&branch) else {
            return Ok(Looked {
                branch,
                head: None,
                rewritten: before.is_some(),
            });
        };
        if before.as_ref() != Some(id) {
            self.git.tidy()?;
            let refs = format!("+{branch}:{THEIRS}");
            let words = ["fetch", "-q", "--no-tags", self.url.as_str(), &refs];
            self.git.run(&words, &[])?;
        }
        let head = self.theirs();
        let rewritten = match (&before, &head) {
            (Some(before), Some(head)) => {
                let words = ["merge-base", "--is-ancestor", before, head];
                self.git.run(&words, &[]).is_err()
            }
            _ => false,
        };
        Ok(Looked {
            branch,
            head,
            rewritten,
        })
    }

    /// The files of a commit or tree.
    pub fn files(&self, commit: &str) -> Result<Seen, BackupError> {
        let words = ["ls-tree", "-r", "-l", "-z", "--full-tree", commit];
        let listed = self.git.run(&words, &[])?;
        let mut seen = Seen::default();
        let lines = listed.split(|b| *b == 0).filter(|line| !line.is_empty());
        for (number, line) in lines.enumerate() {
            if number > MOST_FILES {
                return Err(BackupError::Refused(format!(
                    "{}: more than {MOST_FILES} files lie there: that is no repository of settings",
                    self.place()
                )));
            }
            let Some(tab) = line.iter().position(|b| *b == b'\t') else {
                continue;
            };
            let about = String::from_utf8_lossy(&line[..tab]).into_owned();
            let words: Vec<&str> = about.split_whitespace().collect();
            let (Some(mode), Some(id), Some(bytes)) = (words.first(), words.get(2), words.get(3))
            else {
                continue;
            };
            let path = String::from_utf8_lossy(&line[tab + 1..]).into_owned();
            if !scope::is_inside(&path) || scope::is_left_over(&path) {
                continue;
            }
            let readable = std::str::from_utf8(&line[tab + 1..]).is_ok();
            let large = bytes
                .parse()
                .is_ok_and(|n: u64| n > config::in_force::MOST_BYTES);
            let why = match *mode {
                _ if !readable => Some("its name is not UTF-8"),
                "120000" => Some("it is a link there: links are not taken"),
                "160000" => {
                    Some("it is another repository there (a submodule): those are not taken")
                }
                _ if large => Some("it is larger than 1 MB there"),
                _ => scope::refused(&path),
            };
            match why {
                Some(why) => seen.refused.push((path, why.to_owned())),
                None => {
                    let entry = Entry {
                        id: (*id).to_owned(),
                        executable: *mode == "100755",
                    };
                    seen.files.insert(path, entry);
                }
            }
        }
        Ok(seen)
    }

    /// The contents of files, by their paths.
    pub fn contents(&self, files: &Tree) -> Result<BTreeMap<String, Content>, BackupError> {
        let mut asked = String::new();
        for entry in files.values() {
            let _infallible = writeln!(asked, "{}", entry.id);
        }
        let answer = self.git.run(&["cat-file", "--batch"], asked.as_bytes())?;
        let damaged = || BackupError::damaged("what git answered", "it is shorter than was said");
        let mut rest = answer.as_slice();
        let mut contents = BTreeMap::new();
        for (path, entry) in files {
            let end = rest.iter().position(|b| *b == b'\n').ok_or_else(damaged)?;
            let head = String::from_utf8_lossy(&rest[..end]).into_owned();
            let bytes: usize = match head.split(' ').collect::<Vec<_>>()[..] {
                [_, "blob", bytes] => bytes.parse().map_err(|_| damaged())?,
                _ => return Err(BackupError::damaged(path, "git does not have it")),
            };
            let content = rest.get(end + 1..end + 1 + bytes).ok_or_else(damaged)?;
            contents.insert(
                path.clone(),
                Content {
                    bytes: content.to_vec(),
                    executable: entry.executable,
                },
            );
            rest = rest.get(end + 2 + bytes..).ok_or_else(damaged)?;
        }
        Ok(contents)
    }

    /// Keeps contents; answers git's names for them.
    pub fn keep(&self, files: &BTreeMap<String, Content>) -> Result<Tree, BackupError> {
        if files.is_empty() {
            return Ok(Tree::new());
        }
        let mut input = Vec::new();
        let mut marks = String::new();
        for (number, content) in files.values().enumerate() {
            let mark = number + 1;
            let head = format!("blob\nmark :{mark}\ndata {}\n", content.bytes.len());
            input.extend_from_slice(head.as_bytes());
            input.extend_from_slice(&content.bytes);
            input.push(b'\n');
            let _infallible = writeln!(marks, "get-mark :{mark}");
        }
        input.extend_from_slice(marks.as_bytes());
        input.extend_from_slice(b"done\n");
        let words = ["fast-import", "--quiet", "--done"];
        let answer = self.git.run(&words, &input)?;
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let ids: Vec<&str> = answer.lines().collect();
        if ids.len() != files.len() {
            return Err(BackupError::damaged(
                "what git answered",
                "names are missing",
            ));
        }
        Ok(files
            .iter()
            .zip(ids)
            .map(|((path, content), id)| {
                let entry = Entry {
                    id: id.to_owned(),
                    executable: content.executable,
                };
                (path.clone(), entry)
            })
            .collect())
    }

    /// Merges the lines of a file; `None` where they touch, or are no text.
    pub fn merged(
        &self,
        base: &[u8],
        ours: &[u8],
        theirs: &[u8],
    ) -> Result<Option<Vec<u8>>, BackupError> {
        let is_text = |bytes: &[u8]| std::str::from_utf8(bytes).is_ok() && !bytes.contains(&0);
        match [base, ours, theirs].iter().all(|bytes| is_text(bytes)) {
            true => self.git.merge(base, ours, theirs),
            false => Ok(None),
        }
    }

    /// A commit upon what is there, with files that are other than there (`None`: gone).
    pub fn commit(
        &self,
        upon: Option<&str>,
        files: &BTreeMap<String, Option<Entry>>,
        message: &str,
    ) -> Result<String, BackupError> {
        let mut lines = Vec::new();
        // What goes makes room for what comes.
        let (going, coming): (Vec<_>, Vec<_>) =
            files.iter().partition(|(_, entry)| entry.is_none());
        for (path, entry) in going.into_iter().chain(coming) {
            let line = match entry {
                Some(entry) => {
                    let mode = if entry.executable { "100755" } else { "100644" };
                    format!("{mode} {}\t{path}\0", entry.id)
                }
                None => format!("0 {}\t{path}\0", "0".repeat(40)),
            };
            lines.extend_from_slice(line.as_bytes());
        }
        let tree = self.git.tree_upon(upon, &lines)?;
        let mut words = vec!["commit-tree", tree.as_str(), "-m", message];
        if let Some(parent) = upon {
            words.extend(["-p", parent]);
        }
        self.text(&words)
    }

    /// Sends a commit; false where somebody else was faster.
    pub fn push(&self, commit: &str, looked: &Looked) -> Result<bool, BackupError> {
        let refs = format!("{commit}:{}", looked.branch);
        let mut words = vec!["push", "-q", "--porcelain"];
        let new = format!("--force-with-lease={}:", looked.branch);
        if looked.head.is_none() {
            words.push(&new);
        }
        words.extend([self.url.as_str(), &refs]);
        match self.git.run(&words, &[]) {
            Ok(_) => {
                self.git.run(&["update-ref", THEIRS, commit], &[])?;
                Ok(true)
            }
            Err(BackupError::Target { said, .. }) if crate::store::git::is_race(&said) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// From now on this is what both sides know.
    pub fn agree(&self, files: &Tree) -> Result<(), BackupError> {
        let files = files
            .iter()
            .map(|(path, entry)| (path.clone(), Some(entry.clone())))
            .collect();
        let commit = self.commit(None, &files, "what both sides know")?;
        self.git
            .run(&["update-ref", BASE, &commit], &[])
            .map(|_| ())
    }

    /// Runs git for what a person reads.
    pub fn read(&self, words: &[&str]) -> Result<String, BackupError> {
        let said = self.git.run(words, &[])?;
        Ok(String::from_utf8_lossy(&said).into_owned())
    }
}
