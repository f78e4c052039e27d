//! `agents`: who is in the team, what each is for, whether it is up.

use super::team;
use crate::args::{AgentsCommand, JsonArgs};
use crate::context::Context;
use crate::failure::Failure;
use crate::render::text::{columns, one_line, safe};
use crate::terminal;
use config::settings::AgentSettings;
use protocol::document::{DOCUMENT_VERSION, TeamStatus};
use serde_json::json;

/// Prints the agents.
pub async fn run(context: &Context, command: AgentsCommand) -> Result<u8, Failure> {
    let AgentsCommand::List(JsonArgs { json }) = command;
    let settings = context.settings()?;
    let status = team::status(context).await;
    if json {
        let agents: Vec<_> = settings
            .agents
            .iter()
            .map(|agent| {
                json!({
                    "name": agent.name, "level": agent.level, "description": agent.description,
                    "tools": agent.tools, "state": state(agent, &status),
                })
            })
            .collect();
        return super::json(&json!({"version": DOCUMENT_VERSION, "agents": agents}));
    }
    terminal::print(&text(&settings.agents, &status));
    Ok(protocol::exit::DONE)
}

fn state(agent: &AgentSettings, status: &TeamStatus) -> String {
    status
        .processes
        .iter()
        .find(|process| process.name == agent.name.as_str())
        .map_or("down".to_owned(), |process| safe(&process.state))
}

fn text(agents: &[AgentSettings], status: &TeamStatus) -> String {
    let rows: Vec<Vec<String>> = agents
        .iter()
        .map(|agent| {
            vec![
                agent.name.to_string(),
                state(agent, status),
                format!("level {}", agent.level),
                one_line(&agent.description, 100),
            ]
        })
        .collect();
    columns(&rows)
}
