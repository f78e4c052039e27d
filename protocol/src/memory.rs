//! What is asked of the memory's owner over the bus, and what it answers.

use serde::{Deserialize, Serialize};

/// A record to keep.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewMemory {
    /// One line.
    pub title: String,
    /// Markdown.
    pub body: String,
    /// The project it belongs to (see `project_of` in `memory`), or `None` for all.
    pub project: Option<String>,
    /// Words to find it by.
    #[serde(default)]
    pub tags: Vec<String>,
    /// Who wrote it: a role, or `person`.
    pub source: String,
    /// The task it came from.
    #[serde(default)]
    pub task: Option<String>,
    /// The phase it came from.
    #[serde(default)]
    pub phase: Option<crate::phase::Phase>,
    /// What proves it: one line per piece of evidence.
    #[serde(default)]
    pub evidence: Vec<String>,
    /// Writing the same key twice keeps one record.
    pub key: String,
}

/// A record that was found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FoundMemory {
    /// Memory id.
    pub id: String,
    /// One line.
    pub title: String,
    /// The first lines that matter.
    pub snippet: String,
    /// Project, or `None` for all.
    pub project: Option<String>,
    /// Lexical score; larger is nearer.
    pub score: f32,
    /// When it was written, RFC 3339.
    pub written: String,
}

/// How the memory is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryStats {
    /// Records.
    pub records: u64,
    /// Size of their files, in bytes.
    pub bytes: u64,
    /// The same by kind: `Knowledge`, `Work`, `Learning/VERIFY`.
    pub kinds: Vec<KindLine>,
    /// When the oldest was written, RFC 3339.
    pub oldest: Option<String>,
    /// When the newest was written, RFC 3339.
    pub newest: Option<String>,
    /// Records that searches see; the others follow with the next question.
    pub indexed: u64,
    /// Size of the index, in bytes.
    pub index_bytes: u64,
    /// Files that are no records, with what is wrong.
    pub problems: Vec<String>,
    /// Records that were forgotten and can still be taken back.
    pub forgotten: u64,
}

/// Records of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KindLine {
    /// Which.
    pub kind: String,
    /// How many.
    pub records: u64,
    /// Size of their files, in bytes.
    pub bytes: u64,
}

/// A record as a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryFile {
    /// Its name without `.md`.
    pub id: String,
    /// Its text, frontmatter first.
    pub text: String,
}

/// What an import came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryImported {
    /// Records that are new here.
    pub new: u64,
    /// Records whose content was here already.
    pub known: u64,
    /// Records whose content was forgotten here, and stays so.
    pub forgotten: u64,
}

/// A question to the memory's owner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "ask")]
pub enum MemoryQuery {
    /// Find what was learned.
    Recall {
        /// Words.
        query: String,
        /// Prefer this project and records of no project; `None` = everywhere.
        project: Option<String>,
        /// How many at most.
        limit: usize,
    },
    /// Keep a record.
    Remember {
        /// The record.
        memory: NewMemory,
    },
}

/// Its answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "answer")]
pub enum MemoryAnswer {
    /// What was found, best first.
    Found {
        /// The records.
        memories: Vec<FoundMemory>,
    },
    /// The record is kept.
    Kept {
        /// Its id.
        id: String,
    },
    /// It could not be done.
    Error {
        /// Why, as a sentence.
        message: String,
    },
}
