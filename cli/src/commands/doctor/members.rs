//! The team itself: whether it is up, of this program's version, and what in it does not work.

use super::{Finding, How, finding};
use crate::commands::team;
use crate::context::Context;
use crate::render::text::count;
use protocol::backup::BackupStatus;
use protocol::document::{ProcessLine, TeamStatus};

/// What was seen of the team.
pub struct Members {
    /// Whether its Redis runs, which then has its port.
    pub redis: bool,
    /// The process that starts the others, where the team is up.
    pub daemon: Option<u32>,
    /// How its backups stand, where its supervisor says.
    pub backups: Option<BackupStatus>,
    /// About the team.
    pub findings: Vec<Finding>,
}

/// Asks the team, where it is up.
pub async fn look(context: &Context) -> Members {
    let status = team::status(context).await;
    Members {
        redis: status
            .processes
            .iter()
            .any(|p| p.name == "redis" && p.state == "up"),
        daemon: status
            .processes
            .iter()
            .find(|p| p.name == "daemon")
            .and_then(|p| p.pid),
        findings: judged(&status, team::outdated(context, &status)),
        backups: status.backups,
    }
}

fn judged(status: &TeamStatus, outdated: Option<String>) -> Vec<Finding> {
    let mut findings = vec![match status.state.as_str() {
        "up" => finding("team", How::Good, "up", ""),
        "down" => finding("team", How::Good, "down", "ai-infra up"),
        state => finding("team", How::Bad, state, "ai-infra status"),
    }];
    if status.state == "down" {
        return findings;
    }
    for line in status.processes.iter().filter(|line| line.state != "up") {
        findings.push(process(line));
    }
    for problem in &status.problems {
        findings.push(finding("team", How::Bad, problem, ""));
    }
    if let Some(seen) = outdated {
        findings.push(finding("version", How::Odd, seen, "ai-infra restart"));
    }
    if status.frozen.is_some() {
        findings.push(finding(
            "team",
            How::Odd,
            "it is frozen: nothing is begun",
            "ai-infra thaw",
        ));
    }
    if status.dead_letters > 0 {
        let many = count(status.dead_letters, "message", "messages");
        let seen = format!("{many} that nobody could finish");
        findings.push(finding(
            "dead letters",
            How::Odd,
            seen,
            "ai-infra dead list",
        ));
    }
    findings
}

fn process(line: &ProcessLine) -> Finding {
    match line.state.as_str() {
        "crash loop" => finding(
            "team",
            How::Bad,
            format!(
                "{} died too often and was given up; its log says why",
                line.name
            ),
            &format!(
                "tail -n 20 HOME/logs/*{}.log, then: ai-infra restart",
                line.name
            ),
        ),
        state => finding(
            "team",
            How::Bad,
            format!("{} is {state}", line.name),
            "ai-infra status",
        ),
    }
}
