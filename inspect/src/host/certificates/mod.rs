//! Certificates of a host and when they end: those that servers are set to serve, certbot's, and those that lie in
//! `/etc/ssl` or where one asks. The store of trusted authorities is not looked at.

mod named;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Serialize;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::pem::Pem;
use x509_parser::prelude::FromDer;

use super::tree::{Tree, Unread};
use crate::limits::{InspectError, Limits};
use named::Named;

/// More certificates than this in a file are a store of authorities.
const STORE: usize = 20;
/// Folders below an asked-for one that are looked into.
const DEPTH: usize = 4;
/// Names of one certificate that are told.
const NAMES: usize = 100;

/// A certificate that is, or could be, served.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Certificate {
    /// Where it lies; the shortest of its paths.
    pub path: String,
    /// Settings that name it.
    pub used_by: Vec<String>,
    /// Whom it is for.
    pub subject: String,
    /// Names and addresses it holds for.
    pub names: Vec<String>,
    /// Who signed it.
    pub issuer: String,
    /// When it begins to hold.
    pub from: Timestamp,
    /// When it ends.
    pub until: Timestamp,
    /// Whole days from the moment of the scan to its end; negative once it has ended.
    pub days_left: i64,
    /// It has ended.
    pub expired: bool,
    /// It is its own issuer.
    pub self_signed: bool,
    /// Certificates in its file.
    pub chain: usize,
    /// What else is wrong with it, as sentences.
    pub problems: Vec<String>,
}

/// Every certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Certificates {
    /// The moment of the scan.
    pub at: Timestamp,
    /// The host's name.
    pub hostname: String,
    /// Those that end first, first.
    pub certificates: Vec<Certificate>,
    /// Certificates that settings name and that are not there: `PATH, named in FILE`.
    pub missing: Vec<String>,
    /// Those that lie where this scan does not look.
    pub elsewhere: Vec<String>,
    /// Files looked at.
    pub files: usize,
    /// What could not be read.
    pub unread: Vec<Unread>,
}

/// Folders that the sandbox shows for this scan.
pub const SHOWN: [&str; 9] = [
    "/etc/letsencrypt/live",
    "/etc/letsencrypt/archive",
    "/etc/ssl",
    "/etc/pki/tls/certs",
    "/etc/nginx",
    "/etc/apache2",
    "/etc/httpd",
    "/etc/postfix",
    "/etc/dovecot",
];

/// Looks at them. `path` is looked at in place of the usual ones.
///
/// # Errors
/// When the path that was asked for is not there.
pub fn scan(
    tree: &Tree,
    path: Option<&str>,
    at: Timestamp,
    limits: &Limits,
) -> Result<Certificates, InspectError> {
    if let Some(path) = path.filter(|path| !tree.exists(path)) {
        return Err(InspectError::Asked(format!(
            "{path} does not exist, or may not be looked at: name a file or folder of this host"
        )));
    }
    let named = match path {
        None => named::find(tree),
        Some(_) => Vec::new(),
    };
    let mut files: BTreeSet<String> = named.iter().map(|one| one.path.clone()).collect();
    let (mut missing, mut elsewhere) = (Vec::new(), Vec::new());
    for one in &named {
        if tree.exists(&one.path) {
            continue;
        }
        files.remove(&one.path);
        let line = format!("{}, named in {}", one.path, one.by);
        match SHOWN
            .iter()
            .any(|shown| one.path.starts_with(&format!("{shown}/")))
        {
            true => missing.push(line),
            false => elsewhere.push(line),
        }
    }
    match path {
        None => usual(tree, &mut files),
        Some(path) => below(tree, path, DEPTH, limits.files, &mut files),
    }
    let mut found: BTreeMap<Vec<u8>, Certificate> = BTreeMap::new();
    for path in &files {
        let uses: Vec<&Named> = named.iter().filter(|one| one.path == *path).collect();
        if let Some((bytes, one)) = read(tree, path, &uses, at) {
            match found.get_mut(&bytes) {
                Some(known) => join(known, one),
                None => {
                    found.insert(bytes, one);
                }
            }
        }
    }
    let mut certificates: Vec<Certificate> = found.into_values().collect();
    certificates.sort_by(|a, b| (a.until, &a.path).cmp(&(b.until, &b.path)));
    certificates.truncate(limits.findings);
    Ok(Certificates {
        at,
        hostname: tree.hostname(),
        certificates,
        missing,
        elsewhere,
        files: files.len(),
        unread: tree.unread(),
    })
}

