//! Agents: `AGENT.md` texts (shipped, then the home's, which add or replace), with the overrides
//! of `agents.yaml` and the ceilings of `permissions.yaml`.

use crate::document::{self, Mark, Node};
use crate::error::{Problem, did_you_mean, quoted};
use crate::home::Home;
use crate::layers::{Layers, Origin};
use crate::outside;
use crate::schema::{self, Found};
use crate::settings::AgentSettings;
use crate::shipped;
use crate::trial::Trial;
use crate::{operations, permissions, registries, remotes};
use protocol::duty::terms::Terms;
use protocol::ids::Role;
use protocol::level::Level;
use protocol::tool::{TEAM_TOOLS, TOOLS};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

/// Names that are processes or windows already.
const TAKEN: [&str; 7] = [
    "supervisor",
    "daemon",
    "redis",
    "monitor",
    "logs",
    "executor",
    "warden",
];

/// Most agents of a team.
const MOST_AGENTS: usize = 64;

/// An agent's text, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentText {
    /// The settings it asks for.
    pub settings: AgentSettings,
    /// Where the text is.
    pub origin: Origin,
}

/// Takes an `AGENT.md` apart: YAML between two `---` lines, then the prompt.
pub fn parse(text: &str, origin: &Origin) -> Result<AgentText, Problem> {
    let refused = |message: String| Problem::new(origin, message);
    let (front, prompt) = split_front(text).ok_or_else(|| {
        refused("must start with a line `---`, keys, and another line `---`".into())
    })?;
    let node = document::parse(&origin.to_string(), front)?;
    let Node::Map(entries) = node else {
        return Err(refused(
            "must hold `name` and `description` between the `---` lines".into(),
        ));
    };
    let mut keys: BTreeMap<String, Value> = BTreeMap::new();
    for (key, mark, node) in entries {
        let at = || match origin.clone() {
            Origin::User(file, _) => Origin::User(file, mark),
            other => other,
        };
        let value = check_front_key(&key, node.into_value())
            .map_err(|message| Problem::new(at(), message))?;
        keys.insert(key, value);
    }
    let text_of = |key: &str| {
        keys.get(key)
            .and_then(Value::as_str)
            .map(str::to_owned)
            .ok_or_else(|| refused(format!("`{key}` is missing between the `---` lines")))
    };
    let name: Role = text_of("name")?
        .parse()
        .map_err(|error: protocol::ids::IdError| refused(error.to_string()))?;
    if prompt.trim().is_empty() {
        return Err(refused("has no prompt below the second `---` line".into()));
    }
    let level = level_of(keys.get("level")).unwrap_or(Level::Restricted);
    let settings = AgentSettings {
        description: text_of("description")?,
        prompt: prompt.trim().to_owned(),
        tools: names_of(keys.get("tools")),
        host_read: keys.get("host_read") == Some(&Value::Bool(true)),
        model: keys.get("model").and_then(Value::as_str).map(str::to_owned),
        ..AgentSettings::bare(name, level)
    };
    Ok(AgentText {
        settings,
        origin: origin.clone(),
    })
}

fn split_front(text: &str) -> Option<(&str, &str)> {
    // The first `---` line stays: it is a document start in YAML, and lines keep their numbers.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let rest = text
        .strip_prefix("---\n")
        .or_else(|| text.strip_prefix("---\r\n"))?;
    let mut at = 0;
    for line in rest.split_inclusive('\n') {
        if line.trim_end() == "---" {
            let front = text.get(..text.len() - rest.len() + at)?;
            return Some((front, rest.get(at + line.len()..)?));
        }
        at += line.len();
    }
    None
}

/// The keys of a text are those of `agents.yaml` and `name`; tools may stand as `Read, Grep`.
fn check_front_key(key: &str, value: Value) -> Result<Value, String> {
    let kind = match (key, schema::find(&["agents", "any", key])) {
        ("name", _) => schema::Kind::Text,
        (_, Found::Key(found)) => found.kind,
        _ => {
            let known = [
                "name",
                "description",
                "tools",
                "level",
                "model",
                "host_read",
            ];
            let hint = did_you_mean(key, known);
            return Err(format!("unknown key `{}`{hint}", quoted(key)));
        }
    };
    let checked = match (kind, &value) {
        (schema::Kind::Names, Value::String(text)) => kind.read(text),
        (schema::Kind::Names, Value::Null) => Ok(Value::Array(Vec::new())),
        _ => kind.check(value),
    };
    checked.map_err(|problem| format!("`{key}` {problem}"))
}

fn level_of(value: Option<&Value>) -> Option<Level> {
    let number = u8::try_from(value?.as_u64()?).ok()?;
    Level::try_from(number).ok()
}

fn names_of(value: Option<&Value>) -> Vec<String> {
    let items = value.and_then(Value::as_array).into_iter().flatten();
    let mut names: Vec<String> = Vec::new();
    for name in items.filter_map(Value::as_str) {
        if !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
    }
    names
}

