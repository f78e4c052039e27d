//! `down`: stop the team and leave nothing running. Twice is fine.

use crate::context::Context;
use crate::failure::Failure;
use crate::terminal;
use protocol::control::Verb;
use std::time::Duration;
use supervisor::client::{self, ClientError};
use supervisor::daemon::{identity, lock, stop};
use tokio::time::{Instant, sleep};

/// How long a daemon may take to end everything: three groups of processes, each with its patience.
const PATIENCE: Duration = Duration::from_secs(70);

/// Stops the team.
pub async fn run(context: &Context) -> Result<u8, Failure> {
    let said = match stop_team(context).await? {
        true => "the team is down",
        false => "the team was not up",
    };
    terminal::line(said);
    Ok(protocol::exit::DONE)
}

/// Stops the team; false when nothing of it ran.
pub async fn stop_team(context: &Context) -> Result<bool, Failure> {
    let home = &context.home;
    if !home.run().is_dir() {
        return Ok(false);
    }
    let mut ran = match client::ask_daemon(home, Verb::Down).await {
        Ok(_) => true,
        Err(error @ ClientError::Refused { .. }) => return Err(error.into()),
        // No daemon, or one that was ending already.
        Err(_) => false,
    };
    let began = Instant::now();
    let _lock = loop {
        if let Some(lock) = lock::take(home)? {
            break lock;
        }
        if began.elapsed() > PATIENCE {
            return Err(
                Failure::new(protocol::exit::FAILED, "the daemon does not end")
                    .hint("see its log: logs/daemon.log in the home"),
            );
        }
        sleep(Duration::from_millis(10)).await;
    };
    // What a daemon that was killed has left.
    let session = stop::remembered_session(home, &context.env);
    ran |= identity::all(home).iter().any(|(_, who)| who.alive());
    stop::everything(home, session.as_ref(), || ()).await?;
    Ok(ran)
}
