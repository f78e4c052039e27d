//! Writing to the terminal or a pipe. Whoever reads may go away (`| head`): that is no failure.

use std::io::{self, IsTerminal, Write};

/// Whether standard output is a terminal.
pub fn is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// Prints text as it is. Ends the process quietly when nobody reads any more.
pub fn print(text: &str) {
    let mut out = io::stdout().lock();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    if let Err(error) = written {
        if error.kind() == io::ErrorKind::BrokenPipe {
            std::process::exit(i32::from(protocol::exit::DONE));
        }
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
    let _closed = io::stderr().lock().write_all(text.as_bytes());
}
