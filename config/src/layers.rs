//! The layers on top of each other: one entry a key, each with where it came from. Nothing stops
//! at the first problem; all are collected.

use crate::document::{Mark, Node};
use crate::error::Problem;
use crate::permissions;
use crate::redis_url;
use crate::schema::{self, Found, Key, Kind};
use protocol::postgres::{Address, without_password};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;

/// Where a value came from, lowest layer first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// A file compiled in.
    Shipped,
    /// A file of the machine, with the place in it.
    System(PathBuf, Mark),
    /// A file of the home, with the place in it.
    User(PathBuf, Mark),
    /// A variable.
    Environment(String),
    /// A flag of the command line.
    Flag(String),
    /// The invitation by which this host joined a team.
    Joined,
    /// A drill restored this home: it is only looked at.
    Drill,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Shipped => f.write_str("default"),
            Origin::System(file, at) | Origin::User(file, at) if at.line == 0 => {
                file.display().fmt(f)
            }
            Origin::System(file, at) | Origin::User(file, at) => {
                write!(f, "{}:{}:{}", file.display(), at.line, at.column)
            }
            Origin::Environment(name) => write!(f, "environment {name}"),
            Origin::Flag(key) => write!(f, "flag {key}"),
            Origin::Joined => f.write_str("the team this host joined"),
            Origin::Drill => f.write_str("a drill of the backups"),
        }
    }
}

/// A key's value and where it came from.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The value, checked.
    pub value: Value,
    /// Where it came from.
    pub origin: Origin,
}

/// The merged layers.
#[derive(Debug, Default)]
pub struct Layers {
    entries: BTreeMap<Vec<String>, Entry>,
    /// What was wrong so far.
    pub problems: Vec<Problem>,
}

impl Layers {
    /// Lays a document on top, its content standing under a key (`""` for the top). `origin`
    /// makes an origin of a place.
    pub fn lay_document(&mut self, under: &str, node: Node, origin: &dyn Fn(Mark) -> Origin) {
        let mut path: Vec<String> = under
            .split('.')
            .filter(|part| !part.is_empty())
            .map(str::to_owned)
            .collect();
        self.walk(&mut path, Mark::default(), node, origin);
    }

    fn walk(
        &mut self,
        path: &mut Vec<String>,
        mark: Mark,
        node: Node,
        origin: &dyn Fn(Mark) -> Origin,
    ) {
        match (schema::find(path), node) {
            (Found::Key(key), node) => self.lay_checked(
                path.clone(),
                key,
                key.kind.check(node.into_value()),
                origin(mark),
            ),
            (Found::Nothing(hint), _) => self.unknown(path, &hint, &origin(mark)),
            (Found::Section, Node::Value(Value::Null)) => {}
            (Found::Section, Node::Value(_)) => {
                let what = if path.is_empty() {
                    "the file must hold sections".to_owned()
                } else {
                    format!("`{}` must hold keys, not a value", path.join("."))
                };
                self.problems.push(Problem::new(origin(mark), what));
            }
            (Found::Section, Node::Map(entries)) => {
                for (name, mark, node) in entries {
                    path.push(name);
                    self.walk(path, mark, node, origin);
                    path.pop();
                }
            }
        }
    }

    /// Lays one value, given as text, on top.
    pub fn lay_text(&mut self, path: Vec<String>, text: &str, origin: Origin) {
        match schema::find(&path) {
            Found::Key(_) if path.first().is_some_and(|part| part == "permissions") => {
                let problem = "permissions are only taken from permissions.yaml";
                self.problems.push(Problem::new(origin, problem));
            }
            Found::Key(key) if key.kind == Kind::Secret && matches!(origin, Origin::Flag(_)) => {
                let problem = format!(
                    "`{}` cannot be given on the command line, where others see it: use `ai-infra secret set`",
                    key.path
                );
                self.problems.push(Problem::new(origin, problem));
            }
            Found::Key(key) if key.kind == Kind::RedisUrl && !text.is_empty() => {
                self.lay_redis_url(path, key, text, origin);
            }
            Found::Key(key) if key.kind == Kind::PostgresUrl && !text.is_empty() => {
                self.lay_postgres_url(path, key, text, origin);
            }
            Found::Key(key) => {
                let read = key.kind.read(text);
                self.lay_checked(path, key, read, origin);
            }
            Found::Section => {
                let problem = format!("`{}` is a section: name a key in it", path.join("."));
                self.problems.push(Problem::new(origin, problem));
            }
            Found::Nothing(hint) => self.unknown(&path, &hint, &origin),
        }
    }

    /// The environment may hold credentials in the address; they become keys of their own.
    fn lay_redis_url(&mut self, path: Vec<String>, key: &Key, text: &str, origin: Origin) {
        let parts = match redis_url::split(text) {
            Ok(parts) => parts,
            Err(problem) => return self.lay_checked(path, key, Err(problem), origin),
        };
        let own = |name: &str| vec!["redis".to_owned(), name.to_owned()];
        if let Some(username) = parts.username {
            self.put(own("username"), username.into(), origin.clone());
        }
        if let Some(password) = parts.password {
            self.put(
                own("password"),
                json!({ "plain": password }),
                origin.clone(),
            );
        }
        self.put(path, parts.url.into(), origin);
    }

