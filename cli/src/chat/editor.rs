//! The line being typed, on a thread of its own: editing, history, search, paste, completion. What is
//! typed comes out as [`Typed`]; what is said above it goes through rustyline's own printer, which
//! takes the line away, prints, and draws it again.

use super::complete::Completions;
use super::hidden::Hidden;
use super::leave;
use rustyline::completion::{Completer, Pair};
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::FileHistory;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{
    Cmd, ColorMode, CompletionType, ConditionalEventHandler, Config, Context, Editor, Event,
    EventContext, EventHandler, ExternalPrinter, Helper, KeyCode, KeyEvent, Modifiers, RepeatCount,
};
use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::mpsc::UnboundedSender;

/// What stands before the line.
pub const PROMPT: &str = "you › ";
/// Lines of history that are kept.
const HISTORY: usize = 2_000;
/// A line longer than this is not kept in the history, in bytes.
const LONGEST_KEPT: usize = 16 * 1024;

/// What came from the keyboard.
#[derive(Debug)]
pub enum Typed {
    /// A line; a pasted one may hold several.
    Line(String),
    /// A line that answers a ticket.
    Leave(leave::Typed),
    /// Ctrl-C, and whether something was typed that is gone now.
    Interrupt {
        /// The line was not empty.
        cleared: bool,
    },
    /// Ctrl-D on an empty line, or the terminal is gone.
    End,
}

/// What others may know of the line that is being typed.
#[derive(Debug, Default)]
pub struct Line {
    text: Mutex<String>,
    large: AtomicBool,
    pasted: AtomicBool,
}

impl Line {
    /// Whether it is about as large as the screen (drawn again it would leave copies behind) or not to be
    /// seen: what is said waits until it is handed in.
    pub fn is_large(&self) -> bool {
        self.large.load(Ordering::Relaxed)
    }

    fn set(&self, text: &str) {
        let (columns, rows) = super::voice::size();
        let folded = text.lines().map(|line| line.chars().count() / columns + 1);
        let large = folded.sum::<usize>() + 3 > rows;
        self.large.store(large, Ordering::Relaxed);
        let mut kept = self.text.lock().unwrap_or_else(PoisonError::into_inner);
        text.clone_into(&mut kept);
    }

    fn hide(&self, hidden: bool) {
        self.large.store(hidden, Ordering::Relaxed);
    }

    /// What was typed, and whether some of it was pasted; the next line begins.
    fn take(&self) -> (String, bool) {
        self.large.store(false, Ordering::Relaxed);
        let pasted = self.pasted.swap(false, Ordering::Relaxed);
        let mut kept = self.text.lock().unwrap_or_else(PoisonError::into_inner);
        (std::mem::take(&mut kept), pasted)
    }
}

/// How the editor is set up.
pub struct Setup {
    /// Where the history is kept, mode 0600; nowhere where there is none.
    pub history: Option<PathBuf>,
    /// Whether the prompt is painted.
    pub colour: bool,
    /// What Tab offers.
    pub completions: Completions,
}

/// Starts the editor on the terminal of this process. Its thread ends after [`Typed::End`].
///
/// # Errors
/// When the terminal cannot be driven.
pub fn start(
    setup: Setup,
    line: Arc<Line>,
    typed: UnboundedSender<Typed>,
) -> Result<impl ExternalPrinter + Send + 'static, ReadlineError> {
    let config = Config::builder()
        .max_history_size(HISTORY)?
        .history_ignore_dups(true)?
        .history_ignore_space(true)
        .completion_type(CompletionType::List)
        .color_mode(if setup.colour {
            ColorMode::Forced
        } else {
            ColorMode::Disabled
        })
        .bracketed_paste(true)
        .tab_stop(4)
        .build();
    let mut editor: Editor<Typing, FileHistory> = Editor::with_config(config)?;
    editor.set_helper(Some(Typing {
        line: line.clone(),
        colour: setup.colour,
        completions: setup.completions,
    }));
    // Another line without handing in what is there.
    editor.bind_sequence(KeyEvent(KeyCode::Enter, Modifiers::ALT), Cmd::Newline);
    let pastes = EventHandler::Conditional(Box::new(Pastes(line.clone())));
    editor.bind_sequence(
        KeyEvent(KeyCode::BracketedPasteStart, Modifiers::NONE),
        pastes,
    );
    if let Some(path) = &setup.history {
        let _first_time = editor.load_history(path);
    }
    let printer = editor.create_external_printer()?;
    std::thread::spawn(move || read(editor, setup.history, &line, &typed));
    Ok(printer)
}

