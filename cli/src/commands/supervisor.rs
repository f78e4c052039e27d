//! `supervisor`: what window 0 runs.

use crate::context::Context;
use crate::failure::Failure;
use crate::logging;

/// Runs until it is told to end.
pub async fn run(context: Context) -> Result<u8, Failure> {
    let context = context.for_member().await?;
    let settings = context.settings()?;
    logging::to_file(&context.home, "supervisor", &settings)?;
    supervisor::run::run(settings, context.home)
        .await
        .map_err(|error| {
            tracing::error!(%error, "the supervisor ends");
            Failure::new(protocol::exit::FAILED, error)
        })?;
    Ok(protocol::exit::DONE)
}
