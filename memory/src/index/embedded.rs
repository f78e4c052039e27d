//! BM25 over title, tags and body, by tantivy. The folder's name carries the version of the
//! schema; what is missing, damaged or of another version is thrown away and made anew. The
//! writer lives only while something is written.

use crate::catalog::{KeyDigest, Known};
use crate::entry::Entry;
use crate::words;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use tantivy::collector::TopDocs;
use tantivy::directory::MmapDirectory;
use tantivy::query::{BooleanQuery, BoostQuery, ConstScoreQuery, Occur, Query, TermQuery};
use tantivy::schema::{
    Field, INDEXED, IndexRecordOption, STORED, STRING, Schema, TextFieldIndexing, TextOptions,
    Value,
};
use tantivy::{
    Index, IndexReader, IndexWriter, ReloadPolicy, Searcher, TantivyDocument, TantivyError, Term,
};

/// Raised whenever the fields below, or what counts as a word, change.
const GENERATION: &str = "memory-v1";
/// Memory of the writer while it lives; the least the library takes. It is given back to the
/// system only where the allocator maps large blocks on their own: under glibc, start the process
/// with `MALLOC_MMAP_THRESHOLD_=65536`, or some 50 MB stay with it after a few dozen commits.
const WRITER_BYTES: usize = 15_000_000;
/// What stands for "no project" in the index; no project has this name.
const NO_PROJECT: &str = "*";
/// How much more a word counts in a title or a tag than in a body.
const HEAD_BOOST: f32 = 2.0;

/// Why the index does not work; the answer to each is to make it anew.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// The index itself.
    #[error("the memory index does not work: {0}")]
    Index(#[from] TantivyError),
    /// Its folder.
    #[error("the memory index at {0} cannot be made: {1}")]
    Io(PathBuf, #[source] io::Error),
    /// Files of it are damaged.
    #[error("{0} files of the memory index are damaged")]
    Damaged(usize),
}

#[derive(Debug, Clone, Copy)]
struct Fields {
    id: Field,
    path: Field,
    key: Field,
    stamp: Field,
    written: Field,
    project: Field,
    title: Field,
    tags: Field,
    body: Field,
}

/// An open index.
pub struct Embedded {
    index: Index,
    reader: IndexReader,
    fields: Fields,
}

/// Which projects are asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// All.
    Everywhere,
    /// This one and records of none.
    Project(String),
    /// All but those.
    Elsewhere(String),
}

/// A record that matched.
#[derive(Debug, Clone, PartialEq)]
pub struct Hit {
    /// Its id.
    pub id: String,
    /// Its project.
    pub project: Option<String>,
    /// When it was written, in seconds since 1970.
    pub written: i64,
    /// BM25.
    pub score: f32,
}

fn schema() -> (Schema, Fields) {
    let mut builder = Schema::builder();
    let words = TextOptions::default().set_indexing_options(
        TextFieldIndexing::default()
            .set_tokenizer("whitespace")
            .set_index_option(IndexRecordOption::WithFreqs),
    );
    let fields = Fields {
        id: builder.add_text_field("id", STRING | STORED),
        path: builder.add_text_field("path", STORED),
        key: builder.add_text_field("key", STORED),
        stamp: builder.add_u64_field("stamp", STORED),
        written: builder.add_i64_field("written", INDEXED | STORED),
        project: builder.add_text_field("project", STRING | STORED),
        title: builder.add_text_field("title", words.clone()),
        tags: builder.add_text_field("tags", words.clone()),
        body: builder.add_text_field("body", words),
    };
    (builder.build(), fields)
}

impl Embedded {
    /// Opens the index in `dir`; refuses one that is missing, damaged or of another generation.
    pub fn open(dir: &Path) -> Result<Self, IndexError> {
        let (schema, fields) = schema();
        let index = Index::open_in_dir(dir.join(GENERATION))?;
        if index.schema() != schema {
            let other = "its schema is another one".to_owned();
            return Err(TantivyError::SchemaError(other).into());
        }
        let damaged = index.validate_checksum()?;
        if !damaged.is_empty() {
            return Err(IndexError::Damaged(damaged.len()));
        }
        Self::with(index, fields)
    }

