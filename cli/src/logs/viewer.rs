//! What window 7 knows: the newest lines, which of them are shown, where one looks, what is being typed.
//! Keys go in, pictures come out (`viewer_draw`); no terminal here.

use super::filter::holds;
use super::line::{Level, LogLine};
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use std::collections::VecDeque;

/// Most lines kept to scroll back to.
pub const KEPT: usize = 10_000;

/// The window.
#[derive(Debug, Default)]
pub struct Viewer {
    lines: VecDeque<LogLine>,
    /// Positions in `lines` of those that are shown.
    shown: Vec<usize>,
    /// What is searched for; empty = nothing.
    pub search: String,
    /// Only what is found is shown; otherwise it is marked among the rest.
    pub only_found: bool,
    /// Lines below this are left out.
    pub least: Level,
    /// The search as it is being typed.
    pub typing: Option<String>,
    /// The first line on the screen, counted among the shown ones; `None` follows the newest.
    pub top: Option<usize>,
    /// Lines that came while nothing was followed.
    pub unseen: usize,
    /// Lines that are too long go on in the next row.
    pub wrap: bool,
    /// The keys are explained.
    pub help: bool,
    /// Lines of text on the screen, as last drawn.
    pub height: usize,
}

/// What a key asks of whoever runs the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// Draw again.
    Draw,
    /// End.
    Quit,
}

impl Viewer {
    /// An empty one that shows what happened, without the small steps.
    pub fn new() -> Self {
        Self {
            least: Level::Info,
            only_found: true,
            height: 1,
            ..Self::default()
        }
    }

    /// Takes new lines in.
    pub fn take(&mut self, lines: Vec<LogLine>) {
        for line in lines {
            if self.wants(&line) {
                self.shown.push(self.lines.len());
                if self.top.is_some() {
                    self.unseen += 1;
                }
            }
            self.lines.push_back(line);
        }
        let over = self.lines.len().saturating_sub(KEPT);
        if over > 0 {
            self.lines.drain(..over);
            let gone = self.shown.partition_point(|at| *at < over);
            self.shown.drain(..gone);
            self.shown.iter_mut().for_each(|at| *at -= over);
            self.top = self.top.map(|top| top.saturating_sub(gone));
        }
    }

    fn wants(&self, line: &LogLine) -> bool {
        line.level.unwrap_or_default() >= self.least
            && (!self.only_found || self.search.is_empty() || holds(line, &self.search))
    }

    /// Chooses the shown lines anew, and goes on looking at the same one.
    fn choose(&mut self) {
        let looked_at = self.top.and_then(|top| self.shown.get(top).copied());
        let wanted = |at: &usize| self.lines.get(*at).is_some_and(|line| self.wants(line));
        self.shown = (0..self.lines.len()).filter(wanted).collect();
        self.top = looked_at.map(|at| self.shown.partition_point(|shown| *shown < at));
        self.settle();
    }

    /// The lines on the screen.
    pub fn page(&self) -> impl Iterator<Item = &LogLine> {
        let top = self.top.unwrap_or_else(|| self.newest());
        let page = self.shown.iter().skip(top).take(self.height);
        page.filter_map(|at| self.lines.get(*at))
    }

    /// How many lines are shown, of how many.
    pub fn counts(&self) -> (usize, usize) {
        (self.shown.len(), self.lines.len())
    }

    /// Whether a line is what is searched for.
    pub fn found(&self, line: &LogLine) -> bool {
        !self.search.is_empty() && holds(line, &self.search)
    }

    /// The top of the screen when the newest line is at its bottom.
    fn newest(&self) -> usize {
        self.shown.len().saturating_sub(self.height)
    }

    fn go(&mut self, by: isize) {
        let from = self.top.unwrap_or_else(|| self.newest());
        self.top = Some(from.saturating_add_signed(by));
        self.settle();
    }

    /// Keeps the top within the lines; scrolled to the end, the newest are followed again.
    fn settle(&mut self) {
        if let Some(top) = self.top
            && top >= self.newest()
        {
            self.follow();
        }
    }

    fn follow(&mut self) {
        (self.top, self.unseen) = (None, 0);
    }

    /// Goes to the next line that was searched for, up or down.
    fn jump(&mut self, down: bool) {
        let from = self.top.unwrap_or_else(|| self.newest());
        let found = |at: &usize| {
            let line = self.shown.get(*at).and_then(|at| self.lines.get(*at));
            line.is_some_and(|line| self.found(line))
        };
        let next = match down {
            true => (from + 1..self.shown.len()).find(found),
            false => (0..from).rev().find(found),
        };
        if let Some(next) = next {
            self.top = Some(next.min(self.newest()));
        }
    }

    /// A key was pressed.
    pub fn press(&mut self, key: KeyEvent) -> Wish {
        if key.modifiers.contains(KeyModifiers::CONTROL) && key.code == KeyCode::Char('c') {
            return Wish::Quit;
        }
        if let Some(typed) = self.typing.take() {
            self.type_on(typed, key.code);
            return Wish::Draw;
        }
        if std::mem::take(&mut self.help) {
            return Wish::Draw;
        }
        let page = self.height.saturating_sub(1).max(1).cast_signed();
        match key.code {
            KeyCode::Char('q') => return Wish::Quit,
            KeyCode::Char('?') => self.help = true,
            KeyCode::Char('/') => self.typing = Some(String::new()),
            KeyCode::Char(' ') => match self.top {
                None => self.top = Some(self.newest()),
                Some(_) => self.follow(),
            },
            KeyCode::Up | KeyCode::Char('k') => self.go(-1),
            KeyCode::Down | KeyCode::Char('j') => self.go(1),
            KeyCode::PageUp | KeyCode::Char('b') => self.go(-page),
            KeyCode::PageDown | KeyCode::Char('f') => self.go(page),
            KeyCode::Home | KeyCode::Char('g') => {
                self.top = Some(0);
                self.settle();
            }
            KeyCode::End | KeyCode::Char('G') => self.follow(),
            KeyCode::Char('w') => self.wrap = !self.wrap,
            KeyCode::Char('n') => self.jump(true),
            KeyCode::Char('N') => self.jump(false),
            KeyCode::Tab => {
                self.only_found = !self.only_found;
                self.choose();
            }
            KeyCode::Char('l') => {
                self.least = match self.least {
                    Level::Trace | Level::Debug => Level::Info,
                    Level::Info => Level::Warn,
                    Level::Warn => Level::Error,
                    Level::Error => Level::Debug,
                };
                self.choose();
            }
            KeyCode::Esc => {
                self.search.clear();
                self.choose();
            }
            _ => {}
        }
        Wish::Draw
    }

    /// A key while a search is typed: what was typed so far takes effect at once.
    fn type_on(&mut self, mut typed: String, key: KeyCode) {
        match key {
            KeyCode::Enter => self.search = typed,
            KeyCode::Esc => self.search.clear(),
            KeyCode::Backspace if typed.is_empty() => self.search.clear(),
            KeyCode::Backspace => {
                typed.pop();
                self.search.clone_from(&typed);
                self.typing = Some(typed);
            }
            KeyCode::Char(letter) if !letter.is_control() => {
                typed.push(letter);
                self.search.clone_from(&typed);
                self.typing = Some(typed);
            }
            _ => self.typing = Some(typed),
        }
        self.choose();
    }
}

#[cfg(test)]
#[path = "viewer_tests.rs"]
mod tests;