/// The same certificate in another file: what settings do with it belongs together.
fn join(known: &mut Certificate, other: Certificate) {
    known.used_by.extend(other.used_by);
    known.used_by.sort();
    known.used_by.dedup();
    // A leaf alone beside its full chain is no fault of the chain.
    if other.chain > known.chain || (!other.problems.is_empty() && !known.used_by.is_empty()) {
        known.problems = other.problems;
        known.chain = known.chain.max(other.chain);
    }
    if other.path.len() < known.path.len() {
        known.path = other.path;
    }
}

/// Where certificates usually lie: certbot's full chains, and plain files of `/etc/ssl`.
fn usual(tree: &Tree, files: &mut BTreeSet<String>) {
    for name in tree.list("/etc/letsencrypt/live") {
        let path = format!("/etc/letsencrypt/live/{name}/fullchain.pem");
        if tree.exists(&path) {
            files.insert(path);
        }
    }
    for folder in ["/etc/ssl", "/etc/ssl/certs", "/etc/pki/tls/certs"] {
        for name in tree.list(folder) {
            let path = format!("{folder}/{name}");
            // Links lead to the authorities that are trusted.
            let is_file = tree.metadata(&path).is_ok_and(|about| about.is_file())
                && tree.link(&path).is_none();
            if is_file
                && looks_like_one(&name)
                && !name.contains("bundle")
                && name != "ca-certificates.crt"
            {
                files.insert(path);
            }
        }
    }
}

fn looks_like_one(name: &str) -> bool {
    [".pem", ".crt", ".cer", ".cert", ".der"]
        .iter()
        .any(|end| name.ends_with(end))
}

fn below(tree: &Tree, path: &str, depth: usize, most: usize, files: &mut BTreeSet<String>) {
    let path = path.trim_end_matches('/');
    let Ok(about) = tree.metadata(path) else {
        return;
    };
    if about.is_file() {
        files.insert(path.to_owned());
        return;
    }
    for name in tree.list(path) {
        let inner = format!("{path}/{name}");
        let Ok(about) = tree.metadata(&inner) else {
            continue;
        };
        if files.len() >= most {
            tree.note(path, "it holds too many files");
        } else if about.is_file() && looks_like_one(&name) {
            files.insert(inner);
        } else if about.is_dir() && depth > 0 && tree.link(&inner).is_none() {
            below(tree, &inner, depth - 1, most, files);
        }
    }
}

