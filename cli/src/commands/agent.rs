//! `agent NAME`: what windows 1 to 5 run.

use crate::context::Context;
use crate::failure::Failure;
use crate::logging;
use protocol::ids::Role;
use supervisor::daemon::watch;

/// Runs until it is told to end.
pub async fn run(context: Context, role: Role) -> Result<u8, Failure> {
    let context = context.for_member().await?;
    let settings = context.settings()?;
    if settings.agent(&role).is_none() {
        return Err(
            Failure::usage(format!("there is no agent `{role}`")).hint("see: ai-infra agents list")
        );
    }
    let process = format!("agent-{role}");
    logging::to_file(&context.home, &process, &settings)?;
    let home = context.home.clone();
    tokio::select! {
        ended = agents::run::run(settings, context.home, role) => ended.map_err(|error| {
            tracing::error!(%error, "the agent ends");
            Failure::new(protocol::exit::FAILED, error)
        })?,
        () = watch::keep_daemon_too(home) => {}
    }
    Ok(protocol::exit::DONE)
}
