//! Scans of tables: files of the workspace, and databases that this sandbox was opened for.

use super::place;
use super::program::Leash;
use super::serve::Done;
use crate::outside::{Credential, Database};
use crate::sandbox::spec::CACHE;
use inspect::data::scan::{DataScan, Spot, Where};
use inspect::limits::Limits;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Longest run of one statement at a server, whatever the call allows.
const LONGEST: Duration = Duration::from_secs(600);

pub(super) fn scan(
    scan: &DataScan,
    databases: &BTreeMap<String, Database>,
    leash: Leash<'_>,
) -> Result<Done, String> {
    let left = leash.until.saturating_duration_since(Instant::now());
    let find = |place: &Where| match place {
        Where::File { path, .. } => place::existing(path).map(Spot::File),
        Where::Source { source, .. } => match databases.get(source) {
            Some(Database::Sqlite { file }) => Ok(Spot::File(file.clone())),
            Some(Database::Postgres { address, password }) => Ok(Spot::Server {
                address: address.clone(),
                password: password.as_ref().map(Credential::reveal).map(str::to_owned),
                most: left.min(LONGEST),
            }),
            None => Err(format!("this sandbox does not reach `{source}`")),
        },
    };
    // The cache lies on a disk, scratch in memory.
    let cache = Path::new(CACHE);
    let scratch = match cache.is_dir() {
        true => cache.to_path_buf(),
        false => PathBuf::from("/tmp"),
    };
    Done::report(&scan.run(&find, &scratch, &Limits::default())?)
}
