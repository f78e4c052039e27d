//! Calls that the warden carries out on the host itself: fields become a duty, or a sentence that says which
//! field is none.

use super::words::words;
use super::{PlanError, View, input, wrong};
use crate::act::Operation;
use protocol::duty::names::{
    ContainerName, Folder, HostFile, HostName, Image, KeptId, PackageName, SiteName, Target, Unit,
    Upstream, Version,
};
use protocol::duty::run::HostRun;
use protocol::duty::site::{Serve, Site};
use protocol::duty::tools::ALL;
use protocol::duty::{ContainerVerb, Duty, Verb};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ServiceInput {
    unit: Unit,
    verb: Verb,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UnitInput {
    unit: Unit,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SiteInput {
    name: SiteName,
    names: Names,
    #[serde(default, deserialize_with = "given")]
    root: Option<Folder>,
    #[serde(default, deserialize_with = "given")]
    upstream: Option<Upstream>,
    #[serde(default, deserialize_with = "given")]
    redirect: Option<Target>,
    #[serde(default, deserialize_with = "given")]
    certificate: Option<SiteName>,
    #[serde(default)]
    only_https: Option<bool>,
    #[serde(default)]
    over: bool,
}

/// A list, or names joined by commas as people write them.
#[derive(Deserialize)]
#[serde(untagged)]
enum Names {
    List(Vec<String>),
    Joined(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NameInput {
    name: SiteName,
    #[serde(default)]
    over: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BareName {
    name: SiteName,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PathInput {
    path: HostFile,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PutInput {
    path: HostFile,
    text: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RestoreInput {
    kept: KeptId,
    #[serde(default)]
    over: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PackagesInput {
    packages: BTreeSet<PackageName>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UpdatesInput {
    packages: BTreeMap<PackageName, Version>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LogsInput {
    name: ContainerName,
    #[serde(default)]
    lines: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ContainerInput {
    name: ContainerName,
    verb: ContainerVerb,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ImageInput {
    image: Image,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RunInput {
    #[serde(default)]
    argv: Option<Vec<String>>,
    #[serde(default, deserialize_with = "given")]
    command: Option<String>,
    #[serde(default, deserialize_with = "given")]
    folder: Option<String>,
    #[serde(default)]
    env: Option<BTreeMap<String, String>>,
    #[serde(default)]
    seconds: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

/// A field that a playbook left empty is not given.
fn given<'de, D, T>(from: D) -> Result<Option<T>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: DeserializeOwned,
{
    match Value::deserialize(from)? {
        Value::Null => Ok(None),
        Value::String(text) if text.is_empty() => Ok(None),
        value => serde_json::from_value(value)
            .map(Some)
            .map_err(serde::de::Error::custom),
    }
}

/// Lines of a log where none is said.
const LINES: u32 = 100;

pub(super) fn duty(name: &str, value: &Value, view: &View) -> Result<Operation, PlanError> {
    // The caller knows the name; one it does not know would be told as such.
    let tool = ALL
        .iter()
        .copied()
        .find(|known| *known == name)
        .unwrap_or("Service");
    let duty = match name {
        "Service" => {
            let ServiceInput { unit, verb } = input(tool, value)?;
            Duty::Service { unit, verb }
        }
        "ServiceStatus" => Duty::ServiceStatus {
            unit: input::<UnitInput>(tool, value)?.unit,
        },
        "PutSite" => put(tool, input(tool, value)?)?,
        "RemoveSite" => {
            let NameInput { name, over } = input(tool, value)?;
            Duty::RemoveSite { name, over }
        }
        "SiteStatus" => Duty::SiteStatus {
            name: input::<BareName>(tool, value)?.name,
        },
        "CertifySite" => Duty::CertifySite {
            name: input::<BareName>(tool, value)?.name,
        },
        "RenewCertificate" => Duty::RenewCertificate {
            name: input::<BareName>(tool, value)?.name,
        },
        "HostFile" => Duty::HostFile {
            path: input::<PathInput>(tool, value)?.path,
        },
        "PutFile" => {
            let PutInput { path, text } = input(tool, value)?;
            Duty::PutFile { path, text }
        }
        "RestoreFile" => {
            let RestoreInput { kept, over } = input(tool, value)?;
            Duty::RestoreFile { kept, over }
        }
        "InstalledPackages" => Duty::InstalledPackages {
            packages: input::<PackagesInput>(tool, value)?.packages,
        },
        "InstallUpdates" => Duty::InstallUpdates {
            packages: input::<UpdatesInput>(tool, value)?.packages,
        },
        "ContainerLogs" => {
            let LogsInput { name, lines } = input(tool, value)?;
            let lines = lines.unwrap_or(LINES);
            Duty::ContainerLogs { name, lines }
        }
        "Container" => {
            let ContainerInput { name, verb } = input(tool, value)?;
            Duty::Container { name, verb }
        }
        "PullImage" => Duty::PullImage {
            image: input::<ImageInput>(tool, value)?.image,
        },
        "HostRun" => run(tool, input(tool, value)?)?,
        other => {
            let Nothing {} = input(tool, value)?;
            match other {
                "KeptFiles" => Duty::KeptFiles,
                "Certificates" => Duty::Certificates,
                "SecurityUpdates" => Duty::SecurityUpdates,
                _ => Duty::Containers,
            }
        }
    };
    let key = match duty.kind() {
        Some(_) => view.key.clone(),
        None => String::new(),
    };
    Ok(Operation::Duty { duty, key })
}

fn run(tool: &'static str, given: RunInput) -> Result<Duty, PlanError> {
    let argv = match (given.argv, given.command) {
        (Some(argv), None) => argv,
        (None, Some(line)) => words(&line).map_err(|why| wrong(tool, why))?,
        _ => {
            return Err(wrong(
                tool,
                "give `argv`, a list of words, or `command`, a line of them",
            ));
        }
    };
    let run = HostRun::new(
        argv,
        given.folder,
        given.env.unwrap_or_default(),
        given.seconds,
    );
    let run = run.map_err(|why| wrong(tool, why))?;
    run.steers_nothing().map_err(|why| wrong(tool, why))?;
    Ok(Duty::HostRun { run })
}

fn put(tool: &'static str, given: SiteInput) -> Result<Duty, PlanError> {
    let named: Vec<String> = match given.names {
        Names::List(list) => list,
        Names::Joined(text) => text
            .split([',', ' '])
            .filter(|one| !one.is_empty())
            .map(str::to_owned)
            .collect(),
    };
    let names: Result<Vec<HostName>, String> = named.into_iter().map(HostName::try_from).collect();
    let serve = match (given.root, given.upstream, given.redirect) {
        (Some(root), None, None) => Serve::Root(root),
        (None, Some(to), None) => Serve::Upstream(to),
        (None, None, Some(to)) => Serve::Redirect(to),
        _ => return Err(wrong(tool, "give one of `root`, `upstream` and `redirect`")),
    };
    let only_https = given.only_https.unwrap_or(given.certificate.is_some());
    let site = Site {
        names: names.map_err(|why| wrong(tool, why))?,
        serve,
        only_https: only_https && given.certificate.is_some(),
        certificate: given.certificate,
    };
    site.check().map_err(|why| wrong(tool, why))?;
    Ok(Duty::PutSite {
        name: given.name,
        site,
        over: given.over,
    })
}
