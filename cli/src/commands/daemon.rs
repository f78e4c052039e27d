//! `daemon`: what `up` and systemd start.

use crate::context::Context;
use crate::failure::Failure;
use crate::logging;

/// Runs until it is told to end.
pub async fn run(context: &Context, no_tmux: bool) -> Result<u8, Failure> {
    context.home.ensure()?;
    let settings = context.settings()?;
    logging::to_file(&context.home, "daemon", &settings)?;
    supervisor::daemon::run(settings, context.home.clone(), no_tmux).await?;
    Ok(protocol::exit::DONE)
}
