//! The sums at the end of a torture: what became of every accepted task and of each of its effects,
//! and what was left over.

use super::effects::Effects;
use super::rig::{Handed, Rig};
use crate::processes::{self, wait_until};
use serde_json::{Value, json};
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How long streams, leases and executors may take to be empty after the last task.
const QUIET: Duration = Duration::from_secs(15);

/// What was counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Account {
    /// Tasks that were accepted.
    pub accepted: usize,
    /// Those in a final state.
    pub ended: usize,
    /// Those that ended done.
    pub done: usize,
    /// Those that were given up because too many holders died with them, which is said.
    pub given_up: usize,
    /// Those that failed in any other way, which none may.
    pub failed: usize,
    /// Those that are in no final state.
    pub lost: usize,
    /// Effects: expected of the tasks that ended done; doubled of all.
    pub effects: Effects,
    /// Sandboxes without a holder.
    pub orphans: usize,
    /// Entries of streams, leases and delays that nobody needs any more; `None` = Redis is away.
    pub pending: Option<u64>,
}

impl Account {
    /// Nothing is lost, doubled or left over.
    pub fn is_sound(&self) -> bool {
        let Effects {
            expected,
            seen,
            doubled,
        } = self.effects;
        self.accepted > 0
            && self.lost + self.failed + self.orphans + doubled == 0
            && seen == expected
            && self.pending == Some(0)
    }

    /// The sums as one JSON object.
    pub fn json(&self) -> Value {
        json!({
            "accepted": self.accepted,
            "final": self.ended,
            "done": self.done,
            "given_up": self.given_up,
            "failed": self.failed,
            "lost": self.lost,
            "effects_expected": self.effects.expected,
            "effects_seen": self.effects.seen,
            "doubled": self.effects.doubled,
            "orphans": self.orphans,
            "pending": self.pending,
        })
    }
}

/// Whether a task in this state goes on by itself no more.
pub fn is_final(state: &str) -> bool {
    ["done", "failed", "refused", "cancelled"].contains(&state)
}

/// Waits until all tasks have come to an end, or none did for `patience`; then counts.
pub fn close(rig: &Rig, tasks: &[Handed], patience: Duration) -> Account {
    let mut line = rig.line();
    let mut ends: Vec<Option<(String, String)>> = vec![None; tasks.len()];
    let mut last = Instant::now();
    loop {
        for (task, end) in tasks.iter().zip(&mut ends) {
            if end.is_none() {
                let page = line.page(&task.id).unwrap_or_default();
                rig.world.answer(&mut line, &task.id, task.number, &page);
                *end = ending(&page);
                if end.is_some() {
                    last = Instant::now();
                }
            }
        }
        if ends.iter().all(Option::is_some) || last.elapsed() > patience {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let lost = ends.iter().filter(|end| end.is_none()).count();
    let quiet = if lost == 0 { QUIET } else { Duration::ZERO };
    wait_until(quiet, || pending(rig) == Some(0) && orphans(rig).is_empty());
    rig.world.look();
    let mut account = Account {
        accepted: tasks.len(),
        ended: tasks.len() - lost,
        lost,
        orphans: orphans(rig).len(),
        pending: pending(rig),
        ..Account::default()
    };
    for (task, end) in tasks.iter().zip(&ends) {
        let (state, reason) = end.clone().unwrap_or_default();
        let mut counted = task
            .kind
            .count(&rig.work(&task.id), &rig.world, task.number);
        let is_done = state == "done";
        match (is_done, reason.contains("holders died with it")) {
            (true, _) => account.done += 1,
            (false, true) => account.given_up += 1,
            (false, false) if end.is_some() => account.failed += 1,
            (false, false) => {}
        }
        if !is_done || counted.seen < counted.expected || counted.doubled > 0 {
            eprintln!("{task:?}: {state} {reason} {counted:?}");
        }
        if !is_done {
            (counted.expected, counted.seen) = (0, 0);
        }
        account.effects = account.effects.plus(counted);
    }
    account
}

/// State and reason of a task that has ended.
fn ending(page: &Value) -> Option<(String, String)> {
    let document = &page["document"];
    let state = document["state"].as_str().filter(|state| is_final(state))?;
    let reason = document["reason"].as_str().unwrap_or_default();
    Some((state.to_owned(), reason.to_owned()))
}

/// Sandboxes of the home that still live.
pub fn orphans(rig: &Rig) -> Vec<processes::Seen> {
    let mut all = processes::of_home(&rig.team.home());
    all.retain(|seen| seen.command.starts_with("bwrap") || seen.command.contains(" executor"));
    all
}

/// What still lies in a work or out stream, waits for its time or is leased; `None` while Redis is
/// away.
pub fn pending(rig: &Rig) -> Option<u64> {
    let mut asked = String::new();
    for role in super::ROLES {
        for host in ["any", &rig.host] {
            for class in ["urgent", "normal", "background"] {
                asked += &format!("XLEN {{main}}:q:{role}:{host}:{class}\n");
            }
            asked += &format!(
                "EXISTS {{main}}:lease:{role}:{host} {{main}}:back:{role}:{host} {{main}}:delay:{role}:{host}\n"
            );
        }
        asked += &format!("XLEN {{main}}:out:{role}\n");
    }
    let said = redis(rig, &asked)?;
    let numbers: Option<Vec<u64>> = said.lines().map(|line| line.trim().parse().ok()).collect();
    let numbers = numbers.filter(|numbers| numbers.len() == asked.lines().count())?;
    Some(numbers.iter().sum())
}

/// Asks the team's Redis as the supervisor; one command a line.
pub fn redis(rig: &Rig, commands: &str) -> Option<String> {
    let access = std::fs::read(rig.team.home().join("run/bus.json")).ok()?;
    let access: Value = serde_json::from_slice(&access).ok()?;
    let user = &access["users"]["supervisor"];
    let socket = access["url"].as_str()?.replace("redis+unix://", "");
    let (name, password) = (user["name"].as_str()?, user["password"].as_str()?);
    let mut client = Command::new("redis-cli")
        .args(["-s", &socket, "--user", name])
        .env("REDISCLI_AUTH", password)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("redis-cli runs");
    let mut stdin = client.stdin.take().expect("a pipe");
    let sent = stdin.write_all(commands.as_bytes());
    drop(stdin);
    let output = client.wait_with_output().expect("redis-cli ends");
    sent.ok()?;
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_sound_only_when_nothing_is_wrong() {
        let sound = Account {
            accepted: 2,
            ended: 2,
            done: 2,
            effects: Effects {
                expected: 12,
                seen: 12,
                doubled: 0,
            },
            pending: Some(0),
            ..Account::default()
        };
        assert!(sound.is_sound());
        let check = |spoil: fn(&mut Account)| {
            let mut account = sound.clone();
            spoil(&mut account);
            assert!(!account.is_sound(), "{account:?}");
        };
        check(|account| account.accepted = 0);
        check(|account| account.lost = 1);
        check(|account| account.failed = 1);
        check(|account| account.orphans = 1);
        check(|account| account.effects.doubled = 1);
        check(|account| account.effects.seen = 11);
        check(|account| account.pending = Some(1));
        check(|account| account.pending = None);
    }
}