/// The first certificate of a file, with its bytes.
fn read(tree: &Tree, path: &str, uses: &[&Named], at: Timestamp) -> Option<(Vec<u8>, Certificate)> {
    let bytes = tree.bytes(path)?;
    let chain = blocks(&bytes);
    if chain.is_empty() {
        if !uses.is_empty() {
            tree.note(path, "it holds no certificate");
        }
        return None;
    }
    if chain.len() > STORE {
        return None;
    }
    let parsed: Vec<Option<X509Certificate<'_>>> = chain
        .iter()
        .map(|der| X509Certificate::from_der(der).ok().map(|(_, one)| one))
        .collect();
    let Some(Some(leaf)) = parsed.first() else {
        tree.note(path, "its certificate is damaged");
        return None;
    };
    // An authority that nobody serves is not what people ask about.
    if leaf.is_ca()
        && uses.is_empty()
        && chain.len() == 1
        && leaf.subject() == leaf.issuer()
        && names(leaf).is_empty()
    {
        return None;
    }
    let moment = |time: i64| Timestamp::from_second(time).unwrap_or(Timestamp::MIN);
    let until = moment(leaf.validity().not_after.timestamp());
    let from = moment(leaf.validity().not_before.timestamp());
    let names = names(leaf);
    let mut problems = Vec::new();
    if at < from {
        problems.push("it does not hold yet".to_owned());
    }
    problems.extend(order(&parsed));
    for one in uses {
        let strange: Vec<&str> = one
            .names
            .iter()
            .filter(|name| !names.iter().any(|held| holds(held, name)))
            .map(String::as_str)
            .collect();
        if !strange.is_empty() {
            problems.push(format!(
                "{} serves it as {}, which it does not name",
                one.by,
                strange.join(", ")
            ));
        }
    }
    let certificate = Certificate {
        path: path.to_owned(),
        used_by: uses.iter().map(|one| one.by.clone()).collect(),
        subject: common_name(leaf.subject()),
        issuer: common_name(leaf.issuer()),
        from,
        until,
        days_left: (until.as_second() - at.as_second()).div_euclid(86_400),
        expired: until < at,
        self_signed: leaf.subject() == leaf.issuer(),
        chain: chain.len(),
        problems,
        names,
    };
    Some((chain.into_iter().next()?, certificate))
}

/// The certificates of a file, in order; a key beside them is passed over.
fn blocks(bytes: &[u8]) -> Vec<Vec<u8>> {
    let pem = Pem::iter_from_buffer(bytes).flatten();
    let found: Vec<Vec<u8>> = pem
        .filter(|block| block.label.ends_with("CERTIFICATE"))
        .take(STORE + 1)
        .map(|block| block.contents)
        .collect();
    match found.is_empty() && bytes.first() == Some(&0x30) {
        true => vec![bytes.to_vec()],
        false => found,
    }
}

/// Whether each certificate is signed by the next.
fn order(chain: &[Option<X509Certificate<'_>>]) -> Option<String> {
    let broken = |(n, pair): (usize, &[Option<X509Certificate<'_>>])| match pair {
        [Some(one), Some(next)] => (one.issuer() != next.subject()).then_some(n + 2),
        _ => Some(n + 2),
    };
    let at = chain.windows(2).enumerate().find_map(broken)?;
    Some(format!(
        "its chain is out of order: certificate {at} of its file did not sign the one before"
    ))
}

/// Names and addresses a certificate holds for.
pub(crate) fn names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(held)) = certificate.subject_alternative_name() else {
        return Vec::new();
    };
    let name = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(name) => Some(tame(&name.to_lowercase())),
        GeneralName::IPAddress(bytes) => match *bytes {
            [a, b, c, d] => Some(std::net::Ipv4Addr::new(*a, *b, *c, *d).to_string()),
            bytes => <[u8; 16]>::try_from(bytes)
                .ok()
                .map(|b| std::net::Ipv6Addr::from(b).to_string()),
        },
        _ => None,
    };
    held.value
        .general_names
        .iter()
        .filter_map(name)
        .take(NAMES)
        .collect()
}

/// Whether a certificate's name covers a server's: itself, or a star for one label.
fn holds(held: &str, name: &str) -> bool {
    held == name
        || held
            .strip_prefix("*.")
            .is_some_and(|tail| name.split_once('.').is_some_and(|(_, rest)| rest == tail))
}

/// Whom a certificate is for, or who signed it, in a word.
pub(crate) fn common_name(name: &x509_parser::x509::X509Name<'_>) -> String {
    let common = name
        .iter_common_name()
        .chain(name.iter_organization())
        .find_map(|part| part.as_str().ok());
    common.map_or_else(|| tame(&name.to_string()), tame)
}

fn tame(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(120).collect()
}

#[cfg(test)]
mod tests;
