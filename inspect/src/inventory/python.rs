//! Python: lock files, pinned requirements, and the metadata of what is installed in a virtual
//! environment of the project.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{Found, Place, licence};
use crate::walk::Seen;
use crate::{dependencies, toml_text, walk};

/// Largest metadata file read, in bytes.
const METADATA: u64 = 2 << 20;
/// Names of virtual environments that are looked for.
const ENVIRONMENTS: [&str; 3] = [".venv", "venv", "env"];

/// A name as Python compares it: lower case, runs of `-_.` as one hyphen.
pub(super) fn normal(name: &str) -> String {
    let mut plain = String::new();
    for c in name.trim().to_lowercase().chars() {
        match c {
            '-' | '_' | '.' if plain.ends_with('-') => {}
            '-' | '_' | '.' => plain.push('-'),
            other => plain.push(other),
        }
    }
    plain
}

/// poetry.lock, uv.lock, pdm.lock, pylock.toml; none when it does not parse.
pub(super) fn lock(text: &str, place: &Place<'_>) -> Option<Vec<Found>> {
    let lock = toml_text::parse(text).ok()?;
    let packages = lock
        .get("package")
        .or(lock.get("packages"))
        .and_then(Value::as_array);
    let own = |p: &Value| {
        let source = p.get("source").and_then(Value::as_object);
        source.is_some_and(|s| s.contains_key("virtual") || s.contains_key("editable"))
    };
    let found = packages
        .into_iter()
        .flatten()
        .filter(|p| !own(p))
        .filter_map(|p| {
            let field = |key: &str| p.get(key).and_then(Value::as_str);
            Some(one(field("name")?, field("version")?, place))
        });
    Some(with_licences(found.collect(), place.folder))
}

/// Pipfile.lock; none when it does not parse.
pub(super) fn pipfile_lock(text: &str, place: &Place<'_>) -> Option<Vec<Found>> {
    let lock: Value = serde_json::from_str(text).ok()?;
    let mut found = Vec::new();
    for group in ["default", "develop"] {
        let all = lock.get(group).and_then(Value::as_object);
        for (name, facts) in all.into_iter().flatten() {
            let version = facts.get("version").and_then(Value::as_str);
            found.extend(version.map(|v| one(name, v.trim_start_matches('='), place)));
        }
    }
    Some(with_licences(found, place.folder))
}

/// Requirements that name one version.
pub(super) fn requirements(text: &str, place: &Place<'_>) -> Option<Vec<Found>> {
    let asked = dependencies::python::read_requirements(text)?;
    let pinned = |d: &dependencies::Dependency| {
        let version = d
            .requirement
            .strip_prefix("==")?
            .trim_start_matches('=')
            .trim();
        let exact = !version.contains(['*', ',']) && !version.is_empty();
        exact.then(|| one(&d.name, version, place))
    };
    Some(with_licences(
        asked.iter().filter_map(pinned).collect(),
        place.folder,
    ))
}

fn one(name: &str, version: &str, place: &Place<'_>) -> Found {
    let name = normal(name);
    Found {
        direct: place.is_direct(&name),
        name,
        version: version.to_owned(),
        licence: None,
    }
}

/// Looks the licences up in the environment beside the lock file.
fn with_licences(mut found: Vec<Found>, folder: &Path) -> Vec<Found> {
    for environment in ENVIRONMENTS.iter().map(|name| folder.join(name)) {
        for known in installed(&environment, &[]) {
            for one in found
                .iter_mut()
                .filter(|f| f.name == known.name && f.version == known.version)
            {
                one.licence = one.licence.take().or(known.licence.clone());
            }
        }
    }
    found
}

/// Virtual environments beside the project's files: name relative to the root, and place.
pub(super) fn environments(root: &Path, files: &[Seen]) -> Vec<(String, PathBuf)> {
    let folders: BTreeSet<&str> = files
        .iter()
        .filter(|f| {
            f.name.ends_with(".toml")
                || f.name.ends_with(".txt")
                || f.name.ends_with(".py")
                || f.name.ends_with("Pipfile")
        })
        .map(|f| f.name.rsplit_once('/').map_or("", |(folder, _)| folder))
        .collect();
    let mut found = Vec::new();
    for folder in folders {
        for name in ENVIRONMENTS {
            let path = root.join(folder).join(name);
            if path.join("pyvenv.cfg").is_file() {
                found.push((walk::relative(root, &path), path));
            }
        }
    }
    found
}

