//! What settings that come from elsewhere would permit beyond those in force. Whoever can write to the
//! place they come from must not be able to raise a level, name a new address or spend more: only what
//! tightens, and what permits nothing, comes in by itself.

use crate::error::quoted;
use crate::layers::Origin;
use crate::settings::{AgentSettings, Settings};
use protocol::level::Level;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Sections in which a change permits nothing.
const HARMLESS: [&str; 3] = ["log", "tmux", "host"];
/// Keys of which less is stricter.
const LESS_IS_STRICTER: [&str; 3] = ["budget.month_usd", "budget.task_usd", "team.attach_mb"];

/// Something that would be permitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wider {
    /// The file that says so, where one does.
    pub file: Option<PathBuf>,
    /// The sentence.
    pub why: String,
}

/// Everything that `after` permits and `before` does not.
pub fn widened(before: &Settings, after: &Settings) -> Vec<Wider> {
    let mut wider = Vec::new();
    let tree = |settings: &Settings| {
        let mut keys = BTreeMap::new();
        // Secrets are masked here; they are compared below.
        let value = serde_json::to_value(settings).unwrap_or_default();
        for (section, value) in value.as_object().into_iter().flatten() {
            if section != "agents" && !HARMLESS.contains(&section.as_str()) {
                flatten(section, value, &mut keys);
            }
        }
        keys
    };
    let (old, new) = (tree(before), tree(after));
    let keys = old
        .keys()
        .chain(new.keys().filter(|key| !old.contains_key(*key)));
    for key in keys {
        let (old, new) = (old.get(key), new.get(key));
        let less = LESS_IS_STRICTER.contains(&key.as_str())
            && new.and_then(Value::as_f64) <= old.and_then(Value::as_f64);
        if old != new && !less {
            let shown = new.map_or("nothing".to_owned(), crate::schema::shown);
            wider.push(Wider {
                file: file_of(after, key).or_else(|| file_of(before, key)),
                why: format!("`{key}` would be {shown}"),
            });
        }
    }
    let used = |settings: &Settings| -> Vec<String> {
        let all = settings.secrets();
        all.map(|secret| secret.reveal().to_owned()).collect()
    };
    if used(before) != used(after) {
        let why = "another secret would be used".to_owned();
        wider.push(Wider { file: None, why });
    }
    for agent in &after.agents {
        let known = before.agent(&agent.name);
        for (key, why) in of_agent(known, agent) {
            let key = format!("agents.{}.{key}", agent.name);
            let file = file_of(after, &key).or_else(|| file_of(before, &key));
            wider.push(Wider { file, why });
        }
    }
    wider
}

/// What an agent could do that it, or an agent as shipped, cannot.
fn of_agent(before: Option<&AgentSettings>, after: &AgentSettings) -> Vec<(&'static str, String)> {
    let name = &after.name;
    let mut wider = Vec::new();
    let level = before.map_or(Level::Standard, |agent| agent.level);
    if after.level > level {
        let (to, from) = (u8::from(after.level), u8::from(level));
        wider.push((
            "level",
            format!("agent {name} would act at level {to}, not {from}"),
        ));
    }
    if after.host_read && !before.is_some_and(|agent| agent.host_read) {
        let why = format!("agent {name} would read facts of the host");
        wider.push(("host_read", why));
    }
    let same = |which: fn(&AgentSettings) -> Value| {
        let (new, old) = (which(after), before.map(which));
        let none = new.as_object().is_none_or(serde_json::Map::is_empty);
        none || old == Some(new)
    };
    for (key, what, which) in [
        (
            "endpoints",
            "endpoints",
            (|a| serde_json::to_value(&a.endpoints).unwrap_or_default())
                as fn(&AgentSettings) -> Value,
        ),
        ("sources", "data sources", |a| {
            serde_json::to_value(&a.sources).unwrap_or_default()
        }),
        ("hosts", "hosts", |a| {
            serde_json::to_value(&a.hosts).unwrap_or_default()
        }),
        ("registries", "registries", |a| {
            serde_json::to_value(&a.registries).unwrap_or_default()
        }),
        ("remotes", "remotes", |a| {
            serde_json::to_value(&a.remotes).unwrap_or_default()
        }),
        ("forges", "repositories", |a| {
            serde_json::to_value(&a.forges).unwrap_or_default()
        }),
    ] {
        if !same(which) {
            wider.push((key, format!("agent {name} would be granted other {what}")));
        }
    }
    let programs = before.and_then(|agent| agent.programs.as_ref());
    if after.programs.is_some() && after.programs.as_ref() != programs {
        let why = format!("programs of agent {name} would reach other hosts");
        wider.push(("programs", why));
    }
    // What is granted brings its tools along.
    if let (Some(before), true) = (before, wider.is_empty()) {
        // An empty list holds every tool.
        let more = match (before.tools.is_empty(), after.tools.is_empty()) {
            (true, _) => false,
            (false, true) => true,
            (false, false) => after.tools.iter().any(|tool| !before.tools.contains(tool)),
        };
        if more {
            wider.push(("tools", format!("agent {name} would have more tools")));
        }
    }
    wider
}

