//! From layers to settings: shipped < `/etc/ai-infra` < the home's `config` < environment < flags.
//! Everything that is wrong is said at once.

use crate::document::{self, Mark};
use crate::env::Env;
use crate::error::{ConfigError, Problem};
use crate::home::Home;
use crate::invitation::{self, Invitation};
use crate::layers::{Entry, Layers, Origin};
use crate::settings::{Joined, Settings};
use crate::trial::Trial;
use crate::{agents, host_name, layout, prices, shipped, well_known};
use crate::{database_secret, private_file, secret};
use protocol::postgres::{Address, password_in};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

/// Largest file of passwords read, in bytes.
const PASSWORD_FILE_BYTES: u64 = 1024 * 1024;

/// A home that a drill restored aside meets neither the stores nor the models of the one it came from.
const OF_A_DRILL: [(&str, &str); 7] = [
    ("redis.url", ""),
    ("redis.listen.address", ""),
    ("ledger.url", ""),
    ("engine.name", "playbook"),
    ("engine.api_key", ""),
    ("backup.remote", ""),
    ("backup.drill.schedule", ""),
];

/// The machine's own folder of settings.
pub const SYSTEM_FOLDER: &str = "/etc/ai-infra";

/// Where layers are taken from.
#[derive(Debug, Clone, Copy)]
pub struct Sources<'a> {
    /// The machine's folder.
    pub system: &'a Path,
    /// The home.
    pub home: &'a Home,
    /// The environment.
    pub env: &'a Env,
    /// Pairs of key and value from the command line.
    pub flags: &'a [(String, String)],
}

/// The settings of a home.
///
/// # Errors
/// [`ConfigError::Wrong`] with every problem found.
pub fn load(home: &Home, env: &Env, flags: &[(String, String)]) -> Result<Settings, ConfigError> {
    load_from(&Sources {
        system: Path::new(SYSTEM_FOLDER),
        home,
        env,
        flags,
    })
}

/// The same, with the machine's folder named.
pub fn load_from(sources: &Sources<'_>) -> Result<Settings, ConfigError> {
    let loaded = load_with(sources, None);
    // Of a home that is half there, what is wrong with its settings says nothing.
    loaded.map_err(|error| sources.home.half_restored().unwrap_or(error))
}

/// The same, as if a file were in its place already.
pub(crate) fn load_with(
    sources: &Sources<'_>,
    trial: Option<&Trial>,
) -> Result<Settings, ConfigError> {
    let joined = invitation::read(sources.home)?;
    let invited = joined.as_ref().map(|invitation| invitation.host.clone());
    let mut layers = lay_all(sources, joined.as_ref(), trial);
    settle_values(&mut layers, sources);
    let mut problems = std::mem::take(&mut layers.problems);
    let texts = agents::texts(sources.home, trial, &mut problems);
    let (agents, agent_origins) = agents::settled(texts, &layers, &mut problems);
    let tmux = layout::settled(&layers, &agents, &mut problems);
    let prices = prices::settled(&layers, &mut problems);
    if !problems.is_empty() {
        return Err(ConfigError::Wrong(problems));
    }
    let joined = joined.map(|invitation| Joined {
        first: invitation.first,
        roles: invitation.roles,
    });
    let mut origins = layers.origins();
    origins.extend(agent_origins);
    Ok(Settings {
        host: host_name::of(sources.home, invited.as_deref()),
        joined,
        team: section(&layers, "team")?,
        redis: section(&layers, "redis")?,
        ledger: section(&layers, "ledger")?,
        engine: section(&layers, "engine")?,
        budget: section(&layers, "budget")?,
        daemon: section(&layers, "daemon")?,
        sandbox: section(&layers, "sandbox")?,
        pressure: section(&layers, "pressure")?,
        log: section(&layers, "log")?,
        backup: section(&layers, "backup")?,
        notices: section(&layers, "notices")?,
        agents,
        tmux,
        prices,
        origins,
    })
}

pub(crate) fn section<T: DeserializeOwned>(layers: &Layers, name: &str) -> Result<T, ConfigError> {
    serde_json::from_value(layers.section(name)).map_err(|error| {
        let message = format!("section `{name}` is wrong: {error}");
        ConfigError::Wrong(vec![Problem::new("", message)])
    })
}

