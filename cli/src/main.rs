//! The front door: one binary, `ai-infra`. `args` is what can be said, `commands` has one file per
//! command, `chat` is the talk with the supervisor, `monitor` and `logs` are what two tmux windows show (`tui` is their terminal), `render` turns documents into text (pure), `failure` is how anything ends badly,
//! `completion` is what the shell offers at Tab.

mod args;
mod chat;
mod commands;
mod completion;
mod context;
mod failure;
mod files;
mod logging;
mod logs;
mod monitor;
mod render;
mod terminal;
mod tui;

use args::{Args, Command};
use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    if completion::answered() {
        return ExitCode::SUCCESS;
    }
    let args = Args::parse();
    // The executor runs inside a sandbox, before and without any runtime.
    if matches!(args.command, Command::Executor { .. }) {
        return guard::executor::serve();
    }
    let runtime = match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: the runtime cannot be started: {error}");
            return ExitCode::from(protocol::exit::FAILED);
        }
    };
    match runtime.block_on(commands::run(args)) {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            terminal::complain(&render::text::failure(&failure));
            ExitCode::from(failure.exit)
        }
    }
}
