//! How far it is, on a terminal; on a pipe nothing.

use crate::terminal;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

/// Time between two drawings.
const AGAIN: Duration = Duration::from_millis(100);

/// A line that is drawn again and again on standard error.
#[derive(Debug)]
pub struct Line {
    drawn: Option<Instant>,
    on: bool,
}

impl Line {
    /// Nothing is drawn yet.
    pub fn new(wanted: bool) -> Self {
        Line {
            drawn: None,
            on: wanted && std::io::stderr().is_terminal(),
        }
    }

    /// Draws, where that was not just done.
    pub fn say(&mut self, text: impl FnOnce() -> String) {
        let due = self.drawn.is_none_or(|drawn| drawn.elapsed() >= AGAIN);
        if self.on && due {
            terminal::complain(&format!("\r\x1b[2K{}", text()));
            self.drawn = Some(Instant::now());
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        if self.drawn.is_some() {
            terminal::complain("\r\x1b[2K");
        }
    }
}
