//! The only way in: keep a record, recall records, show one. A record is kept once its file is;
//! the index follows before the next question, and at the next start if the process dies first.

use crate::catalog::{Catalog, KeyDigest, Known};
use crate::entry::{Entry, EntryError, line};
use crate::index::embedded::{Changes, Embedded, Hit, IndexError, Scope};
use crate::tree::{Found, Tree, TreeError};
use crate::{recall, words};
use jiff::Timestamp;
use protocol::memory::{FoundMemory, NewMemory};
use sha2::{Digest, Sha256};
use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Kept records that may wait to be indexed before it is done without a question.
const WAITING: usize = 256;
/// Names that are tried for a new record before giving up.
pub(crate) const ID_ROUNDS: u32 = 64;
/// Most records one question brings back.
const MOST: usize = 100;

/// Why memory does not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum MemoryError {
    /// The tree cannot be opened.
    #[error("the memory at {0}")]
    Tree(#[from] TreeError),
    /// The index cannot even be made anew.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// The record cannot be kept.
    #[error("this memory cannot be kept: {0}")]
    Refused(#[from] EntryError),
    /// The file system refused.
    #[error("the memory file {0}: {1}")]
    Io(PathBuf, #[source] io::Error),
    /// It cannot be taken back.
    #[error("{0}")]
    Forgotten(String),
    /// No such record.
    #[error("there is no memory `{0}`: find one with `ai-infra memory search`")]
    NoSuch(String),
}

impl MemoryError {
    /// Exit code of the command line.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Refused(_) | Self::NoSuch(_) | Self::Forgotten(_) => protocol::exit::USAGE,
            _ => protocol::exit::FAILED,
        }
    }
}

/// A file of the tree that is not a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Path below the tree's root.
    pub path: PathBuf,
    /// What is wrong and what to do.
    pub why: String,
}

/// The memory of a team. One process has it at a time; calls block on the disk.
pub struct Memory {
    pub(crate) index_dir: PathBuf,
    inner: Mutex<Inner>,
}

/// Hears how many of how many files were looked at.
pub(crate) type Told<'a> = &'a mut dyn FnMut(usize, usize);

/// What is open, behind the lock.
pub(crate) struct Inner {
    pub(crate) tree: Tree,
    pub(crate) index: Embedded,
    pub(crate) catalog: Catalog,
    /// Ids whose files are newer than the index.
    pub(crate) waiting: Vec<String>,
    pub(crate) problems: Vec<Problem>,
}

impl Memory {
    /// Opens the tree at `root` and its index at `index`, each made where it is missing, and
    /// brings the index up to date with the files.
    pub fn open(root: &Path, index: &Path) -> Result<Self, MemoryError> {
        let tree = Tree::open(root)?;
        let (index_open, catalog) = match existing(index) {
            Ok(found) => found,
            Err(error) => {
                tracing::info!(%error, "the memory index is made anew");
                (Embedded::create(index)?, Catalog::default())
            }
        };
        let memory = Self {
            index_dir: index.to_owned(),
            inner: Mutex::new(Inner {
                tree,
                index: index_open,
                catalog,
                waiting: Vec::new(),
                problems: Vec::new(),
            }),
        };
        memory.refresh()?;
        memory.sweep_forgotten(Timestamp::now());
        Ok(memory)
    }

    /// Compares the files with the index and indexes what a person or a crash changed.
    pub fn refresh(&self) -> Result<(), MemoryError> {
        let mut inner = self.lock();
        if let Err(error) = inner.catch_up(&mut |_, _| {}) {
            inner.rebuild(&self.index_dir, &error)?;
        }
        Ok(())
    }

    /// Keeps a record; when this returns, it survives a killed process. The same key twice is one
    /// record, the first. Gives its id.
    pub fn remember(&self, new: &NewMemory) -> Result<String, MemoryError> {
        let mut inner = self.lock();
        let id = inner.remember(new, Timestamp::now())?;
        if inner.waiting.len() >= WAITING
            && let Err(error) = inner.flush()
        {
            inner.rebuild(&self.index_dir, &error)?;
        }
        Ok(id)
    }

    /// What may help with these words, unasked: best first, the project's own before others.
    pub fn recall(
        &self,
        query: &str,
        project: Option<&str>,
        limit: usize,
    ) -> Result<Vec<FoundMemory>, MemoryError> {
        let scopes = match project {
            None => vec![Scope::Everywhere],
            Some(name) => vec![
                Scope::Project(name.to_owned()),
                Scope::Elsewhere(name.to_owned()),
            ],
        };
        let asked = words::asked(query, recall::QUESTION_WORDS);
        self.find(
            &asked,
            recall::required(asked.len()),
            &scopes,
            project,
            limit,
        )
    }

