//! What window 0 shows: who this is and how to ask, then a line for what happens to tasks. It is
//! written by a thread of its own, because a terminal may stop taking output and the supervisor
//! must not stop with it; lines that do not fit are dropped.

use crate::ledger::events::{Event, Happening};
use config::home::Home;
use config::settings::Settings;
use protocol::report::Progress;
use protocol::task_state::TaskState;
use std::io::Write;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

/// Lines that wait for the terminal at most.
const LINES: usize = 256;

/// The window. Dropping it lets the thread end.
pub struct Window {
    lines: SyncSender<String>,
}

impl Window {
    /// Opens the window on standard output.
    pub fn open() -> Self {
        let (lines, written) = sync_channel::<String>(LINES);
        std::thread::spawn(move || {
            let mut out = std::io::stdout();
            for line in written {
                let said = writeln!(out, "{line}").and_then(|()| out.flush());
                if said.is_err() {
                    return;
                }
            }
        });
        Self { lines }
    }

    /// Shows a line, if the terminal takes it.
    pub fn say(&self, line: String) {
        let _full_or_closed = self.lines.try_send(line);
    }

    /// Shows what happens, for ever.
    pub async fn show(
        &self,
        mut happenings: Receiver<Arc<Happening>>,
        mut words: Receiver<String>,
    ) {
        loop {
            let happening = tokio::select! {
                happening = happenings.recv() => happening,
                said = words.recv() => {
                    if let Ok(said) = said {
                        self.say(format!("{}  {}", clock(), one_line(&said)));
                    }
                    continue;
                }
            };
            match happening {
                Ok(happening) => {
                    if let Some(line) = line(&happening) {
                        self.say(line);
                    }
                }
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return,
            }
        }
    }
}

/// The first lines.
pub fn banner(settings: &Settings, home: &Home) -> String {
    let roles: Vec<&str> = settings.agents.iter().map(|a| a.name.as_str()).collect();
    format!(
        "ai-infra {} · team {} · {}\nagents: {} · engine: {}\nask from any shell: ai-infra run \"…\"   all tasks: ai-infra task list\n",
        env!("CARGO_PKG_VERSION"),
        settings.team.name,
        home.root.display(),
        roles.join(", "),
        settings.engine.name.as_str(),
    )
}

/// The line of a happening; `None` for what only followers want to read.
fn line(happening: &Happening) -> Option<String> {
    let what = match &happening.event {
        Event::State(TaskState::Queued) => format!("accepted for {}", happening.agent),
        Event::State(TaskState::Running { .. }) => format!("{} works on it", happening.agent),
        Event::State(TaskState::Failed { reason }) => format!("FAILED: {}", one_line(reason)),
        Event::State(TaskState::Refused { reason }) => format!("refused: {}", one_line(reason)),
        Event::State(state) => state.to_string(),
        Event::Progress(Progress::PhaseStarted { phase, .. }) => phase.to_string(),
        Event::Progress(_) => return None,
    };
    Some(format!(
        "{}  {:<6} {what}",
        clock(),
        happening.short_id.to_string()
    ))
}

fn clock() -> String {
    jiff::Zoned::now().strftime("%H:%M:%S").to_string()
}

/// A text as one line of a terminal: no control characters, not too long.
fn one_line(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(200)
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use protocol::ids::{ShortId, TaskId};

    #[test]
    fn lines_are_short_and_harmless() {
        let happening = |event| Happening {
            task: TaskId::new(),
            short_id: ShortId(7),
            agent: "code".parse().unwrap(),
            event,
        };
        let failed = TaskState::Failed {
            reason: format!("\u{1b}[2J{}", "x".repeat(1000)),
        };
        let shown = line(&happening(Event::State(failed))).unwrap();
        assert!(shown.contains("t7     FAILED:") && shown.len() < 300);
        assert!(!shown.contains('\u{1b}'));
        let note = Progress::Note {
            text: "n".to_owned(),
        };
        assert_eq!(line(&happening(Event::Progress(note))), None);
    }
}
