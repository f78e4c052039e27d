//! How the supervisor keeps the daemon: it looks twice a second and starts a new one when the last
//! is dead and the team is not being stopped. (The daemon keeps the supervisor in the same way.)

use super::environment;
use super::identity;
use super::mode;
use super::process::{clean_environment, own_exe};
use config::env::Env;
use config::home::Home;
use std::process::Stdio;
use std::time::Duration;
use tokio::process::Command;
use tokio::time::sleep;

const LOOK: Duration = Duration::from_millis(500);
/// Longest pause after a daemon that would not stay.
const LONGEST: Duration = Duration::from_secs(30);

/// Runs for ever; cancel-safe. A second daemon cannot come of it: the lock lets one stay.
pub async fn keep_daemon(home: Home) {
    let mut pause = LOOK;
    loop {
        sleep(pause).await;
        let lives = identity::read(&home, "daemon").is_some_and(identity::Identity::alive);
        if lives || mode::is_stopping(&home) {
            pause = LOOK;
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
