//! What a Redis of the person's own guarantees, looked at without joining it: whether it may be
//! written to, what it keeps over a crash, and which commands its user may give. Whatever cannot
//! be seen is said to be unseen.

use crate::connect::BusAddress;
use crate::error::BusError;
use crate::keys::Keys;
use crate::scripts;
use protocol::ids::TeamName;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, RedisError};
use std::time::Duration;

/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// What was seen. `None` is what the user may not ask for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// Such as `7.0.15`.
    pub version: String,
    /// `master`, or `slave` for a replica.
    pub role: String,
    /// Replicas connected.
    pub replicas: u64,
    /// In use, in bytes.
    pub used: u64,
    /// `maxmemory` in bytes; 0 = no limit.
    pub maxmemory: u64,
    /// `maxmemory-policy`.
    pub policy: String,
    /// Whether every write goes to an append-only file.
    pub append_only: bool,
    /// Whether the last write of that file went well.
    pub last_write_good: bool,
    /// `appendfsync`.
    pub fsync: Option<String>,
    /// `min-replicas-to-write`.
    pub min_replicas: Option<u64>,
    /// Who the user is.
    pub user: Option<String>,
    /// Why scripts cannot be run at all.
    pub no_scripts: Option<String>,
    /// Commands the user may not give.
    pub missing: Vec<String>,
}

/// Looks at the Redis at an address, as the team `team` would use it. Writes only to keys that
/// expire within a second.
///
/// # Errors
/// When it does not answer, or refuses the user.
pub async fn examine(address: &BusAddress, team: &TeamName) -> Result<Seen, BusError> {
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(PATIENCE))
        .set_response_timeout(Some(PATIENCE));
    let mut connection = address
        .client()?
        .get_multiplexed_async_connection_with_config(&config)
        .await?;
    let info: String = redis::cmd("INFO").query_async(&mut connection).await?;
    let mut seen = read(&info);
    seen.fsync = setting(&mut connection, "appendfsync").await;
    let min = setting(&mut connection, "min-replicas-to-write").await;
    seen.min_replicas = min.and_then(|value| value.parse().ok());
    seen.user = redis::cmd("ACL")
        .arg("WHOAMI")
        .query_async(&mut connection)
        .await
        .ok();
    let keys = Keys::new(team);
    let mut probe = scripts::EXAMINE.prepare_invoke();
    for kind in ["value", "hash", "sorted", "stream", "set", "list"] {
        probe.key(keys.probe(kind));
    }
    match probe.invoke_async::<Vec<String>>(&mut connection).await {
        Ok(missing) => seen.missing = missing,
        Err(error) => seen.no_scripts = Some(said(&error)),
    }
    if seen.no_scripts.is_none() {
        let alone = alone(&mut connection, &keys).await;
        seen.missing.extend(alone);
    }
    Ok(seen)
}

/// Tries the commands that are given outside scripts; those that are not allowed.
async fn alone(connection: &mut MultiplexedConnection, keys: &Keys) -> Vec<String> {
    let list = keys.probe("list");
    let stream = keys.probe("stream");
    let tries: [(&str, Vec<&str>); 4] = [
        ("PING", vec![]),
        ("BLPOP", vec![&list, "0.001"]),
        ("XREAD", vec!["COUNT", "1", "STREAMS", &stream, "0"]),
        // Nobody can read an empty hint, so nobody acts on it.
        ("PUBLISH", vec![]),
    ];
    let channel = keys.broadcast();
    let mut missing = Vec::new();
    for (name, arguments) in tries {
        let mut command = redis::cmd(name);
        if name == "PUBLISH" {
            command.arg(&channel).arg("");
        }
        command.arg(arguments);
        let answer: Result<redis::Value, RedisError> = command.query_async(connection).await;
        if answer.is_err_and(|error| is_forbidden(&said(&error))) {
            missing.push(name.to_owned());
        }
    }
    missing
}

async fn setting(connection: &mut MultiplexedConnection, name: &str) -> Option<String> {
    let pair: Vec<String> = redis::cmd("CONFIG")
        .arg("GET")
        .arg(name)
        .query_async(connection)
        .await
        .ok()?;
    pair.get(1).cloned()
}

fn said(error: &RedisError) -> String {
    match (error.code(), error.detail()) {
        (Some(code), Some(detail)) => format!("{code} {detail}"),
        _ => error.to_string(),
    }
}

fn is_forbidden(said: &str) -> bool {
    said.contains("NOPERM") || said.to_ascii_lowercase().contains("unknown command")
}

fn read(info: &str) -> Seen {
    let field = |name: &str| -> String {
        let line = info.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            (key == name).then(|| value.trim().to_owned())
        });
        line.unwrap_or_default()
    };
    let number = |name: &str| field(name).parse().unwrap_or(0);
    Seen {
        version: field("redis_version"),
        role: field("role"),
        replicas: number("connected_slaves"),
        used: number("used_memory"),
        maxmemory: number("maxmemory"),
        policy: field("maxmemory_policy"),
        append_only: field("aof_enabled") == "1",
        last_write_good: field("aof_last_write_status") != "err",
        ..Seen::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_of_the_team_is_tried() {
        let tried = include_str!("scripts/examine.lua");
        let outside = [
            "xread",
            "blpop",
            "publish",
            "subscribe",
            "unsubscribe",
            "multi",
            "exec",
        ];
        let words = [crate::acl::WORK, crate::acl::LEAD].join(" ");
        for word in words.split_whitespace() {
            let name = word.trim_start_matches('+').split('|').next();
            let name = name.unwrap_or_default();
            let inside = tried.contains(&format!("try('{}'", name.to_ascii_uppercase()));
            assert!(inside || outside.contains(&name), "{word} is not tried");
        }
    }

    #[test]
    fn what_redis_says_is_read() {
        let info = "redis_version:7.0.15\r\nrole:slave\r\nused_memory:5\r\nmaxmemory:9\r\n\
            maxmemory_policy:allkeys-lru\r\naof_enabled:1\r\naof_last_write_status:err\r\n\
            connected_slaves:2\r\n";
        let seen = read(info);
        assert_eq!(seen.version, "7.0.15");
        assert_eq!((seen.role.as_str(), seen.replicas), ("slave", 2));
        assert_eq!((seen.used, seen.maxmemory), (5, 9));
        assert_eq!(seen.policy, "allkeys-lru");
        assert!(seen.append_only && !seen.last_write_good);
    }
}
