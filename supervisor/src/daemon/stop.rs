//! Ends a team: agents and windows, then the supervisor, then tmux, Redis and the warden. Works from the notes
//! in `run/pids`, so it ends a team whose daemon is gone just as well. Twice is fine.

use super::error::DaemonError;
use super::identity::{self, Identity};
use super::mode;
use super::process::clean_environment;
use crate::tmux::session::Session;
use config::env::Env;
use config::home::Home;
use nix::sys::signal::Signal;
use std::time::{Duration, Instant};
use tokio::time::sleep;

/// How long a process may take to end by itself.
const PATIENCE: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_millis(5);

/// Which processes end together: the lower number first.
fn rank(key: &str) -> u8 {
    match key {
        "daemon" => 3,
        "redis" | "warden" => 2,
        "supervisor" => 1,
        _ => 0,
    }
}

/// Ends everything that was noted, except the daemon (which calls this, or is dead). `tick` runs
/// between looks, so that the caller can reap its children.
pub async fn everything(
    home: &Home,
    session: Option<&Session>,
    mut tick: impl FnMut(),
) -> Result<(), DaemonError> {
    mode::set_stopping(home)?;
    for turn in 0..=2 {
        if turn == 2
            && let Some(session) = session.cloned()
        {
            let killed = tokio::task::spawn_blocking(move || session.kill()).await;
            if let Ok(Err(error)) = killed {
                tracing::warn!(%error, "the tmux session could not be ended");
            }
        }
        let group: Vec<Identity> = identity::all(home)
            .into_iter()
            .filter(|(key, _)| rank(key) == turn)
            .map(|(_, who)| who)
            .collect();
        end(&group, &mut tick).await;
    }
    clear(home);
    Ok(())
}

async fn end(group: &[Identity], tick: &mut impl FnMut()) {
    for signal in [Signal::SIGTERM, Signal::SIGKILL] {
        for who in group {
            who.signal(signal);
        }
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            tick();
            if !group.iter().any(|who| who.alive()) {
                return;
            }
            sleep(LOOK).await;
        }
    }
    for who in group.iter().filter(|who| who.alive()) {
        tracing::error!(pid = who.pid, "a process did not end");
    }
}

/// Removes what only a running team needs.
fn clear(home: &Home) {
    for path in [
        home.supervisor_sock(),
        home.warden_sock(),
        home.daemon_sock(),
        home.redis_sock(),
        home.run().join("bus.json"),
        home.run().join("settings.json"),
    ] {
        let _was_not_there = std::fs::remove_file(path);
    }
    identity::forget_all(home);
    mode::clear_stopping(home);
}

/// The session of a team as it was last started; `None` when it ran without tmux.
pub fn remembered_session(home: &Home, env: &Env) -> Option<Session> {
    mode::read(home)
        .filter(|mode| !mode.no_tmux)
        .map(|mode| Session::new(home, &mode.session, clean_environment(env, home)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn agents_go_before_what_they_need() {
        let mut keys = ["redis", "supervisor", "agent-redis", "window-logs"];
        keys.sort_by_key(|key| rank(key));
        assert_eq!(keys, ["agent-redis", "window-logs", "supervisor", "redis"]);
    }

    #[tokio::test]
    async fn what_is_noted_is_ended_and_nothing_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path());
        home.ensure().unwrap();
        let mut child = std::process::Command::new("sleep")
            .arg("60")
            .spawn()
            .unwrap();
        let who = Identity::of(child.id()).unwrap();
        identity::write(&home, "agent-code", who).unwrap();
        everything(&home, None, || drop(child.try_wait()))
            .await
            .unwrap();
        assert!(!who.alive());
        assert!(!mode::is_stopping(&home) && identity::all(&home).is_empty());
        everything(&home, None, || ()).await.unwrap();
    }
}