    /// Makes an empty index in `dir` and removes every other generation of it.
    pub fn create(dir: &Path) -> Result<Self, IndexError> {
        let io = |error| IndexError::Io(dir.to_owned(), error);
        fs::create_dir_all(dir).map_err(io)?;
        for entry in fs::read_dir(dir).map_err(io)?.flatten() {
            if entry
                .file_name()
                .as_encoded_bytes()
                .starts_with(b"memory-v")
            {
                remove(&entry.path()).map_err(io)?;
            }
        }
        let (schema, fields) = schema();
        let folder = dir.join(GENERATION);
        fs::create_dir(&folder).map_err(io)?;
        let directory = MmapDirectory::open(&folder).map_err(TantivyError::from)?;
        Self::with(
            Index::builder().schema(schema).open_or_create(directory)?,
            fields,
        )
    }

    fn with(index: Index, fields: Fields) -> Result<Self, IndexError> {
        let reader = index
            .reader_builder()
            .reload_policy(ReloadPolicy::Manual)
            .doc_store_cache_num_blocks(4)
            .try_into()?;
        Ok(Self {
            index,
            reader,
            fields,
        })
    }

    /// Every record in the index.
    pub fn known(&self) -> Result<Vec<(String, Known)>, IndexError> {
        let searcher = self.reader.searcher();
        let mut all = Vec::with_capacity(searcher.num_docs() as usize);
        for segment in searcher.segment_readers() {
            let store = segment.get_store_reader(1).map_err(TantivyError::from)?;
            for document in store.iter::<TantivyDocument>(segment.alive_bitset()) {
                all.push(self.known_of(&document?));
            }
        }
        Ok(all)
    }

    /// When the oldest and the newest record were written, in seconds since 1970.
    pub fn ages(&self) -> Result<Option<(i64, i64)>, IndexError> {
        let searcher = self.reader.searcher();
        let mut ages: Option<(i64, i64)> = None;
        for segment in searcher.segment_readers() {
            let store = segment.get_store_reader(1).map_err(TantivyError::from)?;
            for document in store.iter::<TantivyDocument>(segment.alive_bitset()) {
                let document = document?;
                let written = document
                    .get_first(self.fields.written)
                    .and_then(|value| value.as_i64())
                    .unwrap_or_default();
                let (oldest, newest) = ages.unwrap_or((written, written));
                ages = Some((oldest.min(written), newest.max(written)));
            }
        }
        Ok(ages)
    }

    /// How many records searches see.
    pub fn count(&self) -> u64 {
        self.reader.searcher().num_docs()
    }

    fn known_of(&self, document: &TantivyDocument) -> (String, Known) {
        let known = Known {
            path: PathBuf::from(text(document, self.fields.path)),
            stamp: document
                .get_first(self.fields.stamp)
                .and_then(|value| value.as_u64())
                .unwrap_or_default(),
            key: KeyDigest::from_hex(&text(document, self.fields.key)),
        };
        (text(document, self.fields.id), known)
    }

