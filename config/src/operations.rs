//! What of the duties an install grants to an agent: `permissions.operations`. Nothing is shipped. Where the
//! machine (`/etc/ai-infra`) names something, a home adds none and widens none. The warden reads it afresh for
//! each duty; agents only know whether they have any.

use crate::env::Env;
use crate::error::{ConfigError, Problem, did_you_mean, quoted};
use crate::home::Home;
use crate::layers::{Layers, Origin};
use crate::load::{SYSTEM_FOLDER, Sources, lay_all};
use crate::{invitation, permissions};
use protocol::acts::Acts;
use protocol::duty::Verb;
use protocol::duty::names::{HostFile, Unit};
use protocol::duty::terms::{CertificateTerms, ContainerTerms, PackageTerms, SiteTerms, Terms};
use protocol::ids::Role;
use protocol::level::Level;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::str::FromStr;

/// The rules by which the warden judges a duty of an agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// Highest level the agent may act at.
    pub level: Level,
    /// What the rules say of kinds of acts; a kind without a rule asks.
    pub acts: Acts,
    /// What is granted.
    pub terms: Terms,
}

/// The rules in force for an agent of a home, read now.
///
/// # Errors
/// When the files hold a problem: then nothing is granted.
pub fn rules(home: &Home, role: &Role) -> Result<Rules, ConfigError> {
    rules_from(Path::new(SYSTEM_FOLDER), home, role)
}

/// The same, with the machine's folder named.
///
/// # Errors
/// As [`rules`].
pub fn rules_from(system: &Path, home: &Home, role: &Role) -> Result<Rules, ConfigError> {
    let joined = invitation::read(home)?;
    // No variable and no flag touches a rule.
    let sources = Sources {
        system,
        home,
        env: &Env::from_pairs([("", ""); 0]),
        flags: &[],
    };
    let mut layers = lay_all(&sources, joined.as_ref(), None);
    let mut problems = std::mem::take(&mut layers.problems);
    let terms = of(&layers, role, &mut problems);
    match problems.is_empty() {
        true => Ok(Rules {
            level: permissions::of(&layers, role).level,
            acts: permissions::acts(&layers),
            terms,
        }),
        false => Err(ConfigError::Wrong(problems)),
    }
}

/// How whoever answers tickets proves who they are: `permissions.principals`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principals {
    /// File that names whose signatures count, as ssh-keygen reads it.
    pub allowed_signers: Option<String>,
    /// File of keys that count no more.
    pub revoked: Option<String>,
    /// Whether a PIN is taken too.
    pub pin: bool,
}

/// The same rules for every agent, read now.
///
/// # Errors
/// As [`rules`].
pub fn principals(home: &Home) -> Result<Principals, ConfigError> {
    let joined = invitation::read(home)?;
    let sources = Sources {
        system: Path::new(SYSTEM_FOLDER),
        home,
        env: &Env::from_pairs([("", ""); 0]),
        flags: &[],
    };
    let mut layers = lay_all(&sources, joined.as_ref(), None);
    let problems = std::mem::take(&mut layers.problems);
    if !problems.is_empty() {
        return Err(ConfigError::Wrong(problems));
    }
    let value = |key: &str| {
        let entry = layers.get(&["permissions", "principals", key]);
        entry.map(|entry| entry.value.clone())
    };
    let file = |key: &str| {
        let text = value(key)?.as_str().map(str::to_owned)?;
        (text != "none").then_some(text)
    };
    Ok(Principals {
        allowed_signers: file("allowed_signers"),
        revoked: file("revoked"),
        pin: value("pin") != Some(Value::Bool(false)),
    })
}

const LETS_ENCRYPT: &str = "https://acme-v02.api.letsencrypt.org/directory";
const AT: [&str; 2] = ["permissions", "operations"];

fn entry<'a>(layers: &'a Layers, path: &[&str]) -> Option<(&'a Value, bool, String)> {
    let whole: Vec<&str> = AT.iter().chain(path).copied().collect();
    let entry = layers.get(&whole)?;
    let machine = matches!(entry.origin, Origin::System(..));
    Some((&entry.value, machine, entry.origin.to_string()))
}

/// One section's values, and what is wrong with them.
struct Section<'a> {
    layers: &'a Layers,
    path: Vec<&'a str>,
    /// The machine names who may use it: what it does not say beside that, a home does not add.
    of_machine: bool,
    problems: Vec<Problem>,
}

