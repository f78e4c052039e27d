//! `host`: other hosts of the team. An invitation holds passwords: it is written to a private file
//! or to a pipe, never shown on a terminal.

use super::{strange, team};
use crate::args::{HostCommand, JsonArgs};
use crate::context::Context;
use crate::failure::Failure;
use crate::render::text::{columns, safe};
use crate::terminal;
use config::invitation::{self, Invitation};
use config::private_file;
use protocol::control::{Answer, Verb};
use protocol::document::{DOCUMENT_VERSION, HostLine};
use protocol::ids::Role;
use serde_json::json;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use supervisor::client;
use supervisor::hosts::invite::{self, InviteError};
use supervisor::hosts::roll;

impl From<InviteError> for Failure {
    fn from(error: InviteError) -> Self {
        Failure::new(error.exit_code(), error)
    }
}

/// Invites, lists, removes, leaves.
pub async fn run(context: &Context, command: HostCommand) -> Result<u8, Failure> {
    // The settings that stood in the environment of `up` say where the team's Redis listens.
    let context = &context.clone().in_team().await?;
    match command {
        HostCommand::Invite { name, agents, out } => invite(context, &name, &agents, out).await,
        HostCommand::List(JsonArgs { json }) => list(context, json).await,
        HostCommand::Remove { name } => {
            invite::remove(&context.home, &context.settings()?, &name).await?;
            terminal::line(&format!(
                "✓ host {name} is out; its tasks that are not over wait for it: ai-infra task list"
            ));
            Ok(protocol::exit::DONE)
        }
        HostCommand::Leave => leave(context).await,
    }
}

async fn invite(
    context: &Context,
    name: &str,
    agents: &[Role],
    out: Option<PathBuf>,
) -> Result<u8, Failure> {
    let to_pipe = out.as_deref() == Some(Path::new("-"));
    if to_pipe && io::stdout().is_terminal() {
        return Err(Failure::usage(
            "an invitation holds passwords and is not shown on a terminal",
        )
        .hint(format!(
            "write it to a file: ai-infra host invite {}",
            safe(name)
        ))
        .hint(format!(
            "or into a pipe:     ai-infra host invite {} --out - | ssh … ai-infra up --join -",
            safe(name)
        )));
    }
    let made = invite::invite(&context.home, &context.settings()?, name, agents).await?;
    if to_pipe {
        terminal::exact(&made.to_text());
        return Ok(protocol::exit::DONE);
    }
    let file = out.unwrap_or_else(|| PathBuf::from(format!("{name}.invitation")));
    let file = std::path::absolute(&file).map_err(|e| Failure::usage(e.to_string()))?;
    private_file::write(&file, made.to_text().as_bytes())?;
    terminal::print(&told(&made, &file));
    Ok(protocol::exit::DONE)
}

fn told(made: &Invitation, file: &Path) -> String {
    let roles: Vec<&str> = made.roles.iter().map(Role::as_str).collect();
    let file = safe(&file.display().to_string());
    format!(
        "✓ {} may run {} for team {}; its invitation: {file} (keep it private)\n\nnext:  copy it there, then on {}: ai-infra up --join {}.invitation\n       work there, from here: ai-infra run \"…\" --host {} --workspace /path/on/{}\n",
        made.host,
        roles.join(", "),
        made.team,
        made.host,
        made.host,
        made.host,
        made.host
    )
}

async fn list(context: &Context, json: bool) -> Result<u8, Failure> {
    let status = team::status(context).await;
    let hosts = match status.state.as_str() {
        // Nobody is seen while the team is down.
        "down" => roll::read(&context.home)?
            .hosts
            .into_iter()
            .map(|guest| HostLine {
                name: guest.name,
                state: "not seen".to_owned(),
                roles: guest.roles,
                ..HostLine::default()
            })
            .collect(),
        _ => match client::ask(&context.home, Verb::Status).await? {
            Answer::Status { status } => status.hosts,
            _ => return Err(strange()),
        },
    };
    if json {
        return super::json(&json!({"version": DOCUMENT_VERSION, "hosts": hosts}));
    }
    if hosts.is_empty() {
        terminal::complain("no other host was invited; invite one: ai-infra host invite NAME\n");
    }
    terminal::print(&columns(&crate::render::status::hosts(&hosts)));
    Ok(protocol::exit::DONE)
}

async fn leave(context: &Context) -> Result<u8, Failure> {
    let home = &context.home;
    let Some(invited) = invitation::read(home)? else {
        return Err(Failure::usage("this host works for no other host's team"));
    };
    if client::Client::connect_daemon(home).await.is_ok() {
        return Err(Failure::usage("the agents here are up").hint("ai-infra down first"));
    }
    let aside = set_aside(&home.tasks(), invited.team.as_str())?;
    std::fs::remove_file(home.join()).map_err(|e| Failure::usage(e.to_string()))?;
    terminal::line(&format!(
        "✓ this host works for team {} no more; put it out there too: ai-infra host remove {}",
        invited.team, invited.host
    ));
    if let Some(aside) = aside {
        terminal::line(&format!(
            "  the clones of its tasks are in {}: remove them once nothing there is wanted",
            safe(&aside.display().to_string())
        ));
    }
    Ok(protocol::exit::DONE)
}

/// Another team counts its tasks from t1 too, and must not find the clone of this one's.
fn set_aside(tasks: &Path, team: &str) -> Result<Option<PathBuf>, Failure> {
    let free = |number: &u32| !tasks.with_file_name(name(team, *number)).exists();
    let Some(number) = (1..10_000).find(free).filter(|_| tasks.exists()) else {
        return Ok(None);
    };
    let aside = tasks.with_file_name(name(team, number));
    let moved = std::fs::rename(tasks, &aside);
    moved.map_err(|e| Failure::usage(format!("{} cannot be moved: {e}", tasks.display())))?;
    Ok(Some(aside))
}

fn name(team: &str, number: u32) -> String {
    format!("tasks-of-{team}-{number}")
}