    /// The same for PostgreSQL: the password becomes a key of its own.
    fn lay_postgres_url(&mut self, path: Vec<String>, key: &Key, text: &str, origin: Origin) {
        let password = match Address::parse(text) {
            Ok((_, password)) => password,
            Err(problem) => return self.lay_checked(path, key, Err(problem), origin),
        };
        if let Some(password) = password {
            let mut own = path.clone();
            own.pop();
            own.push("password".to_owned());
            self.put(own, json!({ "plain": password }), origin.clone());
        }
        self.put(path, without_password(text).into(), origin);
    }

    fn lay_checked(
        &mut self,
        path: Vec<String>,
        key: &Key,
        checked: Result<Value, String>,
        origin: Origin,
    ) {
        match checked {
            Ok(value) => self.put(path, value, origin),
            Err(problem) => {
                let name = if key.path.contains('*') {
                    crate::error::quoted(&path.join("."))
                } else {
                    key.path.to_owned()
                };
                self.problems
                    .push(Problem::new(origin, format!("`{name}` {problem}")));
            }
        }
    }

    fn put(&mut self, path: Vec<String>, value: Value, origin: Origin) {
        let entry = Entry { value, origin };
        let entry = match self.entries.get(&path) {
            Some(below) if permissions::governs(&path) => permissions::merged(below, entry),
            _ => entry,
        };
        self.entries.insert(path, entry);
    }

    fn unknown(&mut self, path: &[String], hint: &str, origin: &Origin) {
        let key = crate::error::quoted(&path.join("."));
        self.problems
            .push(Problem::new(origin, format!("unknown key `{key}`{hint}")));
    }

    /// The entry of a key.
    pub fn get(&self, path: &[&str]) -> Option<&Entry> {
        let path: Vec<String> = path.iter().map(|part| (*part).to_owned()).collect();
        self.entries.get(&path)
    }

    /// Where the first key below a path is said, for a sentence about all of them.
    pub fn place_below(&self, parent: &[&str]) -> String {
        let below = |path: &Vec<String>| {
            path.len() > parent.len() && path.iter().zip(parent).all(|(a, b)| a == b)
        };
        let first = self.entries.iter().find(|(path, _)| below(path));
        first
            .map(|(_, entry)| entry.origin.to_string())
            .unwrap_or_default()
    }

    /// Replaces the value of a key that is already there, keeping its origin.
    pub fn settle(&mut self, path: &[&str], value: Value) {
        let path: Vec<String> = path.iter().map(|part| (*part).to_owned()).collect();
        if let Some(entry) = self.entries.get_mut(&path) {
            entry.value = value;
        }
    }

    /// Sets a key that follows from another one, with that one's origin.
    pub fn lay_beside(&mut self, beside: &[&str], path: &[&str], value: Value) {
        if let Some(origin) = self.get(beside).map(|entry| entry.origin.clone()) {
            let path = path.iter().map(|part| (*part).to_owned()).collect();
            self.entries.insert(path, Entry { value, origin });
        }
    }

    /// Names directly below a path, in order.
    pub fn names_below(&self, parent: &[&str]) -> Vec<String> {
        let mut names: Vec<String> = self
            .entries
            .keys()
            .filter(|path| path.len() > parent.len())
            .filter(|path| path.iter().zip(parent).all(|(a, b)| a == b))
            .filter_map(|path| path.get(parent.len()).cloned())
            .collect();
        names.dedup();
        names
    }

    /// A section as a tree.
    pub fn section(&self, name: &str) -> Value {
        let mut tree = Map::new();
        for (path, entry) in self.entries.iter().filter(|(path, _)| path[0] == name) {
            put(&mut tree, path.get(1..).unwrap_or_default(), &entry.value);
        }
        Value::Object(tree)
    }

    /// Names of secrets that stand in place of values, each once.
    pub fn secrets(&self) -> BTreeSet<String> {
        let named = |entry: &Entry| entry.value.get("secret")?.as_str().map(str::to_owned);
        self.entries.values().filter_map(named).collect()
    }

    /// Where every key came from.
    pub fn origins(&self) -> BTreeMap<String, Origin> {
        self.entries
            .iter()
            .map(|(path, entry)| (path.join("."), entry.origin.clone()))
            .collect()
    }
}

/// Puts a value at its place below a section.
fn put(tree: &mut Map<String, Value>, path: &[String], value: &Value) {
    match path {
        [] => {}
        [last] => {
            tree.insert(last.clone(), value.clone());
        }
        [first, rest @ ..] => {
            let below = tree.entry(first.clone()).or_insert_with(|| json!({}));
            if let Value::Object(below) = below {
                put(below, rest, value);
            }
        }
    }
}
