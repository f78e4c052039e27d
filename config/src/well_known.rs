//! The environment as a layer: variables that other programs use too, then
//! `AI_INFRA__SECTION__KEY`, which wins.

use crate::env::Env;
use crate::error::{Problem, quoted};
use crate::layers::{Layers, Origin};
use crate::schema::{self, Found};

/// Variables that stand for one key.
const SINGLE: [(&str, &str); 7] = [
    ("AWS_SECRETS_PREFIX", "secrets.prefix"),
    ("REDIS_PASSWORD", "redis.password"),
    ("POSTGRES_PASSWORD", "ledger.password"),
    ("ANTHROPIC_API_KEY", "engine.api_key"),
    ("ANTHROPIC_BASE_URL", "engine.base_url"),
    ("REDIS_URL", "redis.url"),
    ("DATABASE_URL", "ledger.url"),
];

/// Start of the variables that name any key.
const PREFIX: &str = "AI_INFRA__";

/// Lays the environment on top.
pub fn lay(layers: &mut Layers, env: &Env) {
    if env.get("DATABASE_URL").is_none() {
        lay_postgres_host(layers, env);
    }
    if env.get("REDIS_URL").is_none() {
        lay_redis_host(layers, env);
    }
    for (name, key) in SINGLE {
        if let Some(value) = env.get(name) {
            layers.lay_text(path_of(key), value, Origin::Environment(name.to_owned()));
        }
    }
    // Whoever says where secrets are kept there wants them from there.
    if env.get("AWS_SECRETS_PREFIX").is_some() {
        let origin = Origin::Environment("AWS_SECRETS_PREFIX".to_owned());
        layers.lay_text(path_of("secrets.source"), "aws", origin);
    }
    for (name, value) in env.starting_with(PREFIX) {
        let origin = Origin::Environment(quoted(name));
        layers.lay_text(path_of_variable(name), value, origin);
    }
    for name in env.unreadable() {
        let known = SINGLE.iter().any(|(known, _)| *known == name);
        if known || name.starts_with(PREFIX) || name.starts_with("REDIS_") {
            let place = Origin::Environment(quoted(name));
            layers
                .problems
                .push(Problem::new(place, "the value is not UTF-8 text"));
        }
    }
}

fn path_of(key: &str) -> Vec<String> {
    key.split('.').map(str::to_owned).collect()
}

/// `AI_INFRA__AGENTS__MY_AGENT__LEVEL` is `agents.my-agent.level`: where any name may stand, `_`
/// stands for `-`, which variables cannot hold.
fn path_of_variable(name: &str) -> Vec<String> {
    let rest = name.strip_prefix(PREFIX).unwrap_or(name);
    let mut path: Vec<String> = rest.split("__").map(str::to_ascii_lowercase).collect();
    for at in 0..path.len() {
        let dashed = path[at].replace('_', "-");
        let mut tried: Vec<&str> = path.iter().take(at).map(String::as_str).collect();
        tried.push(&dashed);
        // A dashed name is only known where any name is: no key of the table holds a dash.
        if dashed != path[at] && !matches!(schema::find(&tried), Found::Nothing(_)) {
            path[at] = dashed;
        }
    }
    path
}

fn lay_redis_host(layers: &mut Layers, env: &Env) {
    let (host, port) = (env.get("REDIS_HOST"), env.get("REDIS_PORT"));
    let (name, host, port) = match (host, port) {
        (None, None) => return,
        (Some(host), port) => ("REDIS_HOST", host, port.unwrap_or("6379")),
        (None, Some(port)) => ("REDIS_PORT", "127.0.0.1", port),
    };
    let origin = |name: &str| Origin::Environment(name.to_owned());
    if !port.parse::<u16>().is_ok_and(|port| port > 0) {
        let message = format!("is `{}`, must be a port from 1 to 65535", quoted(port));
        layers
            .problems
            .push(Problem::new(origin("REDIS_PORT"), message));
    } else if !is_host(host) {
        let message = format!("is `{}`, must be a host name or an address", quoted(host));
        layers
            .problems
            .push(Problem::new(origin("REDIS_HOST"), message));
    } else {
        let host = if host.contains(':') && !host.starts_with('[') {
            format!("[{host}]")
        } else {
            host.to_owned()
        };
        let url = format!("redis://{host}:{port}");
        layers.lay_text(path_of("redis.url"), &url, origin(name));
    }
}

/// Without `POSTGRES_HOST` none of them says where a database is.
fn lay_postgres_host(layers: &mut Layers, env: &Env) {
    let Some(host) = env.get("POSTGRES_HOST") else {
        return;
    };
    let port = env.get("POSTGRES_PORT").unwrap_or("5432");
    let user = env.get("POSTGRES_USER").unwrap_or("postgres");
    let database = env.get("POSTGRES_DB").unwrap_or(user);
    let bracketed = match host.contains(':') && !host.starts_with('[') {
        true => format!("[{host}]"),
        false => host.to_owned(),
    };
    let url = match host.starts_with('/') {
        true => format!("postgres://{user}@/{database}?host={host}&port={port}"),
        false => format!("postgres://{user}@{bracketed}:{port}/{database}"),
    };
    let origin = Origin::Environment("POSTGRES_HOST".to_owned());
    layers.lay_text(path_of("ledger.url"), &url, origin);
}

fn is_host(host: &str) -> bool {
    let v6 = host.trim_start_matches('[').trim_end_matches(']');
    v6.parse::<std::net::Ipv6Addr>().is_ok()
        || host
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_'))
}
