//! What `doctor` says about Redis: the team's own is installed and new enough; one of the person's
//! own is looked at for everything it does not guarantee, each with the command that mends it.

use super::{Finding, How, PATIENCE, finding};
use crate::commands::join::{login, refusal};
use crate::render::text::{one_line, size};
use bus::acl;
use bus::connect::BusAddress;
use bus::examine::{Seen, examine};
use config::home::Home;
use config::invitation::{self, Invitation};
use config::settings::Settings;
use supervisor::daemon::{ready, redis_server};
use tokio::time::timeout;

/// Above this share of `maxmemory` new work waits, in percent.
const TIGHT: u64 = 85;

/// Everything about Redis.
pub async fn look(settings: Option<&Settings>, home: &Home) -> Vec<Finding> {
    if let Ok(Some(invited)) = invitation::read(home) {
        return vec![team(&invited).await];
    }
    if let Some(settings) = settings
        && let Some(url) = &settings.redis.url
    {
        return own(settings, url).await;
    }
    vec![match redis_server::installed() {
        Ok(version) => finding("redis", How::Good, version_of(&version), ""),
        Err(error) => {
            let next = "apt-get install redis-server   (7.0 or newer; or set redis.url to one of your own)";
            finding("redis", How::Bad, error.to_string(), next)
        }
    }]
}

/// The Redis of the team that this host joined: whether it lets this host in.
async fn team(invited: &Invitation) -> Finding {
    let user = invited.users.get(acl::DAEMON).cloned().unwrap_or_default();
    match timeout(PATIENCE, login(invited, user)).await {
        Ok(Ok(())) => {
            let said = format!("{} lets host {} in", invited.url, invited.host);
            finding("redis", How::Good, said, "")
        }
        Ok(Err(error)) => finding("redis", How::Bad, refusal(&error, invited), ""),
        Err(_) => {
            let seen = format!("{} does not answer within 2 s", invited.url);
            let next = format!("on {}: ai-infra status", invited.first);
            finding("redis", How::Bad, seen, &next)
        }
    }
}

/// A Redis of the person's own.
async fn own(settings: &Settings, url: &str) -> Vec<Finding> {
    let password = settings.redis.password.as_ref();
    let address = BusAddress {
        url: url.to_owned(),
        username: settings.redis.username.clone(),
        password: password.map(|password| password.reveal().to_owned()),
        ca: match redis_server::authorities(settings) {
            Ok(ca) => ca,
            Err(error) => {
                let next = "set redis.ca to a PEM file that can be read";
                return vec![finding("redis", How::Bad, error.to_string(), next)];
            }
        },
    };
    match timeout(PATIENCE, examine(&address, &settings.team.name)).await {
        Ok(Ok(mut seen)) => {
            // A user who may not ask who it is was named by the settings.
            seen.user = seen.user.or_else(|| settings.redis.username.clone());
            judged(url, &seen)
        }
        Ok(Err(error)) => {
            let said = format!("{url}: {}", ready::explained(&error.to_string()));
            let next = "check redis.url or REDIS_URL, and that it runs";
            vec![finding("redis", How::Bad, said, next)]
        }
        Err(_) => {
            let seen = format!("{url} does not answer within 2 s");
            let next = "check redis.url or REDIS_URL, and that it runs";
            vec![finding("redis", How::Bad, seen, next)]
        }
    }
}

/// What is seen, as findings. Pure.
fn judged(url: &str, seen: &Seen) -> Vec<Finding> {
    let mut all = vec![version(url, seen)];
    all.extend([role(seen), commands(seen)].into_iter().flatten());
    all.extend([memory(seen), eviction(seen), durability(seen)]);
    all.extend(replicas(seen));
    all
}

fn version(url: &str, seen: &Seen) -> Finding {
    let major: u32 = seen
        .version
        .split('.')
        .next()
        .unwrap_or("0")
        .parse()
        .unwrap_or(0);
    let said = format!("{url} answers, redis {}", one_line(&seen.version, 20));
    match major {
        0..7 => finding(
            "redis",
            How::Bad,
            format!("{said}: its scripts and users are too old"),
            "install redis 7.0 or newer",
        ),
        _ => finding("redis", How::Good, said, ""),
    }
}

