//! `restart`: stop and start the team, the way it ran, with the program on disk and the settings of
//! this shell.

use super::{down, team, up};
use crate::context::Context;
use crate::failure::Failure;
use crate::terminal;
use supervisor::client;

/// Restarts the team.
pub async fn run(context: &Context) -> Result<u8, Failure> {
    context.settings()?;
    down::stop_team(context).await?;
    let started = client::ensure_up(&context.home, &context.env, team::PATIENCE).await?;
    terminal::print(&up::said(&started));
    Ok(protocol::exit::DONE)
}
