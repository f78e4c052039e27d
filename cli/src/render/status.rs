//! How the team is, for `status` and `up`.

use super::list::ago;
use super::question;
use super::text::{clock, columns, count, safe};
use protocol::document::{BrakeLine, HostLine, ProcessLine, TeamStatus};
use protocol::ids::Role;

/// Questions shown whole.
const QUESTIONS: usize = 2;

/// Puts the daemon's view (processes) and the supervisor's (tasks) together; either may be missing.
/// `living` are the processes that are noted and run, for when the daemon does not say.
pub fn merge(
    daemon: Option<TeamStatus>,
    supervisor: Option<TeamStatus>,
    living: Vec<ProcessLine>,
    home: &str,
) -> TeamStatus {
    let Some(mut status) = daemon else {
        return without_daemon(supervisor, living, home);
    };
    match supervisor {
        Some(tasks) => {
            status.hosts = tasks.hosts;
            status.ledger = tasks.ledger;
            status.queued = tasks.queued;
            status.running = tasks.running;
            status.waiting = tasks.waiting;
            status.questions = tasks.questions;
            status.delayed = tasks.delayed;
            status.for_hosts = tasks.for_hosts;
            status.frozen = tasks.frozen;
            status.paused = tasks.paused;
            status.held_back = tasks.held_back;
            status.dead_letters = tasks.dead_letters;
            status.backups = tasks.backups;
            status.problems.extend(tasks.problems);
            if status.state == "up" && tasks.state == "degraded" {
                // Such as a Redis that runs and does not answer.
                status.state = tasks.state;
            }
            for line in &mut status.processes {
                let held = tasks.processes.iter().find(|held| held.name == line.name);
                line.task = line.task.or(held.and_then(|held| held.task));
            }
        }
        None if status.state == "up" => {
            status.state = "degraded".to_owned();
            let problem = "the supervisor does not answer; it should be back in a moment, else: ai-infra restart";
            status.problems.push(problem.to_owned());
        }
        None => {}
    }
    status
}

fn without_daemon(
    supervisor: Option<TeamStatus>,
    living: Vec<ProcessLine>,
    home: &str,
) -> TeamStatus {
    let problem = match (&supervisor, living.is_empty()) {
        (None, true) => None,
        (None, false) => Some(
            "neither the daemon nor the supervisor answers, but parts of the team run: ai-infra up takes them over, ai-infra down ends them",
        ),
        (Some(_), _) => {
            Some("the daemon does not answer; it should be back in a moment, else: ai-infra up")
        }
    };
    let mut status = supervisor.unwrap_or_default();
    status.version = protocol::document::DOCUMENT_VERSION;
    status.home = home.to_owned();
    status.state = if problem.is_some() {
        "degraded"
    } else {
        "down"
    }
    .to_owned();
    status.problems.extend(problem.map(str::to_owned));
    status.processes = living;
    status
}

/// `status`.
pub fn text(status: &TeamStatus) -> String {
    let home = safe(&status.home);
    if status.state == "down" {
        let problems = status.problems.iter().map(|p| format!("! {}\n", safe(p)));
        let next = match status.problems.is_empty() {
            true => "start it: ai-infra up\n".to_owned(),
            false => problems.collect(),
        };
        return format!("the team is down   (home: {home})\n{next}");
    }
    let mut text = match &status.joined {
        Some(joined) => format!(
            "the agents here are {}   (home: {home})\n{}\n",
            safe(&status.state),
            safe(joined)
        ),
        None => format!("the team is {}   (home: {home})\n", safe(&status.state)),
    };
    text.push_str(&for_a_person(status));
    if let Some(ledger) = &status.ledger {
        text.push_str(&format!("ledger: {}\n", safe(ledger)));
    }
    let rows: Vec<Vec<String>> = status
        .processes
        .iter()
        .map(|process| {
            let pid = process.pid.map_or("-".to_owned(), |pid| pid.to_string());
            let restarts = match process.restarts {
                0 => String::new(),
                many => count(many, "restart", "restarts"),
            };
            let task = process.task.map_or(String::new(), |task| task.to_string());
            vec![
                format!("  {}", safe(&process.name)),
                safe(&process.state),
                pid,
                task,
                restarts,
            ]
        })
        .collect();
    text.push_str(&columns(&rows));
    text.push_str(&backups(status));
    let mut tasks = format!(
        "tasks: {} queued, {} running, {} waiting for a person",
        status.queued, status.running, status.waiting
    );
    if status.delayed > 0 {
        tasks.push_str(&format!(", {} for later", status.delayed));
    }
    if status.for_hosts > 0 {
        tasks.push_str(&format!(", {} waiting for a host", status.for_hosts));
    }
    if status.dead_letters > 0 {
        let letters = count(status.dead_letters, "dead letter", "dead letters");
        tasks.push_str(&format!(", {letters}"));
    }
    text.push_str(&columns(&hosts(&status.hosts)));
    if status.joined.is_none() {
        text.push_str(&format!("{tasks}\n"));
    }
    if let Some(attach) = &status.attach {
        text.push_str(&format!("attach: {}\n", safe(attach)));
    }
    text
}