fn role(seen: &Seen) -> Option<Finding> {
    (seen.role == "slave").then(|| {
        let next = "give the address of its primary (redis.url), or promote it: redis-cli REPLICAOF NO ONE";
        finding("redis role", How::Bad, "a read-only replica", next)
    })
}

fn commands(seen: &Seen) -> Option<Finding> {
    let user = seen.user.as_deref().unwrap_or("USER");
    if let Some(why) = seen.no_scripts.as_ref().filter(|_| seen.role != "slave") {
        let said = format!("scripts cannot be run: {}", one_line(why, 120));
        let next = format!(
            "redis-cli ACL SETUSER {user} +evalsha +script|load and the keys of the team; no rename-command for EVALSHA or SCRIPT"
        );
        return Some(finding("redis rights", How::Bad, said, &next));
    }
    if seen.missing.is_empty() {
        return None;
    }
    let mut missing = seen.missing.clone();
    missing.sort();
    missing.dedup();
    let said = format!("user {user} may not {}", missing.join(", "));
    let rights: Vec<String> = missing
        .iter()
        .map(|name| format!("+{}", name.to_ascii_lowercase()))
        .collect();
    let next = format!("redis-cli ACL SETUSER {user} {}", rights.join(" "));
    Some(finding("redis rights", How::Bad, said, &next))
}

fn memory(seen: &Seen) -> Finding {
    if seen.maxmemory == 0 {
        return finding(
            "redis memory",
            How::Odd,
            format!(
                "{} used, no limit: it grows until the kernel ends it",
                size(seen.used)
            ),
            "redis-cli CONFIG SET maxmemory 256mb",
        );
    }
    let said = format!("{} of {} used", size(seen.used), size(seen.maxmemory));
    match seen.used / TIGHT >= seen.maxmemory / 100 {
        true => finding(
            "redis memory",
            How::Bad,
            format!("{said}: new tasks wait for room"),
            "redis-cli CONFIG SET maxmemory MORE",
        ),
        false => finding("redis memory", How::Good, said, ""),
    }
}

fn eviction(seen: &Seen) -> Finding {
    let policy = one_line(&seen.policy, 40);
    if policy == "noeviction" {
        return finding("redis eviction", How::Good, "noeviction", "");
    }
    // Without a limit nothing is evicted yet.
    let how = match seen.maxmemory {
        0 => How::Odd,
        _ => How::Bad,
    };
    finding(
        "redis eviction",
        how,
        format!("{policy}: at maxmemory it throws tasks and journals away"),
        "redis-cli CONFIG SET maxmemory-policy noeviction",
    )
}

fn durability(seen: &Seen) -> Finding {
    const NAME: &str = "redis durability";
    if !seen.append_only {
        return finding(
            NAME,
            How::Bad,
            "appendonly is off: a crash of redis loses everything since its last snapshot",
            "redis-cli CONFIG SET appendonly yes",
        );
    }
    if !seen.last_write_good {
        return finding(
            NAME,
            How::Bad,
            "its last write to the append-only file failed: it takes no writes",
            "free space where redis keeps its data",
        );
    }
    let always = "redis-cli CONFIG SET appendfsync always";
    match seen.fsync.as_deref() {
        Some("always") => finding(
            NAME,
            How::Good,
            "every write is on its disk before it is acknowledged",
            "",
        ),
        Some("everysec") => finding(
            NAME,
            How::Odd,
            "appendfsync everysec: a crash of its host may lose the last two seconds",
            always,
        ),
        Some(_) => finding(
            NAME,
            How::Odd,
            "appendfsync no: a crash of its host may lose the last half minute",
            always,
        ),
        None => finding(
            NAME,
            How::Odd,
            "append-only; appendfsync cannot be seen (CONFIG GET is refused)",
            "ask whoever runs it: always loses nothing, everysec the last two seconds of a host crash",
        ),
    }
}

fn replicas(seen: &Seen) -> Option<Finding> {
    if seen.replicas == 0 {
        return None;
    }
    let many = seen.replicas;
    Some(match seen.min_replicas {
        Some(0) => finding(
            "redis replicas",
            How::Odd,
            format!(
                "{many}, and a primary cut off from them goes on taking writes: a failover loses those"
            ),
            "redis-cli CONFIG SET min-replicas-to-write 1",
        ),
        Some(_) => finding(
            "redis replicas",
            How::Odd,
            format!(
                "{many}: a failover may lose the last moment's writes, as replication is asynchronous"
            ),
            "",
        ),
        None => finding(
            "redis replicas",
            How::Odd,
            format!("{many}; min-replicas-to-write cannot be seen (CONFIG GET is refused)"),
            "ask whoever runs it: with 0 a failover loses what a cut-off primary took",
        ),
    })
}

