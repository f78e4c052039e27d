//! The front door: one binary, `ai-infra`. `args` is what can be said, `commands` has one file per
//! command, `chat` is the talk with the supervisor, `monitor` and `logs` are what two tmux windows show (`tui` is their terminal), `render` turns documents into text (pure), `failure` is how anything ends badly, `interrupt` what Ctrl-C means,
//! `completion` is what the shell offers at Tab.

mod args;
mod chat;
mod commands;
mod completion;
mod context;
mod failure;
mod files;
mod interrupt;
mod logging;
mod logs;
mod monitor;
mod render;
mod terminal;
mod tui;

use args::Command;
use std::process::ExitCode;

fn main() -> ExitCode {
    if completion::answered() {
        return ExitCode::SUCCESS;
    }
    let args = args::read();
    // The executor runs inside a sandbox, before and without any runtime.
    if matches!(args.command, Command::Executor { .. }) {
        return guard::executor::serve();
    }
    // The proxy of a task walls itself in before it has a second thread.
    if let Command::Proxy { holder } = args.command {
        return guard::proxy::process::serve(holder);
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
    // The warden's hands know no home and no settings: they are told one duty over their pipe.
    if matches!(args.command, Command::Hands) {
        return match runtime.block_on(hands::serve()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::from(protocol::exit::FAILED),
        };
    }
    let watch = interrupt::Watch::over(&args.command);
    let done = runtime.block_on(async {
        let interrupted = async {
            match &watch {
                Some(watch) => watch.came().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            done = commands::run(args) => Some(done),
            () = interrupted => None,
        }
    });
    // What was left on a thread of its own by somebody who was cut off is not waited for.
    runtime.shutdown_background();
    match (done, watch) {
        (None, watch) => {
            watch.iter().for_each(interrupt::Watch::say);
            ExitCode::from(protocol::exit::CANCELLED)
        }
        (Some(Ok(code)), _) => ExitCode::from(code),
        (Some(Err(failure)), _) => {
            terminal::complain(&render::text::failure(&failure));
            ExitCode::from(failure.exit)
        }
    }
}
