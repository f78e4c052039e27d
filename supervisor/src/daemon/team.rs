//! Which processes this home's daemon keeps. On a host that joined a team: its warden, its agents, and nothing of the team's own.

use super::process::Process;
use config::settings::{SessionLayout, Settings, WindowRuns};

/// Every process without the windows that only show things.
pub(super) fn team(settings: &Settings) -> Vec<Process> {
    if let Some(joined) = &settings.joined {
        let agents = settings.agents.iter().map(|agent| &agent.name);
        let here = agents.filter(|role| joined.roles.contains(role));
        let agents = here.cloned().map(Process::Agent);
        return std::iter::once(Process::Warden).chain(agents).collect();
    }
    let redis = settings.redis.url.is_none().then_some(Process::Redis);
    let agents = settings.agents.iter();
    redis
        .into_iter()
        .chain([Process::Warden, Process::Supervisor])
        .chain(agents.map(|agent| Process::Agent(agent.name.clone())))
        .collect()
}

/// The windows of this host: the monitor shows the team's tasks, which only its first host knows.
pub(super) fn layout(settings: &Settings) -> SessionLayout {
    let mut layout = settings.tmux.clone();
    if settings.joined.is_some() {
        layout
            .windows
            .retain(|window| window.runs != WindowRuns::Monitor);
    }
    layout
}