/// What is installed in an environment.
pub(super) fn installed(environment: &Path, direct: &[String]) -> Vec<Found> {
    let mut found = Vec::new();
    for python in folders(&environment.join("lib")) {
        for folder in folders(&python.join("site-packages")) {
            let info = folder
                .file_name()
                .is_some_and(|n| n.to_string_lossy().ends_with(".dist-info"));
            let text = info
                .then(|| walk::read_text(&folder.join("METADATA"), METADATA))
                .flatten();
            found.extend(text.and_then(|text| metadata(&text)).map(|mut one| {
                one.direct = direct.contains(&one.name);
                one
            }));
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}

fn folders(path: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
    entries.map(|e| e.path()).filter(|p| p.is_dir()).collect()
}

/// Name, version and licence of a METADATA file: the expression, else what the classifiers say, else
/// the free text where it is a name or a text that is known.
fn metadata(text: &str) -> Option<Found> {
    let head: Vec<&str> = text.lines().take_while(|l| !l.trim().is_empty()).collect();
    let field = |key: &str| {
        let pairs = head.iter().filter_map(|l| l.split_once(':'));
        let mut named = pairs
            .filter(|(k, _)| k.eq_ignore_ascii_case(key))
            .map(|(_, v)| v.trim());
        named.find(|v| !v.is_empty() && *v != "UNKNOWN")
    };
    let classified: Vec<&str> = head
        .iter()
        .filter_map(|l| l.strip_prefix("Classifier: License :: "))
        .map(|c| c.rsplit(" :: ").next().unwrap_or(c))
        .filter(|c| *c != "OSI Approved")
        .collect();
    let free = || {
        let free = field("License")?;
        let short = free.len() <= 60 && !free.contains("Copyright");
        let whole = || text.split_once("\nLicense:").map_or(free, |(_, rest)| rest);
        if short {
            Some(free.to_owned())
        } else {
            licence::of_text(whole()).map(str::to_owned)
        }
    };
    let by_class = || (!classified.is_empty()).then(|| classified.join(" OR "));
    Some(Found {
        name: normal(field("Name")?),
        version: field("Version")?.to_owned(),
        direct: false,
        licence: field("License-Expression")
            .map(str::to_owned)
            .or_else(free)
            .or_else(by_class),
    })
}

#[cfg(test)]
mod test {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::inventory::Caches;
    use proptest::prelude::*;

    #[test]
    fn metadata_tells_the_licence() {
        let of = |facts: &str| {
            metadata(&format!(
                "Metadata-Version: 2.1\nName: A.b_c\nVersion: 1.0\n{facts}\nbody\nLicense: no\n"
            ))
            .unwrap()
            .licence
        };
        for (facts, expected) in [
            ("License-Expression: MIT\nLicense: old\n", Some("MIT")),
            ("License: Apache 2.0\n", Some("Apache 2.0")),
            (
                "License: UNKNOWN\nClassifier: License :: OSI Approved :: MIT License\n",
                Some("MIT License"),
            ),
            ("Classifier: License :: OSI Approved\n", None),
            ("", None),
        ] {
            assert_eq!(of(facts).as_deref(), expected, "{facts}");
        }
        assert_eq!(metadata("Name: A.b_c\nVersion: 1\n").unwrap().name, "a-b-c");
    }

    #[test]
    fn locks_and_requirements_are_read() {
        let caches = Caches::default();
        let place = Place {
            folder: Path::new("/nonexistent"),
            caches: &caches,
            direct: vec!["a-b".to_owned()],
        };
        let told = |found: Vec<Found>| -> Vec<String> {
            found
                .into_iter()
                .map(|f| format!("{} {} {}", f.name, f.version, f.direct))
                .collect()
        };
        let uv = "version = 1\n[[package]]\nname = \"own\"\nversion = \"0\"\nsource = { virtual = \".\" }\n[[package]]\nname = \"A_b\"\nversion = \"2.0\"\n";
        assert_eq!(told(lock(uv, &place).unwrap()), ["a-b 2.0 true"]);
        assert_eq!(
            told(requirements("x==1.0 # why\ny>=2\nz==3.*\n", &place).unwrap()),
            ["x 1.0 false"]
        );
        let pipfile = r#"{"default":{"x":{"version":"==1.0"}},"develop":{"y":{"git":"u"}}}"#;
        assert_eq!(
            told(pipfile_lock(pipfile, &place).unwrap()),
            ["x 1.0 false"]
        );
    }

    proptest! {
        #[test]
        fn any_text_is_survived(text in "(?s)(Name:|Version:|License:|Classifier: License :: |\n|==|.){0,40}") {
            metadata(&text);
            prop_assert!(!normal(&text).contains("--"));
        }
    }
}