    /// Begins to write; nothing is seen by searches before `Changes::commit`.
    pub fn change(&self) -> Result<Changes<'_>, IndexError> {
        Ok(Changes {
            writer: self.index.writer_with_num_threads(1, WRITER_BYTES)?,
            index: self,
        })
    }

    /// Records that hold at least `required` of the words, best first, at most `limit`.
    pub fn search(
        &self,
        words: &[String],
        required: usize,
        scope: &Scope,
        limit: usize,
    ) -> Result<Vec<Hit>, IndexError> {
        if words.is_empty() || limit == 0 {
            return Ok(Vec::new());
        }
        let searcher = self.reader.searcher();
        let query = self.query(words, required, scope);
        let top = searcher.search(&query, &TopDocs::with_limit(limit).order_by_score())?;
        top.into_iter()
            .map(|(score, address)| self.hit(&searcher, address, score))
            .collect()
    }

    fn hit(
        &self,
        searcher: &Searcher,
        address: tantivy::DocAddress,
        score: f32,
    ) -> Result<Hit, IndexError> {
        let document: TantivyDocument = searcher.doc(address)?;
        let project = text(&document, self.fields.project);
        Ok(Hit {
            id: text(&document, self.fields.id),
            project: (project != NO_PROJECT).then_some(project),
            written: document
                .get_first(self.fields.written)
                .and_then(|value| value.as_i64())
                .unwrap_or_default(),
            score,
        })
    }

    /// Made of terms only: what people type is never parsed as a query.
    fn query(&self, words: &[String], required: usize, scope: &Scope) -> BooleanQuery {
        let clauses = words
            .iter()
            .map(|word| (Occur::Should, self.anywhere(word)));
        let matching = BooleanQuery::with_minimum_required_clauses(clauses.collect(), required);
        let mut parts: Vec<(Occur, Box<dyn Query>)> = vec![(Occur::Must, Box::new(matching))];
        match scope {
            Scope::Everywhere => {}
            Scope::Project(name) => parts.push((Occur::Must, self.of_project(name))),
            Scope::Elsewhere(name) => parts.push((Occur::MustNot, self.of_project(name))),
        }
        BooleanQuery::new(parts)
    }

    fn anywhere(&self, word: &str) -> Box<dyn Query> {
        let term = |field| -> Box<dyn Query> {
            let term = Term::from_field_text(field, word);
            Box::new(TermQuery::new(term, IndexRecordOption::WithFreqs))
        };
        let head = |field| -> Box<dyn Query> { Box::new(BoostQuery::new(term(field), HEAD_BOOST)) };
        Box::new(BooleanQuery::union(vec![
            head(self.fields.title),
            head(self.fields.tags),
            term(self.fields.body),
        ]))
    }

    fn of_project(&self, name: &str) -> Box<dyn Query> {
        let term = |name: &str| -> Box<dyn Query> {
            let term = Term::from_field_text(self.fields.project, name);
            Box::new(TermQuery::new(term, IndexRecordOption::Basic))
        };
        let either = BooleanQuery::union(vec![term(name), term(NO_PROJECT)]);
        Box::new(ConstScoreQuery::new(Box::new(either), 0.0))
    }
}

/// Changes that are being written.
pub struct Changes<'a> {
    writer: IndexWriter,
    index: &'a Embedded,
}

impl Changes<'_> {
    /// Adds a record, or replaces the one with its id.
    pub fn put(&self, entry: &Entry, known: &Known, written: i64) -> Result<(), IndexError> {
        self.remove(&entry.id);
        let fields = self.index.fields;
        let words = |text: &str| words::all(text).join(" ");
        let mut document = TantivyDocument::default();
        document.add_text(fields.id, &entry.id);
        document.add_text(fields.path, known.path.to_string_lossy());
        if let Some(key) = known.key {
            document.add_text(fields.key, key.hex());
        }
        document.add_u64(fields.stamp, known.stamp);
        document.add_i64(fields.written, written);
        document.add_text(
            fields.project,
            entry.project.as_deref().unwrap_or(NO_PROJECT),
        );
        document.add_text(fields.title, words(&entry.title));
        document.add_text(fields.tags, words(&entry.tags.join(" ")));
        document.add_text(fields.body, words(&entry.body));
        self.writer.add_document(document)?;
        Ok(())
    }

    /// Removes a record.
    pub fn remove(&self, id: &str) {
        let term = Term::from_field_text(self.index.fields.id, id);
        self.writer.delete_term(term);
    }

    /// Writes everything to disk, lets searches see it, and ends the writer.
    pub fn commit(mut self) -> Result<(), IndexError> {
        self.writer.commit()?;
        self.writer.wait_merging_threads()?;
        self.index.reader.reload()?;
        Ok(())
    }
}

fn text(document: &TantivyDocument, field: Field) -> String {
    document
        .get_first(field)
        .and_then(|value| value.as_str())
        .unwrap_or_default()
        .to_owned()
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path)?.is_dir() {
        true => fs::remove_dir_all(path),
        false => fs::remove_file(path),
    }
}
