//! `completions`: a script for the person's shell.

use crate::args::Args;
use crate::failure::Failure;
use crate::terminal;
use clap::CommandFactory;

/// Prints the script.
pub fn run(shell: clap_complete::Shell) -> Result<u8, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "ai-infra", &mut script);
    terminal::exact(&String::from_utf8_lossy(&script));
    Ok(protocol::exit::DONE)
}
