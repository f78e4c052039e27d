//! Who may touch which key: the users of Redis, one for each role, as lines of `redis.conf`.
//! Scripts run with their caller's rights, so the lines hold inside them too.

use crate::connect::{Again, Bus};
use crate::error::BusError;
use crate::keys::Keys;
use protocol::ids::{Role, TeamName};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt;

/// The supervisor's user.
pub const SUPERVISOR: &str = "supervisor";
/// The daemon's user.
pub const DAEMON: &str = "daemon";

/// What every process needs to connect and to run scripts.
const CONNECT: &str = "+ping +info +evalsha +script|load";
/// What agents' scripts and calls are made of.
pub(crate) const WORK: &str = "+get +mget +exists +time +hget +hset +hmget +hgetall +hdel +zadd +zrem \
    +zrange +zrangebyscore +xadd +xlen +xrange +xrevrange +xread +xreadgroup +xack +xdel \
    +xgroup|create +blpop +subscribe +unsubscribe";
/// What the supervisor needs beside that. Hints are its alone: agents only listen.
pub(crate) const LEAD: &str = "+set +strlen +del +rename +zcard +pexpire +sadd +smembers +hvals +rpush \
    +xinfo|stream +multi +exec +publish";
/// What the daemon needs to free what a dead process held, to stop Redis, and to let other hosts in
/// and out while it runs (the file of the users is the daemon's own in any case).
const WATCH: &str = "+get +set +time +smembers +hget +hset +hmget +hgetall +hdel +hvals +sadd +zadd \
    +zrem +zrange +xadd +shutdown +acl|setuser +acl|deluser";
/// What the daemon of another host needs.
const WATCH_THERE: &str = "+get +set +time +smembers +hget +hset +hmget +hgetall +hvals +zadd +zrem \
    +zrange +xadd +xreadgroup +xack +xdel +xgroup|create +multi +exec";

/// The passwords of a team's users.
#[derive(Clone, Default)]
pub struct RolePasswords {
    /// The supervisor's.
    pub supervisor: String,
    /// The daemon's.
    pub daemon: String,
    /// Each agent's.
    pub agents: BTreeMap<Role, String>,
}

impl fmt::Debug for RolePasswords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RolePasswords(***)")
    }
}

/// The user of a role's agent.
pub fn agent_user(role: &Role) -> String {
    format!("agent-{role}")
}

/// The lines that make the users, for `redis.conf`, an ACL file or (without the first word)
/// `ACL SETUSER`. The default user is off, so nobody can be it, and yet may do everything: Redis
/// loads its append-only file as that user, and a user without rights makes it drop every
/// transaction in the file with no more than a line in its log (seen with Redis 7.0.15). A role
/// without a password gets no user.
pub fn users(team: &TeamName, passwords: &RolePasswords, roles: &[Role]) -> Vec<String> {
    let keys = Keys::new(team);
    let channel = channel(&keys);
    let all = format!("~{}", keys.all());
    let mut lines = vec![
        "user default off resetpass ~* &* +@all".to_owned(),
        user(
            SUPERVISOR,
            &digest(&passwords.supervisor),
            &[&all, &channel, "-@all", CONNECT, WORK, LEAD],
        ),
        user(
            DAEMON,
            &digest(&passwords.daemon),
            &[&patterns("~", &keys.of_daemon()), "-@all", CONNECT, WATCH],
        ),
    ];
    for role in roles {
        if let Some(password) = passwords.agents.get(role) {
            let name = agent_user(role);
            lines.push(agent(&keys, &name, role, None, &digest(password)));
        }
    }
    lines
}

/// The users of another host by what they are for, `daemon` and `agent-<role>`, and their names.
pub fn host_users(host: &str, roles: &[Role]) -> Vec<(String, String)> {
    let agents = roles.iter().map(agent_user);
    std::iter::once(DAEMON.to_owned())
        .chain(agents)
        .map(|purpose| (purpose.clone(), format!("{purpose}@{host}")))
        .collect()
}

