//! How the team is, for `status` and `up`.

use super::text::{columns, count, safe};
use protocol::document::TeamStatus;

/// Puts the daemon's view (processes) and the supervisor's (tasks) together; either may be missing.
pub fn merge(daemon: Option<TeamStatus>, supervisor: Option<TeamStatus>, home: &str) -> TeamStatus {
    let Some(mut status) = daemon else {
        let mut status = supervisor.unwrap_or_default();
        status.version = protocol::document::DOCUMENT_VERSION;
        status.home = home.to_owned();
        status.state = match status.processes.is_empty() && status.team_version.is_none() {
            true => "down".to_owned(),
            false => {
                let problem = "the daemon does not answer; it should be back in a moment, else: ai-infra up";
                status.problems.push(problem.to_owned());
                "degraded".to_owned()
            }
        };
        return status;
    };
    match supervisor {
        Some(tasks) => {
            status.queued = tasks.queued;
            status.running = tasks.running;
            status.waiting = tasks.waiting;
            status.dead_letters = tasks.dead_letters;
            status.problems.extend(tasks.problems);
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

/// `status`.
pub fn text(status: &TeamStatus) -> String {
    let home = safe(&status.home);
    if status.state == "down" {
        return format!("the team is down   (home: {home})\nstart it: ai-infra up\n");
    }
    let mut text = format!("the team is {}   (home: {home})\n", safe(&status.state));
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
    let mut tasks = format!(
        "tasks: {} queued, {} running, {} waiting for a person",
        status.queued, status.running, status.waiting
    );
    if status.dead_letters > 0 {
        let letters = count(status.dead_letters, "dead letter", "dead letters");
        tasks.push_str(&format!(", {letters}"));
    }
    text.push_str(&format!("{tasks}\n"));
    for problem in &status.problems {
        text.push_str(&format!("! {}\n", safe(problem)));
    }
    if let Some(attach) = &status.attach {
        text.push_str(&format!("attach: {}\n", safe(attach)));
    }
    text
}

/// `supervisor, code, …`: who works.
pub fn workers(status: &TeamStatus) -> String {
    let names: Vec<String> = status
        .processes
        .iter()
        .map(|process| process.name.as_str())
        .filter(|name| !["redis", "monitor", "logs"].contains(name))
        .map(safe)
        .collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::document::ProcessLine;

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
  redis       up  7
  supervisor  up  7
  code        up  7    2 restarts
tasks: 3 queued, 0 running, 0 waiting for a person, 1 dead letter
attach: tmux attach -t ai
";
        let merged = merge(Some(daemon()), Some(supervisor), "/h");
        assert_eq!(text(&merged), expected);
        assert_eq!(workers(&merged), "supervisor, code");
    }

    #[test]
    fn missing_halves_are_honest() {
        let down = merge(None, None, "/h");
        assert_eq!((down.state.as_str(), down.version), ("down", 1));
        assert!(text(&down).contains("start it: ai-infra up"));
        let deaf = merge(Some(daemon()), None, "/h");
        assert_eq!(deaf.state, "degraded");
        assert!(text(&deaf).contains("! the supervisor does not answer"));
        let orphaned = merge(None, Some(daemon()), "/h");
        assert_eq!(orphaned.state, "degraded");
    }
}