    /// Records with any of these words; with a project, only its own and those of none.
    pub fn search(
        &self,
        query: &str,
        project: Option<&str>,
        limit: usize,
    ) -> Result<Vec<FoundMemory>, MemoryError> {
        let scope = match project {
            None => Scope::Everywhere,
            Some(name) => Scope::Project(name.to_owned()),
        };
        let asked = words::asked(query, recall::QUESTION_WORDS);
        self.find(&asked, 1, &[scope], project, limit)
    }

    fn find(
        &self,
        asked: &[String],
        required: usize,
        scopes: &[Scope],
        project: Option<&str>,
        limit: usize,
    ) -> Result<Vec<FoundMemory>, MemoryError> {
        let mut inner = self.lock();
        let limit = limit.min(MOST);
        let hits = match inner.hits(asked, required, scopes, limit) {
            Ok(hits) => hits,
            Err(error) => {
                inner.rebuild(&self.index_dir, &error)?;
                inner.hits(asked, required, scopes, limit)?
            }
        };
        let ranked = recall::rank(hits, project, limit);
        Ok(ranked
            .into_iter()
            .filter_map(|hit| inner.found(hit, asked))
            .collect())
    }

    /// One record, as its file.
    pub fn show(&self, id: &str) -> Result<String, MemoryError> {
        let inner = self.lock();
        let known = inner
            .catalog
            .get(id)
            .ok_or_else(|| MemoryError::NoSuch(line(id, 80)))?;
        inner
            .tree
            .read(&known.path)
            .map_err(|error| MemoryError::Io(known.path.clone(), error))
    }

    /// How many records there are.
    pub fn count(&self) -> usize {
        self.lock().catalog.len()
    }