impl<'a> Section<'a> {
    fn of(layers: &'a Layers, path: &[&'a str]) -> Self {
        let agents: Vec<&str> = path.iter().copied().chain(["agents"]).collect();
        let of_machine = entry(layers, &agents).is_some_and(|(_, machine, _)| machine);
        Self {
            layers,
            path: path.to_vec(),
            of_machine,
            problems: Vec::new(),
        }
    }

    fn value(&self, key: &str) -> Option<(&'a Value, String)> {
        let whole: Vec<&str> = self.path.iter().copied().chain([key]).collect();
        let (value, machine, origin) = entry(self.layers, &whole)?;
        (machine || !self.of_machine).then_some((value, origin))
    }

    fn is_for(&self, role: &Role) -> bool {
        let agents = self.value("agents").and_then(|(value, _)| value.as_array());
        agents.is_some_and(|all| all.iter().any(|one| one.as_str() == Some(role.as_str())))
    }

    fn wrong(&mut self, key: &str, origin: String, why: &str) {
        let place = format!("permissions.operations.{}.{key}", self.path.join("."));
        let message = format!("`{place}`: {why}");
        self.problems.push(Problem::new(origin, message));
    }

    fn one<T: FromStr<Err = String>>(&mut self, key: &str, default: Option<&str>) -> Option<T> {
        let found = self.value(key);
        let (text, origin) = match &found {
            Some((value, origin)) => (value.as_str()?.to_owned(), origin.clone()),
            None => (default?.to_owned(), String::new()),
        };
        match text.parse() {
            Ok(value) => Some(value),
            Err(why) => {
                self.wrong(key, origin, &why);
                None
            }
        }
    }

    fn many<T: FromStr<Err = String>>(&mut self, key: &str) -> Vec<T> {
        let Some((value, origin)) = self.value(key) else {
            return Vec::new();
        };
        let mut all = Vec::new();
        for text in value
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
        {
            match text.parse::<T>() {
                Ok(one) => all.push(one),
                Err(why) => self.wrong(key, origin.clone(), &why),
            }
        }
        all
    }

    fn number(&self, key: &str, default: u16) -> u16 {
        let found = self.value(key).and_then(|(value, _)| value.as_u64());
        found.and_then(|n| n.try_into().ok()).unwrap_or(default)
    }
}

/// What is granted to an agent.
pub fn of(layers: &Layers, role: &Role, problems: &mut Vec<Problem>) -> Terms {
    Terms {
        services: services(layers, role, problems),
        sites: sites(layers, role, problems),
        certificates: certificates(layers, role, problems),
        files: files(layers, role, problems),
        packages: packages(layers, role, problems),
        containers: containers(layers, role, problems),
        privileged: privileged(layers).any(|name| name == role.as_str()),
    }
}

/// Agents that may ask for programs on the host.
fn privileged(layers: &Layers) -> impl Iterator<Item = &str> {
    let entry = layers.get(&["permissions", "privileged"]);
    let names = entry.and_then(|entry| entry.value.as_array());
    names.into_iter().flatten().filter_map(Value::as_str)
}

/// Everything that is wrong with the section, whichever agent it is for.
pub fn check(layers: &Layers, roles: &[String], problems: &mut Vec<Problem>) {
    let mut all = Vec::new();
    for role in roles.iter().filter_map(|role| role.parse().ok()) {
        let _terms = of(layers, &role, &mut all);
    }
    for name in privileged(layers).filter(|name| !roles.iter().any(|role| role == name)) {
        let hint = did_you_mean(name, roles.iter().map(String::as_str));
        let place = layers.place_below(&["permissions", "privileged"]);
        let said = format!(
            "`permissions.privileged` names no agent `{}`{hint}",
            quoted(name)
        );
        all.push(Problem::new(place, said));
    }
    let mut seen = BTreeSet::new();
    all.retain(|problem| seen.insert(problem.message.clone()));
    problems.append(&mut all);
}

