//! `up`: start the team, wait until it is ready, say how to attach. Again: nothing.

use super::{doctor, join, team};
use crate::args::JoinArgs;
use crate::context::Context;
use crate::failure::Failure;
use crate::render::text::safe;
use crate::terminal;
use supervisor::daemon::handed::Handed;
use supervisor::daemon::start::{self, Started};

/// Starts the team.
pub async fn run(context: &Context, args: &JoinArgs) -> Result<u8, Failure> {
    let no_tmux = args.up.no_tmux;
    context.home.inspect()?;
    if let Some(what) = &args.join {
        join::take(context, what, &args.agents).await?;
    }
    // Wrong settings are said here, where a person reads.
    let handed = Handed::gather(&context.home, &context.env).await?;
    for problem in handed.problems() {
        terminal::complain(&format!("warning: {}\n", safe(&problem)));
    }
    config::load::load(&context.home, &handed.over(&context.env), &[])?;
    let started = start::up(&context.home, &context.env, no_tmux, team::PATIENCE).await?;
    // Also when it was just started: systemd starts it without this shell's settings.
    team::warn_of_differences(context);
    terminal::print(&said(&started));
    team::warn_of_the_machine(&started).await;
    warn_of_no_pin(context).await;
    Ok(protocol::exit::DONE)
}

/// Says that a rule asks for leave which nobody could give: better before the first task waits.
async fn warn_of_no_pin(context: &Context) {
    let settings = context.settings().ok();
    if let Some(missing) = doctor::leave::missing(settings.as_ref(), context).await {
        terminal::complain(&format!("warning: {missing}\n"));
    }
}

/// What a person reads once the team is up.
pub fn said(started: &Started) -> String {
    let first = match started.already {
        true => format!("the team is up   (home: {})", safe(&started.status.home)),
        false => team::ready_line(started),
    };
    let attach = started.status.attach.as_deref().map(safe);
    if let Some(joined) = &started.status.joined {
        let next = attach.map_or(String::new(), |attach| {
            format!("{attach}     see the agents\n       ")
        });
        let status = "ai-infra status     how it is";
        return format!("{first}\n{}\n\nnext:  {next}{status}\n", safe(joined));
    }
    let attach = match attach {
        Some(attach) => format!(
            "\nnext:  {attach}     see the team; Ctrl-b d leaves it\n       ai-infra run \"…\"                      give it a task\n       ai-infra playbook list                what works without a model\n"
        ),
        None => "\nnext:  ai-infra run \"…\"     give it a task       ai-infra status\n".to_owned(),
    };
    format!("{first}\n{attach}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::document::{ProcessLine, TeamStatus};
    use std::time::Duration;

    #[test]
    fn ready_is_one_line_and_the_exact_command() {
        let line = |name: &str| ProcessLine {
            name: name.to_owned(),
            pid: None,
            state: "up".to_owned(),
            restarts: 0,
            task: None,
        };
        let mut started = Started {
            already: false,
            took: Duration::from_millis(612),
            status: TeamStatus {
                home: "/h".to_owned(),
                attach: Some("tmux -S /h/run/tmux.sock attach -t ai".to_owned()),
                processes: vec![line("redis"), line("supervisor"), line("code")],
                ..TeamStatus::default()
            },
        };
        let text = said(&started);
        assert!(text.starts_with("✓ team ready in 0.6 s: supervisor, code   (home: /h)\n"));
        assert!(text.contains("tmux -S /h/run/tmux.sock attach -t ai"));
        started.already = true;
        assert!(said(&started).starts_with("the team is up   (home: /h)\n"));
    }
}
