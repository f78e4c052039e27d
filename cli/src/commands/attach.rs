//! `attach`: this terminal becomes tmux, attached to the team's session.

use crate::context::Context;
use crate::failure::Failure;
use std::io::IsTerminal;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use supervisor::daemon::{start, stop};

/// Whether the tmux server around this terminal is the one that holds the session.
fn same_server(program: &str, arguments: &[String]) -> bool {
    // A server of its own is named (`-S`); the user's own is the one that knows the session.
    let Some(["attach", "-t", session]) = arguments
        .iter()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .first_chunk()
        .copied()
    else {
        return false;
    };
    Command::new(program)
        .args(["has-session", "-t", &format!("={session}")])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Attaches; only returns when it cannot.
pub async fn run(context: &Context) -> Result<u8, Failure> {
    if let Err(error) = start::status(&context.home).await {
        return Err(error.into());
    }
    let Some(session) = stop::remembered_session(&context.home, &context.env) else {
        return Err(Failure::usage("the team runs without tmux (up --no-tmux)")
            .hint("see it with: ai-infra status")
            .hint("give it windows: ai-infra down && ai-infra up"));
    };
    if !std::io::stdin().is_terminal() {
        return Err(Failure::usage("this is no terminal: attach from one")
            .hint("how the team is, without one: ai-infra status"));
    }
    let argv = session.attach_argv();
    let (program, arguments) = argv
        .split_first()
        .ok_or_else(|| Failure::usage("no tmux"))?;
    let mut command = Command::new(program);
    // Inside the same tmux server a client is moved, not nested; inside another one it may nest.
    if context.env.get("TMUX").is_some() && same_server(program, arguments) {
        let moved = arguments.iter().map(|word| match word.as_str() {
            "attach" => "switch-client",
            word => word,
        });
        command.args(moved);
    } else {
        command.args(arguments).env_remove("TMUX");
    }
    Err(Failure::new(
        protocol::exit::FAILED,
        format!("tmux cannot be run: {}", command.exec()),
    ))
}
