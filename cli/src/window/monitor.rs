//! Window 6: the team at a glance, drawn again each second. Whoever is away is asked again; the
//! window itself never gives up.

use crate::terminal;
use crate::tui::told_to_stop;
use crate::window::frame::{Seen, frame, painted, plain};
use config::home::Home;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use protocol::control::{Answer, Verb};
use protocol::document::{TaskLine, TeamStatus};
use std::time::Duration;
use supervisor::client;
use tokio::time::{MissedTickBehavior, interval, timeout};

/// Between two pictures.
const EVERY: Duration = Duration::from_secs(1);
/// Longest wait for one answer.
const PATIENCE: Duration = Duration::from_millis(800);
/// Tasks asked for; no more fit the screen.
const TASKS: usize = 20;
/// Wraps lines again, shows the cursor, leaves the picture.
const RESTORE: &str = "\x1b[?7h\x1b[?25h\x1b[24;1H\n";

/// Draws until it is told to stop; on a pipe it prints one picture. Gives the exit code.
pub async fn run(home: &Home) -> u8 {
    let zone = TimeZone::system();
    let mut seen = Seen::default();
    if !terminal::is_terminal() {
        look(home, &mut seen).await;
        terminal::print(&plain(&frame(&seen, Timestamp::now(), &zone)));
        return protocol::exit::DONE;
    }
    let mut tick = interval(EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let told = told_to_stop();
    tokio::pin!(told);
    let mut shown = String::new();
    terminal::print("\x1b[2J");
    loop {
        tokio::select! {
            () = &mut told => break,
            _ = tick.tick() => {}
        }
        tokio::select! {
            () = &mut told => break,
            () = look(home, &mut seen) => {}
        }
        let picture = painted(&frame(&seen, Timestamp::now(), &zone));
        if picture != shown {
            terminal::print(&picture);
            shown = picture;
        }
    }
    terminal::print(RESTORE);
    protocol::exit::DONE
}

/// Asks everybody at once; what does not answer keeps its last answer.
async fn look(home: &Home, seen: &mut Seen) {
    let (daemon, supervisor, tasks) =
        tokio::join!(daemon_status(home), supervisor_status(home), newest(home));
    seen.daemon_away = daemon.is_none();
    seen.supervisor_away = supervisor.is_none();
    seen.daemon = daemon.or(seen.daemon.take());
    seen.supervisor = supervisor.or(seen.supervisor.take());
    if let Some(tasks) = tasks {
        seen.tasks = tasks;
    }
}

async fn daemon_status(home: &Home) -> Option<TeamStatus> {
    let asked = timeout(PATIENCE, client::ask_daemon(home, Verb::Status)).await;
    status_of(asked.ok()?.ok()?)
}

async fn supervisor_status(home: &Home) -> Option<TeamStatus> {
    let asked = timeout(PATIENCE, client::ask(home, Verb::Status)).await;
    status_of(asked.ok()?.ok()?)
}

fn status_of(answer: Answer) -> Option<TeamStatus> {
    match answer {
        Answer::Status { status } => Some(*status),
        _ => None,
    }
}

async fn newest(home: &Home) -> Option<Vec<TaskLine>> {
    let verb = Verb::TaskList { limit: TASKS };
    match timeout(PATIENCE, client::ask(home, verb))
        .await
        .ok()?
        .ok()?
    {
        Answer::Tasks { tasks } => Some(tasks),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[tokio::test]
    async fn who_is_away_keeps_the_last_answer() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path());
        let known = TeamStatus {
            queued: 3,
            ..TeamStatus::default()
        };
        let mut seen = Seen {
            supervisor: Some(known.clone()),
            ..Seen::default()
        };
        look(&home, &mut seen).await;
        assert!(seen.daemon_away && seen.supervisor_away);
        assert_eq!((seen.daemon, seen.supervisor), (None, Some(known)));
    }
}
