//! A line that is typed without being shown, while the chat's editor rests: a PIN. It is read byte by
//! byte from the terminal itself, so it is in no line editor, no history and no buffer of either. What was
//! typed or pasted before the prompt stood there is thrown away.

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};
use std::io;
use std::os::fd::AsFd;

/// Longest wait for one key, in milliseconds: whoever went away answers nothing.
const PATIENCE_MS: u16 = 60_000;
/// Longest line, in bytes.
const LONGEST: usize = 1024;

/// What a key did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    More,
    Done,
    Left,
}

/// A line that grows out of sight.
#[derive(Default)]
struct Entry(Vec<u8>);

impl Entry {
    fn take(&mut self, key: u8) -> Step {
        match key {
            b'\r' | b'\n' => return Step::Done,
            // Ctrl-C, Ctrl-D, Escape.
            3 | 4 | 27 => return Step::Left,
            // Backspace, as either kind of terminal sends it: a whole character.
            8 | 127 => while self.0.pop().is_some_and(|byte| byte & 0xc0 == 0x80) {},
            // Ctrl-U.
            21 => self.0.clear(),
            0..=31 => {}
            key if self.0.len() < LONGEST => self.0.push(key),
            _ => {}
        }
        Step::More
    }
}

/// The terminal, without echo; as it was before once this is dropped.
pub struct Hidden(Termios);

impl Hidden {
    /// From now on no key is shown.
    ///
    /// # Errors
    /// When the terminal cannot be driven.
    pub fn begin() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut hidden = before.clone();
        let shown = LocalFlags::ECHO | LocalFlags::ECHONL | LocalFlags::ICANON | LocalFlags::ISIG;
        hidden.local_flags.remove(shown);
        tcsetattr(io::stdin(), SetArg::TCSADRAIN, &hidden)?;
        Ok(Self(before))
    }

    /// The line typed after this prompt; `None` where it was let go of, or nobody typed it.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub fn line(&self, prompt: &str) -> io::Result<Option<String>> {
        nix::sys::termios::tcflush(io::stdin(), nix::sys::termios::FlushArg::TCIFLUSH)?;
        crate::terminal::to_stdout(prompt);
        let mut entry = Entry::default();
        let step = loop {
            let Some(key) = key()? else {
                break Step::Left;
            };
            match entry.take(key) {
                Step::More => {}
                over => break over,
            }
        };
        crate::terminal::to_stdout("\n");
        let text = String::from_utf8(entry.0).ok();
        Ok(text.filter(|_| step == Step::Done))
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        // With what came after the line: nobody was shown a place to type it.
        let _gone = tcsetattr(io::stdin(), SetArg::TCSAFLUSH, &self.0);
    }
}

/// The next byte; `None` after a while without one.
fn key() -> io::Result<Option<u8>> {
    loop {
        let stdin = io::stdin();
        let mut wait = [PollFd::new(stdin.as_fd(), PollFlags::POLLIN)];
        match poll(&mut wait, PollTimeout::from(PATIENCE_MS)) {
            Ok(0) => return Ok(None),
            Err(nix::errno::Errno::EINTR) => continue,
            Err(error) => return Err(error.into()),
            Ok(_) => {}
        }
        let mut byte = [0];
        match nix::unistd::read(&stdin, &mut byte) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Err(nix::errno::Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
            Ok(_) => return Ok(byte.first().copied()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(keys: &str, step: Step, line: &str) {
        let mut entry = Entry::default();
        let mut last = Step::More;
        for key in keys.bytes() {
            last = entry.take(key);
            if last != Step::More {
                break;
            }
        }
        assert_eq!(
            (last, entry.0),
            (step, line.as_bytes().to_vec()),
            "{keys:?}"
        );
    }

    #[test]
    fn a_hidden_line_is_edited_and_let_go_of() {
        check("over the hill\r", Step::Done, "over the hill");
        check("ab\u{7f}c\n", Step::Done, "ac");
        check("aé\u{7f}\u{7f}\u{7f}b\r", Step::Done, "b");
        check("wrong\u{15}right\r", Step::Done, "right");
        check("a\tb\r", Step::Done, "ab");
        check("half\u{3}", Step::Left, "half");
        check("half\u{1b}[200~", Step::Left, "half");
        check(&"x".repeat(3000), Step::More, &"x".repeat(LONGEST));
    }
}
