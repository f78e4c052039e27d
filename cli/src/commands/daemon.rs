//! `daemon`: what `up` and systemd start.

use crate::context::Context;
use crate::failure::Failure;
use crate::logging;
use supervisor::daemon::handed::Handed;

/// Runs until it is told to end.
pub async fn run(context: &Context, no_tmux: bool) -> Result<u8, Failure> {
    context.home.ensure()?;
    // Secrets that another service keeps come first: the settings may name them.
    let handed = Handed::gather(&context.home, &context.env).await?;
    let settings = config::load::load(&context.home, &handed.over(&context.env), &[])?;
    logging::to_file(&context.home, "daemon", &settings)?;
    supervisor::daemon::run(settings, context.home.clone(), handed, no_tmux).await?;
    Ok(protocol::exit::DONE)
}
