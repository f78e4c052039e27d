//! What agents may reach outside: the endpoints and data sources of `permissions.yaml`. None is
//! shipped. Where the machine (`/etc/ai-infra`) names some, a home adds none and widens none.

use crate::error::{Problem, did_you_mean, quoted};
use crate::layers::{Layers, Origin};
use crate::secret::Secret;
use crate::settings::{EndpointGrant, SourceGrant};
use protocol::ids::Role;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The word for an endpoint that knows no key.
const NO_KEY: &str = "none";
/// The header that is sent where nothing else is said.
const KEY_HEADER: &str = "Idempotency-Key";

/// The names in a section that count: all, or those of the machine where it has any.
fn names(layers: &Layers, section: &str) -> Vec<String> {
    let mut all = layers.names_below(&["permissions", section]);
    all.dedup();
    let of_machine = |name: &String| {
        let url = layers.get(&["permissions", section, name, "url"]);
        url.is_some_and(|entry| matches!(entry.origin, Origin::System(..)))
    };
    match all.iter().any(of_machine) {
        true => all.into_iter().filter(of_machine).collect(),
        false => all,
    }
}

fn value<'a>(layers: &'a Layers, section: &str, name: &str, key: &str) -> Option<&'a Value> {
    layers
        .get(&["permissions", section, name, key])
        .map(|entry| &entry.value)
}

fn text(layers: &Layers, section: &str, name: &str, key: &str) -> Option<String> {
    value(layers, section, name, key)?
        .as_str()
        .map(str::to_owned)
}

fn is_for(layers: &Layers, section: &str, name: &str, role: &Role) -> bool {
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

/// The data sources of an agent.
pub fn sources(layers: &Layers, role: &Role) -> BTreeMap<String, SourceGrant> {
    const SECTION: &str = "sources";
    names(layers, SECTION)
        .into_iter()
        .filter(|name| is_for(layers, SECTION, name, role))
        .filter_map(|name| {
            let grant = SourceGrant {
                file: file(&text(layers, SECTION, &name, "url")?).ok()?,
                write: value(layers, SECTION, &name, "write") == Some(&Value::Bool(true)),
            };
            Some((name, grant))
        })
        .collect()
}

/// The file of a source's address.
fn file(url: &str) -> Result<PathBuf, String> {
    let path = url.strip_prefix("sqlite://").map(PathBuf::from);
    match path {
        Some(path) if path.is_absolute() && path.file_name().is_some() => Ok(path),
        _ => Err(
            "must be sqlite:///absolute/path/of/the.db; other databases are not built in"
                .to_owned(),
        ),
    }
}

/// Everything that is wrong with the sections.
pub fn check(layers: &Layers, roles: &[String], problems: &mut Vec<Problem>) {
    for section in ["endpoints", "sources"] {
        for name in names(layers, section) {
            let place = |key: &str| format!("permissions.{section}.{}.{key}", quoted(&name));
            let url = layers.get(&["permissions", section, &name, "url"]);
            let origin = url
                .map(|entry| entry.origin.to_string())
                .unwrap_or_default();
            let mut say = |message: String| problems.push(Problem::new(origin.clone(), message));
            let Some(url) = url.and_then(|entry| entry.value.as_str()) else {
                say(format!("`{}` is missing", place("url")));
                continue;
            };
            if let ("sources", Err(why)) = (section, file(url)) {
                say(format!("`{}` {why}", place("url")));
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