fn services(
    layers: &Layers,
    role: &Role,
    problems: &mut Vec<Problem>,
) -> BTreeMap<Unit, BTreeSet<Verb>> {
    let mut all = BTreeMap::new();
    let mut names = layers.names_below(&["permissions", "operations", "services"]);
    names.dedup();
    let machine = |name: &String| Section::of(layers, &["services", name]).of_machine;
    if names.iter().any(machine) {
        names.retain(machine);
    }
    for name in &names {
        let mut section = Section::of(layers, &["services", name]);
        let unit = name.parse::<Unit>();
        if let Err(why) = &unit {
            section.wrong("agents", String::new(), why);
        }
        let mut verbs = BTreeSet::new();
        if let Some((value, origin)) = section.value("verbs") {
            for word in value
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
            {
                match Verb::parse(word) {
                    Some(verb) => {
                        verbs.insert(verb);
                    }
                    // To look is granted with the unit.
                    None if word == "status" => {}
                    None => section.wrong(
                        "verbs",
                        origin.clone(),
                        &format!(
                            "`{}` is none of start, stop, restart, reload, enable, disable, status",
                            quoted(word)
                        ),
                    ),
                }
            }
        }
        if let (Ok(unit), true) = (unit, section.is_for(role)) {
            all.insert(unit, verbs);
        }
        problems.append(&mut section.problems);
    }
    all
}

fn sites(layers: &Layers, role: &Role, problems: &mut Vec<Problem>) -> Option<SiteTerms> {
    let mut section = Section::of(layers, &["sites"]);
    if !section.is_for(role) {
        return None;
    }
    let address = section
        .value("address")
        .and_then(|(value, origin)| Some((value.as_str()?.to_owned(), origin)));
    let address = address.and_then(|(text, origin)| match text.parse() {
        Ok(address) => Some(address),
        Err(_) => {
            section.wrong("address", origin, "is no IP address");
            None
        }
    });
    let terms = (|| {
        Some(SiteTerms {
            names: section.many("names"),
            roots: section.many("roots"),
            upstreams: section.many("upstreams"),
            config: section.one("config", Some("/etc/nginx/nginx.conf"))?,
            folder: section.one("folder", Some("/etc/nginx/conf.d"))?,
            certificates: section.one("certificates", Some("/etc/letsencrypt/live"))?,
            address,
            http: section.number("http", 80),
            https: section.number("https", 443),
        })
    })();
    problems.append(&mut section.problems);
    terms
}

fn certificates(
    layers: &Layers,
    role: &Role,
    problems: &mut Vec<Problem>,
) -> Option<CertificateTerms> {
    let mut section = Section::of(layers, &["certificates"]);
    if !section.is_for(role) {
        return None;
    }
    if section.value("mail").is_none() {
        let origin = section.value("agents").map(|(_, origin)| origin);
        let why = "say to whom the authority may write, such as ada@shop.example";
        section.wrong("mail", origin.unwrap_or_default(), why);
    }
    let terms = (|| {
        Some(CertificateTerms {
            mail: section.one("mail", None)?,
            directory: section.one("directory", Some(LETS_ENCRYPT))?,
            trusted: match section.value("trusted") {
                Some(_) => Some(section.one("trusted", None)?),
                None => None,
            },
            work: section.one("work", Some("/var/lib/letsencrypt"))?,
        })
    })();
    problems.append(&mut section.problems);
    terms
}

fn files(layers: &Layers, role: &Role, problems: &mut Vec<Problem>) -> Vec<HostFile> {
    let mut section = Section::of(layers, &["files"]);
    if !section.is_for(role) {
        return Vec::new();
    }
    let paths = section.many("paths");
    problems.append(&mut section.problems);
    paths
}

fn packages(layers: &Layers, role: &Role, problems: &mut Vec<Problem>) -> Option<PackageTerms> {
    let mut section = Section::of(layers, &["packages"]);
    if !section.is_for(role) {
        return None;
    }
    let config = section.one("config", None);
    problems.append(&mut section.problems);
    Some(PackageTerms { config })
}

fn containers(layers: &Layers, role: &Role, problems: &mut Vec<Problem>) -> Option<ContainerTerms> {
    let mut section = Section::of(layers, &["containers"]);
    if !section.is_for(role) {
        return None;
    }
    let socket = section.one("socket", Some("/var/run/docker.sock"));
    let (names, images) = (section.many("names"), section.many("images"));
    problems.append(&mut section.problems);
    Some(ContainerTerms {
        socket: socket?,
        names,
        images,
    })
}

#[cfg(test)]
#[path = "operations_tests.rs"]
mod tests;