    /// Files that are not records, as of the last look at the tree.
    pub fn problems(&self) -> Vec<Problem> {
        self.lock().problems.clone()
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn existing(dir: &Path) -> Result<(Embedded, Catalog), IndexError> {
    let index = Embedded::open(dir)?;
    let mut catalog = Catalog::default();
    for (id, known) in index.known()? {
        catalog.put(&id, known);
    }
    Ok((index, catalog))
}

impl Inner {
    fn remember(&mut self, new: &NewMemory, at: Timestamp) -> Result<String, MemoryError> {
        let digest = KeyDigest::of(&new.key);
        let earlier = self.catalog.of_key(&digest).map(str::to_owned);
        if let Some(id) = earlier {
            let known = self.catalog.get(&id).map(|known| known.path.clone());
            if known.is_some_and(|path| self.tree.look(&path).is_ok()) {
                return Ok(id);
            }
        }
        for round in 0..ID_ROUNDS {
            let id = new_id(&new.key, at, round);
            if self.catalog.get(&id).is_some() {
                continue;
            }
            let entry = Entry::new(id, new, at)?;
            let path = place(&entry, at);
            match self.tree.keep(&path, &entry.render()) {
                Ok(()) => return self.kept(entry.id, path, Some(digest)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(MemoryError::Io(path, error)),
            }
        }
        Err(EntryError::Field("no free name is left for it today: try again tomorrow").into())
    }

    pub(crate) fn kept(
        &mut self,
        id: String,
        path: PathBuf,
        key: Option<KeyDigest>,
    ) -> Result<String, MemoryError> {
        let stamp = match self.tree.look(&path) {
            Ok(file) => file.stamp,
            Err(error) => return Err(MemoryError::Io(path, error)),
        };
        let known = Known { path, stamp, key };
        self.catalog.put(&id, known);
        self.waiting.push(id.clone());
        Ok(id)
    }

    fn hits(
        &mut self,
        asked: &[String],
        required: usize,
        scopes: &[Scope],
        limit: usize,
    ) -> Result<Vec<Hit>, IndexError> {
        self.flush()?;
        let mut hits = Vec::new();
        for scope in scopes {
            hits.extend(self.index.search(asked, required, scope, limit * 4)?);
        }
        Ok(hits)
    }

    /// What is shown of a hit; `None` when its file has gone meanwhile.
    fn found(&self, hit: Hit, asked: &[String]) -> Option<FoundMemory> {
        let known = self.catalog.get(&hit.id)?;
        let text = self.tree.read(&known.path).ok()?;
        let entry = Entry::parse(&hit.id, &text).ok()?;
        let written = Timestamp::from_second(hit.written).unwrap_or_default();
        Some(FoundMemory {
            id: hit.id,
            title: entry.title,
            snippet: recall::snippet(&entry.body, asked),
            project: hit.project,
            score: hit.score,
            written: written.to_string(),
        })
    }

    /// Indexes the records that were kept since the last time.
    pub(crate) fn flush(&mut self) -> Result<(), IndexError> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let changes = self.index.change()?;
        for id in &self.waiting {
            let file = self
                .catalog
                .get(id)
                .map(|known| self.tree.look(&known.path));
            if let Some(Ok(file)) = file
                && let Ok((entry, known)) = load(&self.tree, &file)
            {
                changes.put(&entry, &known, written(&entry, &file))?;
            }
        }
        changes.commit()?;
        self.waiting.clear();
        Ok(())
    }

    /// Makes catalog and index agree with the files.
    pub(crate) fn catch_up(&mut self, told: Told<'_>) -> Result<(), IndexError> {
        self.waiting.clear();
        self.problems.clear();
        let mut files = self.tree.files();
        files.sort_by(|a, b| a.path.cmp(&b.path));
        let mut seen = HashSet::new();
        let mut changes: Option<Changes<'_>> = None;
        for (at, file) in files.iter().enumerate() {
            told(at, files.len());
            if self.is_current(file) {
                seen.insert(file.id.clone());
                continue;
            }
            match load(&self.tree, file) {
                Ok(_) if seen.contains(&file.id) => {
                    self.problems
                        .push(problem(file, "another record has the same name: rename it"));
                }
                Ok((entry, known)) => {
                    let changes = opened(&self.index, &mut changes)?;
                    changes.put(&entry, &known, written(&entry, file))?;
                    seen.insert(entry.id.clone());
                    self.catalog.put(&entry.id, known);
                }
                Err(why) => self.problems.push(problem(file, &why)),
            }
        }
        let gone = self.catalog.ids().filter(|id| !seen.contains(*id));
        for id in gone.map(str::to_owned).collect::<Vec<_>>() {
            opened(&self.index, &mut changes)?.remove(&id);
            self.catalog.remove(&id);
        }
        changes.map_or(Ok(()), Changes::commit)
    }

    fn is_current(&self, file: &Found) -> bool {
        self.catalog
            .get(&file.id)
            .is_some_and(|known| known.path == file.path && known.stamp == file.stamp)
    }

    /// Throws the index away and makes it from the files.
    pub(crate) fn rebuild(&mut self, dir: &Path, why: &IndexError) -> Result<(), MemoryError> {
        tracing::warn!(error = %why, "the memory index is made anew");
        self.index = Embedded::create(dir)?;
        self.catalog = Catalog::default();
        Ok(self.catch_up(&mut |_, _| {})?)
    }
}

fn opened<'a, 'i>(
    index: &'i Embedded,
    changes: &'a mut Option<Changes<'i>>,
) -> Result<&'a Changes<'i>, IndexError> {
    match changes {
        Some(open) => Ok(open),
        None => Ok(changes.insert(index.change()?)),
    }
}

fn load(tree: &Tree, file: &Found) -> Result<(Entry, Known), String> {
    let text = tree.read(&file.path).map_err(|error| error.to_string())?;
    let entry = Entry::parse(&file.id, &text).map_err(|error| error.to_string())?;
    let known = Known {
        path: file.path.clone(),
        stamp: file.stamp,
        key: entry.key.as_deref().map(KeyDigest::of),
    };
    Ok((entry, known))
}

fn problem(file: &Found, why: &str) -> Problem {
    Problem {
        path: file.path.clone(),
        why: why.to_owned(),
    }
}

fn written(entry: &Entry, file: &Found) -> i64 {
    entry.written.map_or(file.changed, Timestamp::as_second)
}

/// `m-<day>-<6 hex digits of the key>`; later rounds give others.
pub(crate) fn new_id(key: &str, at: Timestamp, round: u32) -> String {
    let digest = Sha256::digest(format!("{round}:{key}").as_bytes());
    let [a, b, c] = [digest[0], digest[1], digest[2]];
    format!("m-{}-{a:02x}{b:02x}{c:02x}", at.strftime("%Y%m%d"))
}

/// Where a record lies: by phase, else by task, else as knowledge; then by month.
pub(crate) fn place(entry: &Entry, at: Timestamp) -> PathBuf {
    let hall = match (&entry.phase, &entry.task) {
        (Some(phase), _) => format!("Learning/{}", phase.to_ascii_uppercase()),
        (None, Some(_)) => "Work".to_owned(),
        (None, None) => "Knowledge".to_owned(),
    };
    let month = at.strftime("%Y-%m").to_string();
    Path::new(&hall)
        .join(month)
        .join(format!("{}.md", entry.id))
}
