//! What agents may reach outside: the endpoints and data sources of `permissions.yaml`. None is
//! shipped. Where the machine (`/etc/ai-infra`) names some, a home adds none and widens none.

use crate::error::{Problem, did_you_mean, quoted};
use crate::layers::{Layers, Origin};
use crate::secret::Secret;
use crate::settings::{DatabaseGrant, EndpointGrant, HostGrant, SourceGrant};
use crate::{registries, remotes};
use protocol::ids::Role;
use protocol::postgres::{Address, Tls};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// The word for an endpoint that knows no key.
const NO_KEY: &str = "none";
/// The header that is sent where nothing else is said.
const KEY_HEADER: &str = "Idempotency-Key";

/// The key without which a grant of the section is none.
fn first_key(section: &str) -> &'static str {
    match section {
        "hosts" => "agents",
        "forges" => "repository",
        _ => "url",
    }
}

/// The names in a section that count: all, or those of the machine where it has any.
pub(crate) fn names(layers: &Layers, section: &str) -> Vec<String> {
    let mut all = layers.names_below(&["permissions", section]);
    all.dedup();
    let of_machine = |name: &String| {
        let first = layers.get(&["permissions", section, name, first_key(section)]);
        first.is_some_and(|entry| matches!(entry.origin, Origin::System(..)))
    };
    match all.iter().any(of_machine) {
        true => all.into_iter().filter(of_machine).collect(),
        false => all,
    }
}

/// Keys that a home adds to nothing the machine names: they would widen it.
const WIDENING: [&str; 8] = [
    "write",
    "backups",
    "tls",
    "authority",
    "password",
    "token",
    "branches",
    "control_files",
];

pub(crate) fn value<'a>(
    layers: &'a Layers,
    section: &str,
    name: &str,
    key: &str,
) -> Option<&'a Value> {
    let of_machine = |key: &str| {
        let entry = layers.get(&["permissions", section, name, key]);
        entry.is_some_and(|entry| matches!(entry.origin, Origin::System(..)))
    };
    if WIDENING.contains(&key) && of_machine(first_key(section)) && !of_machine(key) {
        return None;
    }
    layers
        .get(&["permissions", section, name, key])
        .map(|entry| &entry.value)
}

pub(crate) fn text(layers: &Layers, section: &str, name: &str, key: &str) -> Option<String> {
    value(layers, section, name, key)?
        .as_str()
        .map(str::to_owned)
}

pub(crate) fn is_for(layers: &Layers, section: &str, name: &str, role: &Role) -> bool {
    let agents = value(layers, section, name, "agents").and_then(Value::as_array);
    agents.is_some_and(|all| all.iter().any(|one| one.as_str() == Some(role.as_str())))
}

/// The endpoints of an agent.
pub fn endpoints(layers: &Layers, role: &Role) -> BTreeMap<String, EndpointGrant> {
    const SECTION: &str = "endpoints";
    names(layers, SECTION)
        .into_iter()
        .filter(|name| is_for(layers, SECTION, name, role))
        .filter_map(|name| {
            endpoint(layers, &name).ok()?;
            let header = text(layers, SECTION, &name, "key_header");
            let grant = EndpointGrant {
                url: text(layers, SECTION, &name, "url")?,
                key_header: Some(header.unwrap_or_else(|| KEY_HEADER.to_owned()))
                    .filter(|header| header != NO_KEY),
                token: text(layers, SECTION, &name, "token").map(Secret::new),
            };
            Some((name, grant))
        })
        .collect()
}

/// What is wrong with an endpoint: a token must not cross the network in the clear.
fn endpoint(layers: &Layers, name: &str) -> Result<(), (&'static str, String)> {
    let token = value(layers, "endpoints", name, "token").is_some();
    let url = text(layers, "endpoints", name, "url").unwrap_or_default();
    match !token || remotes::protected(&url) {
        true => Ok(()),
        false => Err((
            "url",
            "must begin with https://, so that nobody on the way reads the token; or take the `token` out".into(),
        )),
    }
}

