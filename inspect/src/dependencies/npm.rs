//! package.json: what it needs to run, to be developed, optionally, and beside it.

use serde_json::Value;

use super::Dependency;

const TABLES: &[&str] = &[
    "dependencies",
    "devDependencies",
    "optionalDependencies",
    "peerDependencies",
];

/// The direct dependencies of a package.json; none when it does not parse.
pub fn read(text: &str) -> Option<Vec<Dependency>> {
    let manifest: Value = serde_json::from_str(text).ok()?;
    let tables = TABLES
        .iter()
        .filter_map(|t| manifest.get(t).and_then(Value::as_object));
    let all = tables
        .flatten()
        .map(|(name, wanted)| Dependency::new(name, wanted.as_str().unwrap_or_default()));
    Some(all.collect())
}
