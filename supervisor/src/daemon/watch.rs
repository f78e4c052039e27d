//! Who keeps the daemon, which keeps everybody else: the supervisor looks twice a second and starts
//! a new one when the last is dead and the team is not being stopped. The agents look less often,
//! for the case that both died in the same moment.

use super::environment;
use super::identity::{self, Identity};
use super::mode;
use super::process::{clean_environment, own_exe};
use config::env::Env;
use config::home::Home;
use std::process::Stdio;
use std::time::Duration;
use tokio::process::Command;
use tokio::time::sleep;

/// Between two looks of the supervisor.
const LOOK: Duration = Duration::from_millis(500);
/// Between two looks of an agent: later than the supervisor, which is enough where it lives.
const LATE: Duration = Duration::from_millis(1500);
/// Longest pause after a daemon that would not stay.
const LONGEST: Duration = Duration::from_secs(30);

/// For the supervisor. Runs for ever; cancel-safe. A second daemon cannot come of it: the lock lets
/// one stay.
pub async fn keep_daemon(home: Home) {
    keep(home, LOOK, |noted| !noted.is_some_and(Identity::alive)).await;
}

/// For an agent, as [`keep_daemon`]. An agent that a person started without a team starts none.
pub async fn keep_daemon_too(home: Home) {
    keep(home, LATE, |noted| noted.is_some_and(|who| !who.alive())).await;
}

async fn keep(home: Home, look: Duration, is_dead: fn(Option<Identity>) -> bool) {
    let mut pause = look;
    loop {
        sleep(pause).await;
        let dead = is_dead(identity::read(&home, "daemon"));
        if !dead || mode::is_stopping(&home) {
            pause = look;
            continue;
        }
        pause = (pause * 2).min(LONGEST);
        match start(&home).await {
            Ok(pid) => tracing::warn!(pid, "the daemon was dead; a new one was started"),
            Err(error) => tracing::error!(%error, "the daemon is dead and cannot be started"),
        }
    }
}

async fn start(home: &Home) -> std::io::Result<Option<u32>> {
    let mut command = Command::new(own_exe()?);
    command.arg("--home").arg(&home.root).arg("daemon");
    if mode::read(home).is_some_and(|mode| mode.no_tmux) {
        command.arg("--no-tmux");
    }
    command
        .env_clear()
        .envs(clean_environment(&Env::from_process(), home))
        .envs(environment::adopted())
        .current_dir(&home.root)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    // Dropped while it runs: tokio reaps it when it ends.
    Ok(command.spawn()?.id())
}