pub(crate) fn lay_all(
    sources: &Sources<'_>,
    joined: Option<&Invitation>,
    trial: Option<&Trial>,
) -> Layers {
    let mut layers = Layers::default();
    for file in shipped::SETTINGS {
        lay_text(&mut layers, file.under, file.name, file.text, &|_| {
            Origin::Shipped
        });
    }
    let of_machine = |trial: &&Trial| trial.lies_in(sources.system);
    let machine = trial.filter(of_machine);
    let own = trial.filter(|trial| !of_machine(trial));
    lay_folder(&mut layers, sources.system, Origin::System, machine);
    lay_folder(&mut layers, &sources.home.config(), Origin::User, own);
    well_known::lay(&mut layers, sources.env);
    for (key, value) in sources.flags {
        let path = key.split('.').map(str::to_owned).collect();
        layers.lay_text(path, value, Origin::Flag(crate::error::quoted(key)));
    }
    // Above all else: which team this is was decided when the host joined it.
    for (key, value) in joined.into_iter().flat_map(Invitation::settings) {
        let path = key.split('.').map(str::to_owned).collect();
        layers.lay_text(path, &value, Origin::Joined);
    }
    if sources.home.drill().exists() {
        for (key, value) in OF_A_DRILL {
            let path = key.split('.').map(str::to_owned).collect();
            layers.lay_text(path, value, Origin::Drill);
        }
    }
    layers
}

fn lay_folder(
    layers: &mut Layers,
    folder: &Path,
    origin: fn(PathBuf, Mark) -> Origin,
    trial: Option<&Trial>,
) {
    for file in shipped::SETTINGS {
        let tried = trial.and_then(|trial| Some((trial.path(), trial.settings(file.name)?)));
        let (path, text) = match tried {
            Some((path, text)) => (path.to_owned(), Ok(Some(text.to_owned()))),
            None => {
                let path = folder.join(file.name);
                let text = document::read_text(&path);
                (path, text)
            }
        };
        match text {
            Ok(None) => {}
            Ok(Some(text)) => {
                let place = path.display().to_string();
                lay_text(layers, file.under, &place, &text, &|mark| {
                    origin(path.clone(), mark)
                });
            }
            Err(problem) => layers.problems.push(problem),
        }
    }
}

fn lay_text(
    layers: &mut Layers,
    under: &str,
    place: &str,
    text: &str,
    origin: &dyn Fn(Mark) -> Origin,
) {
    match document::parse(place, text) {
        Ok(node) => layers.lay_document(under, node, origin),
        Err(problem) => layers.problems.push(problem),
    }
}

/// Values that depend on others: secrets are looked up, `auto` is decided, pairs are compared.
fn settle_values(layers: &mut Layers, sources: &Sources<'_>) {
    for path in [
        ["engine", "api_key"],
        ["redis", "password"],
        ["ledger", "password"],
    ] {
        settle_secret(layers, sources, &path);
    }
    settle_secret(layers, sources, &["backup", "token"]);
    settle_secret(layers, sources, &["notices", "webhook"]);
    settle_secret(layers, sources, &["notices", "mail", "password"]);
    for key in ["access_key", "secret_key", "session_token"] {
        settle_secret(layers, sources, &["backup", "s3", key]);
    }
    for name in layers.names_below(&["backup", "jobs"]) {
        if layers.get(&["backup", "jobs", &name, "what"]).is_none() {
            let message =
                format!("`backup.jobs.{name}` lacks `what`: workspaces, home or configuration");
            let place = layers.place_below(&["backup", "jobs", &name]);
            layers.problems.push(Problem::new(place, message));
        }
    }
    for section in ["endpoints", "registries", "remotes", "forges"] {
        for name in layers.names_below(&["permissions", section]) {
            settle_secret(layers, sources, &["permissions", section, &name, "token"]);
        }
    }
    for name in layers.names_below(&["permissions", "sources"]) {
        settle_secret(
            layers,
            sources,
            &["permissions", "sources", &name, "password"],
        );
    }
    database_secret::settle(layers, sources, &["ledger", "url"], &["ledger", "password"]);
    for name in layers.names_below(&["permissions", "sources"]) {
        let own = |key: &'static str| ["permissions", "sources", name.as_str(), key];
        database_secret::settle(layers, sources, &own("url"), &own("password"));
    }
    for (of, keys) in [
        ("redis", &["username", "password"][..]),
        ("ledger", &["password"]),
    ] {
        let none = |entry: &Entry| entry.value.is_null();
        if layers.get(&[of, "url"]).is_some_and(none) {
            for key in keys {
                layers.settle(&[of, key], Value::Null);
            }
        }
    }
    settle_password_file(layers, sources.env);
    settle_listen(layers);
    settle_engine(layers);
    let number = |path: &[&str]| layers.get(path).and_then(|entry| entry.value.as_u64());
    let first = number(&["daemon", "restart_first_ms"]);
    let most = number(&["daemon", "restart_max_ms"]);
    if first > most {
        problem_at(
            layers,
            &["daemon", "restart_first_ms"],
            "`daemon.restart_first_ms` is larger than `daemon.restart_max_ms`",
        );
    }
}