/// Every agent's text: the shipped five, then the home's, then the one that is on trial.
pub fn texts(home: &Home, trial: Option<&Trial>, problems: &mut Vec<Problem>) -> Vec<AgentText> {
    let mut texts = Vec::new();
    for role in shipped::ROLES {
        let text = shipped::agent(role).unwrap_or_default();
        match parse(text, &Origin::Shipped) {
            Ok(text) => texts.push(text),
            Err(problem) => problems.push(problem),
        }
    }
    for name in own_names(&home.agents(), problems) {
        match own_text(home, &name) {
            Ok(text) => put(&mut texts, text),
            Err(problem) => problems.push(problem),
        }
    }
    if let Some(text) = trial.and_then(Trial::agent) {
        match text.and_then(not_taken) {
            Ok(text) => put(&mut texts, text),
            Err(problem) => problems.push(problem),
        }
    }
    if texts.len() > MOST_AGENTS {
        let message = format!("holds too many agents: a team has at most {MOST_AGENTS}");
        problems.push(Problem::new(home.agents().display(), message));
    }
    texts
}

/// The supervisor's own text: the home's, where there is one that can be read, else the shipped one.
pub fn supervisor_prompt(home: &Home) -> String {
    let path = home.agents().join("supervisor").join("AGENT.md");
    let own = document::read_text(&path).ok().flatten();
    let own = own.and_then(|text| parse(&text, &Origin::User(path, Mark::default())).ok());
    let shipped = || {
        parse(
            shipped::agent("supervisor").unwrap_or_default(),
            &Origin::Shipped,
        )
        .ok()
    };
    own.or_else(shipped)
        .map(|text| text.settings.prompt)
        .unwrap_or_default()
}

/// Folders below `agents`, in order; dot folders and the supervisor's are not agents.
fn own_names(folder: &Path, problems: &mut Vec<Problem>) -> Vec<String> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Vec::new(),
        Err(error) => {
            problems.push(Problem::new(
                folder.display(),
                format!("cannot be read: {error}"),
            ));
            return Vec::new();
        }
    };
    let mut names: Vec<String> = entries
        .filter_map(Result::ok)
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| !name.starts_with('.') && name != "supervisor")
        .collect();
    names.sort();
    names.truncate(MOST_AGENTS + 1);
    names
}

fn own_text(home: &Home, name: &str) -> Result<AgentText, Problem> {
    let path = home.agents().join(name).join("AGENT.md");
    let refused = |message: String| Problem::new(path.display(), message);
    let role: Role = name
        .parse()
        .map_err(|error: protocol::ids::IdError| refused(error.to_string()))?;
    if TAKEN.contains(&role.as_str()) {
        return Err(refused(taken(&role)));
    }
    let text = document::read_text(&path)?
        .ok_or_else(|| refused("does not exist: an agent's folder holds an AGENT.md".into()))?;
    let parsed = parse(&text, &Origin::User(path.clone(), Mark::default()))?;
    if parsed.settings.name != role {
        return Err(refused(format!(
            "`name` is `{}`, must be `{role}` like its folder",
            parsed.settings.name
        )));
    }
    Ok(parsed)
}

fn taken(role: &Role) -> String {
    format!("`{role}` is not an agent's name: a process has it already")
}

/// The supervisor has a text as well, and is no agent.
fn not_taken(text: AgentText) -> Result<AgentText, Problem> {
    let role = &text.settings.name;
    match TAKEN.contains(&role.as_str()) && role.as_str() != "supervisor" {
        true => Err(Problem::new(&text.origin, taken(role))),
        false => Ok(text),
    }
}

fn put(texts: &mut Vec<AgentText>, text: AgentText) {
    let name = &text.settings.name;
    match texts.iter_mut().find(|known| &known.settings.name == name) {
        Some(known) => *known = text,
        None => texts.push(text),
    }
}

/// Agents as they will work, and the origins of their keys.
pub fn settled(
    texts: Vec<AgentText>,
    layers: &Layers,
    problems: &mut Vec<Problem>,
) -> (Vec<AgentSettings>, BTreeMap<String, Origin>) {
    let roles: Vec<String> = texts
        .iter()
        .map(|text| text.settings.name.to_string())
        .collect();
    for section in [&["agents"][..], &["permissions", "agents"]] {
        let names = layers.names_below(section);
        for name in names.iter().filter(|name| !roles.contains(name)) {
            let hint = did_you_mean(name, roles.iter().map(String::as_str));
            let key = section.join(".");
            let message = format!("`{key}.{}` names no agent{hint}", quoted(name));
            let place = layers.place_below(&[section, &[name.as_str()]].concat());
            problems.push(Problem::new(place, message));
        }
    }
    outside::check(layers, &roles, problems);
    operations::check(layers, &roles, problems);
    permissions::check(layers, problems);
    let mut origins = BTreeMap::new();
    let agents = texts
        .into_iter()
        .map(|text| settle(text, layers, &mut origins, problems))
        .collect();
    (agents, origins)
}

