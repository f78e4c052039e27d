//! Every package a project is locked to or has installed: version, whether it is asked for directly,
//! and its licence as the package itself tells it. What is not known is said to be unknown.

mod cargo;
mod go;
mod licence;
mod npm;
mod npm_locks;
mod python;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::dependencies;
use crate::limits::{InspectError, Limits};
use crate::walk;

pub use licence::Duty;

/// Most packages listed; all are counted.
const PACKAGES: usize = 5000;
/// Largest lock file read, in bytes.
const LOCK_BYTES: u64 = 64 << 20;

/// Where packages lie that were fetched for other projects too.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Caches {
    /// Homes of cargo, with `registry/src` in them.
    pub cargo: Vec<PathBuf>,
    /// Caches of Go modules, such as `~/go/pkg/mod`.
    pub go: Vec<PathBuf>,
}

/// A package in one version.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Package {
    /// `cargo`, `npm`, `python` or `go`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The project itself asks for it.
    pub direct: bool,
    /// Its licence; none when it is not known.
    pub licence: Option<String>,
    /// What the licence asks for.
    pub duty: Duty,
    /// The lock file, manifest or folder that names it.
    pub from: String,
}

/// Packages of one licence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Licence {
    /// As the packages write it.
    pub licence: String,
    /// How many.
    pub packages: u64,
    /// What it asks for.
    pub duty: Duty,
}

/// A package in several versions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Several {
    /// `cargo`, `npm`, `python` or `go`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its versions, as they sort.
    pub versions: Vec<String>,
}

/// Packages of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sum {
    /// `cargo`, `npm`, `python` or `go`.
    pub kind: String,
    /// Packages, each version for itself.
    pub packages: u64,
    /// Of these, asked for directly.
    pub direct: u64,
    /// Of these, of unknown licence.
    pub unknown: u64,
    /// The files and folders that name them.
    pub from: Vec<String>,
}

/// A manifest that nothing pins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unpinned {
    /// The manifest.
    pub path: String,
    /// What it asks for: name and requirement.
    pub asks: Vec<dependencies::Dependency>,
}

/// All of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inventory {
    /// In order of kind, name and version, up to a bound.
    pub packages: Vec<Package>,
    /// How many there are in all.
    pub total: u64,
    /// By kind.
    pub kinds: Vec<Sum>,
    /// By licence, most packages first; unknown ones left out.
    pub licences: Vec<Licence>,
    /// Packages of unknown licence.
    pub unknown: u64,
    /// Packages whose licence asks for more than a notice, or that is not known by name.
    pub notable: Vec<Package>,
    /// Packages in several versions.
    pub several: Vec<Several>,
    /// Manifests with dependencies that neither a lock file nor an installation pins.
    pub unpinned: Vec<Unpinned>,
    /// Lock files that could not be read, with the reason.
    pub unread: Vec<String>,
}

/// A package before its licence is looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Found {
    name: String,
    version: String,
    direct: bool,
    licence: Option<String>,
}

/// Reads every lock file and installation of a tree.
pub fn scan(root: &Path, caches: &Caches, limits: &Limits) -> Result<Inventory, InspectError> {
    let files = walk::files(root, limits)?.files;
    let asked = dependencies::scan(root, limits)?;
    let mut all = Inventory::default();
    let mut packages: BTreeMap<(String, String, String), Package> = BTreeMap::new();
    let mut add = |kind: &str, from: &str, found: Vec<Found>| {
        for one in found {
            let key = (kind.to_owned(), one.name.clone(), one.version.clone());
            let package = packages.entry(key).or_insert_with(|| Package {
                kind: kind.to_owned(),
                name: one.name.chars().take(200).collect(),
                version: one.version.chars().take(100).collect(),
                direct: false,
                licence: None,
                duty: Duty::Unknown,
                from: from.to_owned(),
            });
            package.direct |= one.direct;
            if package.licence.is_none() {
                package.licence = one.licence.map(|l| l.trim().chars().take(120).collect());
                package.licence = package.licence.take().filter(|l: &String| !l.is_empty());
                package.duty = licence::duty(package.licence.as_deref());
            }
        }
    };
    let mut pinned: Vec<(&str, String)> = Vec::new();
    for seen in &files {
        let (folder, base) = seen.name.rsplit_once('/').unwrap_or(("", &seen.name));
        let place = Place {
            folder: seen.path.parent().unwrap_or(root),
            caches,
            direct: names(&asked, folder),
        };
        let Some((kind, read)) = reader(base) else {
            continue;
        };
        let text = walk::read_text(&seen.path, LOCK_BYTES);
        match text.as_deref().map(|text| read(text, &place)) {
            Some(Some(found)) => {
                add(kind, &seen.name, found);
                pinned.push((kind, folder.to_owned()));
            }
            _ => all.unread.push(seen.name.clone()),
        }
    }
    for (name, folder) in python::environments(root, &files) {
        let at = name
            .rsplit_once('/')
            .map_or("", |(above, _)| above)
            .to_owned();
        add(
            "python",
            &name,
            python::installed(&folder, &names(&asked, &at)),
        );
        pinned.push(("python", at));
    }
    all.unpinned = unpinned(&asked, &pinned);
    finish(packages.into_values().collect(), &mut all);
    Ok(all)
}

