//! `warden`: what the daemon starts before everybody who acts.

use crate::context::Context;
use crate::failure::Failure;
use crate::logging;

/// Runs until it is told to end.
pub async fn run(context: Context) -> Result<u8, Failure> {
    let context = context.for_member().await?;
    let settings = context.settings()?;
    context.home.ensure()?;
    logging::to_file(&context.home, "warden", &settings)?;
    warden::serve::run(context.home, settings.host)
        .await
        .map_err(|error| {
            tracing::error!(%error, "the warden ends");
            Failure::new(protocol::exit::FAILED, error)
        })?;
    Ok(protocol::exit::DONE)
}
