//! How the memory is, and making its index anew.

use crate::door::{Memory, MemoryError, Told};
use crate::forget;
use crate::index::embedded::Embedded;
use jiff::Timestamp;
use protocol::memory::{KindLine, MemoryStats};
use std::collections::BTreeMap;
use std::path::{Component, Path};

/// Most problems that are listed.
const PROBLEMS: usize = 20;

impl Memory {
    /// How it is, with what a person changed meanwhile.
    ///
    /// # Errors
    /// When the index does not work and cannot be made anew.
    pub fn stats(&self) -> Result<MemoryStats, MemoryError> {
        self.refresh()?;
        let inner = self.lock();
        let mut kinds: BTreeMap<String, KindLine> = BTreeMap::new();
        let (mut records, mut bytes) = (0, 0);
        for id in inner.catalog.ids() {
            let Some(known) = inner.catalog.get(id) else {
                continue;
            };
            let size = inner.tree.size(&known.path);
            (records, bytes) = (records + 1, bytes + size);
            let kind = kind_of(&known.path);
            let line = kinds.entry(kind.clone()).or_insert(KindLine {
                kind,
                records: 0,
                bytes: 0,
            });
            (line.records, line.bytes) = (line.records + 1, line.bytes + size);
        }
        let ages = inner.index.ages()?;
        let moment = |seconds: i64| {
            let at = Timestamp::from_second(seconds).ok();
            at.map(|at| at.to_string())
        };
        let shown = inner.problems.iter().take(PROBLEMS);
        let problems = shown.map(|problem| format!("{}: {}", problem.path.display(), problem.why));
        Ok(MemoryStats {
            records,
            bytes,
            kinds: kinds.into_values().collect(),
            oldest: ages.and_then(|(oldest, _)| moment(oldest)),
            newest: ages.and_then(|(_, newest)| moment(newest)),
            indexed: inner.index.count(),
            index_bytes: size_of(&self.index_dir),
            problems: problems.collect(),
            forgotten: forget::notes(&inner.tree).len() as u64,
        })
    }

    /// Throws the index away and makes it from the files; `told` hears how many of how many were read.
    /// Gives how many records there are.
    ///
    /// # Errors
    /// When the index cannot be made.
    pub fn reindex(&self, told: Told<'_>) -> Result<usize, MemoryError> {
        let mut inner = self.lock();
        inner.index = Embedded::create(&self.index_dir)?;
        inner.catalog = crate::catalog::Catalog::default();
        inner.catch_up(told)?;
        Ok(inner.catalog.len())
    }
}

/// The folders of a record's path above the month: `Learning/VERIFY`, `Knowledge`.
fn kind_of(path: &Path) -> String {
    let names: Vec<&str> = (path.components())
        .filter_map(|part| match part {
            Component::Normal(name) => name.to_str(),
            _ => None,
        })
        .collect();
    match names.as_slice() {
        ["Learning", phase, _, ..] => format!("Learning/{phase}"),
        [hall, ..] => (*hall).to_owned(),
        [] => String::new(),
    }
}

/// The size of the files in a folder and the folders in it, in bytes.
fn size_of(folder: &Path) -> u64 {
    let mut bytes = 0;
    let mut todo = vec![folder.to_owned()];
    while let Some(folder) = todo.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => todo.push(entry.path()),
                Ok(_) => bytes += entry.metadata().map_or(0, |meta| meta.len()),
                Err(_) => {}
            }
        }
    }
    bytes
}
