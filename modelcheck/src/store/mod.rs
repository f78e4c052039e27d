//! A Redis in memory, small enough to be part of a state: it can be cloned, compared and hashed,
//! and its clock stands still until it is moved. It has only the commands the bus uses, and says
//! so loudly when the bus comes to use another. `tests/faithful.rs` holds it against a real one.

mod plain;
mod scores;
mod stream;

pub use stream::{Group, Id, Stream};

use redis::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Any bytes.
pub type Bytes = Vec<u8>;
/// What a command comes to; an error is Redis' own sentence.
pub type Answer = Result<Value, String>;

/// What a key holds.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Content {
    /// A plain value.
    Text(Bytes),
    /// Fields and values.
    Hash(BTreeMap<Bytes, Bytes>),
    /// Members.
    Set(BTreeSet<Bytes>),
    /// Members and their scores; whole numbers only.
    Scores(BTreeMap<Bytes, i64>),
    /// Entries, and groups of readers.
    Stream(Stream),
}

/// A key's content, and when it expires.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Slot {
    /// What it holds.
    pub content: Content,
    /// The store's millisecond from which on it is gone.
    pub until: Option<u64>,
}

/// The store.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Store {
    /// The clock, in milliseconds.
    pub now: u64,
    /// Which start of the server this is.
    pub run: u64,
    keys: BTreeMap<Bytes, Arc<Slot>>,
}

const WRONG_TYPE: &str = "WRONGTYPE Operation against a key holding the wrong kind of value";

fn bulk(bytes: &[u8]) -> Value {
    Value::BulkString(bytes.to_vec())
}

fn bulk_or_nil(bytes: Option<&Bytes>) -> Value {
    bytes.map_or(Value::Nil, |b| bulk(b))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn number(bytes: &[u8]) -> Result<i64, String> {
    text(bytes)
        .parse()
        .map_err(|_| "ERR value is not an integer or out of range".to_owned())
}

fn count(n: usize) -> Value {
    Value::Int(i64::try_from(n).unwrap_or(i64::MAX))
}

impl Store {
    /// An empty store whose clock stands at `now` milliseconds.
    pub fn at(now: u64) -> Self {
        Self {
            now,
            run: 1,
            keys: BTreeMap::new(),
        }
    }

    /// Moves the clock; what expired meanwhile is gone.
    pub fn pass(&mut self, ms: u64) {
        self.now += ms;
        let now = self.now;
        self.keys
            .retain(|_, slot| slot.until.is_none_or(|u| u > now));
    }

    /// Every key and what it holds.
    pub fn contents(&self) -> impl Iterator<Item = (&Bytes, &Slot)> {
        self.keys.iter().map(|(key, slot)| (key, &**slot))
    }

    /// What a key holds.
    pub fn content(&self, key: &str) -> Option<&Content> {
        self.keys.get(key.as_bytes()).map(|slot| &slot.content)
    }

    /// The entries of a stream; none where there is no such key.
    pub fn stream(&self, key: &str) -> Option<&Stream> {
        match self.content(key) {
            Some(Content::Stream(stream)) => Some(stream),
            _ => None,
        }
    }

    /// One field of a hash, as text.
    pub fn field(&self, key: &str, field: &str) -> Option<String> {
        match self.content(key) {
            Some(Content::Hash(hash)) => hash.get(field.as_bytes()).map(|v| text(v)),
            _ => None,
        }
    }

    /// How many members a set, sorted set or hash has.
    pub fn size(&self, key: &str) -> usize {
        match self.content(key) {
            Some(Content::Scores(scores)) => scores.len(),
            Some(Content::Set(set)) => set.len(),
            Some(Content::Hash(hash)) => hash.len(),
            _ => 0,
        }
    }

    /// Carries out one command (not a script).
    ///
    /// # Errors
    /// What Redis would say; or that this store does not have the command.
    pub fn command(&mut self, words: &[Bytes]) -> Answer {
        let name = words.first().map(|w| text(w).to_uppercase());
        let rest = words.get(1..).unwrap_or_default();
        match name.as_deref().unwrap_or_default() {
            "TIME" => Ok(Value::Array(vec![
                bulk((self.now / 1000).to_string().as_bytes()),
                bulk((self.now % 1000 * 1000).to_string().as_bytes()),
            ])),
            "INFO" => Ok(bulk(
                format!("# Server\r\nrun_id:run{}\r\n", self.run).as_bytes(),
            )),
            "PING" => Ok(Value::SimpleString("PONG".to_owned())),
            "PUBLISH" => Ok(Value::Int(0)),
            "MULTI" | "EXEC" => Err("ERR transactions are carried out by the carrier".to_owned()),
            name if name.starts_with('X') => self.stream_command(name, rest),
            name if name.starts_with('Z') => self.score_command(name, rest),
            name => self.plain_command(name, rest),
        }
    }

    fn unknown(name: &str) -> String {
        format!(
            "the model's store does not know this form of {name}: add it in modelcheck/src/store"
        )
    }

    fn slot(&mut self, key: &[u8], empty: fn() -> Content) -> &mut Content {
        let slot = self.keys.entry(key.to_vec()).or_insert_with(|| {
            Arc::new(Slot {
                content: empty(),
                until: None,
            })
        });
        &mut Arc::make_mut(slot).content
    }

    fn peek(&self, key: &[u8]) -> Option<&Content> {
        self.keys.get(key).map(|slot| &slot.content)
    }

    fn drop_empty(&mut self, key: &[u8]) {
        let empty = match self.peek(key) {
            Some(Content::Hash(h)) => h.is_empty(),
            Some(Content::Set(s)) => s.is_empty(),
            Some(Content::Scores(s)) => s.is_empty(),
            _ => false,
        };
        if empty {
            self.keys.remove(key);
        }
    }
}
