//! `approvals`: what agents ask leave for, and a person's answer. Spoken with the warden itself: the
//! supervisor, the bus and every model are left out.

use super::signed::signature;
use crate::args::{ApprovalsCommand, ToSign};
use crate::context::Context;
use crate::failure::Failure;
use crate::{render, terminal};
use jiff::Timestamp;
use protocol::acts::Foreseen;
use protocol::approval::TicketId;
use protocol::document::DOCUMENT_VERSION;
use serde_json::json;
use std::io::{self, IsTerminal};
use std::time::Duration;
use warden::client::{Client, WardenError};
use warden::tickets::signed::text;
use warden::tickets::ticket::Ticket;
use warden::wire::{Ask, Reply};

/// How long a warden that is being started again is waited for.
const PATIENCE: Duration = Duration::from_secs(2);
/// Most tickets of a list.
const LISTED: usize = 200;

/// Does one of them.
pub async fn run(context: &Context, command: ApprovalsCommand) -> Result<u8, Failure> {
    context.home.inspect()?;
    let mut warden = warden(context);
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
        ApprovalsCommand::Show {
            ticket,
            to_sign,
            json,
        } => {
            let (ticket, mark, shown) = one(&mut warden, ticket).await?;
            if let Some(answer) = to_sign {
                let yes = answer != ToSign::Deny;
                terminal::print(&text(&ticket, yes, answer == ToSign::ForTask));
                return Ok(protocol::exit::DONE);
            }
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
            proof,
        } => {
            let (asked, ..) = one(&mut warden, ticket).await?;
            let signature = signature(&proof, &text(&asked, true, for_task))?;
            let pin = match signature {
                Some(_) => None,
                None => pin_where_wanted(&mut warden).await?,
            };
            let said = Answer {
                id: ticket,
                mark: mark.to_lowercase(),
                yes: true,
                for_task,
                because,
                pin,
                signature,
            };
            terminal::line(&answer(&mut warden, said).await?);
        }
        ApprovalsCommand::Deny {
            ticket,
            because,
            proof,
        } => {
            let (asked, mark, _) = one(&mut warden, ticket).await?;
            let signature = signature(&proof, &text(&asked, false, false))?;
            let pin = match signature {
                Some(_) => None,
                None => pin_where_wanted(&mut warden).await?,
            };
            let said = Answer {
                id: ticket,
                mark,
                yes: false,
                for_task: false,
                because,
                pin,
                signature,
            };
            terminal::line(&answer(&mut warden, said).await?);
        }
        ApprovalsCommand::Pin => keep_pin(&mut warden).await?,
    }
    Ok(protocol::exit::DONE)
}

/// The warden of this home.
pub fn warden(context: &Context) -> Client {
    Client::new(&context.home, PATIENCE)
}

/// A person's answer to a ticket.
pub struct Answer {
    /// Which.
    pub id: TicketId,
    /// Its four characters.
    pub mark: String,
    /// Yes or no.
    pub yes: bool,
    /// Yes to this kind for the whole task.
    pub for_task: bool,
    /// Why.
    pub because: String,
    /// The PIN, where one is wanted.
    pub pin: Option<String>,
    /// A signature instead.
    pub signature: Option<String>,
}

/// Tells the warden; answers what became of it, a line for people.
pub async fn answer(warden: &mut Client, said: Answer) -> Result<String, Failure> {
    let (yes, for_task) = (said.yes, said.for_task);
    let ask = Ask::Answer {
        id: said.id,
        mark: said.mark,
        yes,
        for_task,
        because: said.because,
        pin: said.pin,
        signature: said.signature,
    };
    let (ticket, ..) = asked(warden, ask).await?;
    let task = render::text::safe(&ticket.wanted.short);
    Ok(match (yes, for_task) {
        (true, true) => format!(
            "✓ {} is approved, and every {} for the rest of it; {task} goes on",
            ticket.id,
            render::text::safe(&ticket.wanted.kind)
        ),
        (true, false) => format!("✓ {} is approved, once; {task} goes on", ticket.id),
        (false, _) => format!("✓ {} is denied; {task} goes on without it", ticket.id),
    })
}

/// What the warden's no is to the command line.
pub fn failed(error: WardenError) -> Failure {
    match error {
        WardenError::Refused(_) => Failure::new(protocol::exit::REFUSED, error),
        _ => Failure::new(protocol::exit::SERVICE, error).hint("is the team up? ai-infra up"),
    }
}

/// What a person is shown: labels and texts.
pub type Shown = Vec<(String, String)>;

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

/// One ticket, its four characters, and what a person is shown of it.
pub async fn one(warden: &mut Client, id: TicketId) -> Result<(Ticket, String, Shown), Failure> {
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
        "would_change": ticket.wanted.foreseen.as_ref().map(Foreseen::line), "above": ticket.wanted.above,
        "asked": ticket.asked, "expires": ticket.expires, "said": ticket.said, "used": ticket.used,
        "shown": shown,
    })
}

/// What an answer of ours needs: a PIN, which may be kept or not, and which the rules may not take.
pub struct Needs {
    /// One is wanted.
    pub pin: bool,
    /// One is kept.
    pub kept: bool,
    /// The rules take one.
    pub taken: bool,
}

/// Asks the warden that.
pub async fn needs(warden: &mut Client) -> Result<Needs, Failure> {
    match warden.ask(Ask::Proof).await.map_err(failed)? {
        Reply::Proof {
            pin_wanted,
            pin_kept,
            pin_taken,
        } => Ok(Needs {
            pin: pin_wanted,
            kept: pin_kept,
            taken: pin_taken,
        }),
        _ => Err(failed(WardenError::Strange)),
    }
}

/// The PIN of whoever answers, where one is wanted.
pub async fn pin_where_wanted(warden: &mut Client) -> Result<Option<String>, Failure> {
    match pin_wanted(warden).await? {
        false => Ok(None),
        true => Ok(Some(read("PIN (not shown): ")?)),
    }
}

/// Whether an answer of ours needs a PIN. One is kept then, and the rules take it.
pub async fn pin_wanted(warden: &mut Client) -> Result<bool, Failure> {
    let needs = needs(warden).await?;
    let refused = |why: &str| Failure::new(protocol::exit::REFUSED, why);
    match (needs.pin, needs.taken, needs.kept) {
        (false, ..) => Ok(false),
        (true, true, true) => Ok(true),
        (true, false, _) => Err(refused(
            "the rules take no PIN here (permissions.principals.pin)",
        )
        .hint("sign with a key: --sign KEY, or --to-sign and --signature FILE for one elsewhere")),
        (true, true, false) => Err(refused(
            "the team runs as the same user as you, so only a PIN tells you apart, and none is kept",
        )
        .hint("keep one first: ai-infra approvals pin")),
    }
}

async fn keep_pin(warden: &mut Client) -> Result<(), Failure> {
    let old = match needs(warden).await?.kept {
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
