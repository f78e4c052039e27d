//! The tmux session: windows are checked, and every agent without one gets the next after the last.

use crate::error::{Problem, did_you_mean, quoted};
use crate::layers::Layers;
use crate::settings::{AgentSettings, SessionLayout, WindowRuns, WindowSpec};
use std::collections::HashSet;

/// Highest window index.
const MOST_INDEX: u32 = 199;

/// The layout of a team.
pub fn settled(
    layers: &Layers,
    agents: &[AgentSettings],
    problems: &mut Vec<Problem>,
) -> SessionLayout {
    let session = layers
        .get(&["tmux", "session"])
        .and_then(|entry| entry.value.as_str())
        .unwrap_or_default()
        .to_owned();
    let entry = layers.get(&["tmux", "windows"]);
    let place = |name: &str| {
        let entry = layers.get(&["tmux", name]);
        entry
            .map(|entry| entry.origin.to_string())
            .unwrap_or_default()
    };
    let mut windows: Vec<WindowSpec> = entry
        .and_then(|entry| serde_json::from_value(entry.value.clone()).ok())
        .unwrap_or_default();
    if !is_name(&session) {
        let message = format!(
            "`tmux.session` is `{}`, must be 1 to 64 characters of letters, digits, - and _",
            quoted(&session)
        );
        problems.push(Problem::new(place("session"), message));
    }
    for message in wrong(&windows, agents) {
        problems.push(Problem::new(place("windows"), message));
    }
    add_missing(&mut windows, agents);
    windows.sort_by_key(|window| window.index);
    SessionLayout { session, windows }
}

/// tmux gives `:` and `.` a meaning in targets, and `=`, `$`, `@`, `%`, `{` at their start.
fn is_name(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && !name.starts_with('-')
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

fn wrong(windows: &[WindowSpec], agents: &[AgentSettings]) -> Vec<String> {
    let mut problems = Vec::new();
    let (mut indexes, mut names, mut runs) = (HashSet::new(), HashSet::new(), HashSet::new());
    for window in windows {
        let name = quoted(&window.name);
        if !is_name(&window.name) {
            problems.push(format!(
                "window name `{name}` must be 1 to 64 characters of letters, digits, - and _"
            ));
        }
        if window.index > MOST_INDEX {
            problems.push(format!(
                "window `{name}` has index {}, must be 0 to {MOST_INDEX}",
                window.index
            ));
        }
        if !indexes.insert(window.index) {
            problems.push(format!("two windows have index {}", window.index));
        }
        if !names.insert(&window.name) {
            problems.push(format!("two windows have the name `{name}`"));
        }
        if !runs.insert(&window.runs) {
            problems.push(format!(
                "window `{name}` runs what another window runs already"
            ));
        }
        if let WindowRuns::Agent(role) = &window.runs
            && !agents.iter().any(|agent| &agent.name == role)
        {
            let hint = did_you_mean(role.as_str(), agents.iter().map(|a| a.name.as_str()));
            problems.push(format!(
                "window `{name}` runs agent `{role}`, which does not exist{hint}"
            ));
        }
    }
    if !runs.contains(&WindowRuns::Supervisor) {
        problems.push(
            "no window runs the supervisor: add {index: 0, name: supervisor, runs: supervisor}"
                .into(),
        );
    }
    problems
}

fn add_missing(windows: &mut Vec<WindowSpec>, agents: &[AgentSettings]) {
    let mut next = windows
        .iter()
        .map(|w| w.index)
        .max()
        .map_or(0, |last| last.saturating_add(1));
    for agent in agents {
        let runs = WindowRuns::Agent(agent.name.clone());
        if windows.iter().any(|window| window.runs == runs) {
            continue;
        }
        let taken = windows.iter().any(|w| w.name == agent.name.as_str());
        windows.push(WindowSpec {
            index: next,
            name: if taken {
                format!("agent-{}", agent.name)
            } else {
                agent.name.to_string()
            },
            runs,
        });
        next = next.saturating_add(1);
    }
}
