//! Where a process is started: in a window of the tmux session, or as a child of the daemon.

use super::error::DaemonError;
use super::identity::Identity;
use super::process::{Process, clean_argv};
use crate::tmux::layout::{Pane, Seen, Window};
use crate::tmux::session::{Session, TmuxError};
use config::home::Home;
use config::settings::{SessionLayout, WindowRuns};
use std::fs::OpenOptions;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// From this size on, what a child wrote is set aside when it is started again, in bytes.
const OUT_BYTES: u64 = 1024 * 1024;

/// The windows a session has: those of the layout, then one for every agent without one. The
/// layout names an agent that does not exist (any more): it gets no window. The supervisor's window
/// holds the chat with it; the supervisor itself stands behind, so that no window can end it.
pub fn windows(layout: &SessionLayout, team: &[Process]) -> Vec<(u32, String, Process)> {
    let mut windows: Vec<(u32, String, Process)> = layout
        .windows
        .iter()
        .map(|spec| {
            let process = match &spec.runs {
                WindowRuns::Supervisor => Process::Chat,
                WindowRuns::Agent(role) => Process::Agent(role.clone()),
                WindowRuns::Monitor => Process::Monitor,
                WindowRuns::Logs => Process::Logs,
            };
            (spec.index, spec.name.clone(), process)
        })
        .filter(|(_, _, process)| match process {
            Process::Chat => team.contains(&Process::Supervisor),
            process => process.is_view() || team.contains(process),
        })
        .collect();
    windows.sort_by_key(|(index, _, _)| *index);
    for process in team.iter().filter(|p| matches!(p, Process::Agent(_))) {
        if !windows.iter().any(|(_, _, shown)| shown == process) {
            let next = windows.last().map_or(0, |(index, _, _)| index + 1);
            windows.push((next, process.name().to_owned(), process.clone()));
        }
    }
    windows
}

/// Starts processes in their windows, as many as asked for in one go: the session is made where it
/// is missing, a dead window's program started again, a missing window added. A window whose
/// program lives is left as it is. Answers who runs in each, `None` where it ended already.
///
/// # Errors
/// When tmux refuses, or the session under that name is not ours.
pub fn in_windows(
    session: &Session,
    wanted: &[Window],
) -> Result<Vec<Option<Identity>>, TmuxError> {
    match session.observe()? {
        Seen::NotOurs(_) => session.check()?,
        Seen::Nothing => session.create(wanted)?,
        Seen::Ours(panes) => {
            for window in wanted {
                match panes.iter().find(|pane| pane.process == window.process) {
                    None => session.add(window)?,
                    Some(pane) if pane.dead => session.respawn(&pane.id, &window.argv)?,
                    Some(_) => {}
                }
            }
        }
    }
    let panes = match session.observe()? {
        Seen::Ours(panes) => panes,
        _ => Vec::new(),
    };
    Ok(wanted
        .iter()
        .map(|window| living(&panes, &window.process))
        .collect())
}

fn living(panes: &[Pane], key: &str) -> Option<Identity> {
    panes
        .iter()
        .find(|pane| pane.process == key && !pane.dead)
        .and_then(|pane| Identity::of(pane.pid))
}

/// A window as `layout` wants it.
pub fn window(
    (index, name, process): &(u32, String, Process),
    exe: &Path,
    home: &Home,
    environment: &[(String, String)],
) -> Window {
    Window {
        index: *index,
        name: name.clone(),
        process: process.key(),
        argv: clean_argv(&process.argv(exe, home), &process.environment(environment)),
    }
}

/// Starts a process as a child of the daemon; what it writes goes to `logs/<key>.out`.
pub fn as_child(
    process: &Process,
    exe: &Path,
    home: &Home,
    environment: &[(String, String)],
) -> Result<Child, DaemonError> {
    let out = home.logs().join(format!("{}.out", process.key()));
    set_aside(&out);
    let file = OpenOptions::new()
        .create(true)
        .append(true)
        .open(&out)
        .map_err(DaemonError::io("open", &out))?;
    let errors = file.try_clone().map_err(DaemonError::io("open", &out))?;
    let argv = process.argv(exe, home);
    Command::new(exe)
        .args(argv.iter().skip(1))
        .env_clear()
        .envs(process.environment(environment))
        .current_dir(&home.root)
        .stdin(Stdio::null())
        .stdout(file)
        .stderr(errors)
        .spawn()
        .map_err(DaemonError::io("run", exe))
}

/// A file that has grown is kept as the one before, so that there are never more than two.
fn set_aside(out: &Path) {
    let grown = std::fs::metadata(out).is_ok_and(|about| about.len() > OUT_BYTES);
    if grown {
        let mut before = out.as_os_str().to_owned();
        before.push(".1");
        // What cannot be set aside is written on.
        let _next_time = std::fs::rename(out, before);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use config::settings::WindowSpec;

    #[test]
    fn what_has_grown_is_set_aside_once() {
        let folder = tempfile::tempdir().unwrap();
        let (out, before) = (folder.path().join("x.out"), folder.path().join("x.out.1"));
        set_aside(&out);
        std::fs::write(&out, "short").unwrap();
        set_aside(&out);
        assert!(out.exists() && !before.exists());
        std::fs::write(&out, vec![b'x'; 1024 * 1024 + 1]).unwrap();
        set_aside(&out);
        assert!(!out.exists() && before.exists());
    }

    fn agent(name: &str) -> Process {
        Process::Agent(name.parse().unwrap())
    }

    #[test]
    fn every_agent_has_a_window_and_no_window_lacks_its_agent() {
        let spec = |index, name: &str, runs| WindowSpec {
            index,
            name: name.to_owned(),
            runs,
        };
        let layout = SessionLayout {
            session: "s".to_owned(),
            windows: vec![
                spec(6, "monitor", WindowRuns::Monitor),
                spec(0, "supervisor", WindowRuns::Supervisor),
                spec(1, "code", WindowRuns::Agent("code".parse().unwrap())),
                spec(2, "gone", WindowRuns::Agent("gone".parse().unwrap())),
            ],
        };
        let team = [
            Process::Redis,
            Process::Supervisor,
            agent("code"),
            agent("poet"),
        ];
        let shown: Vec<(u32, String)> = windows(&layout, &team)
            .into_iter()
            .map(|(index, name, _)| (index, name))
            .collect();
        assert_eq!(
            shown,
            [
                (0, "supervisor".to_owned()),
                (1, "code".to_owned()),
                (6, "monitor".to_owned()),
                (7, "poet".to_owned()),
            ]
        );
    }
}
