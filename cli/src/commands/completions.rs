//! `completions`: what makes the person's shell complete; `completion` answers it.

use crate::args::ShellName;
use crate::completion;
use crate::failure::Failure;
use crate::terminal;

/// Prints the script.
pub fn run(shell: ShellName) -> Result<u8, Failure> {
    let script =
        completion::script(shell).map_err(|error| Failure::new(protocol::exit::FAILED, error))?;
    terminal::exact(&script);
    Ok(protocol::exit::DONE)
}
