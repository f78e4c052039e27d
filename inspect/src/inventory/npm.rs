//! package-lock.json of every version, and the licence in `node_modules` where the lock tells none.

use std::path::Path;

use serde_json::Value;

use super::{Found, Place};
use crate::walk;

/// Largest manifest read, in bytes.
const MANIFEST: u64 = 1 << 20;
/// Deepest nesting of a lock file of version 1.
const DEEPEST: usize = 64;

/// Packages of a package-lock.json; none when it does not parse.
pub(super) fn read(text: &str, place: &Place<'_>) -> Option<Vec<Found>> {
    let lock: Value = serde_json::from_str(text).ok()?;
    let mut found = Vec::new();
    if let Some(packages) = lock.get("packages").and_then(Value::as_object) {
        for (key, facts) in packages {
            found.extend(one(key, facts, place));
        }
    } else {
        older(&lock, "", place, 0, &mut found);
    }
    Some(found)
}

/// A key is a path: `node_modules/a/node_modules/b` is `b`, asked for by `a`. Keys without
/// `node_modules` are the project's own packages.
fn one(key: &str, facts: &Value, place: &Place<'_>) -> Option<Found> {
    let (before, name) = key.rsplit_once("node_modules/")?;
    if facts.get("link") == Some(&Value::Bool(true)) {
        return None;
    }
    let version = facts.get("version").and_then(Value::as_str)?;
    let said = licence(facts);
    Some(Found {
        name: facts
            .get("name")
            .and_then(Value::as_str)
            .unwrap_or(name)
            .to_owned(),
        version: version.to_owned(),
        direct: !before.contains("node_modules/") && place.is_direct(name),
        licence: said.or_else(|| installed(place.folder, key, version)),
    })
}

fn older(from: &Value, path: &str, place: &Place<'_>, depth: usize, found: &mut Vec<Found>) {
    let all = from.get("dependencies").and_then(Value::as_object);
    for (name, facts) in all.into_iter().flatten().filter(|_| depth < DEEPEST) {
        let key = format!("{path}node_modules/{name}");
        if let Some(version) = facts.get("version").and_then(Value::as_str) {
            found.push(Found {
                name: name.clone(),
                version: version.to_owned(),
                direct: depth == 0 && place.is_direct(name),
                licence: installed(place.folder, &key, version),
            });
        }
        older(facts, &format!("{key}/"), place, depth + 1, found);
    }
}

/// The licence an installed package tells, where it is of this version.
pub(super) fn installed(folder: &Path, key: &str, version: &str) -> Option<String> {
    if key.starts_with('/') || key.split('/').any(|part| part == "..") {
        return None;
    }
    let text = walk::read_text(&folder.join(key).join("package.json"), MANIFEST)?;
    let manifest: Value = serde_json::from_str(&text).ok()?;
    let same = manifest.get("version").and_then(Value::as_str) == Some(version);
    same.then(|| licence(&manifest))?
}

/// `license` as a text or an object, or the old list `licenses`.
fn licence(facts: &Value) -> Option<String> {
    let of = |v: &Value| v.as_str().or(v.get("type")?.as_str()).map(str::to_owned);
    if let Some(licence) = facts.get("license") {
        return licence.as_str().map(str::to_owned).or_else(|| of(licence));
    }
    let several: Vec<String> = facts
        .get("licenses")?
        .as_array()?
        .iter()
        .filter_map(|v| v.as_str().map(str::to_owned).or_else(|| of(v)))
        .collect();
    (!several.is_empty()).then(|| several.join(" OR "))
}

#[cfg(test)]
mod test {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::inventory::Caches;
    use proptest::prelude::*;

    fn check(text: &str, expected: &[(&str, &str, bool, Option<&str>)]) {
        let caches = Caches::default();
        let place = Place {
            folder: Path::new("/nonexistent"),
            caches: &caches,
            direct: vec!["a".to_owned(), "@s/c".to_owned()],
        };
        let mut found = read(text, &place).unwrap();
        found.sort_by(|a, b| (&a.name, &a.version).cmp(&(&b.name, &b.version)));
        let told: Vec<_> = found
            .iter()
            .map(|f| {
                (
                    f.name.as_str(),
                    f.version.as_str(),
                    f.direct,
                    f.licence.as_deref(),
                )
            })
            .collect();
        assert_eq!(told, expected);
    }

    #[test]
    fn locks_of_each_version_are_read() {
        check(
            r#"{"lockfileVersion":3,"packages":{"":{"name":"x","dependencies":{"a":"1"}},"node_modules/a":{"version":"1.0.0","license":"MIT"},
                "node_modules/a/node_modules/b":{"version":"2.0.0","license":{"type":"ISC"}},"node_modules/@s/c":{"version":"3.0.0","licenses":[{"type":"MIT"},{"type":"GPL-2.0"}]},
                "packages/own":{"version":"0.0.1"},"node_modules/own":{"resolved":"packages/own","link":true}}}"#,
            &[
                ("@s/c", "3.0.0", true, Some("MIT OR GPL-2.0")),
                ("a", "1.0.0", true, Some("MIT")),
                ("b", "2.0.0", false, Some("ISC")),
            ],
        );
        check(
            r#"{"lockfileVersion":1,"dependencies":{"a":{"version":"1.0.0","dependencies":{"a":{"version":"0.9.0"}}},"b":{"version":"2.0.0"}}}"#,
            &[
                ("a", "0.9.0", false, None),
                ("a", "1.0.0", true, None),
                ("b", "2.0.0", false, None),
            ],
        );
    }

    proptest! {
        #[test]
        fn any_json_is_survived(text in "(\\{|\\}|\"packages\":|\"node_modules/a\":|\"version\":\"1\"|,|.){0,20}") {
            let caches = Caches::default();
            let place = Place { folder: Path::new("/nonexistent"), caches: &caches, direct: Vec::new() };
            read(&text, &place);
        }
    }
}
