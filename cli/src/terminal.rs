//! Writing to the terminal or a pipe. Whoever reads may go away (`| head`): that is no failure. While
//! the chat runs, what a command writes is said above the line that is being typed.

use std::io::{self, IsTerminal, Write};
use std::sync::{Mutex, PoisonError};

type Elsewhere = Box<dyn Fn(&str) + Send>;

/// Where text goes instead of standard output and standard error.
static ELSEWHERE: Mutex<Option<Elsewhere>> = Mutex::new(None);

/// Whether standard output is a terminal.
pub fn is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// From now on everything that is printed goes there; `None`: to the terminal again.
pub fn redirect(elsewhere: Option<Elsewhere>) {
    *ELSEWHERE.lock().unwrap_or_else(PoisonError::into_inner) = elsewhere;
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

/// Prints text as it is. Ends the process quietly when nobody reads any more.
pub fn print(text: &str) {
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
    if !taken(text) {
        let _closed = io::stderr().lock().write_all(text.as_bytes());
    }
}