/// Of what there are backups, or that there are none.
fn backups(status: &TeamStatus) -> String {
    let Some(backups) = &status.backups else {
        return String::new();
    };
    if let Some(unset) = &backups.unset {
        return format!("backups: {}\n", safe(unset));
    }
    let now = jiff::Timestamp::now();
    let jobs = backups.jobs.iter().map(|line| {
        let made = line.made.map_or("none yet".to_owned(), |at| ago(at, now));
        format!("{} {made}", safe(&line.job))
    });
    let drill = backups.drill.iter().map(|drill| {
        let how = if drill.good {
            "good"
        } else {
            "found something"
        };
        format!("drill {} {how}", ago(drill.at, now))
    });
    let all: Vec<String> = jobs.chain(drill).collect();
    match all.is_empty() {
        true => String::new(),
        false => format!("backups: {}\n", all.join(", ")),
    }
}

/// What waits for a person, before everything else: what is wrong, what is held back, what is asked.
/// Of many questions the oldest are shown whole and the rest counted, so that the page stays one.
fn for_a_person(status: &TeamStatus) -> String {
    let backups = status.backups.iter();
    let backups = backups.flat_map(|backups| backups.alarms.iter().chain(&backups.notes));
    let mut text: String = (status.problems.iter().chain(backups))
        .map(|problem| format!("! {}\n", safe(problem)))
        .collect();
    text.push_str(&brakes(status));
    for asked in status.questions.iter().take(QUESTIONS) {
        text.push_str(&format!("{} asks:\n{}", asked.task, question::text(asked)));
    }
    let more = status.questions.len().saturating_sub(QUESTIONS) as u64;
    if more > 0 {
        let many = count(more, "more question waits", "more questions wait");
        text.push_str(&format!("{many}: ai-infra task list\n"));
    }
    text
}

/// What a person or the host holds back, and how it goes on.
pub fn brakes(status: &TeamStatus) -> String {
    let since = |line: &BrakeLine| format!("since {} by {}", clock(line.since), safe(&line.by));
    let mut text = String::new();
    if let Some(line) = &status.frozen {
        let since = since(line);
        text.push_str(&format!(
            "FROZEN {since}: nothing is begun, what ran is stopped in place; go on: ai-infra thaw\n"
        ));
    }
    for line in &status.paused {
        let Some(role) = &line.role else { continue };
        text.push_str(&format!(
            "{role} is paused {}; go on: ai-infra agents resume {role}\n",
            since(line)
        ));
    }
    text.push_str(&held_back(status));
    text
}

/// Who begins only urgent tasks, and why: once a host.
fn held_back(status: &TeamStatus) -> String {
    let mut groups: Vec<(Option<&str>, &str, Vec<&str>)> = Vec::new();
    for line in &status.held_back {
        let (host, why) = (line.host.as_deref(), line.why.as_str());
        // Each agent looked at its own moment; one reading of a host is enough.
        match groups.iter_mut().find(|(h, _, _)| *h == host) {
            Some((_, _, roles)) => roles.push(line.role.as_str()),
            None => groups.push((host, why, vec![line.role.as_str()])),
        }
    }
    let text = groups.iter().map(|(host, why, roles)| {
        let place = host.map_or(String::new(), |host| format!(" on {}", safe(host)));
        let (roles, why) = (roles.join(", "), safe(why));
        format!("held back{place}: {why}; {roles}: only urgent tasks are begun\n")
    });
    text.collect()
}

/// The other hosts, as rows.
pub fn hosts(hosts: &[HostLine]) -> Vec<Vec<String>> {
    let row = |host: &HostLine| {
        let names = |roles: &[Role]| {
            let names: Vec<&str> = roles.iter().map(Role::as_str).collect();
            names.join(", ")
        };
        let roles = match host.seen.as_slice() {
            [] => names(&host.roles),
            seen => names(seen),
        };
        vec![
            format!("  host {}", safe(&host.name)),
            safe(&host.state),
            roles,
            away(host),
        ]
    };
    hosts.iter().map(row).collect()
}

/// Since when a host is away, and what that holds up.
fn away(host: &HostLine) -> String {
    let seen = host.since.map(|at| format!("last seen {}", clock(at)));
    let tasks = match host.waiting {
        0 => None,
        1 => Some("1 task waits for it, nothing is moved".to_owned()),
        many => Some(format!("{many} tasks wait for it, nothing is moved")),
    };
    let parts: Vec<String> = seen.into_iter().chain(tasks).collect();
    parts.join("; ")
}