fn problem_at(layers: &mut Layers, path: &[&str], message: &str) {
    let entry = layers.get(path);
    let place = entry.map(|entry| entry.origin.to_string());
    let problem = Problem::new(place.unwrap_or_default(), message);
    layers.problems.push(problem);
}

/// A shipped name may have no value; one that somebody wrote down must.
fn settle_secret(layers: &mut Layers, sources: &Sources<'_>, path: &[&str]) {
    let Some(entry) = layers.get(path).cloned() else {
        return;
    };
    if let Some(plain) = entry.value.get("plain").and_then(Value::as_str) {
        return layers.settle(path, json!(plain));
    }
    let Some(name) = entry.value.get("secret").and_then(Value::as_str) else {
        return;
    };
    let found = secret::find(sources.home, sources.env, name);
    let value = match found {
        Ok(Some(secret)) => json!(secret.reveal()),
        Ok(None) if entry.origin == Origin::Shipped => Value::Null,
        Ok(None) => {
            let key = path.join(".");
            let message = format!(
                "`{key}` names secret `{name}`, which is not kept here: run `ai-infra secret set {name}`"
            );
            return problem_at(layers, path, &message);
        }
        Err(error) => {
            let key = path.join(".");
            return problem_at(layers, path, &format!("`{key}`: {error}"));
        }
    };
    layers.settle(path, value);
}

/// Where no other password is known, the file that `PGPASSFILE` names is asked, as libpq does.
fn settle_password_file(layers: &mut Layers, env: &Env) {
    let text = |layers: &Layers, key: &str| {
        let entry = layers.get(&["ledger", key])?;
        entry.value.as_str().map(str::to_owned)
    };
    let (Some(url), Some(file)) = (text(layers, "url"), env.get("PGPASSFILE")) else {
        return;
    };
    let Ok((address, _)) = Address::parse(&url) else {
        return;
    };
    if text(layers, "password").is_some() {
        return;
    }
    let said = |problem: String| Problem::new("environment PGPASSFILE", problem);
    match private_file::read(Path::new(file), PASSWORD_FILE_BYTES) {
        Ok(bytes) => {
            let lines = String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned();
            if let Some(password) = password_in(&lines, &address) {
                layers.settle(&["ledger", "password"], json!(password));
            }
        }
        Err(error) => layers.problems.push(said(error.to_string())),
    }
}

/// One stated address: everywhere is never meant.
fn settle_listen(layers: &mut Layers) {
    let path = ["redis", "listen", "address"];
    let address = layers.get(&path).and_then(|entry| entry.value.as_str());
    let stated = address.map(|text| text.parse::<IpAddr>().ok());
    if stated.is_some_and(|address| address.is_none_or(|address| address.is_unspecified())) {
        problem_at(
            layers,
            &path,
            "`redis.listen.address` must be one address of this host, such as 10.0.0.1",
        );
    }
}

fn settle_engine(layers: &mut Layers) {
    let value = |name: &str| {
        layers
            .get(&["engine", name])
            .map(|entry| entry.value.clone())
    };
    let has_key = value("api_key").is_some_and(|key| !key.is_null());
    let name = value("name").unwrap_or_default();
    let scripts = value("allow_scripted") == Some(Value::Bool(true));
    match name.as_str() {
        Some("auto") => {
            let chosen = if has_key { "anthropic" } else { "playbook" };
            layers.settle(&["engine", "name"], json!(chosen));
        }
        Some("anthropic") if !has_key => problem_at(
            layers,
            &["engine", "name"],
            "`engine.name` is anthropic, but there is no key: run `ai-infra secret set anthropic-api-key` or set ANTHROPIC_API_KEY",
        ),
        Some("scripted") if !scripts => problem_at(
            layers,
            &["engine", "name"],
            "`engine.name` is scripted, which is for tests: set `engine.allow_scripted` to true as well",
        ),
        _ => {}
    }
}
