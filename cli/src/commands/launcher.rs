//! The launcher half of an agent: what it is from the moment it was divided until its agent is gone.

use crate::context::Context;
use crate::logging;
use agents::launcher::serve;
use config::settings::Settings;
use guard::launcher::channel::Channel;
use protocol::ids::Role;
use supervisor::daemon::watch;
use tokio::runtime;

/// Serves the agent, and ends this process with it. On a thread that is nobody's: the one it was called on is
/// within a runtime that belongs to the agent.
pub fn serve(channel: Channel, context: Context, settings: Settings, role: Role, agent: u32) -> ! {
    let served = std::thread::spawn(move || {
        let log = logging::to_shared_file(&context.home, &format!("agent-{role}"), &settings);
        let log = log.map_err(|failure| failure.message)?;
        let home = context.home.clone();
        let beside = std::thread::Builder::new().name("keep-daemon".to_owned());
        // Without it a daemon that dies together with the supervisor stays dead until `ai-infra up`.
        let _nothing_waits = beside.spawn(move || {
            if let Ok(runtime) = runtime::Builder::new_current_thread().enable_all().build() {
                runtime.block_on(watch::keep_daemon_too(home));
            }
        });
        let served = serve::serve(&channel, context.home, settings, &role, agent, log);
        served.map_err(|error| error.to_string())
    });
    match served.join() {
        Ok(Ok(())) => std::process::exit(i32::from(protocol::exit::DONE)),
        Ok(Err(why)) => tracing::error!(why, "the launcher ends"),
        Err(_) => tracing::error!("the launcher broke"),
    }
    std::process::exit(i32::from(protocol::exit::FAILED))
}
