//! What several commands do with the team: bring it up, say that it is ready, ask how it is.

use super::doctor;
use crate::context::Context;
use crate::failure::Failure;
use crate::render::{status, text};
use crate::terminal;
use protocol::control::{Answer, Verb};
use protocol::document::{ProcessLine, TeamStatus};
use std::time::Duration;
use supervisor::client;
use supervisor::daemon::start::{self, Started};
use supervisor::daemon::{identity, process, unit};
use tokio::time::timeout;

/// How long a team may take to be ready; a large append-only file takes its time to load.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// Longest wait for a process that is asked how it is.
const LOOK: Duration = Duration::from_secs(2);

/// Starts the team unless it is up, and says so on standard error.
pub async fn ensure(context: &Context) -> Result<(), Failure> {
    // A team with a part missing is worked with: the daemon brings the part back.
    if let Ok(status) = start::status(&context.home).await
        && matches!(status.state.as_str(), "up" | "degraded")
    {
        return Ok(());
    }
    context.settings()?;
    terminal::complain("the team is not up; starting it …\n");
    let started = client::ensure_up(&context.home, &context.env, PATIENCE).await?;
    terminal::complain(&format!("{}\n", ready_line(&started)));
    warn_of_the_machine(&started).await;
    Ok(())
}

/// Says on standard error what keeps every task of a team that was just started from working.
pub async fn warn_of_the_machine(started: &Started) {
    if started.already {
        return;
    }
    if let Some(problem) = doctor::no_sandbox().await {
        terminal::complain(&format!("warning: no task can work here: {problem}\n"));
    }
}

/// `✓ team ready in 0.6 s: supervisor, code, …   (home: …)`.
pub fn ready_line(started: &Started) -> String {
    format!(
        "✓ team ready in {}: {}   (home: {})",
        text::time(started.took),
        status::workers(&started.status),
        text::safe(&started.status.home)
    )
}

/// How the team is, from the daemon and the supervisor.
pub async fn status(context: &Context) -> TeamStatus {
    let home = &context.home;
    let (daemon, supervisor) = tokio::join!(
        timeout(LOOK, client::ask_daemon(home, Verb::Status)),
        timeout(LOOK, client::ask(home, Verb::Status)),
    );
    let read = |answer| match answer {
        Ok(Ok(Answer::Status { status })) => Some(*status),
        _ => None,
    };
    if let Ok(Ok(Answer::Status { status })) = &daemon
        && status.joined.is_some()
    {
        return TeamStatus::clone(status);
    }
    let place = home.root.to_string_lossy();
    let mut status = status::merge(read(daemon), read(supervisor), living(context), &place);
    if status.state == "down"
        && let Err(error) = home.inspect()
    {
        status.problems.push(error.to_string());
    }
    let kept = backup::sync::Report::last(home);
    status
        .problems
        .extend(kept.and_then(|report| report.problem()));
    status
}

/// Processes that are noted and run, in the order of the daemon's own list.
fn living(context: &Context) -> Vec<ProcessLine> {
    let mut noted = identity::all(&context.home);
    noted.sort_by_key(|(key, _)| match key.as_str() {
        "daemon" => 0,
        "redis" => 1,
        "supervisor" => 2,
        key if key.starts_with("agent-") => 3,
        _ => 4,
    });
    noted
        .into_iter()
        .filter(|(_, who)| who.alive())
        .map(|(key, who)| ProcessLine {
            name: process::name_of_key(&key).to_owned(),
            pid: Some(who.pid),
            state: "up".to_owned(),
            restarts: 0,
            task: None,
        })
        .collect()
}

/// How the running team's program differs from this one, where it does.
pub fn outdated(context: &Context, status: &TeamStatus) -> Option<String> {
    let mine = env!("CARGO_PKG_VERSION");
    match &status.team_version {
        Some(theirs) if theirs != mine => {
            return Some(format!("team runs {theirs}, this program is {mine}"));
        }
        None => return None,
        Some(_) => {}
    }
    // The same number, but another file lies in the place of the one that runs.
    let (_, daemon) = (identity::all(&context.home).into_iter())
        .find(|(key, who)| key == "daemon" && who.alive())?;
    let runs = std::fs::read_link(format!("/proc/{}/exe", daemon.pid)).ok()?;
    let gone = runs.to_string_lossy().ends_with(" (deleted)");
    gone.then(|| format!("the program was replaced since the team started (both say {mine})"))
}

/// Says on standard error that the running team is of another version than this program.
pub async fn warn_of_its_version(context: &Context) {
    if let Ok(status) = start::status(&context.home).await
        && let Some(seen) = outdated(context, &status)
    {
        terminal::complain(&format!(
            "warning: {}; ai-infra restart changes over\n",
            text::safe(&seen)
        ));
    }
}

/// Says on standard error which settings of this shell differ from the running team's.
pub fn warn_of_differences(context: &Context) {
    let Ok(settings) = context.settings() else {
        return;
    };
    if let Ok(Some(resolved)) = config::resolved::read(&context.home) {
        let keys = resolved.differs_from(&settings);
        if !keys.is_empty() {
            let what_helps = match unit::keeps(&context.home.root, &context.env) {
                true => {
                    "systemd started it without this shell's environment: write them to the settings file, then ai-infra restart"
                }
                false => "ai-infra restart makes these hold",
            };
            terminal::complain(&format!(
                "warning: the running team was started with other settings: {}; {what_helps}\n",
                text::one_line(&keys.join(", "), 300)
            ));
        }
    }
}