fn read(
    mut editor: Editor<Typing, FileHistory>,
    history: Option<PathBuf>,
    line: &Line,
    typed: &UnboundedSender<Typed>,
) {
    loop {
        let read = editor.readline(PROMPT);
        let (before, pasted) = line.take();
        let told = match read {
            Ok(text) if leave::is_leave(&text) => {
                if !give_leave(text, pasted, line, typed) {
                    return;
                }
                continue;
            }
            Ok(text) => {
                if text.len() <= LONGEST_KEPT
                    && editor.add_history_entry(text.trim_end()).unwrap_or(false)
                    && let Some(path) = &history
                    && let Err(error) = editor.append_history(path)
                {
                    tracing::warn!(%error, "the chat's history is not kept");
                }
                Typed::Line(continued(&text))
            }
            Err(ReadlineError::Interrupted) => Typed::Interrupt {
                cleared: !before.trim().is_empty(),
            },
            Err(ReadlineError::Signal(_)) => continue,
            Err(_) => Typed::End,
        };
        let last = matches!(told, Typed::End);
        if typed.send(told).is_err() || last {
            return;
        }
    }
}

/// Hands a line over that answers a ticket, and types out of sight what is asked for, until who has the
/// line lets go of it. It is kept in no history: leave that is found again was not typed. False when nobody listens any
/// more.
fn give_leave(text: String, pasted: bool, line: &Line, typed: &UnboundedSender<Typed>) -> bool {
    let (keyboard, asked) = std::sync::mpsc::channel::<leave::Wanted>();
    let hidden = Hidden::begin();
    let told = Typed::Leave(leave::Typed {
        line: text,
        pasted,
        keyboard,
    });
    let heard = typed.send(told).is_ok();
    while let Ok((prompt, answer)) = asked.recv() {
        line.hide(true);
        let entered = hidden.as_ref().ok().map(|hidden| hidden.line(&prompt));
        let entered = entered.and_then(Result::ok).flatten();
        line.hide(false);
        let _let_go = answer.send(entered);
    }
    heard
}

/// Notes that something was pasted, and lets it be pasted.
struct Pastes(Arc<Line>);

impl ConditionalEventHandler for Pastes {
    fn handle(&self, _: &Event, _: RepeatCount, _: bool, _: &EventContext<'_>) -> Option<Cmd> {
        self.0.pasted.store(true, Ordering::Relaxed);
        None
    }
}

/// A backslash at the end of a line only says that it goes on.
fn continued(text: &str) -> String {
    text.replace("\\\n", "\n")
}

struct Typing {
    line: Arc<Line>,
    colour: bool,
    completions: Completions,
}

impl Helper for Typing {}

impl Completer for Typing {
    type Candidate = Pair;

    fn complete(
        &self,
        line: &str,
        pos: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<Pair>)> {
        let (start, offered) = self.completions.offer(line.get(..pos).unwrap_or(line));
        let pairs = offered.into_iter().map(|offer| Pair {
            display: offer.shown,
            replacement: offer.text,
        });
        Ok((start, pairs.collect()))
    }
}

impl Hinter for Typing {
    type Hint = String;

    // Called at every change: it offers nothing, and notes what is there.
    fn hint(&self, line: &str, _: usize, _: &Context<'_>) -> Option<String> {
        self.line.set(line);
        None
    }
}

impl Highlighter for Typing {
    fn highlight_prompt<'b, 's: 'b, 'p: 'b>(
        &'s self,
        prompt: &'p str,
        _default: bool,
    ) -> Cow<'b, str> {
        match self.colour {
            true => Cow::Owned(format!("\x1b[1m{prompt}\x1b[0m")),
            false => Cow::Borrowed(prompt),
        }
    }
}

impl Validator for Typing {
    fn validate(&self, typed: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        Ok(match typed.input().ends_with('\\') {
            true => ValidationResult::Incomplete,
            false => ValidationResult::Valid(None),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_line_is_noticed_and_forgotten_when_it_is_handed_in() {
        let line = Line::default();
        line.set("short");
        assert!(!line.is_large());
        line.set(&"x\n".repeat(500));
        assert!(line.is_large());
        line.pasted.store(true, Ordering::Relaxed);
        let (text, pasted) = line.take();
        assert_eq!((text.lines().count(), pasted), (500, true));
        assert!(!line.take().1);
        assert!(!line.is_large());
    }

    #[test]
    fn a_backslash_goes_on_in_the_next_line() {
        assert_eq!(continued("one\\\ntwo\\x"), "one\ntwo\\x");
    }
}