/// The lines that make the users of another host, from the digests of their passwords by purpose.
/// Its agents touch the lane of their host and no other one of the role.
pub fn host_lines(
    team: &TeamName,
    host: &str,
    roles: &[Role],
    digests: &BTreeMap<String, String>,
) -> Vec<String> {
    let keys = Keys::new(team);
    let mut lines = Vec::new();
    if let Some(digest) = digests.get(DAEMON) {
        let own = patterns("~", &keys.of_host_daemon(roles, host));
        let read = patterns("%R~", &keys.read_by_host_daemon(host));
        let name = format!("{DAEMON}@{host}");
        // A script that names a key as its own must be let write it; its commands only read.
        let lanes = format!("(+evalsha ~{})", keys.lanes());
        // What it was ordered to do is answered where the order says.
        let answers = format!("(+evalsha +rpush +pexpire ~{})", keys.any_reply());
        lines.push(user(
            &name,
            digest,
            &[&own, &read, "-@all", CONNECT, WATCH_THERE, &lanes, &answers],
        ));
    }
    for role in roles {
        let purpose = agent_user(role);
        if let Some(digest) = digests.get(&purpose) {
            let name = format!("{purpose}@{host}");
            lines.push(agent(&keys, &name, role, Some(host), digest));
        }
    }
    lines
}

fn channel(keys: &Keys) -> String {
    format!("&{}", keys.broadcast())
}

fn agent(keys: &Keys, name: &str, role: &Role, host: Option<&str>, digest: &str) -> String {
    let channel = channel(keys);
    let own = patterns("~", &keys.of_agent(role, host));
    let read = patterns("%R~", &keys.read_by_agents());
    let ask = format!("(+xadd ~{})", keys.asked_by(role));
    // Who there is tells whose questions are to be read.
    let lanes = format!("(+sadd ~{0}) (+smembers %R~{0})", keys.lanes());
    // SET and PEXPIRE could turn a stream into something else, so they reach plain values only.
    let values = format!(
        "(+set {})",
        patterns("~", &keys.values_of_agent(role, host))
    );
    let money = format!("(+pexpire ~{})", keys.any_spend());
    // What another agent asked is answered where it waits.
    let answers = format!("(+evalsha +rpush +pexpire ~{})", keys.any_reply());
    user(
        name,
        digest,
        &[
            &own, &read, &channel, "-@all", CONNECT, WORK, &ask, &lanes, &values, &money, &answers,
        ],
    )
}

/// The digest under which Redis keeps a password.
pub fn digest(password: &str) -> String {
    Sha256::digest(password.as_bytes())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn user(name: &str, digest: &str, rules: &[&str]) -> String {
    let head = format!("user {name} on #{digest} resetkeys resetchannels");
    let words = rules.iter().flat_map(|rule| rule.split_whitespace());
    words.fold(head, |line, word| line + " " + word)
}

impl Bus {
    /// Makes or changes users of the running Redis, from lines as [`host_lines`] gives them. Only
    /// for the daemon's user.
    pub async fn set_users(&self, lines: &[String]) -> Result<(), BusError> {
        for line in lines {
            let mut words = line.split_whitespace().skip(1);
            let mut command = redis::cmd("ACL");
            command.arg("SETUSER").arg(words.next().unwrap_or_default());
            command.arg("reset");
            words.for_each(|word| {
                command.arg(word);
            });
            self.query::<()>(&command, Again::Yes).await?;
        }
        Ok(())
    }

    /// Removes users from the running Redis; their connections end. Only for the daemon's user.
    pub async fn remove_users(&self, names: &[String]) -> Result<(), BusError> {
        if names.is_empty() {
            return Ok(());
        }
        let mut command = redis::cmd("ACL");
        command.arg("DELUSER").arg(names);
        self.query::<i64>(&command, Again::Yes).await.map(drop)
    }
}

fn patterns(mark: &str, keys: &[String]) -> String {
    let marked: Vec<String> = keys.iter().map(|key| format!("{mark}{key}")).collect();
    marked.join(" ")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn no_line_shows_a_password() {
        let code: Role = "code".parse().unwrap();
        let passwords = RolePasswords {
            supervisor: "s-secret".to_owned(),
            daemon: "d-secret".to_owned(),
            agents: [(code.clone(), "c-secret".to_owned())].into(),
        };
        let qa: Role = "qa".parse().unwrap();
        let lines = users(&"main".parse().unwrap(), &passwords, &[code, qa]);
        assert_eq!(lines.len(), 4, "a role without a password has no user");
        assert!(
            lines
                .iter()
                .all(|line| !line.contains("secret") && !line.contains('\n'))
        );
        assert!(lines[0].starts_with("user default off"));
        assert!(!format!("{passwords:?}").contains("secret"));
    }
}
