//! Tables, wherever they lie: a CSV file, rows of JSON, a table of an SQLite file, a table of PostgreSQL. Rows come one by one, so that
//! whoever looks at them needs no more memory than it keeps for itself.

use std::borrow::Cow;
use std::fs::File;
use std::future::Future;
use std::io::Read;
use std::path::Path;
use std::time::Duration;

use crate::limits::InspectError;
use crate::postgres::Server;

mod copy_text;
pub(crate) mod csv;
mod json;
#[path = "postgres.rs"]
pub(crate) mod postgres_rows;
pub mod scan;
pub(crate) mod sqlite;

/// Where a table lies.
#[derive(Debug, Clone, Copy)]
pub enum Place<'a> {
    /// A CSV file, rows of JSON, or an SQLite file and one of its tables.
    File {
        /// The file.
        path: &'a Path,
        /// The table; none: the only one there is.
        table: Option<&'a str>,
    },
    /// A PostgreSQL server and one of its tables.
    Server {
        /// The server.
        server: Server<'a>,
        /// Longest run of one statement.
        most: Duration,
        /// The table, with its schema where it needs one; none: the only one there is.
        table: Option<&'a str>,
    },
}

/// What a column is declared to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Whole numbers.
    Integer,
    /// Numbers.
    Real,
    /// True and false.
    Boolean,
    /// Dates and times.
    Date,
    /// Text.
    Text,
    /// Bytes.
    Blob,
    /// Nothing is declared.
    Open,
}

impl Class {
    /// The word that reports use.
    pub fn word(self) -> &'static str {
        match self {
            Class::Integer => "integer",
            Class::Real => "real",
            Class::Boolean => "boolean",
            Class::Date => "date",
            Class::Text => "text",
            Class::Blob => "blob",
            Class::Open => "open",
        }
    }
}

/// A column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// What it is declared to hold.
    pub class: Class,
    /// The type as the database writes it; empty where there is none.
    pub declared: String,
}

/// A table without its rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape {
    /// `csv`, `json`, `sqlite` or `postgres`.
    pub kind: &'static str,
    /// The table's name; the file's stem for CSV.
    pub name: String,
    /// Columns, in their order.
    pub columns: Vec<Column>,
    /// Columns of the primary key.
    pub key: Vec<String>,
    /// Rows, where the database keeps count; an estimate for PostgreSQL.
    pub rows: Option<u64>,
}

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell<'a> {
    /// None.
    Null,
    /// A whole number.
    Integer(i64),
    /// A number.
    Real(f64),
    /// Text, and whatever a database writes as text.
    Text(Cow<'a, str>),
    /// Bytes.
    Blob(Cow<'a, [u8]>),
}

impl Cell<'_> {
    /// The value as a person writes it.
    pub fn shown(&self) -> Cow<'_, str> {
        match self {
            Cell::Null => Cow::Borrowed(""),
            Cell::Integer(number) => number.to_string().into(),
            Cell::Real(number) => number.to_string().into(),
            Cell::Text(text) => Cow::Borrowed(text.as_ref()),
            Cell::Blob(bytes) => format!("{} bytes", bytes.len()).into(),
        }
    }
}

/// Whether more rows are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// Go on.
    On,
    /// It is enough.
    Enough,
}

