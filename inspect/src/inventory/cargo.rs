//! Cargo.lock, and the manifests of the crates it names: vendored ones, or those cargo has unpacked.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{Caches, Found, Place, licence};
use crate::{toml_text, walk};

/// Largest manifest read, in bytes.
const MANIFEST: u64 = 1 << 20;

/// Packages of a Cargo.lock that come from elsewhere; none when it does not parse.
pub(super) fn read(text: &str, place: &Place<'_>) -> Option<Vec<Found>> {
    let found = parse(text)?;
    let sources = sources(place.folder, place.caches);
    let with_licence = |one: Found| Found {
        licence: licence_of(&sources, &one.name, &one.version),
        ..one
    };
    Some(found.into_iter().map(with_licence).collect())
}

/// A package without a source is the workspace's own; what it depends on is direct.
fn parse(text: &str) -> Option<Vec<Found>> {
    let lock = toml_text::parse(text).ok()?;
    let packages = match lock.get("package") {
        None => return Some(Vec::new()),
        Some(packages) => packages.as_array()?,
    };
    let field = |p: &Value, key: &str| p.get(key).and_then(Value::as_str).map(str::to_owned);
    let mut direct: BTreeSet<(String, Option<String>)> = BTreeSet::new();
    for own in packages.iter().filter(|p| p.get("source").is_none()) {
        let wanted = own.get("dependencies").and_then(Value::as_array);
        for dependency in wanted.into_iter().flatten().filter_map(Value::as_str) {
            let mut words = dependency.split(' ');
            let name = words.next().unwrap_or_default().to_owned();
            direct.insert((name, words.next().map(str::to_owned)));
        }
    }
    let one = |p: &Value| {
        let (name, version) = (field(p, "name")?, field(p, "version")?);
        p.get("source")?;
        let direct = direct.contains(&(name.clone(), None))
            || direct.contains(&(name.clone(), Some(version.clone())));
        Some(Found {
            name,
            version,
            direct,
            licence: None,
        })
    };
    Some(packages.iter().filter_map(one).collect())
}

/// Folders that hold crates by name and version.
fn sources(folder: &Path, caches: &Caches) -> Vec<PathBuf> {
    let mut found = vec![folder.join("vendor")];
    for home in &caches.cargo {
        let registries = std::fs::read_dir(home.join("registry/src"));
        found.extend(registries.into_iter().flatten().flatten().map(|e| e.path()));
    }
    found
}

fn licence_of(sources: &[PathBuf], name: &str, version: &str) -> Option<String> {
    if !plain(name) || !plain(version) {
        return None;
    }
    for source in sources {
        for folder in [source.join(format!("{name}-{version}")), source.join(name)] {
            let Some(text) = walk::read_text(&folder.join("Cargo.toml"), MANIFEST) else {
                continue;
            };
            let Ok(manifest) = toml_text::parse(&text) else {
                continue;
            };
            let field = |key: &str| {
                manifest
                    .pointer(&format!("/package/{key}"))
                    .and_then(Value::as_str)
            };
            if field("version") != Some(version) {
                continue;
            }
            let of_file = || {
                let file =
                    field("license-file").filter(|f| !f.contains("..") && !f.starts_with('/'))?;
                let text = walk::read_text(&folder.join(file), MANIFEST)?;
                licence::of_text(&text).map(str::to_owned)
            };
            return field("license").map(str::to_owned).or_else(of_file);
        }
    }
    None
}

/// A name that stays in its folder.
fn plain(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with('.')
        && name
            .chars()
            .all(|c| c.is_alphanumeric() || "-_.+".contains(c))
}

#[cfg(test)]
mod test {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn own_packages_make_others_direct() {
        let lock = "version = 4\n[[package]]\nname = \"mine\"\nversion = \"0.1.0\"\ndependencies = [\n \"a\",\n \"b 2.0.0\",\n]\n\
            [[package]]\nname = \"a\"\nversion = \"1.0.0\"\nsource = \"registry+x\"\ndependencies = [\"b 1.0.0\"]\n\
            [[package]]\nname = \"b\"\nversion = \"1.0.0\"\nsource = \"registry+x\"\n[[package]]\nname = \"b\"\nversion = \"2.0.0\"\nsource = \"registry+x\"\n";
        let told: Vec<_> = parse(lock)
            .unwrap()
            .into_iter()
            .map(|f| (f.name, f.version, f.direct))
            .collect();
        let one = |n: &str, v: &str, d: bool| (n.to_owned(), v.to_owned(), d);
        assert_eq!(
            told,
            [
                one("a", "1.0.0", true),
                one("b", "1.0.0", false),
                one("b", "2.0.0", true)
            ]
        );
        assert!(parse("[[").is_none());
    }

    proptest! {
        #[test]
        fn any_text_is_survived(text in "(\\[\\[package\\]\\]\n|name = \"a\"\n|version = 1\n|source = \"\"\n|.){0,20}") {
            parse(&text);
        }
    }
}