/// What is granted outside comes with the tools for it; an empty list holds every tool already.
fn grant_tools(agent: &mut AgentSettings, terms: &Terms) {
    if agent.tools.is_empty() {
        return;
    }
    let write = agent.sources.values().any(|source| source.write);
    let backups = agent
        .sources
        .values()
        .any(|source| source.backups.is_some());
    let certified = terms.sites.is_some() && terms.certificates.is_some();
    for (tool, granted) in [
        ("HttpRequest", !agent.endpoints.is_empty()),
        ("SqlQuery", !agent.sources.is_empty()),
        ("SqlExecute", write),
        ("BackupDatabase", backups),
        ("TryBackup", backups),
        ("CheckPage", !agent.hosts.is_empty()),
        ("HostCertificates", !agent.hosts.is_empty()),
        // What is pushed was committed before.
        ("GitCommit", !agent.remotes.is_empty()),
        ("GitPush", !agent.remotes.is_empty()),
        ("OpenPull", !agent.forges.is_empty()),
        ("ListPulls", !agent.forges.is_empty()),
        ("StartWorkflow", !agent.forges.is_empty()),
        ("WorkflowRuns", !agent.forges.is_empty()),
        ("ServiceStatus", !terms.services.is_empty()),
        (
            "Service",
            terms.services.values().any(|verbs| !verbs.is_empty()),
        ),
        ("SiteStatus", terms.sites.is_some()),
        ("PutSite", terms.sites.is_some()),
        ("RemoveSite", terms.sites.is_some()),
        ("Certificates", terms.sites.is_some()),
        ("CertifySite", certified),
        ("RenewCertificate", certified),
        ("HostFile", !terms.files.is_empty()),
        ("PutFile", !terms.files.is_empty()),
        (
            "KeptFiles",
            terms.sites.is_some() || !terms.files.is_empty(),
        ),
        (
            "RestoreFile",
            terms.sites.is_some() || !terms.files.is_empty(),
        ),
        ("SecurityUpdates", terms.packages.is_some()),
        ("InstalledPackages", terms.packages.is_some()),
        ("InstallUpdates", terms.packages.is_some()),
        ("Containers", terms.containers.is_some()),
        ("ContainerLogs", terms.containers.is_some()),
        ("Container", terms.containers.is_some()),
        ("PullImage", terms.containers.is_some()),
        ("HostRun", terms.privileged),
    ] {
        if granted && !agent.tools.iter().any(|known| known == tool) {
            agent.tools.push(tool.to_owned());
        }
    }
}

fn settle(
    text: AgentText,
    layers: &Layers,
    origins: &mut BTreeMap<String, Origin>,
    problems: &mut Vec<Problem>,
) -> AgentSettings {
    let AgentText {
        settings: mut agent,
        origin,
    } = text;
    let role = agent.name.clone();
    let mut note = |key: &str, origin: &Origin| {
        origins.insert(format!("agents.{role}.{key}"), origin.clone());
    };
    for key in [
        "level",
        "description",
        "prompt",
        "tools",
        "host_read",
        "model",
    ] {
        note(key, &origin);
    }
    for key in ["level", "description", "tools", "host_read", "model"] {
        let Some(entry) = layers.get(&["agents", role.as_str(), key]) else {
            continue;
        };
        let text = entry.value.as_str().map(str::to_owned);
        match key {
            "level" => agent.level = level_of(Some(&entry.value)).unwrap_or(agent.level),
            "description" => agent.description = text.unwrap_or_default(),
            "tools" => agent.tools = names_of(Some(&entry.value)),
            "host_read" => agent.host_read = entry.value == Value::Bool(true),
            _ => agent.model = text,
        }
        note(key, &entry.origin);
    }
    let permission = permissions::of(layers, &role);
    if permission.level < agent.level {
        agent.level = permission.level;
        note("level", &permission.level_origin);
    }
    if agent.host_read && !permission.host_read {
        agent.host_read = false;
        note("host_read", &permission.host_read_origin);
    }
    agent.acts = permissions::acts(layers);
    agent.endpoints = outside::endpoints(layers, &role);
    agent.sources = outside::sources(layers, &role);
    agent.hosts = outside::hosts(layers, &role);
    agent.programs = outside::programs(layers, &role);
    agent.registries = registries::registries(layers, &role);
    agent.remotes = remotes::remotes(layers, &role);
    agent.forges = remotes::forges(layers, &role);
    for section in ["endpoints", "sources"] {
        for name in layers.names_below(&["permissions", section]) {
            if let Some(url) = layers.get(&["permissions", section, &name, "url"]) {
                note(section, &url.origin);
            }
        }
    }
    // What is wrong with them was said of all at once.
    grant_tools(&mut agent, &operations::of(layers, &role, &mut Vec::new()));
    for tool in agent
        .tools
        .iter()
        .filter(|tool| !TOOLS.iter().chain(&TEAM_TOOLS).any(|known| known == tool))
    {
        let hint = did_you_mean(tool, TOOLS.iter().chain(&TEAM_TOOLS).copied());
        let place = origins
            .get(&format!("agents.{role}.tools"))
            .map(Origin::to_string)
            .unwrap_or_default();
        let message = format!(
            "agent `{role}` has a tool `{}` that does not exist{hint}",
            quoted(tool)
        );
        problems.push(Problem::new(place, message));
    }
    agent
}
