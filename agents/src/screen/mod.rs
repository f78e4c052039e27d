//! What a person sees in the agent's window: on a terminal one picture that is drawn in place, on a
//! pipe a line when a task is taken and left. The work only changes the view, in memory; a thread
//! of its own draws it, so that a terminal that takes nothing (Ctrl-s, a stopped pane) holds up
//! nobody. What it could not show in between is not shown; the picture after it is right.

mod draw;
#[cfg(test)]
mod draw_tests;
mod line;
mod paint;
mod view;

use crate::stop::Stop;
use config::settings::AgentSettings;
use jiff::{SignedDuration, Timestamp, Zoned};
use paint::Picture;
use protocol::task::Task;
use protocol::text::one_line;
use std::fmt;
use std::io::IsTerminal;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub use view::{Held, View};

/// Lines that wait for a pipe at most.
const LINES: usize = 256;
/// How long a hint stands, in seconds.
const HINT: i64 = 5;
/// How long the terminal is given to be put back in order at the end.
const CLOSING: Duration = Duration::from_millis(200);

/// The window. Cheap to clone; the default one shows nothing.
#[derive(Clone, Default)]
pub struct Screen(Option<Arc<Inner>>);

struct Inner {
    shown: Mutex<Shown>,
    changed: Condvar,
    /// Plain lines, where the output is no terminal.
    lines: Option<SyncSender<String>>,
}

/// The view, and what the drawing thread has to know besides.
struct Shown {
    view: View,
    /// It was changed since it was drawn.
    fresh: bool,
    /// No more is to be drawn.
    closing: bool,
    /// The thread has put the terminal back in order.
    closed: bool,
}

impl fmt::Debug for Screen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() {
            "Screen"
        } else {
            "no Screen"
        })
    }
}

impl Screen {
    /// The window of an agent, on standard output.
    pub fn open(agent: &AgentSettings, colour: bool) -> Self {
        let name = format!("{} (level {})", agent.name, agent.level);
        let view = View::new(name, agent.description.clone(), Timestamp::now());
        let terminal = std::io::stdout().is_terminal();
        let lines = (!terminal).then(print_lines);
        let screen = Self::with(view, lines);
        if terminal && let Some(inner) = screen.0.clone() {
            Picture::on_terminal(colour).draw_for_ever(inner);
        }
        screen.say(|view| format!("{}: {}", view.agent, one_line(&view.about, 200)));
        screen.say(|_| "waiting for work: ai-infra run \"…\"".to_owned());
        screen
    }

    fn with(view: View, lines: Option<SyncSender<String>>) -> Self {
        Self(Some(Arc::new(Inner {
            shown: Mutex::new(Shown {
                view,
                fresh: true,
                closing: false,
                closed: false,
            }),
            changed: Condvar::new(),
            lines,
        })))
    }

    /// Changes what is shown.
    pub fn change(&self, change: impl FnOnce(&mut View)) {
        if let Some(inner) = &self.0 {
            let mut shown = inner.shown();
            change(&mut shown.view);
            shown.fresh = true;
            inner.changed.notify_all();
        }
    }

    /// Changes what is shown of the held task.
    pub fn of_task(&self, change: impl FnOnce(&mut Held)) {
        self.change(|view| {
            if let Some(held) = &mut view.held {
                change(held);
            }
        });
    }

    /// The terminal has another size.
    pub fn resized(&self) {
        self.change(|_| ());
    }

    /// A line for a pipe; nothing on a terminal.
    fn say(&self, line: impl FnOnce(&View) -> String) {
        if let Some(inner) = &self.0
            && let Some(lines) = &inner.lines
        {
            let line = line(&inner.shown().view);
            let _full_or_closed = lines.try_send(line);
        }
    }

    /// A task was taken.
    pub fn took(&self, task: &Task, attempt: u64) {
        self.change(|view| view.took(task, attempt, Timestamp::now()));
        let again = match attempt {
            0 | 1 => String::new(),
            more => format!(" (attempt {more}: goes on where the last one stopped)"),
        };
        let request = one_line(&task.request, 200);
        self.say(|_| format!("{} {} ▸ {request}{again}", clock(), task.short_id));
    }

    /// The held task came to its end here, in this state or for this reason.
    pub fn left(&self, task: &Task, state: &str, good: bool) {
        self.change(|view| view.left(state, good, Timestamp::now()));
        let state = one_line(state, 200);
        self.say(|_| format!("{} {} ▸ {state}", clock(), task.short_id));
    }

    /// Nothing is held any more.
    pub fn idle(&self) {
        self.change(|view| view.idle(Timestamp::now()));
    }

    /// The team was frozen, or goes on.
    pub fn frozen(&self, frozen: bool) {
        self.change(|view| view.frozen = frozen);
        let what = match frozen {
            true => "FROZEN: stopped in place until `ai-infra thaw`",
            false => "goes on",
        };
        self.say(|_| format!("{} {what}", clock()));
    }

    /// The host is under pressure, or no longer.
    pub fn held_back(&self, why: Option<&str>) {
        self.change(|view| view.held_back = why.map(str::to_owned));
        let what = match why {
            Some(why) => format!("held back: {why}; only urgent tasks are begun"),
            None => "there is room again".to_owned(),
        };
        self.say(|_| format!("{} {what}", clock()));
    }

    /// A word to whoever pressed a key.
    pub fn hint(&self, hint: &str) {
        let now = Timestamp::now();
        let until = now
            .checked_add(SignedDuration::from_secs(HINT))
            .unwrap_or(now);
        self.change(|view| view.hint = Some((hint.to_owned(), until)));
        self.say(|_| hint.to_owned());
    }

    /// What the task does or waits for, until the answer is dropped.
    #[must_use = "it is shown until this is dropped"]
    pub fn doing(&self, what: impl Into<String>) -> Doing {
        let what = what.into();
        self.of_task(|held| held.doing = Some((what, Timestamp::now())));
        Doing(self.clone())
    }

    /// Leaves the terminal as it was found. Waits a moment for one that takes nothing.
    pub fn close(&self) {
        let Some(inner) = &self.0 else {
            return;
        };
        let mut shown = inner.shown();
        if inner.lines.is_some() || shown.closing {
            return;
        }
        shown.closing = true;
        inner.changed.notify_all();
        let open = |shown: &mut Shown| !shown.closed;
        let _in_time = inner.changed.wait_timeout_while(shown, CLOSING, open);
    }
}

impl Inner {
    fn shown(&self) -> MutexGuard<'_, Shown> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Something a task does; see [`Screen::doing`].
#[derive(Debug)]
pub struct Doing(Screen);

impl Drop for Doing {
    fn drop(&mut self) {
        self.0.of_task(|held| held.doing = None);
    }
}

/// Whether a task that was left for this reason is well, for the colour of its line.
pub fn is_well(stop: &Stop) -> bool {
    !matches!(stop, Stop::Fail(_) | Stop::Refuse(_) | Stop::Lost)
}

fn clock() -> String {
    Zoned::now().strftime("%H:%M:%S").to_string()
}

/// A thread that prints lines; they are dropped while nobody takes them.
fn print_lines() -> SyncSender<String> {
    let (lines, printed) = sync_channel::<String>(LINES);
    std::thread::spawn(move || {
        use std::io::Write;
        let mut out = std::io::stdout();
        for line in printed {
            if writeln!(out, "{line}").and_then(|()| out.flush()).is_err() {
                return;
            }
        }
    });
    lines
}