/// Sees one row; CSV rows may be shorter or longer than the header.
pub type See<'s> = &'s mut (dyn FnMut(&[Cell<'_>]) -> Flow + Send);

/// What a file is, by its first bytes.
#[derive(Debug, PartialEq, Eq)]
pub enum FileKind {
    /// Rows of text; the first bytes.
    Csv(Vec<u8>),
    /// Rows of JSON.
    Json,
    /// An SQLite database.
    Sqlite,
}

/// Tells what a file is.
///
/// # Errors
/// [`InspectError`] where it cannot be read, is empty, or is neither.
pub fn kind_of(path: &Path) -> Result<FileKind, InspectError> {
    let mut head = Vec::new();
    let opened = File::open(path).and_then(|f| f.take(65_536).read_to_end(&mut head));
    opened.map_err(|e| InspectError::unreadable(path, e))?;
    if head.starts_with(b"SQLite format 3\0") {
        return Ok(FileKind::Sqlite);
    }
    let why = match (head.is_empty(), head.contains(&0)) {
        (true, _) => "it is empty",
        (_, true) => "it is neither text nor an SQLite database",
        _ if json::looks_so(&head) => return Ok(FileKind::Json),
        _ => return Ok(FileKind::Csv(head)),
    };
    Err(InspectError::not_read(path.display(), why))
}

impl<'a> Place<'a> {
    /// The tables of the database there; for CSV the one that the file is.
    ///
    /// # Errors
    /// [`InspectError`] where it cannot be read.
    pub fn tables(&self) -> Result<Vec<String>, InspectError> {
        match *self {
            Place::File { path, .. } => match kind_of(path)? {
                FileKind::Csv(_) | FileKind::Json => Ok(vec![csv::stem(path)]),
                FileKind::Sqlite => sqlite::tables(path),
            },
            Place::Server { server, most, .. } => postgres_rows::tables(server, most),
        }
    }

    /// The same database and another table.
    pub fn with(self, table: &'a str) -> Place<'a> {
        match self {
            Place::File { path, .. } => Place::File {
                path,
                table: Some(table),
            },
            Place::Server { server, most, .. } => Place::Server {
                server,
                most,
                table: Some(table),
            },
        }
    }

    /// The one table that is meant.
    fn named(&self) -> Result<String, InspectError> {
        let (what, given) = match self {
            Place::File { path, table } => (path.display().to_string(), table),
            Place::Server { server, table, .. } => (server.address.to_string(), table),
        };
        if let Some(given) = given {
            return Ok((*given).to_owned());
        }
        let mut all = self.tables()?;
        match all.len() {
            1 => Ok(all.remove(0)),
            0 => Err(InspectError::not_read(what, "it holds no tables")),
            many => {
                let shown = all.iter().take(20).cloned().collect::<Vec<_>>().join(", ");
                Err(InspectError::not_read(
                    what,
                    format!("it holds {many} tables, say which: {shown}"),
                ))
            }
        }
    }

    /// Columns and key.
    ///
    /// # Errors
    /// [`InspectError`] where it cannot be read or has no such table.
    pub fn shape(&self) -> Result<Shape, InspectError> {
        match *self {
            Place::File { path, table } => match kind_of(path)? {
                FileKind::Csv(_) | FileKind::Json if table.is_some() => {
                    Err(InspectError::not_read(
                        path.display(),
                        "a file of rows holds one table without a name",
                    ))
                }
                FileKind::Csv(head) => csv::shape(path, &head),
                FileKind::Json => json::shape(path),
                FileKind::Sqlite => sqlite::shape(path, &self.named()?),
            },
            Place::Server { server, most, .. } => {
                postgres_rows::shape(server, most, &self.named()?)
            }
        }
    }

    /// Every row, in no order that could be relied on; of a large table of PostgreSQL a sample of about `most_rows`.
    /// Whether all rows were offered.
    ///
    /// # Errors
    /// [`InspectError`] where reading breaks off; rows seen until then are no answer.
    pub fn rows(&self, shape: &Shape, most_rows: u64, see: See<'_>) -> Result<bool, InspectError> {
        match *self {
            Place::File { path, .. } => match kind_of(path)? {
                FileKind::Csv(head) => csv::rows(path, &head, see),
                FileKind::Json => json::rows(path, shape, see),
                FileKind::Sqlite => sqlite::rows(path, shape, see),
            },
            Place::Server { server, most, .. } => {
                postgres_rows::rows(server, most, shape, most_rows, see)
            }
        }
    }
}

/// Runs work that waits on a thread and a runtime of its own, so that it may be called inside of one too.
pub(crate) fn waiting<T: Send, F: Future<Output = Result<T, InspectError>>>(
    what: &str,
    work: impl FnOnce() -> F + Send,
) -> Result<T, InspectError> {
    let failed = |why: String| InspectError::not_read(what, why);
    let run = || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|e| failed(e.to_string()))?;
        runtime.block_on(work())
    };
    let done = std::thread::scope(|scope| scope.spawn(run).join());
    done.map_err(|_| failed("reading it failed".to_owned()))?
}
