//! The names of every Redis key, and nowhere else. All keys of a team share one hash tag, so that
//! every script is atomic in a cluster too; what one role may write carries the role in its name.

use protocol::ids::{Role, TaskId, TeamName};
use protocol::task::Class;
use uuid::Uuid;

/// The consumer group (and its one consumer) of work streams; who holds what is in the leases.
pub const WORK_GROUP: &str = "holders";
/// The consumer group of out streams.
pub const OUT_GROUP: &str = "supervisor";
/// The lane of work that any host may do.
pub const ANY_HOST: &str = "any";

/// Names the keys of one team.
#[derive(Debug, Clone)]
pub struct Keys {
    prefix: String,
}

impl Keys {
    /// The keys of `team`.
    pub fn new(team: &TeamName) -> Self {
        Self {
            prefix: format!("{{{team}}}:"),
        }
    }

    fn key(&self, rest: &str) -> String {
        format!("{}{rest}", self.prefix)
    }

    /// Prefix of work streams; `<lane member>:<class>` follows.
    pub fn work_prefix(&self) -> String {
        self.key("q:")
    }
    /// A work stream.
    pub fn work(&self, lane: &str, class: Class) -> String {
        format!("{}{lane}:{}", self.work_prefix(), class.as_str())
    }
    /// Set of every lane member (`<role>:<host|any>`) that was ever used.
    pub fn lanes(&self) -> String {
        self.key("lanes")
    }
    /// Prefix of lease sets; a lane member follows.
    pub fn lease_prefix(&self) -> String {
        self.key("lease:")
    }
    /// Sorted set of leases of a lane, by the millisecond they expire.
    pub fn lease(&self, lane: &str) -> String {
        self.lease_prefix() + lane
    }
    /// Prefix of the sets of tasks given back; a lane member follows.
    pub fn back_prefix(&self) -> String {
        self.key("back:")
    }
    /// Sorted set of tasks that were begun and that nobody holds.
    pub fn back(&self, lane: &str) -> String {
        self.back_prefix() + lane
    }
    /// Tasks of a lane that wait for their due time, by its millisecond.
    pub fn delay(&self, lane: &str) -> String {
        self.key(&format!("delay:{lane}"))
    }
    /// There while the team is frozen.
    pub fn frozen(&self) -> String {
        self.key("frozen")
    }
    /// There while a role begins nothing.
    pub fn paused(&self, role: &Role) -> String {
        self.key(&format!("paused:{role}"))
    }
    /// Counter that weighs the classes of a role.
    pub fn turn(&self, role: &Role) -> String {
        self.key(&format!("turn:{role}"))
    }
    /// Whether an agent of a role waits for work: `1` or `0`.
    pub fn idle(&self, role: &Role) -> String {
        self.key(&format!("idle:{role}"))
    }
    /// Prefix of wake streams; a role follows.
    pub fn wake_prefix(&self) -> String {
        self.key("wake:")
    }
    /// One-entry stream that idle agents of a role block on.
    pub fn wake(&self, role: &Role) -> String {
        format!("{}{role}", self.wake_prefix())
    }
    /// Which role works on a task. Nobody but the supervisor writes there.
    pub fn role_of(&self, task: TaskId) -> String {
        self.key(&format!("role:{task}"))
    }
    /// What a task is that a role was given: see [`crate::assignment`]. Nobody but the supervisor writes there.
    pub fn given(&self, task: TaskId) -> String {
        self.key(&format!("given:{task}"))
    }
    /// Prefix of task records; `<role>:<task>` follows.
    pub fn task_prefix(&self) -> String {
        self.key("task:")
    }
    /// Prefix of the task records of one role; a task id follows.
    pub fn role_task_prefix(&self, role: &Role) -> String {
        format!("{}{role}:", self.task_prefix())
    }
    /// A task's record.
    pub fn task(&self, role: &Role, task: TaskId) -> String {
        format!("{}{task}", self.role_task_prefix(role))
    }
    /// A task's journal.
    pub fn journal(&self, role: &Role, task: TaskId) -> String {
        self.key(&format!("journal:{role}:{task}"))
    }
    /// What a role says to the supervisor.
    pub fn out(&self, role: &Role) -> String {
        self.key(&format!("out:{role}"))
    }
    /// What nobody could read or finish of a role's streams.
    pub fn dead(&self, role: &Role) -> String {
        self.key(&format!("dead:{role}"))
    }
    /// How far each host's record of acts was seen to go.
    pub fn audit(&self) -> String {
        self.key("audit")
    }
    /// Prefix of the questions to a role; the role that asks follows.
    pub fn ask_prefix(&self, target: &Role) -> String {
        self.key(&format!("ask:{target}:"))
    }
    /// Questions of one role to another. Nobody but the one writes there, so the name is the proof of who asks.
    pub fn ask(&self, target: &Role, asker: &Role) -> String {
        format!("{}{asker}", self.ask_prefix(target))
    }
    /// Where the answer to one question goes.
    pub fn reply(&self, id: Uuid) -> String {
        self.key(&format!("reply:{id}"))
    }
    /// Prefix of presence records; a role follows.
    pub fn here_prefix(&self) -> String {
        self.key("here:")
    }
    /// Signs of life of a role's processes.
    pub fn here(&self, role: &Role) -> String {
        format!("{}{role}", self.here_prefix())
    }
    /// What the daemon of another host said of itself; gone when it is silent for a while.
    pub fn host(&self, host: &str) -> String {
        self.key(&format!("host:{host}"))
    }
    /// Which tasks are over of those that another host still keeps open tickets of. Nobody but the
    /// supervisor writes there.
    pub fn over(&self, host: &str) -> String {
        self.key(&format!("over:{host}"))
    }
    /// What the supervisor wants done on another host. Nobody but it writes there.
    pub fn orders(&self, host: &str) -> String {
        self.key(&format!("orders:{host}"))
    }
    /// The broadcast channel.
    pub fn broadcast(&self) -> String {
        self.key("broadcast")
    }
    /// When anybody last spoke, in Redis milliseconds.
    pub fn pulse(&self) -> String {
        self.key("pulse")
    }
    /// Until when nothing is reclaimed, in Redis milliseconds.
    pub fn grace(&self) -> String {
        self.key("grace")
    }
    /// The run id of the Redis that was last seen.
    pub fn incarnation(&self) -> String {
        self.key("incarnation")
    }
    /// What `doctor` tries commands on.
    pub fn probe(&self, kind: &str) -> String {
        self.key(&format!("probe:{kind}"))
    }
    /// Which home these keys belong to.
    pub fn owner(&self) -> String {
        self.key("owner")
    }
    /// The run id of the Redis that the supervisor has compared with its ledger.
    pub fn settled(&self) -> String {
        self.key("settled")
    }
    /// What a task spent and reserved.
    pub fn task_spend(&self, task: TaskId) -> String {
        self.key(&format!("spend:task:{task}"))
    }
    /// What the team spent and reserved in a month.
    pub fn month_spend(&self, month: &str) -> String {
        self.key(&format!("spend:month:{month}"))
    }

