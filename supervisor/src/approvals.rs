//! Tasks that wait for a person's leave. The warden alone knows what became of a ticket: nobody else is
//! believed, and a word on the control socket answers none. Looked at again and again, so an answer that
//! nobody was told about is found, over any restart; a task that waits costs nothing else. A ticket of
//! another host is kept by the warden there, and that host's daemon says what became of it.

use crate::desk::Desk;
use crate::dispatch;
use crate::ledger::error::LedgerError;
use crate::ledger::questions::Taken;
use bus::host::OPEN_TASKS;
use jiff::Timestamp;
use protocol::approval::{TicketState, TicketWord};
use protocol::document::QuestionDocument;
use protocol::ids::{ShortId, TaskId, TaskRef};
use protocol::question::{Said, TicketMark};
use protocol::task::Principal;
use protocol::task_state::TaskState;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::time::{sleep, timeout};
use warden::client::Client;
use warden::tickets::ticket::Ticket;
use warden::wire::{Ask, Reply};

/// Between two looks while somebody waits, and while nobody does.
const EAGER: Duration = Duration::from_millis(250);
const CALM: Duration = Duration::from_secs(1);
/// Longest wait for what other hosts say.
const FAR: Duration = Duration::from_millis(500);
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
    let marks = asked.iter().filter_map(|one| one.question.ticket.as_ref());
    let there = far(desk, marks).await;
    for question in &asked {
        let Some(mark) = &question.question.ticket else {
            continue;
        };
        let told = match &mark.host {
            Some(host) => {
                let task = question.task.to_string();
                let words = there.get(host).into_iter().flatten();
                let mut words = words.filter(|word| word.id == mark.id && word.task == task);
                words.next().cloned()
            }
            None => match warden.ask(Ask::Ticket { id: mark.id }).await {
                Ok(Reply::Ticket { ticket, .. }) => Some(word(&ticket)),
                _ => None,
            },
        };
        if let Some(told) = told.filter(|told| told.state != TicketState::Requested) {
            settle(desk, question, &told).await?;
        }
    }
    over(desk, warden).await?;
    Ok(asked.iter().any(|one| one.question.ticket.is_some()))
}

/// What other hosts say of the tickets that are waited for. A word that somebody forged wakes a task and no
/// more: the agent there asks its own warden.
async fn far(
    desk: &Desk,
    marks: impl Iterator<Item = &TicketMark>,
) -> BTreeMap<String, Vec<TicketWord>> {
    let hosts: BTreeSet<String> = marks.filter_map(|mark| mark.host.clone()).collect();
    let hosts: Vec<String> = hosts.into_iter().collect();
    let Ok(bus) = desk.link.now() else {
        return BTreeMap::new();
    };
    let words = timeout(FAR, bus.host_words(&hosts)).await;
    let words = words.ok().and_then(Result::ok).unwrap_or_default();
    let tickets = words
        .into_iter()
        .map(|word| word.flatten().map(|word| word.tickets));
    let both = hosts.into_iter().zip(tickets);
    both.filter_map(|(host, tickets)| Some((host, tickets?)))
        .collect()
}

/// What became of a ticket, in a word.
pub fn word(ticket: &Ticket) -> TicketWord {
    let said = ticket.said.as_ref();
    TicketWord {
        id: ticket.id,
        task: ticket.wanted.short.clone(),
        state: ticket.state,
        by: said.map(|said| Principal {
            uid: said.uid,
            name: said.by.clone(),
        }),
        because: said.map_or_else(String::new, |said| said.because.clone()),
    }
}

/// Lets the task go on that waited for this ticket; what was said is kept as the answer.
async fn settle(
    desk: &Desk,
    question: &QuestionDocument,
    ticket: &TicketWord,
) -> Result<(), LedgerError> {
    let nobody = || Principal {
        uid: u32::MAX,
        name: "nobody".to_owned(),
    };
    let principal = ticket.by.clone().unwrap_or_else(nobody);
    let mut text = format!("{} {}", ticket.id, ticket.state);
    if !ticket.because.is_empty() {
        text.push_str(&format!(": {}", ticket.because));
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

/// Takes the tickets back of tasks that ended or are being cancelled: nobody is to be asked for what nobody waits for. A program on the host that
/// still runs for one, or for one that is being cancelled, ends with that: its agent may be hung or dead. From then on no leave of
/// it counts: its agent may have been taken over.
async fn over(desk: &Desk, warden: &mut Client) -> Result<(), LedgerError> {
    let Ok(open) = warden.tickets(true, PAGE as usize).await else {
        return Ok(());
    };
    for (ticket, _) in open {
        // Its number is the agent's word as well: what is taken back by the uuid is looked up by the uuid.
        let task = ticket.wanted.task;
        if is_so(desk, &task, is_over).await? {
            let _next_time = warden.ask(Ask::Cancel { task }).await;
        }
    }
    let runs = warden.runs().await.unwrap_or_else(|error| {
        tracing::warn!(%error, "which programs run on this host is not known: none is ended with its task");
        Vec::new()
    });
    // A yes for a whole task outlives its ticket, and what was just used is not done yet.
    let leaves = warden.leaves().await.unwrap_or_default();
    for task in runs.into_iter().chain(leaves) {
        if is_so(desk, &task, is_over).await? {
            let _next_time = warden.ask(Ask::Cancel { task }).await;
        }
    }
    Ok(())
}

/// Whether that holds of the state of the task that an agent named by its uuid. Of one that nobody knows, and of what is no
/// uuid, everything does: no task waits for it.
async fn is_so(
    desk: &Desk,
    named: &str,
    so: impl Fn(&TaskState) -> bool,
) -> Result<bool, LedgerError> {
    let Ok(id) = named.parse() else {
        return Ok(true);
    };
    match desk.ledger.find(TaskRef::Id(id)).await {
        Ok(found) => Ok(so(&found.state)),
        Err(LedgerError::NoTask(_)) => Ok(true),
        Err(error) => Err(error),
    }
}

/// Whether nothing more is begun for a task: one that is being cancelled begins nothing either.
fn is_over(state: &TaskState) -> bool {
    state.is_final() || *state == TaskState::Cancelling
}

/// Which of the tasks that a host named, because they have leave there or ask for it, or a program of theirs runs, are over: ended, being cancelled, unknown, or not that
/// host's. Its daemon has the warden there take those tickets back, and end the program.
///
/// # Errors
/// When the ledger does not answer.
pub async fn over_there(
    desk: &Desk,
    host: &str,
    named: &[TaskId],
) -> Result<Vec<TaskId>, LedgerError> {
    let mut over = Vec::new();
    for task in named.iter().take(OPEN_TASKS) {
        let waits = match desk.ledger.find(TaskRef::Id(*task)).await {
            Ok(open) => !is_over(&open.state) && open.task.host.as_deref() == Some(host),
            Err(LedgerError::NoTask(_)) => false,
            Err(error) => return Err(error),
        };
        if !waits {
            over.push(*task);
        }
    }
    Ok(over)
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

#[cfg(test)]
#[path = "approvals_tests.rs"]
mod tests;
