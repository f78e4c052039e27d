//! The thread that draws the picture: in place, only the lines that changed, at most ten times a
//! second. It waits for a change, and counts the seconds while there is a task.

use super::draw::draw;
use super::line::Line;
use super::{Inner, View};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use nix::libc;
use nix::sys::termios::{self, LocalFlags, SetArg, Termios};
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

/// Between two pictures at least.
const PAUSE: Duration = Duration::from_millis(100);
/// While a task is held, the seconds are counted.
const TICK: Duration = Duration::from_secs(1);
/// The thread needs little; its stack is what it costs.
const STACK: usize = 256 * 1024;
/// What is sent before the first picture: no lines are wrapped, no cursor blinks.
const BEGIN: &str = "\x1b[?7l\x1b[?25l\x1b[H\x1b[2J";
/// What is sent after the last one.
const END: &str = "\x1b[?7h\x1b[?25h\n";

/// A terminal and what it shows.
pub struct Picture<W> {
    out: W,
    size: Box<dyn Fn() -> (usize, usize) + Send>,
    colour: bool,
    zone: TimeZone,
    drawn: Vec<String>,
    drawn_at: (usize, usize),
    before: Option<Termios>,
}

impl Picture<io::Stdout> {
    /// The terminal on standard output. What is typed into it is not echoed: it would stand in the
    /// picture.
    pub fn on_terminal(colour: bool) -> Self {
        let size = || size_of(&io::stdout()).unwrap_or((80, 24));
        let mut picture = Self::new(io::stdout(), Box::new(size), colour);
        picture.before = quiet(&io::stdout());
        picture
    }
}

impl<W: Write + AsFd + Send + 'static> Picture<W> {
    pub(super) fn new(out: W, size: Box<dyn Fn() -> (usize, usize) + Send>, colour: bool) -> Self {
        Self {
            out,
            size,
            colour,
            zone: TimeZone::system(),
            drawn: Vec::new(),
            drawn_at: (0, 0),
            before: None,
        }
    }

    /// Draws in a thread of its own until the screen is closed.
    pub(super) fn draw_for_ever(mut self, inner: Arc<Inner>) {
        let thread = std::thread::Builder::new()
            .name("screen".to_owned())
            .stack_size(STACK);
        let drawing = thread.spawn(move || {
            while let Some(view) = next(&inner) {
                let lines = self.lines(&view, Timestamp::now());
                if self.show(&lines).is_err() {
                    return;
                }
                std::thread::sleep(PAUSE);
            }
            self.end();
            inner.shown().closed = true;
            inner.changed.notify_all();
        });
        if let Err(error) = drawing {
            tracing::warn!(%error, "the window shows nothing");
        }
    }

    fn lines(&mut self, view: &View, now: Timestamp) -> Vec<Line> {
        let at = (self.size)();
        if at != self.drawn_at {
            self.drawn_at = at;
            self.drawn.clear();
        }
        draw(view, now, &self.zone, at.0, at.1)
    }

    /// Sends what differs from what stands there.
    fn show(&mut self, lines: &[Line]) -> io::Result<()> {
        let lines: Vec<String> = lines.iter().map(|l| l.painted(self.colour)).collect();
        let bytes = difference(&self.drawn, &lines);
        if !bytes.is_empty() {
            self.out.write_all(bytes.as_bytes())?;
            self.out.flush()?;
        }
        self.drawn = lines;
        Ok(())
    }

    fn end(&mut self) {
        let below = self.drawn.len();
        // Whoever looks may be gone.
        let _gone = write!(self.out, "\x1b[{below};1H{END}").and_then(|()| self.out.flush());
        if let Some(before) = &self.before {
            let _gone = termios::tcsetattr(self.out.as_fd(), SetArg::TCSANOW, before);
        }
    }
}

/// The view once it changed, or a second has passed that counts; `None` once the screen is closed.
fn next(inner: &Inner) -> Option<View> {
    let mut shown = inner.shown();
    let ticks = shown.view.ticks();
    let waits = |shown: &mut super::Shown| !shown.fresh && !shown.closing;
    shown = match ticks {
        true => {
            let waited = inner.changed.wait_timeout_while(shown, TICK, waits);
            waited.unwrap_or_else(PoisonError::into_inner).0
        }
        false => {
            let waited = inner.changed.wait_while(shown, waits);
            waited.unwrap_or_else(PoisonError::into_inner)
        }
    };
    shown.fresh = false;
    let view = &mut shown.view;
    view.hint.take_if(|(_, until)| *until <= Timestamp::now());
    let view = view.clone();
    (!shown.closing).then_some(view)
}