fn file_of(settings: &Settings, key: &str) -> Option<PathBuf> {
    // A value may stand a level below the key that names its origin.
    let mut key = key;
    loop {
        match settings.origins.get(key) {
            Some(Origin::User(path, _)) => return Some(path.clone()),
            Some(_) => return None,
            None => key = key.rsplit_once('.')?.0,
        }
    }
}

fn flatten(key: &str, value: &Value, keys: &mut BTreeMap<String, Value>) {
    match value {
        Value::Object(map) => {
            for (name, value) in map {
                flatten(&format!("{key}.{}", quoted(name)), value, keys);
            }
        }
        other => {
            keys.insert(key.to_owned(), other.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::env::Env;
    use crate::home::Home;
    use crate::load::{Sources, load_from};
    use std::path::Path;

    fn settings(files: &[(&str, &str)]) -> Settings {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path().join("h"));
        home.ensure().unwrap();
        for (path, text) in files {
            let path = home.root.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let sources = Sources {
            system: Path::new("/nowhere"),
            home: &home,
            env: &Env::default(),
            flags: &[],
        };
        load_from(&sources).unwrap()
    }

    fn check(files: &[(&str, &str)], expected: &[&str]) {
        let wider = widened(&settings(&[]), &settings(files));
        let said: Vec<&str> = wider.iter().map(|wider| wider.why.as_str()).collect();
        assert_eq!(said, expected);
        for one in &wider {
            let file = one.file.as_ref().unwrap();
            assert!(
                files.iter().any(|(path, _)| file.ends_with(path)),
                "{file:?}"
            );
        }
    }

    #[test]
    fn only_what_tightens_comes_in_by_itself() {
        let file = "config/ai-infra.yaml";
        check(&[(file, "log: {level: debug}")], &[]);
        check(&[(file, "budget: {month_usd: 1}")], &[]);
        check(
            &[(file, "budget: {month_usd: 1000}")],
            &["`budget.month_usd` would be 1000.0"],
        );
        check(
            &[(file, "engine: {base_url: \"https://evil.example\"}")],
            &["`engine.base_url` would be `https://evil.example`"],
        );
        check(&[("config/agents.yaml", "infra: {level: 1}")], &[]);
        check(
            &[(
                "config/permissions.yaml",
                "agents: {code: {host_read: true}}",
            )],
            &[],
        );
        let text =
            |level: u8| format!("---\nname: code\ndescription: d\nlevel: {level}\n---\nWork.");
        let tools = "agent code would have more tools";
        check(&[("agents/code/AGENT.md", &text(0))], &[tools]);
        // The rule keeps the text at level 1.
        check(&[("agents/code/AGENT.md", &text(2))], &[tools]);
        let new = "---\nname: writer\ndescription: d\nlevel: 1\ntools: [Read]\n---\nWrite.";
        check(&[("agents/writer/AGENT.md", new)], &[]);
        check(
            &[
                (
                    "agents/writer/AGENT.md",
                    &new.replace("level: 1", "level: 2"),
                ),
                ("config/permissions.yaml", "agents: {writer: {level: 2}}"),
            ],
            &["agent writer would act at level 2, not 1"],
        );
        check(
            &[(
                "config/permissions.yaml",
                "endpoints: {hooks: {url: \"https://h.example\", agents: [infra]}}",
            )],
            &["agent infra would be granted other endpoints"],
        );
    }
}
