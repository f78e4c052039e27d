//! Calls that look at what is granted outside, and the one that writes a backup: sources and hosts by name alone.

use super::{PlanError, View, input, wrong};
use crate::act::Operation;
use crate::outside::SPOKEN;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

/// Longest name, address or text, in bytes.
const LONGEST: usize = 2048;
/// Most hosts of one call.
const MOST_HOSTS: usize = 50;

fn plain(text: &str) -> bool {
    !text.is_empty() && text.len() <= LONGEST && !text.chars().any(char::is_control)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BackupInput {
    source: String,
}

pub(super) fn backup(value: &Value, view: &View) -> Result<Operation, PlanError> {
    const TOOL: &str = "BackupDatabase";
    let given: BackupInput = input(TOOL, value)?;
    if !plain(&given.source) {
        return Err(wrong(TOOL, "`source` is the name of a data source"));
    }
    Ok(Operation::BackupDatabase {
        source: given.source,
        key: view.key.clone(),
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TryInput {
    source: String,
    #[serde(default)]
    file: Option<String>,
}

pub(super) fn try_backup(value: &Value) -> Result<Operation, PlanError> {
    const TOOL: &str = "TryBackup";
    let given: TryInput = input(TOOL, value)?;
    if !plain(&given.source) {
        return Err(wrong(TOOL, "`source` is the name of a data source"));
    }
    let odd = |file: &String| !plain(file) || file.contains('/') || file.starts_with('.');
    if given.file.as_ref().is_some_and(odd) {
        return Err(wrong(
            TOOL,
            "`file` is the name of a backup, without a folder",
        ));
    }
    Ok(Operation::TryBackup {
        source: given.source,
        file: given.file,
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PageInput {
    url: String,
    #[serde(default)]
    text: Option<String>,
}

pub(super) fn page(value: &Value) -> Result<Operation, PlanError> {
    const TOOL: &str = "CheckPage";
    let given: PageInput = input(TOOL, value)?;
    let address = match given.url.contains("://") {
        true => given.url,
        false => format!("https://{}", given.url),
    };
    let url = reqwest::Url::parse(&address).ok().filter(|url| {
        let web = ["http", "https"].contains(&url.scheme()) && url.host_str().is_some();
        web && url.username().is_empty() && url.password().is_none() && plain(url.as_str())
    });
    let Some(mut url) = url else {
        return Err(wrong(
            TOOL,
            "`url` is the address of a page: https://host/path",
        ));
    };
    url.set_fragment(None);
    if given.text.as_deref().is_some_and(|text| !plain(text)) {
        return Err(wrong(TOOL, "`text` is one line of at most 2048 bytes"));
    }
    Ok(Operation::CheckPage {
        url: url.into(),
        text: given.text,
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CertificatesInput {
    hosts: Hosts,
    #[serde(default)]
    at: Option<Timestamp>,
}

/// A list, or names joined by commas as people write them.
#[derive(Deserialize)]
#[serde(untagged)]
enum Hosts {
    List(Vec<String>),
    Joined(String),
}

pub(super) fn certificates(value: &Value) -> Result<Operation, PlanError> {
    const TOOL: &str = "HostCertificates";
    let given: CertificatesInput = input(TOOL, value)?;
    let named = match given.hosts {
        Hosts::List(list) => list,
        Hosts::Joined(text) => text.split(',').map(|one| one.trim().to_owned()).collect(),
    };
    let hosts = named.iter().filter(|host| !host.is_empty());
    let hosts: Option<Vec<String>> = hosts.map(|host| host_of(host)).collect();
    match hosts {
        Some(mut hosts) if (1..=MOST_HOSTS).contains(&hosts.len()) => {
            let mut seen = std::collections::BTreeSet::new();
            hosts.retain(|host| seen.insert(host.clone()));
            Ok(Operation::HostCertificates {
                hosts,
                at: given.at,
            })
        }
        _ => Err(wrong(
            TOOL,
            "`hosts` names 1 to 50 hosts: shop.example, mail.example:993",
        )),
    }
}

/// `host` or `host:port` in lower case, also out of a whole address; a scheme that says what is spoken before TLS stays.
fn host_of(text: &str) -> Option<String> {
    let address = match text.contains("://") {
        true => text.to_owned(),
        false => format!("https://{text}"),
    };
    let url = reqwest::Url::parse(&address).ok()?;
    let host = url.host_str().filter(|_| plain(text))?.to_owned();
    let path = url.path();
    (path == "/" || text.contains("://")).then_some(())?;
    let host = host.to_lowercase();
    let place = match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host,
    };
    let spoken = SPOKEN.iter().any(|(name, _)| *name == url.scheme());
    Some(match spoken {
        true => format!("{}://{place}", url.scheme()),
        false => place,
    })
}
