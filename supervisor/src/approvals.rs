//! Tasks that wait for a person's leave. The warden alone knows what became of a ticket: nobody else is
//! believed, and a word on the control socket answers none. Looked at again and again, so an answer that
//! nobody was told about is found, over any restart; a task that waits costs nothing else.

use crate::desk::Desk;
use crate::dispatch;
use crate::ledger::error::LedgerError;
use crate::ledger::questions::Taken;
use jiff::Timestamp;
use protocol::approval::TicketState;
use protocol::document::QuestionDocument;
use protocol::ids::{ShortId, TaskRef};
use protocol::question::Said;
use protocol::task::Principal;
use std::time::Duration;
use tokio::time::sleep;
use warden::client::Client;
use warden::tickets::ticket::Ticket;
use warden::wire::{Ask, Reply};

/// Between two looks while somebody waits, and while nobody does.
const EAGER: Duration = Duration::from_millis(250);
const CALM: Duration = Duration::from_secs(1);
/// Most that one look takes.
const PAGE: u32 = 500;

/// Looks again and again. Runs for ever.
pub async fn keep(desk: &Desk) {
    let mut warden = Client::new(&desk.home, Duration::ZERO);
    loop {
        let waits = match look(desk, &mut warden).await {
            Ok(waits) => waits,
            Err(error) => {
                desk.note(&error);
                false
            }
        };
        sleep(if waits { EAGER } else { CALM }).await;
    }
}

/// One look; whether somebody waits.
async fn look(desk: &Desk, warden: &mut Client) -> Result<bool, LedgerError> {
    let asked = desk.ledger.open_questions(PAGE).await?;
    for question in &asked {
        let Some(mark) = &question.question.ticket else {
            continue;
        };
        let told = warden.ask(Ask::Ticket { id: mark.id }).await;
        let Ok(Reply::Ticket { ticket, .. }) = told else {
            continue;
        };
        if ticket.state != TicketState::Requested {
            settle(desk, question, &ticket).await?;
        }
    }
    over(desk, warden).await?;
    Ok(asked.iter().any(|one| one.question.ticket.is_some()))
}

/// Lets the task go on that waited for this ticket; what was said is kept as the answer.
async fn settle(
    desk: &Desk,
    question: &QuestionDocument,
    ticket: &Ticket,
) -> Result<(), LedgerError> {
    let by = ticket.said.as_ref();
    let principal = Principal {
        uid: by.map_or(u32::MAX, |said| said.uid),
        name: by.map_or_else(|| "nobody".to_owned(), |said| said.by.clone()),
    };
    let mut text = format!("{} {}", ticket.id, ticket.state);
    if let Some(said) = by.filter(|said| !said.because.is_empty()) {
        text.push_str(&format!(": {}", said.because));
    }
    let said = Said {
        choice: None,
        text: Some(text),
    };
    let open = desk.ledger.find(TaskRef::Short(question.task)).await?;
    let at = Timestamp::now();
    let number = Some(question.number);
    match desk
        .ledger
        .answer(open.task.id, number, said, principal, at)
        .await
    {
        Ok(Taken::Now(owed, told)) => dispatch::go_on(desk, owed, told).await,
        Ok(Taken::Again) => {}
        // It went on or ended in between.
        Err(LedgerError::Answer { .. }) => {}
        Err(error) => return Err(error),
    }
    Ok(())
}

/// Takes the tickets back of tasks that ended: nobody is to be asked for what nobody waits for.
async fn over(desk: &Desk, warden: &mut Client) -> Result<(), LedgerError> {
    let Ok(open) = warden.tickets(true, PAGE as usize).await else {
        return Ok(());
    };
    for (ticket, _) in open {
        let Ok(short) = ticket.wanted.short.parse::<ShortId>() else {
            continue;
        };
        let ended = match desk.ledger.find(TaskRef::Short(short)).await {
            Ok(found) => found.task.id.to_string() != ticket.wanted.task || found.state.is_final(),
            Err(LedgerError::NoTask(_)) => true,
            Err(error) => return Err(error),
        };
        if ended {
            let task = ticket.wanted.task;
            let _next_time = warden.ask(Ask::Cancel { task }).await;
        }
    }
    Ok(())
}

/// Refuses an answer to a question that asks for leave: only the warden takes that, from a person it can
/// tell apart.
///
/// # Errors
/// Where the task's newest question is one.
pub async fn not_a_ticket(desk: &Desk, task: ShortId) -> Result<(), LedgerError> {
    let open = desk.ledger.open_questions(PAGE).await?;
    let ticket = open
        .into_iter()
        .filter(|one| one.task == task)
        .find_map(|one| one.question.ticket);
    match ticket {
        None => Ok(()),
        Some(ticket) => Err(LedgerError::Answer {
            short_id: task,
            why: format!(
                "it waits for leave, and that is no answer to a question: look at it, ai-infra approvals show {}",
                ticket.id
            ),
        }),
    }
}