    /// What is too large for a message of a role, by its SHA-256, on its way to the first host.
    pub fn blob(&self, role: &Role, digest: &str) -> String {
        self.key(&format!("blob:{role}:{digest}"))
    }

    /// What the agent of `role` may read and write, as ACL key patterns. With a host: only the
    /// lane of that host, and blobs.
    pub fn of_agent(&self, role: &Role, host: Option<&str>) -> Vec<String> {
        let own = |name: &str| self.key(&format!("{name}:{role}"));
        let mut patterns: Vec<String> = match host {
            None => ["q", "lease", "back", "delay"]
                .iter()
                .map(|name| own(name) + ":*")
                .collect(),
            Some(host) => {
                let sets = ["lease", "back", "delay"].iter();
                let mut lane: Vec<String> = sets.map(|n| own(n) + ":" + host).collect();
                lane.push(format!("{}:{host}:*", own("q")));
                lane.push(own("blob") + ":*");
                lane
            }
        };
        patterns.extend(
            ["task", "journal", "ask"]
                .iter()
                .map(|name| own(name) + ":*"),
        );
        patterns.extend(
            ["turn", "idle", "wake", "out", "dead", "here"]
                .iter()
                .map(|n| own(n)),
        );
        patterns.extend(["reply:*", "spend:*"].iter().map(|rest| self.key(rest)));
        patterns.extend([self.pulse(), self.grace(), self.incarnation()]);
        patterns
    }
    /// Those of an agent's keys that hold a plain value.
    pub fn values_of_agent(&self, role: &Role, host: Option<&str>) -> Vec<String> {
        let mut values = vec![
            self.pulse(),
            self.grace(),
            self.incarnation(),
            self.turn(role),
            self.idle(role),
        ];
        values.extend(host.map(|_| self.key(&format!("blob:{role}:*"))));
        values
    }
    /// Pattern of every budget.
    pub fn any_spend(&self) -> String {
        self.key("spend:*")
    }
    /// What every agent may read.
    pub fn read_by_agents(&self) -> Vec<String> {
        vec![
            self.key("role:*"),
            self.key("given:*"),
            self.frozen(),
            self.key("paused:*"),
            self.owner(),
            self.settled(),
        ]
    }
    /// What the daemon may read and write, to free what a dead process held.
    pub fn of_daemon(&self) -> Vec<String> {
        let mut patterns: Vec<String> = ["lease:*", "back:*", "task:*", "wake:*", "here:*"]
            .iter()
            .map(|rest| self.key(rest))
            .collect();
        patterns.extend([self.lanes(), self.pulse(), self.grace(), self.incarnation()]);
        patterns
    }
    /// What the daemon of another host may read and write, to free what a dead process of its
    /// roles held there.
    pub fn of_host_daemon(&self, roles: &[Role], host: &str) -> Vec<String> {
        let mut patterns = vec![self.pulse(), self.grace(), self.incarnation()];
        patterns.extend([self.host(host), self.orders(host)]);
        for role in roles {
            patterns.push(self.lease(&lane(role, Some(host))));
            patterns.push(self.back(&lane(role, Some(host))));
            patterns.push(self.role_task_prefix(role) + "*");
            patterns.push(self.wake(role));
        }
        patterns
    }
    /// What it may only read: who is alive, and what is over there.
    pub fn read_by_host_daemon(&self, host: &str) -> Vec<String> {
        vec![self.lanes(), self.here_prefix() + "*", self.over(host)]
    }
    /// Pattern of every place where an answer is waited for.
    pub fn any_reply(&self) -> String {
        self.key("reply:*")
    }
    /// Pattern of a role's questions to others.
    pub fn asked_by(&self, asker: &Role) -> String {
        self.key(&format!("ask:*:{asker}"))
    }
    /// Pattern of every key of the team.
    pub fn all(&self) -> String {
        self.key("*")
    }
}

/// The lane of a role's work: one host's, or any host's.
pub fn lane(role: &Role, host: Option<&str>) -> String {
    format!("{role}:{}", host.unwrap_or(ANY_HOST))
}

/// Whether a host name can be part of a key.
pub fn is_host(host: &str) -> bool {
    (1..=253).contains(&host.len())
        && host != ANY_HOST
        && host
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_key_carries_the_hash_tag() {
        let keys = Keys::new(&"main".parse().unwrap());
        let code: Role = "code".parse().unwrap();
        assert_eq!(
            keys.work(&lane(&code, None), Class::Urgent),
            "{main}:q:code:any:urgent"
        );
        assert_eq!(keys.out(&code), "{main}:out:code");
        for pattern in keys.of_agent(&code, None).iter().chain(&keys.of_daemon()) {
            assert!(pattern.starts_with("{main}:"), "{pattern}");
        }
    }

    #[test]
    fn hosts_cannot_escape_their_key() {
        for (host, good) in [
            ("web-1.example", true),
            ("any", false),
            ("a:b", false),
            ("", false),
            ("a*", false),
        ] {
            assert_eq!(is_host(host), good, "{host}");
        }
    }
}