/// The data sources of an agent.
pub fn sources(layers: &Layers, role: &Role) -> BTreeMap<String, SourceGrant> {
    const SECTION: &str = "sources";
    names(layers, SECTION)
        .into_iter()
        .filter(|name| is_for(layers, SECTION, name, role))
        .filter_map(|name| {
            let grant = SourceGrant {
                database: database(layers, &name).ok()?,
                write: value(layers, SECTION, &name, "write") == Some(&Value::Bool(true)),
                backups: text(layers, SECTION, &name, "backups").map(PathBuf::from),
            };
            Some((name, grant))
        })
        .collect()
}

/// The hosts an agent may look at.
pub fn hosts(layers: &Layers, role: &Role) -> BTreeMap<String, HostGrant> {
    const SECTION: &str = "hosts";
    names(layers, SECTION)
        .into_iter()
        .filter(|name| is_for(layers, SECTION, name, role))
        .map(|name| {
            let authority = text(layers, SECTION, &name, "authority").map(PathBuf::from);
            (name.to_lowercase(), HostGrant { authority })
        })
        .collect()
}

/// The hosts that programs of an agent may reach; `None` = no network for them, empty = those that
/// this host's git and package clients use.
pub fn programs(layers: &Layers, role: &Role) -> Option<BTreeSet<String>> {
    let list = |key: &str| {
        layers
            .get(&["permissions", "programs", key])?
            .value
            .as_array()
    };
    let named = |all: &Vec<Value>| -> BTreeSet<String> {
        let names = all.iter().filter_map(Value::as_str);
        names.map(str::to_ascii_lowercase).collect()
    };
    list("agents")
        .is_some_and(|all| all.iter().any(|one| one.as_str() == Some(role.as_str())))
        .then(|| list("hosts").map(named).unwrap_or_default())
}

/// Whether a name is a host's, with a port or without.
fn is_host(name: &str) -> bool {
    let (host, port) = match name.rsplit_once(':') {
        Some((host, port)) if !host.ends_with(']') || !port.contains(']') => (host, Some(port)),
        _ => (name, None),
    };
    !host.is_empty()
        && !host.contains("//")
        && host
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b".-[]:".contains(&b))
        && port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0))
}

/// What is wrong with a host's name, or its keys.
fn host(layers: &Layers, name: &str) -> Result<(), (&'static str, String)> {
    if !is_host(name) {
        return Err((
            "agents",
            "stands below a name that is no host: write shop.example, or shop.example:8443".into(),
        ));
    }
    let authority = text(layers, "hosts", name, "authority");
    match authority.is_none_or(|path| path.starts_with('/')) {
        true => Ok(()),
        false => Err(("authority", "must be the absolute path of a file".into())),
    }
}

/// The database of a source; else which key is wrong, and why.
fn database(layers: &Layers, name: &str) -> Result<DatabaseGrant, (&'static str, String)> {
    let say = |key: &str| text(layers, "sources", name, key);
    let url = say("url").unwrap_or_default();
    if let Some(path) = url.strip_prefix("sqlite://").map(PathBuf::from) {
        if !path.is_absolute() || path.file_name().is_none() {
            return Err((
                "url",
                "must be sqlite:///absolute/path/of/the.db".to_owned(),
            ));
        }
        let odd = ["password", "tls", "authority"]
            .into_iter()
            .find(|key| say(key).is_some());
        return match odd {
            Some(key) => Err((
                key,
                "is for PostgreSQL, and this is an SQLite file".to_owned(),
            )),
            None => Ok(DatabaseGrant::Sqlite(path)),
        };
    }
    if !url.starts_with("postgres") {
        let known = "must be sqlite:///absolute/path or postgres://user@host/database; other databases are not built in";
        return Err(("url", known.to_owned()));
    }
    let (mut address, plain) = Address::parse(&url).map_err(|why| ("url", why))?;
    if plain.is_some() {
        let why = "holds a password: take it out, keep it with `ai-infra secret set NAME` and write `password: {secret: NAME}`";
        return Err(("url", why.to_owned()));
    }
    if let Some(tls) = say("tls").as_deref().and_then(Tls::parse) {
        address.tls = tls;
    }
    address.authority = say("authority").or(address.authority);
    if address
        .authority
        .as_deref()
        .is_some_and(|path| !path.starts_with('/'))
    {
        return Err((
            "authority",
            "must be the absolute path of a file".to_owned(),
        ));
    }
    let password = say("password").map(Secret::new);
    Ok(DatabaseGrant::Postgres { address, password })
}

