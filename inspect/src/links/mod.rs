//! Links in documents: files and folders, headings, images, references. What leads to the network is
//! counted and named and not tried.

mod html;
mod markdown;
mod rst;
mod target;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::limits::{InspectError, Limits};
use crate::walk;
use target::{Judge, Verdict};

/// Most addresses outside that are named; all are counted.
const ADDRESSES: usize = 300;
/// Most hosts named.
const HOSTS: usize = 20;
/// Folders whose documents are wrong on purpose, or other people's.
const PASSED: [&str; 9] = [
    "fixtures",
    "__fixtures__",
    "testdata",
    "test_data",
    "test-data",
    "snapshots",
    "vendor",
    "third_party",
    "third-party",
];

/// A link as a document writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Link {
    /// Line, from 1.
    pub(crate) line: u64,
    /// Where it leads.
    pub(crate) to: To,
}

/// Where a link leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum To {
    /// An address or a path, with its anchor.
    Target(String),
    /// A document named without its extension, as Sphinx does.
    Document(String),
    /// A label that nothing defines.
    Undefined(String),
}

/// What a document says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Document {
    pub(crate) links: Vec<Link>,
    /// What a link may name behind `#`, lower case.
    pub(crate) anchors: BTreeSet<String>,
}

/// A link that leads nowhere.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Broken {
    /// The document, relative to the root.
    pub path: String,
    /// Line, from 1.
    pub line: u64,
    /// As it is written, cut to 300 characters.
    pub target: String,
    /// Why it leads nowhere.
    pub why: String,
}

/// Links to one host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    /// Its name.
    pub host: String,
    /// Links to it.
    pub links: u64,
}

/// All links of a tree.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Links {
    /// Documents read.
    pub documents: u64,
    /// Documents of test and vendor folders, and those that are too large: not read.
    pub passed: u64,
    /// Links to files, headings and labels, all of them tried.
    pub tried: u64,
    /// Those that lead nowhere, up to the limit, in order of file and line.
    pub broken: Vec<Broken>,
    /// How many there are in all.
    pub broken_total: u64,
    /// Links to addresses on the network.
    pub outside: u64,
    /// Different addresses among them, up to a bound, in order.
    pub addresses: Vec<String>,
    /// How many different ones there are in all.
    pub addresses_total: u64,
    /// The hosts most linked to.
    pub hosts: Vec<Host>,
    /// Links of other kinds (mail, places outside of the folder, templates): not tried.
    pub other: u64,
}

/// Reads a document by its name; none when it is of no known kind.
fn read(name: &str, text: &str) -> Option<Document> {
    let base = name.rsplit('/').next().unwrap_or(name).to_ascii_lowercase();
    match base.rsplit_once('.').map(|(_, end)| end)? {
        "md" | "markdown" | "mdx" => Some(markdown::read(text)),
        "rst" => Some(rst::read(text)),
        "html" | "htm" => Some(html::read(text)),
        _ => None,
    }
}

fn is_document(name: &str) -> bool {
    read(name, "").is_some()
}

/// Tries every link of every document.
pub fn scan(root: &Path, limits: &Limits) -> Result<Links, InspectError> {
    let files = walk::files(root, limits)?.files;
    let names: Vec<&str> = files.iter().map(|f| f.name.as_str()).collect();
    let mut all = Links::default();
    let mut documents: BTreeMap<&str, Document> = BTreeMap::new();
    for seen in files.iter().filter(|f| is_document(&f.name)) {
        let passed = seen
            .name
            .split('/')
            .rev()
            .skip(1)
            .any(|part| PASSED.contains(&part));
        let text = (!passed).then(|| walk::text(seen, limits)).flatten();
        match text.and_then(|text| read(&seen.name, &text)) {
            Some(document) => {
                documents.insert(&seen.name, document);
            }
            None => all.passed += 1,
        }
    }
    all.documents = documents.len() as u64;
    let anchors: HashMap<&str, &BTreeSet<String>> = documents
        .iter()
        .map(|(name, d)| (*name, &d.anchors))
        .collect();
    let judge = Judge::new(root, &names, &anchors, limits);
    let mut addresses = BTreeSet::new();
    let mut hosts: BTreeMap<String, u64> = BTreeMap::new();
    for (name, document) in &documents {
        for link in &document.links {
            match judge.link(name, &link.to) {
                Verdict::Fine => all.tried += 1,
                Verdict::Other => all.other += 1,
                Verdict::Outside { address, host } => {
                    all.outside += 1;
                    *hosts.entry(host).or_default() += 1;
                    addresses.insert(address);
                }
                Verdict::Broken { target, why } => {
                    all.tried += 1;
                    all.broken_total += 1;
                    if all.broken.len() < limits.findings {
                        all.broken.push(Broken {
                            path: (*name).to_owned(),
                            line: link.line,
                            target: target.chars().take(300).collect(),
                            why,
                        });
                    }
                }
            }
        }
    }
    all.broken.sort();
    all.addresses_total = addresses.len() as u64;
    all.addresses = addresses.into_iter().take(ADDRESSES).collect();
    let mut hosts: Vec<Host> = hosts
        .into_iter()
        .map(|(host, links)| Host { host, links })
        .collect();
    hosts.sort_by(|a, b| (b.links, &a.host).cmp(&(a.links, &b.host)));
    hosts.truncate(HOSTS);
    all.hosts = hosts;
    Ok(all)
}

/// Line numbers of places in a text.
pub(crate) struct Lines(Vec<usize>);

impl Lines {
    pub(crate) fn of(text: &str) -> Self {
        Lines(text.match_indices('\n').map(|(at, _)| at).collect())
    }

    /// The line a byte lies in, from 1.
    pub(crate) fn at(&self, byte: usize) -> u64 {
        self.0.partition_point(|newline| *newline < byte) as u64 + 1
    }
}