/// `redis-server 7.0.15` out of the line it prints.
fn version_of(printed: &str) -> String {
    let word = printed
        .split_whitespace()
        .find_map(|w| w.strip_prefix("v="));
    word.map_or_else(
        || one_line(printed, 40),
        |version| format!("redis-server {}", one_line(version, 20)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> Seen {
        Seen {
            version: "7.0.15".to_owned(),
            role: "master".to_owned(),
            maxmemory: 100_000_000,
            policy: "noeviction".to_owned(),
            append_only: true,
            last_write_good: true,
            fsync: Some("always".to_owned()),
            min_replicas: Some(0),
            ..Seen::default()
        }
    }

    #[track_caller]
    fn check(seen: Seen, expected: &[(&str, How, &str)]) {
        let found = judged("redis://h", &seen);
        let odd: Vec<&Finding> = found.iter().filter(|f| f.how != How::Good).collect();
        assert_eq!(odd.len(), expected.len(), "{found:#?}");
        for (found, (what, how, next)) in odd.iter().zip(expected) {
            assert_eq!((found.what, found.how), (*what, *how));
            let given = found.next.as_deref().unwrap_or_default();
            assert!(given.contains(next), "{given}");
        }
    }

    #[test]
    fn each_fault_has_its_own_line_and_the_command_that_mends_it() {
        check(good(), &[]);
        let old = Seen {
            version: "6.2.1".to_owned(),
            ..good()
        };
        check(old, &[("redis", How::Bad, "install redis 7.0")]);
        let replica = Seen {
            role: "slave".to_owned(),
            no_scripts: Some("READONLY".to_owned()),
            ..good()
        };
        check(replica, &[("redis role", How::Bad, "REPLICAOF NO ONE")]);
        let mute = Seen {
            no_scripts: Some("NOPERM".to_owned()),
            ..good()
        };
        check(mute, &[("redis rights", How::Bad, "+evalsha +script|load")]);
        let small = Seen {
            user: Some("ada".to_owned()),
            missing: vec!["ZADD".to_owned(), "BLPOP".to_owned()],
            ..good()
        };
        check(
            small,
            &[("redis rights", How::Bad, "ACL SETUSER ada +blpop +zadd")],
        );
        let unlimited = Seen {
            maxmemory: 0,
            policy: "allkeys-lru".to_owned(),
            ..good()
        };
        check(
            unlimited,
            &[
                ("redis memory", How::Odd, "maxmemory 256mb"),
                ("redis eviction", How::Odd, "noeviction"),
            ],
        );
        let evicting = Seen {
            policy: "volatile-ttl".to_owned(),
            used: 90_000_000,
            ..good()
        };
        check(
            evicting,
            &[
                ("redis memory", How::Bad, "maxmemory MORE"),
                ("redis eviction", How::Bad, "noeviction"),
            ],
        );
        for (append_only, fsync, how, next) in [
            (false, Some("always"), How::Bad, "appendonly yes"),
            (true, Some("everysec"), How::Odd, "appendfsync always"),
            (true, Some("no"), How::Odd, "appendfsync always"),
            (true, None, How::Odd, "ask whoever runs it"),
        ] {
            let seen = Seen {
                append_only,
                fsync: fsync.map(str::to_owned),
                ..good()
            };
            check(seen, &[("redis durability", how, next)]);
        }
        let full = Seen {
            last_write_good: false,
            ..good()
        };
        check(full, &[("redis durability", How::Bad, "free space")]);
        for (min, next) in [
            (Some(0), "min-replicas-to-write 1"),
            (Some(1), ""),
            (None, "ask"),
        ] {
            let seen = Seen {
                replicas: 2,
                min_replicas: min,
                ..good()
            };
            check(seen, &[("redis replicas", How::Odd, next)]);
        }
    }

    #[test]
    fn the_version_of_redis_is_short() {
        for (printed, expected) in [
            (
                "Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc",
                "redis-server 7.0.15",
            ),
            ("something else", "something else"),
        ] {
            assert_eq!(version_of(printed), expected);
        }
    }
}