/// What a reader of lock files may look at beside the file.
struct Place<'a> {
    /// The folder the lock file lies in.
    folder: &'a Path,
    caches: &'a Caches,
    /// Names that manifests at or below the folder ask for.
    direct: Vec<String>,
}

impl Place<'_> {
    fn is_direct(&self, name: &str) -> bool {
        self.direct.iter().any(|asked| asked == name)
    }
}

type Reader = fn(&str, &Place<'_>) -> Option<Vec<Found>>;

fn reader(base: &str) -> Option<(&'static str, Reader)> {
    Some(match base {
        "Cargo.lock" => ("cargo", cargo::read),
        "package-lock.json" | "npm-shrinkwrap.json" => ("npm", npm::read),
        "yarn.lock" => ("npm", npm_locks::yarn),
        "pnpm-lock.yaml" => ("npm", npm_locks::pnpm),
        "poetry.lock" | "uv.lock" | "pdm.lock" | "pylock.toml" => ("python", python::lock),
        "Pipfile.lock" => ("python", python::pipfile_lock),
        "go.mod" => ("go", go::read),
        _ if base.starts_with("requirements") && base.ends_with(".txt") => {
            ("python", python::requirements)
        }
        _ => return None,
    })
}

/// Names that manifests at or below a folder ask for.
fn names(asked: &dependencies::Dependencies, folder: &str) -> Vec<String> {
    let below = |path: &str| folder.is_empty() || path.starts_with(&format!("{folder}/"));
    let mut names: Vec<String> = Vec::new();
    for manifest in asked.manifests.iter().filter(|m| below(&m.path)) {
        let python = manifest.kind == "python";
        let name = |d: &dependencies::Dependency| match python {
            true => python::normal(&d.name),
            false => d.name.clone(),
        };
        names.extend(manifest.direct.iter().map(name));
    }
    names.sort();
    names.dedup();
    names
}

/// Manifests that ask for something which no lock file at or above them pins.
fn unpinned(asked: &dependencies::Dependencies, pinned: &[(&str, String)]) -> Vec<Unpinned> {
    let is_pinned = |m: &&dependencies::Manifest| {
        let holds = |folder: &str| folder.is_empty() || m.path.starts_with(&format!("{folder}/"));
        m.locked
            || pinned.iter().any(|(kind, folder)| {
                *kind == m.kind && holds(folder) && !m.path.contains("requirements")
            })
    };
    asked
        .manifests
        .iter()
        .filter(|m| !m.direct.is_empty() && !is_pinned(m))
        .map(|m| Unpinned {
            path: m.path.clone(),
            asks: m.direct.clone(),
        })
        .collect()
}

fn finish(mut packages: Vec<Package>, all: &mut Inventory) {
    packages.sort();
    all.total = packages.len() as u64;
    let mut licences: BTreeMap<String, (u64, Duty)> = BTreeMap::new();
    let mut versions: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    let mut kinds: BTreeMap<String, Sum> = BTreeMap::new();
    for package in &packages {
        let sum = kinds.entry(package.kind.clone()).or_insert_with(|| Sum {
            kind: package.kind.clone(),
            packages: 0,
            direct: 0,
            unknown: 0,
            from: Vec::new(),
        });
        sum.packages += 1;
        sum.direct += u64::from(package.direct);
        if !sum.from.contains(&package.from) {
            sum.from.push(package.from.clone());
        }
        match &package.licence {
            Some(licence) => {
                let entry = licences.entry(licence.clone()).or_insert((0, package.duty));
                entry.0 += 1;
            }
            None => {
                all.unknown += 1;
                sum.unknown += 1;
            }
        }
        let key = (package.kind.clone(), package.name.clone());
        versions
            .entry(key)
            .or_default()
            .push(package.version.clone());
    }
    all.kinds = kinds.into_values().collect();
    all.licences = licences
        .into_iter()
        .map(|(licence, (packages, duty))| Licence {
            licence,
            packages,
            duty,
        })
        .collect();
    all.licences
        .sort_by(|a, b| (b.packages, &a.licence).cmp(&(a.packages, &b.licence)));
    all.several = versions
        .into_iter()
        .filter(|(_, versions)| versions.len() > 1)
        .map(|((kind, name), versions)| Several {
            kind,
            name,
            versions,
        })
        .collect();
    all.notable = packages
        .iter()
        .filter(|p| p.licence.is_some() && p.duty != Duty::Notice)
        .cloned()
        .collect();
    packages.truncate(PACKAGES);
    all.packages = packages;
}