/// Everything that is wrong with the sections.
pub fn check(layers: &Layers, roles: &[String], problems: &mut Vec<Problem>) {
    if let Some(entry) = layers.get(&["permissions", "programs", "hosts"]) {
        let names = entry.value.as_array().into_iter().flatten();
        // Addresses are none: the proxy connects to names.
        let plain = |name: &str| is_host(name) && !name.contains(['[', ']']) && name.contains('.');
        for name in names.filter_map(Value::as_str).filter(|name| !plain(name)) {
            let why = "names no host: write shop.example, or shop.example:8443";
            problems.push(Problem::new(
                entry.origin.to_string(),
                format!("`permissions.programs.hosts`: `{name}` {why}"),
            ));
        }
    }
    for section in [
        "endpoints",
        "sources",
        "hosts",
        "registries",
        "remotes",
        "forges",
    ] {
        for name in names(layers, section) {
            let place = |key: &str| format!("permissions.{section}.{}.{key}", quoted(&name));
            let url = layers.get(&["permissions", section, &name, first_key(section)]);
            let origin = url
                .map(|entry| entry.origin.to_string())
                .unwrap_or_default();
            let mut say = |message: String| problems.push(Problem::new(origin.clone(), message));
            // Null only where a secret was named in its place, and could not be read: that is said already.
            if url.is_some_and(|entry| entry.value.is_null()) {
                continue;
            }
            let of_sort = |value: &Value| value.is_string() != (section == "hosts");
            if !url.is_some_and(|entry| of_sort(&entry.value)) {
                say(format!("`{}` is missing", place(first_key(section))));
                continue;
            }
            if section == "endpoints"
                && let Err((key, why)) = endpoint(layers, &name)
            {
                say(format!("`{}` {why}", place(key)));
            }
            if section == "hosts"
                && let Err((key, why)) = host(layers, &name)
            {
                say(format!("`{}` {why}", place(key)));
            }
            if section == "registries"
                && let Err((key, why)) = registries::judge(layers, &name)
            {
                say(format!("`{}` {why}", place(key)));
            }
            if ["remotes", "forges"].contains(&section)
                && let Err((key, why)) = remotes::judge(layers, section, &name)
            {
                say(format!("`{}` {why}", place(key)));
            }
            let backups = text(layers, section, &name, "backups");
            if backups.is_some_and(|path| !path.starts_with('/') || path.contains("/..")) {
                let key = place("backups");
                say(format!("`{key}` must be the absolute path of a folder"));
            }
            if section == "sources"
                && let Err((key, why)) = database(layers, &name)
            {
                say(format!("`{}` {why}", place(key)));
            }
            if let Some(header) = text(layers, section, &name, "key_header")
                && !header
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b == b'-')
            {
                say(format!(
                    "`{}` is no header's name, or none",
                    place("key_header")
                ));
            }
            let agents = value(layers, section, &name, "agents").and_then(Value::as_array);
            let agents = agents.into_iter().flatten().filter_map(Value::as_str);
            for agent in agents.filter(|agent| !roles.iter().any(|role| role == agent)) {
                let hint = did_you_mean(agent, roles.iter().map(String::as_str));
                say(format!(
                    "`{}` names no agent `{}`{hint}",
                    place("agents"),
                    quoted(agent)
                ));
            }
        }
    }
}
