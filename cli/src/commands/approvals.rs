//! `approvals`: what agents ask leave for, and a person's answer. Spoken with the warden itself: the
//! supervisor, the bus and every model are left out.

use crate::args::ApprovalsCommand;
use crate::context::Context;
use crate::failure::Failure;
use crate::{render, terminal};
use jiff::Timestamp;
use protocol::approval::TicketId;
use protocol::document::DOCUMENT_VERSION;
use serde_json::json;
use std::io::{self, IsTerminal};
use std::time::Duration;
use warden::client::{Client, WardenError};
use warden::tickets::ticket::Ticket;
use warden::wire::{Ask, Reply};

/// How long a warden that is being started again is waited for.
const PATIENCE: Duration = Duration::from_secs(2);
/// Most tickets of a list.
const LISTED: usize = 200;

/// Does one of them.
pub async fn run(context: &Context, command: ApprovalsCommand) -> Result<u8, Failure> {
    context.home.inspect()?;
    let mut warden = Client::new(&context.home, PATIENCE);
    match command {
        ApprovalsCommand::List { all, json } => {
            let tickets = warden.tickets(!all, LISTED).await.map_err(failed)?;
            if json {
                let rows: Vec<_> = tickets
                    .iter()
                    .map(|(ticket, mark)| document(ticket, mark, &[]))
                    .collect();
                return super::json(&json!({"version": DOCUMENT_VERSION, "tickets": rows}));
            }
            terminal::print(&render::approvals::list(&tickets, Timestamp::now()));
        }
        ApprovalsCommand::Show { ticket, json } => {
            let (ticket, mark, shown) = one(&mut warden, ticket).await?;
            if json {
                let document = document(&ticket, &mark, &shown);
                return super::json(&json!({"version": DOCUMENT_VERSION, "ticket": document}));
            }
            let text = render::approvals::page(&ticket, &mark, &shown, Timestamp::now());
            terminal::print(&text);
        }
        ApprovalsCommand::Approve {
            ticket,
            mark,
            for_task,
            because,
        } => {
            let pin = pin_where_wanted(&mut warden).await?;
            let ask = Ask::Answer {
                id: ticket,
                mark: mark.to_lowercase(),
                yes: true,
                for_task,
                because,
                pin,
            };
            let (ticket, ..) = asked(&mut warden, ask).await?;
            let all = match for_task {
                true => format!(", and every {} for the rest of it", ticket.wanted.kind),
                false => ", once".to_owned(),
            };
            terminal::line(&format!(
                "✓ {} is approved{all}; {} goes on",
                ticket.id,
                render::text::safe(&ticket.wanted.short)
            ));
        }
        ApprovalsCommand::Deny { ticket, because } => {
            let (_, mark, _) = one(&mut warden, ticket).await?;
            let pin = pin_where_wanted(&mut warden).await?;
            let ask = Ask::Answer {
                id: ticket,
                mark,
                yes: false,
                for_task: false,
                because,
                pin,
            };
            let (ticket, ..) = asked(&mut warden, ask).await?;
            terminal::line(&format!(
                "✓ {} is denied; {} goes on without it",
                ticket.id,
                render::text::safe(&ticket.wanted.short)
            ));
        }
        ApprovalsCommand::Pin => keep_pin(&mut warden).await?,
    }
    Ok(protocol::exit::DONE)
}

fn failed(error: WardenError) -> Failure {
    match error {
        WardenError::Refused(_) => Failure::new(protocol::exit::REFUSED, error),
        _ => Failure::new(protocol::exit::SERVICE, error).hint("is the team up? ai-infra up"),
    }
}

type Shown = Vec<(String, String)>;

async fn asked(warden: &mut Client, ask: Ask) -> Result<(Ticket, String, Shown), Failure> {
    match warden.ask(ask).await.map_err(failed)? {
        Reply::Ticket {
            ticket,
            mark,
            shown,
        } => Ok((*ticket, mark, shown)),
        _ => Err(failed(WardenError::Strange)),
    }
}

async fn one(warden: &mut Client, id: TicketId) -> Result<(Ticket, String, Shown), Failure> {
    asked(warden, Ask::Ticket { id }).await
}

fn document(ticket: &Ticket, mark: &str, shown: &[(String, String)]) -> serde_json::Value {
    let shown: Vec<_> = shown
        .iter()
        .map(|(label, text)| json!({"label": label, "text": text}))
        .collect();
    json!({
        "id": ticket.id, "mark": mark, "state": ticket.state, "kind": ticket.wanted.kind,
        "task": ticket.wanted.short, "agent": ticket.wanted.agent, "step": ticket.wanted.step,
        "action": ticket.wanted.action, "claimed": ticket.wanted.claimed,
        "asked": ticket.asked, "expires": ticket.expires, "said": ticket.said, "used": ticket.used,
        "shown": shown,
    })
}

/// Whether an answer needs a PIN, and whether one is kept.
async fn proof(warden: &mut Client) -> Result<(bool, bool), Failure> {
    match warden.ask(Ask::Proof).await.map_err(failed)? {
        Reply::Proof {
            pin_wanted,
            pin_kept,
        } => Ok((pin_wanted, pin_kept)),
        _ => Err(failed(WardenError::Strange)),
    }
}

async fn pin_where_wanted(warden: &mut Client) -> Result<Option<String>, Failure> {
    match proof(warden).await? {
        (false, _) => Ok(None),
        (true, true) => Ok(Some(read("PIN (not shown): ")?)),
        (true, false) => Err(Failure::new(
            protocol::exit::REFUSED,
            "the agents run as the same user as you, so only a PIN tells you apart, and none is kept",
        )
        .hint("keep one first: ai-infra approvals pin")),
    }
}

async fn keep_pin(warden: &mut Client) -> Result<(), Failure> {
    let (_, kept) = proof(warden).await?;
    let old = match kept {
        true => Some(read("the PIN there is (not shown): ")?),
        false => None,
    };
    let new = read("a new PIN, 6 characters or more (not shown): ")?;
    if io::stdin().is_terminal() && read("the same again: ")? != new {
        return Err(Failure::usage("the two are not the same: nothing was kept"));
    }
    match warden.ask(Ask::Pin { old, new }).await.map_err(failed)? {
        Reply::Done => {
            terminal::line("✓ the PIN is kept, as a hash only the warden reads");
            Ok(())
        }
        _ => Err(failed(WardenError::Strange)),
    }
}

/// A line from the terminal, not shown, or the next one of standard input.
fn read(prompt: &str) -> Result<String, Failure> {
    let line = terminal::hidden_line(prompt);
    let line = line.map_err(|error| Failure::usage(format!("no PIN was read: {error}")))?;
    let line = line.trim_end_matches(['\n', '\r']).to_owned();
    match line.is_empty() {
        true => Err(Failure::usage("no PIN was given: nothing was answered")
            .hint("type it when asked, or give it on standard input")),
        false => Ok(line),
    }
}
