//! Writing to the terminal or a pipe. Whoever reads may go away (`| head`): that is no failure. While
//! the chat runs, what a command writes is said above the line that is being typed. On a terminal, lines
//! are folded between words; what is copied or read by programs is written exactly.

use crate::render::fold::fold;
use crate::render::paint::Paint;
use crate::render::sheet::Sheet;
use config::env::Env;
use nix::sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};
use std::borrow::Cow;
use std::io::{self, BufRead, IsTerminal, Read, Write};
use std::os::fd::AsFd;
use std::sync::{Mutex, PoisonError};

type Elsewhere = Box<dyn Fn(&str) + Send>;

/// Where text goes instead of standard output and standard error.
static ELSEWHERE: Mutex<Option<Elsewhere>> = Mutex::new(None);

/// How the terminal was before what is typed was not shown.
static SHOWN: Mutex<Option<Termios>> = Mutex::new(None);

/// Whether standard output is a terminal.
pub fn is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// What reports are written on.
pub fn sheet(env: &Env) -> Sheet {
    match is_terminal() {
        false => Sheet::Pipe,
        true => Sheet::Terminal {
            width: size().map_or(80, |(columns, _)| columns),
            paint: Paint(env.colour()),
        },
    }
}

/// From now on everything that is printed goes there; `None`: to the terminal again.
pub fn redirect(elsewhere: Option<Elsewhere>) {
    *ELSEWHERE.lock().unwrap_or_else(PoisonError::into_inner) = elsewhere;
}

/// Longest line that is read without being shown, in bytes.
const HIDDEN: u64 = 64 * 1024;

/// A line that is typed without being shown, after a prompt; on a pipe the next line of it.
///
/// # Errors
/// What the system says; and in the chat, which reads the keyboard itself and keeps what it reads.
pub fn hidden_line(prompt: &str) -> io::Result<String> {
    if ELSEWHERE
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .is_some()
    {
        return Err(io::Error::other("it is typed in a shell, not in the chat"));
    }
    let stdin = io::stdin();
    let mut value = String::new();
    if !stdin.is_terminal() {
        stdin.lock().take(HIDDEN).read_line(&mut value)?;
        return Ok(value);
    }
    complain(prompt);
    let shown = tcgetattr(&stdin)?;
    let mut hidden = shown.clone();
    hidden.local_flags.remove(LocalFlags::ECHO);
    *SHOWN.lock().unwrap_or_else(PoisonError::into_inner) = Some(shown);
    tcsetattr(&stdin, SetArg::TCSADRAIN, &hidden)?;
    let line = stdin.lock().take(HIDDEN).read_line(&mut value);
    shown_again();
    complain("\n");
    line?;
    Ok(value)
}

/// What is typed is shown again, where it was not; also called where the line is never finished.
pub fn shown_again() {
    let shown = SHOWN.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(shown) = shown {
        let _gone = tcsetattr(io::stdin(), SetArg::TCSADRAIN, &shown);
    }
}

/// Takes the text elsewhere, where that is wanted.
fn taken(text: &str) -> bool {
    let elsewhere = ELSEWHERE.lock().unwrap_or_else(PoisonError::into_inner);
    match elsewhere.as_ref() {
        Some(say) => {
            say(text);
            true
        }
        None => false,
    }
}

/// Columns and rows of the terminal that standard output is; `None` where it is none.
pub fn size() -> Option<(usize, usize)> {
    window(io::stdout())
}

fn window(fd: impl AsFd) -> Option<(usize, usize)> {
    let size = rustix::termios::tcgetwinsize(fd).ok();
    let size = size.filter(|size| size.ws_col > 0 && size.ws_row > 0);
    size.map(|size| (size.ws_col.into(), size.ws_row.into()))
}

/// As a terminal shows it best, where there is one.
fn folded<'t>(text: &'t str, fd: impl AsFd) -> Cow<'t, str> {
    match window(fd) {
        Some((columns, _)) => Cow::Owned(fold(text, columns)),
        None => Cow::Borrowed(text),
    }
}

/// Prints text for people. Ends the process quietly when nobody reads any more.
pub fn print(text: &str) {
    let text = folded(text, io::stdout());
    if !taken(&text) {
        to_stdout(&text);
    }
}

/// Prints text as it is: a patch, a script, a document. Ends the process quietly when nobody reads any more.
pub fn exact(text: &str) {
    if !taken(text) {
        to_stdout(text);
    }
}

/// Prints to standard output, wherever other text goes.
pub fn to_stdout(text: &str) {
    let mut out = io::stdout().lock();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    if let Err(error) = written {
        if error.kind() == io::ErrorKind::BrokenPipe {
            std::process::exit(i32::from(protocol::exit::DONE));
        }
        redirect(None);
        complain(&format!("error: standard output: {error}\n"));
        std::process::exit(i32::from(protocol::exit::FAILED));
    }
}

/// Prints a line.
pub fn line(text: &str) {
    print(&format!("{text}\n"));
}

/// Prints to standard error; where that is closed there is nobody to tell.
pub fn complain(text: &str) {
    let text = folded(text, io::stderr());
    if !taken(&text) {
        let _closed = io::stderr().lock().write_all(text.as_bytes());
    }
}