/// What turns one picture into the next: every line that changed, cleared first (clearing behind a
/// line that fills the screen would take its last character).
fn difference(old: &[String], new: &[String]) -> String {
    let mut out = String::new();
    if old.is_empty() {
        out.push_str(BEGIN);
    }
    for (at, line) in new.iter().enumerate() {
        if old.get(at) != Some(line) {
            out.push_str(&format!("\x1b[{};1H\x1b[K{line}", at + 1));
        }
    }
    if new.len() < old.len() {
        out.push_str(&format!("\x1b[{};1H\x1b[J", new.len() + 1));
    }
    out
}

/// Columns and lines of a terminal.
#[allow(unsafe_code)] // one ioctl that fills a struct it is given
fn size_of(terminal: &impl AsFd) -> Option<(usize, usize)> {
    let mut size = libc::winsize {
        ws_row: 0,
        ws_col: 0,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    // SAFETY: the descriptor is open for the length of the call, and the kernel writes one
    // `winsize` into the one it is given.
    let told = unsafe {
        libc::ioctl(
            terminal.as_fd().as_raw_fd(),
            libc::TIOCGWINSZ,
            &raw mut size,
        )
    };
    nix::errno::Errno::result(told).ok()?;
    let size = (usize::from(size.ws_col), usize::from(size.ws_row));
    (size.0 > 0 && size.1 > 0).then_some(size)
}

/// Switches the echo off; gives back how it was.
fn quiet(terminal: &impl AsFd) -> Option<Termios> {
    let before = termios::tcgetattr(terminal).ok()?;
    let mut quiet = before.clone();
    quiet
        .local_flags
        .remove(LocalFlags::ECHO | LocalFlags::ICANON);
    termios::tcsetattr(terminal, SetArg::TCSANOW, &quiet).ok()?;
    Some(before)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::Screen;
    use super::*;
    use nix::fcntl::{FcntlArg, OFlag, fcntl};
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    use std::os::fd::OwnedFd;
    use std::time::Instant;

    /// A terminal by its descriptor.
    struct Raw(OwnedFd);

    impl Write for Raw {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            Ok(nix::unistd::write(&self.0, bytes)?)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl AsFd for Raw {
        fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
            self.0.as_fd()
        }
    }

    #[test]
    fn only_what_changed_is_sent() {
        let lines = |all: &[&str]| all.iter().map(|l| (*l).to_owned()).collect::<Vec<_>>();
        let check = |old: &[&str], new: &[&str], expected: &str| {
            assert_eq!(difference(&lines(old), &lines(new)), expected);
        };
        check(&["a"], &["a"], "");
        check(&["a", "b"], &["a", "c"], "\x1b[2;1H\x1b[Kc");
        check(&["a", "b"], &["a"], "\x1b[2;1H\x1b[J");
        check(&[], &["a"], &format!("{BEGIN}\x1b[1;1H\x1b[Ka"));
    }

    /// Writes until the terminal takes no more, also a moment later: what it took first is passed on
    /// by a worker of the kernel, which makes room once more.
    fn fill(slave: &OwnedFd) {
        let blocks = fcntl(slave, FcntlArg::F_GETFL)
            .map(OFlag::from_bits_retain)
            .unwrap();
        fcntl(slave, FcntlArg::F_SETFL(blocks | OFlag::O_NONBLOCK)).unwrap();
        loop {
            for size in [512, 1] {
                while nix::unistd::write(slave, &[b'.'; 512][..size]).is_ok() {}
            }
            let mut room = [PollFd::new(slave.as_fd(), PollFlags::POLLOUT)];
            if poll(&mut room, PollTimeout::from(500u16)).unwrap() == 0 {
                break;
            }
        }
        fcntl(slave, FcntlArg::F_SETFL(blocks)).unwrap();
    }

    #[test]
    fn a_terminal_that_takes_nothing_holds_up_nobody() {
        let pty = nix::pty::openpty(None, None).unwrap();
        fill(&pty.slave);
        let view = View::new("code".into(), String::new(), Timestamp::now());
        let screen = Screen::with(view, None);
        let inner = screen.0.clone().unwrap();
        Picture::new(Raw(pty.slave), Box::new(|| (80, 24)), true).draw_for_ever(inner.clone());
        let began = Instant::now();
        for n in 0..20_000 {
            screen.change(|view| view.about = format!("about {n}"));
        }
        screen.close();
        assert!(
            began.elapsed() < Duration::from_secs(5),
            "the work was held up"
        );
        assert!(
            !inner.shown().closed,
            "the terminal took something after all"
        );
        // Read again, it is put in order.
        let reader = std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while nix::unistd::read(&pty.master, &mut bytes).is_ok_and(|size| size > 0) {}
        });
        let open = |shown: &mut super::super::Shown| !shown.closed;
        let patience = Duration::from_secs(5);
        let waited = inner
            .changed
            .wait_timeout_while(inner.shown(), patience, open);
        assert!(!waited.unwrap().1.timed_out(), "the thread did not go on");
        drop((screen, inner));
        reader.join().unwrap();
    }
}
