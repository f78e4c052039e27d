//! `agents`: who is in the team, what each is for, whether it is up; pause, resume, restart.

use super::{brakes, team};
use crate::args::{AgentsCommand, JsonArgs};
use crate::context::Context;
use crate::failure::Failure;
use crate::render::text::{clock, columns, count, one_line, safe};
use crate::terminal;
use config::settings::AgentSettings;
use protocol::control::{Answer, Verb};
use protocol::document::{BrakeLine, DOCUMENT_VERSION, HeldBackLine, ProcessLine, TeamStatus};
use protocol::ids::Role;
use serde_json::{Value, json};
use supervisor::client;

/// Does one of them.
pub async fn run(context: &Context, command: AgentsCommand) -> Result<u8, Failure> {
    match command {
        AgentsCommand::List(JsonArgs { json }) => list(context, json).await,
        AgentsCommand::Show { name, json } => show(context, &name, json).await,
        AgentsCommand::Pause { name } => {
            brakes::run(context, Verb::AgentPause { role: name }).await
        }
        AgentsCommand::Resume { name } => {
            brakes::run(context, Verb::AgentResume { role: name }).await
        }
        AgentsCommand::Restart { name } => {
            let verb = Verb::AgentRestart { role: name };
            match client::ask_daemon(&context.home, verb).await? {
                Answer::Ok { message } => {
                    terminal::line(&safe(&message));
                    Ok(protocol::exit::DONE)
                }
                _ => Err(super::strange()),
            }
        }
    }
}

async fn list(context: &Context, json: bool) -> Result<u8, Failure> {
    let settings = context.settings()?;
    let status = team::status(context).await;
    if json {
        let agents: Vec<_> = settings
            .agents
            .iter()
            .map(|agent| document(agent, &status))
            .collect();
        return super::json(&json!({"version": DOCUMENT_VERSION, "agents": agents}));
    }
    terminal::print(&text(&settings.agents, &status));
    Ok(protocol::exit::DONE)
}

async fn show(context: &Context, name: &Role, json: bool) -> Result<u8, Failure> {
    let settings = context.settings()?;
    let Some(agent) = settings.agent(name) else {
        let known: Vec<&str> = settings.agents.iter().map(|a| a.name.as_str()).collect();
        return Err(Failure::usage(format!(
            "there is no agent `{name}`{}; there are: {}",
            config::error::did_you_mean(name.as_str(), known.iter().copied()),
            known.join(", ")
        )));
    };
    let status = team::status(context).await;
    if json {
        let agent = document(agent, &status);
        return super::json(&json!({"version": DOCUMENT_VERSION, "agent": agent}));
    }
    terminal::print(&page(agent, &status));
    Ok(protocol::exit::DONE)
}

fn document(agent: &AgentSettings, status: &TeamStatus) -> Value {
    let process = process(agent, status);
    json!({
        "name": agent.name, "level": agent.level, "description": agent.description,
        "tools": agent.tools, "state": state(agent, status),
        "paused": paused(agent, status), "held_back": held_back(agent, status), "pid": process.and_then(|p| p.pid),
        "restarts": process.map(|p| p.restarts), "task": process.and_then(|p| p.task),
    })
}

fn process<'a>(agent: &AgentSettings, status: &'a TeamStatus) -> Option<&'a ProcessLine> {
    let name = agent.name.as_str();
    status.processes.iter().find(|process| process.name == name)
}

fn paused<'a>(agent: &AgentSettings, status: &'a TeamStatus) -> Option<&'a BrakeLine> {
    let role = Some(&agent.name);
    status.paused.iter().find(|line| line.role.as_ref() == role)
}

/// Why it begins only urgent tasks here, where it does.
fn held_back<'a>(agent: &AgentSettings, status: &'a TeamStatus) -> Option<&'a str> {
    let here = |line: &&HeldBackLine| line.host.is_none() && line.role == agent.name;
    status
        .held_back
        .iter()
        .find(here)
        .map(|line| line.why.as_str())
}

fn page(agent: &AgentSettings, status: &TeamStatus) -> String {
    let row = |name: &str, value: String| vec![format!("  {name}"), value];
    let mut rows = vec![
        row("is for", one_line(&agent.description, 400)),
        row("state", state(agent, status)),
        row("level", agent.level.to_string()),
        row("tools", one_line(&agent.tools.join(", "), 400)),
    ];
    if let Some(process) = process(agent, status) {
        let pid = process.pid.map_or("-".to_owned(), |pid| pid.to_string());
        rows.push(row(
            "process",
            format!("{pid}, {}", count(process.restarts, "restart", "restarts")),
        ));
        let task = process.task.map_or("-".to_owned(), |task| task.to_string());
        rows.push(row("holds", task));
    }
    if let Some(line) = paused(agent, status) {
        let since = clock(line.since);
        let next = format!(
            "since {since} by {}; go on: ai-infra agents resume {}",
            safe(&line.by),
            agent.name
        );
        rows.push(row("paused", next));
    }
    if let Some(why) = held_back(agent, status) {
        let next = format!("{}; only urgent tasks are begun", safe(why));
        rows.push(row("held back", next));
    }
    format!("{}\n{}", agent.name, columns(&rows))
}

/// How its process is; a paused agent's says that too, and one's that is held back.
fn state(agent: &AgentSettings, status: &TeamStatus) -> String {
    let mut state = process(agent, status).map_or("down".to_owned(), |p| safe(&p.state));
    if paused(agent, status).is_some() {
        state.push_str(", paused");
    }
    if held_back(agent, status).is_some() {
        state.push_str(", held back");
    }
    state
}

fn text(agents: &[AgentSettings], status: &TeamStatus) -> String {
    let rows: Vec<Vec<String>> = agents
        .iter()
        .map(|agent| {
            vec![
                agent.name.to_string(),
                state(agent, status),
                format!("level {}", agent.level),
                one_line(&agent.description, 200),
            ]
        })
        .collect();
    columns(&rows)
}