/// `supervisor, code, …`: who works.
pub fn workers(status: &TeamStatus) -> String {
    let names: Vec<String> = status
        .processes
        .iter()
        .map(|process| process.name.as_str())
        .filter(|name| !["daemon", "redis", "chat", "monitor", "logs"].contains(name))
        .map(safe)
        .collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use protocol::document::HeldBackLine;

    fn line(name: &str, state: &str, restarts: u64) -> ProcessLine {
        ProcessLine {
            name: name.to_owned(),
            pid: Some(7),
            state: state.to_owned(),
            restarts,
            task: None,
        }
    }

    fn daemon() -> TeamStatus {
        TeamStatus {
            version: 1,
            state: "up".to_owned(),
            home: "/h".to_owned(),
            team_version: Some("0.1.0".to_owned()),
            attach: Some("tmux attach -t ai".to_owned()),
            processes: vec![
                line("daemon", "up", 0),
                line("redis", "up", 0),
                line("supervisor", "up", 0),
                line("code", "up", 2),
            ],
            ..TeamStatus::default()
        }
    }

    #[test]
    fn an_up_team() {
        let supervisor = TeamStatus {
            queued: 3,
            dead_letters: 1,
            ..TeamStatus::default()
        };
        let expected = "\
the team is up   (home: /h)
  daemon      up  7
  redis       up  7
  supervisor  up  7
  code        up  7    2 restarts
tasks: 3 queued, 0 running, 0 waiting for a person, 1 dead letter
attach: tmux attach -t ai
";
        let merged = merge(Some(daemon()), Some(supervisor), Vec::new(), "/h");
        assert_eq!(text(&merged), expected);
        assert_eq!(workers(&merged), "supervisor, code");
    }

    #[test]
    fn who_is_held_back_is_said_once_a_host() {
        let held = |role: &str, host: Option<&str>, why: &str| HeldBackLine {
            role: role.parse().unwrap(),
            host: host.map(str::to_owned),
            why: why.to_owned(),
        };
        let status = TeamStatus {
            held_back: vec![
                held("code", None, "memory 94 % in use (over 90 %)"),
                held("qa", None, "memory 95 % in use (over 90 %)"),
                held("qa", Some("big"), "load 9.0 a core (over 4)\u{1b}[2J"),
            ],
            ..TeamStatus::default()
        };
        let said = brakes(&status);
        let expected = "held back: memory 94 % in use (over 90 %); code, qa: only urgent tasks are begun\n\
            held back on big: load 9.0 a core (over 4)";
        assert!(said.starts_with(expected), "{said}");
        assert!(!said.contains('\u{1b}'), "{said:?}");
    }

    #[test]
    fn a_lost_host_is_shown_with_what_waits_for_it() {
        let host = |name: &str, state: &str, waiting| HostLine {
            name: name.to_owned(),
            state: state.to_owned(),
            roles: vec!["code".parse().unwrap_or_else(|_| Role::supervisor())],
            since: (state == "lost").then_some(jiff::Timestamp::UNIX_EPOCH),
            waiting,
            ..HostLine::default()
        };
        let all = [
            host("a", "up", 0),
            host("b", "lost", 2),
            host("c", "not seen", 1),
        ];
        let shown = columns(&hosts(&all));
        let seen = clock(jiff::Timestamp::UNIX_EPOCH);
        let expected = format!(
            "  host a  up        code\n  host b  lost      code  last seen {seen}; 2 tasks wait for it, nothing is moved\n  host c  not seen  code  1 task waits for it, nothing is moved\n"
        );
        assert_eq!(shown, expected);
    }

    #[test]
    fn missing_halves_are_honest() {
        let down = merge(None, None, Vec::new(), "/h");
        assert_eq!((down.state.as_str(), down.version), ("down", 1));
        assert!(text(&down).contains("start it: ai-infra up"));
        let unusable = TeamStatus {
            problems: vec!["the home /h is not a folder".to_owned()],
            ..down
        };
        assert_eq!(
            text(&unusable),
            "the team is down   (home: /h)\n! the home /h is not a folder\n"
        );
        let silent = TeamStatus {
            state: "degraded".to_owned(),
            ..TeamStatus::default()
        };
        let mute = merge(Some(daemon()), Some(silent), Vec::new(), "/h");
        assert_eq!(mute.state, "degraded");
        let deaf = merge(Some(daemon()), None, Vec::new(), "/h");
        assert_eq!(deaf.state, "degraded");
        assert!(text(&deaf).contains("! the supervisor does not answer"));
        let watched = merge(None, Some(daemon()), Vec::new(), "/h");
        assert_eq!(watched.state, "degraded");
        let orphaned = merge(None, None, vec![line("code", "up", 0)], "/h");
        assert_eq!(orphaned.state, "degraded");
        assert!(text(&orphaned).contains("ai-infra up takes them over"));
    }
}
