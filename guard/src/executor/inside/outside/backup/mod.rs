//! Backups of a granted database: one tool writes a copy into the folder that was granted for it, another restores a copy
//! in a throwaway place, without a network, and tells what is in it. What the database held at the moment of the copy is
//! kept beside it, so that a restore can be held against it at any time.

mod cluster;
mod dump;
mod shelf;

use super::super::program::Leash;
use super::super::serve::Done;
use crate::outside::Database;
use crate::sandbox::spec::CACHE;
use inspect::backup::postgres::Frame;
use inspect::backup::{Contents, sqlite};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use shelf::Shelf;
pub(super) use shelf::second;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// What is kept beside a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Manifest {
    v: u32,
    source: String,
    /// `sqlite` or `postgres`.
    kind: String,
    file: String,
    /// The moment of the copy.
    at: jiff::Timestamp,
    bytes: u64,
    sha256: String,
    /// Milliseconds it took.
    took_ms: u64,
    /// What the database held then.
    contents: Contents,
    /// What else a PostgreSQL needs to know to restore it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    frame: Option<Frame>,
}

const VERSION: u32 = 1;

/// Writes a backup, once for its key.
pub(super) fn make(
    source: &str,
    key: &str,
    database: &Database,
    folder: &Path,
    leash: Leash<'_>,
) -> Result<Done, String> {
    let shelf = Shelf::open(folder, source)?;
    if let Some(file) = shelf.made_under(key) {
        let manifest = shelf.manifest(&file)?;
        let manifest = manifest.ok_or_else(|| {
            format!("{file} was written before the interruption, and what belongs to it is gone")
        })?;
        return Ok(told(&manifest, folder, true));
    }
    let work = shelf.work(key)?;
    let started = Instant::now();
    let at = shelf::second();
    let copy = work.path().join("copy");
    let made = match database {
        Database::Sqlite { file } => {
            shelf.room_for(file.metadata().map_or(0, |about| about.len()))?;
            let contents = wait(sqlite::copy(file, &copy, &|| !over(leash)))?;
            contents.map(|contents| (contents, None))
        }
        Database::Postgres { address, password } => {
            dump::dump(address, password.as_ref(), &copy, &shelf, leash)
                .map(|(contents, frame)| (contents, Some(frame)))
        }
    };
    let (contents, frame) = made.map_err(|why| {
        format!("no backup of {source} was made, the earlier ones are untouched: {why}")
    })?;
    let kind = if frame.is_some() {
        "postgres"
    } else {
        "sqlite"
    };
    let manifest = Manifest {
        v: VERSION,
        source: source.to_owned(),
        kind: kind.to_owned(),
        file: shelf.name(at, key, if frame.is_some() { "dump" } else { "db" }),
        at,
        bytes: copy.metadata().map_or(0, |about| about.len()),
        sha256: shelf::digest(&copy)?,
        took_ms: ms(started),
        contents,
        frame,
    };
    work.keep(&copy, &manifest)?;
    Ok(told(&manifest, folder, false))
}

fn told(manifest: &Manifest, folder: &Path, before: bool) -> Done {
    let path = folder.join(&manifest.file);
    let text = format!(
        "{}: {} tables, {} rows, {} bytes in {}",
        manifest.source,
        manifest.contents.tables.len(),
        manifest.contents.rows(),
        manifest.bytes,
        path.display()
    );
    let data = json!({
        "source": manifest.source, "kind": manifest.kind, "file": manifest.file, "path": path.display().to_string(),
        "at": manifest.at, "bytes": manifest.bytes, "sha256": manifest.sha256, "took_ms": manifest.took_ms,
        "tables": manifest.contents.tables, "objects": manifest.contents.objects, "rows": manifest.contents.rows(),
        "version": manifest.frame.as_ref().map(|frame| &frame.version), "before": before,
    });
    Done::good(text, data)
}

/// Restores a backup, tells what is in it and what its source had otherwise.
pub(super) fn try_one(
    source: &str,
    file: Option<&str>,
    folder: &Path,
    leash: Leash<'_>,
) -> Result<Done, String> {
    let shelf = Shelf::open(folder, source)?;
    let all = shelf.list()?;
    let chosen = match file {
        Some(name) => all.iter().find(|kept| kept.name == name),
        None => all.last(),
    };
    let chosen = chosen.ok_or_else(|| match file {
        Some(name) => format!(
            "there is no backup {name} of {source} in {}",
            folder.display()
        ),
        None => format!("there is no backup of {source} in {}", folder.display()),
    })?;
    let path = folder.join(&chosen.name);
    let manifest = shelf.manifest(&chosen.name)?;
    let sha256 = shelf::digest(&path)?;
    let started = Instant::now();
    let place = Scratch::new()?;
    let postgres = chosen.name.ends_with(".dump");
    let restored = match postgres {
        true => {
            let frame = manifest.as_ref().and_then(|kept| kept.frame.as_ref());
            cluster::restore(&path, frame, &place.0, leash)
        }
        false => {
            let copy = place.0.join("restored.db");
            let copied = std::fs::copy(&path, &copy);
            copied
                .map_err(|e| format!("it cannot be copied to be opened: {e}"))
                .and_then(|_| wait(sqlite::examine(&copy, &|| !over(leash)))?)
        }
    };
    let restored = restored.map_err(|why| format!("{} does not restore: {why}", chosen.name))?;
    let differences = manifest
        .as_ref()
        .map(|kept| kept.contents.differences(&restored));
    let as_written = manifest.as_ref().map(|kept| kept.sha256 == sha256);
    let count = differences.as_ref().map_or(0, Vec::len);
    let text = format!(
        "{}: restored {} tables with {} rows; {count} differences",
        chosen.name,
        restored.tables.len(),
        restored.rows()
    );
    let sum: u64 = all.iter().map(|kept| kept.bytes).sum();
    let data = json!({
        "source": source, "file": chosen.name, "path": path.display().to_string(), "kind": if postgres { "postgres" } else { "sqlite" },
        "at": manifest.as_ref().map(|kept| kept.at), "bytes": chosen.bytes, "sha256": sha256, "as_written": as_written,
        "tables": restored.tables, "objects": restored.objects, "rows": restored.rows(), "differences": differences,
        "took_ms": ms(started), "kept": all.len(), "kept_bytes": sum, "oldest": all.first().map(|kept| &kept.name),
        "folder": folder.display().to_string(),
    });
    Ok(Done::good(text, Value::clone(&data)))
}

/// A throwaway folder, on a disk where the sandbox has one.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Result<Scratch, String> {
        let cache = Path::new(CACHE);
        let above = match cache.is_dir() {
            true => cache,
            false => Path::new("/tmp"),
        };
        let place = above.join("restore");
        let _left_by_an_attempt_that_was_cut_off = std::fs::remove_dir_all(&place);
        std::fs::create_dir(&place)
            .map_err(|e| format!("there is no place to restore it in: {e}"))?;
        Ok(Scratch(place))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _next_attempt_does_it = std::fs::remove_dir_all(&self.0);
    }
}

/// Whether its time is over, or nobody waits for it any more.
fn over(leash: Leash<'_>) -> bool {
    leash.late() || leash.lifeline.is_cancelled(leash.question)
}

fn wait<T>(work: impl Future<Output = T>) -> Result<T, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| format!("no connection can be made: {e}"))?;
    Ok(runtime.block_on(work))
}

fn ms(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}
