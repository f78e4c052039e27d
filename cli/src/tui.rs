//! A full-screen window on a terminal: the keys, the size, the pictures; the terminal is left as it
//! was found, also after a panic. Keys are read by a thread of their own, so that whoever draws can
//! wait for other things meanwhile.

use crate::interrupt::Own;
use ratatui::crossterm::event::{self, Event, KeyEvent, KeyEventKind};
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::Line;
use ratatui::widgets::{Clear, Paragraph};
use ratatui::{DefaultTerminal, Frame};
use std::io;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

/// Events that wait at most; a person types slower than they are read.
const WAITING: usize = 64;

/// What came from the terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// A key was pressed.
    Key(KeyEvent),
    /// The window has another size.
    Resize,
}

/// The terminal while it is ours.
pub struct Tui {
    terminal: DefaultTerminal,
    inputs: mpsc::Receiver<Input>,
}

impl Tui {
    /// Takes the terminal.
    ///
    /// # Errors
    /// When standard output is no terminal that can be used so.
    pub fn open() -> io::Result<Self> {
        let terminal = ratatui::try_init()?;
        let (sender, inputs) = mpsc::channel(WAITING);
        std::thread::Builder::new()
            .name("keys".to_owned())
            .stack_size(256 * 1024)
            .spawn(move || {
                while let Ok(event) = event::read() {
                    let input = match event {
                        Event::Key(key) if key.kind != KeyEventKind::Release => Input::Key(key),
                        Event::Resize(..) => Input::Resize,
                        _ => continue,
                    };
                    if sender.blocking_send(input).is_err() {
                        return;
                    }
                }
            })?;
        Ok(Self { terminal, inputs })
    }

    /// The next input; `None` once there will be no more.
    pub async fn input(&mut self) -> Option<Input> {
        self.inputs.recv().await
    }

    /// Draws a picture.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub fn draw(&mut self, picture: impl FnOnce(&mut Frame)) -> io::Result<()> {
        self.terminal.draw(picture).map(drop)
    }
}

impl Drop for Tui {
    fn drop(&mut self) {
        ratatui::restore();
    }
}

/// How things are painted; without colour only bold, dim and reversed are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paint {
    /// Whether colours are used.
    pub colour: bool,
}

impl Paint {
    fn with(self, colour: Color) -> Style {
        match self.colour {
            true => Style::new().fg(colour),
            false => Style::new(),
        }
    }

    /// A heading.
    pub fn heading(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// Less important.
    pub fn dim(self) -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }

    /// Went wrong.
    pub fn bad(self) -> Style {
        self.with(Color::Red).add_modifier(Modifier::BOLD)
    }

    /// Wants to be looked at.
    pub fn warn(self) -> Style {
        self.with(Color::Yellow)
    }

    /// Went well.
    pub fn good(self) -> Style {
        self.with(Color::Green)
    }

    /// Is going on.
    pub fn busy(self) -> Style {
        self.with(Color::Cyan)
    }

    /// Where the cursor stands, or what was searched for.
    pub fn chosen(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    /// One of several names that are to be told apart.
    pub fn name(self, name: &str) -> Style {
        const COLOURS: [Color; 5] = [
            Color::Blue,
            Color::Magenta,
            Color::Cyan,
            Color::Green,
            Color::Yellow,
        ];
        let sum: usize = name.bytes().map(usize::from).sum();
        self.with(COLOURS[sum % COLOURS.len()])
    }
}

/// Ends at the first of the signals that ask a process to stop; never where signals cannot be
/// listened to, which leaves their usual effect.
pub async fn told_to_stop() {
    let _own = Own::take();
    let kinds = [
        SignalKind::interrupt(),
        SignalKind::terminate(),
        SignalKind::hangup(),
    ];
    let [Ok(mut interrupt), Ok(mut terminate), Ok(mut hangup)] = kinds.map(signal) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        _ = hangup.recv() => {}
    }
}

/// Lays a page of help over the lower part of `body`.
pub fn help(frame: &mut Frame, body: Rect, paint: Paint, page: &[&'static str]) {
    let height = u16::try_from(page.len())
        .unwrap_or(u16::MAX)
        .min(body.height);
    let area = Rect {
        y: body.bottom().saturating_sub(height),
        height,
        ..body
    };
    frame.render_widget(Clear, area);
    let lines: Vec<Line> = page.iter().map(|line| Line::from(*line)).collect();
    frame.render_widget(Paragraph::new(lines).style(paint.heading()), area);
}
