//! `agent NAME`: what windows 1 to 5 run. It parts with its launcher, puts on its walls, and only then
//! speaks with anybody but the daemon of its home.

use crate::context::Context;
use crate::failure::Failure;
use crate::logging;
use agents::launcher::hatch::Hatch;
use agents::launcher::user;
use config::settings::Settings;
use guard::launcher::{self, Half, walls};
use protocol::ids::Role;

/// Runs until it is told to end.
pub async fn run(context: Context, role: Role) -> Result<u8, Failure> {
    let context = context.for_member().await?;
    let settings = context.settings()?;
    if settings.agent(&role).is_none() {
        return Err(
            Failure::usage(format!("there is no agent `{role}`")).hint("see: ai-infra agents list")
        );
    }
    let hatch = walled(&context, &settings, &role)?;
    tokio::select! {
        ended = agents::run::run(settings, context.home, role, hatch.clone()) => ended.map_err(|error| {
            tracing::error!(%error, "the agent ends");
            Failure::new(protocol::exit::FAILED, error)
        })?,
        () = hatch.gone() => {
            return Err(Failure::new(
                protocol::exit::FAILED,
                "the launcher of this agent has ended: both are started again",
            ));
        }
    }
    Ok(protocol::exit::DONE)
}

/// Divides this process and walls the agent in; answers the only way out. The launcher never comes back.
pub(super) fn walled(
    context: &Context,
    settings: &Settings,
    role: &Role,
) -> Result<Hatch, Failure> {
    let failed = |error: &dyn std::fmt::Display| {
        Failure::new(protocol::exit::FAILED, error)
            .hint("ai-infra doctor says what this machine lacks")
    };
    let agent = std::process::id();
    let channel = match launcher::divide().map_err(|error| failed(&error))? {
        Half::Agent(channel) => channel,
        Half::Launcher(channel) => {
            let (context, settings) = (context.clone(), settings.clone());
            super::launcher::serve(channel, context, settings, role.clone(), agent)
        }
    };
    let faults = context.env.faults().map_err(Failure::usage)?;
    walls::put_on(user::of_role(settings, role), faults).map_err(|error| failed(&error))?;
    let hatch = Hatch::new(channel);
    let log = hatch.log().map_err(|error| failed(&error))?;
    logging::through(log, settings)?;
    Ok(hatch)
}
