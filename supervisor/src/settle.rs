//! Folds what agents report into the ledger, and only then lets go of it on the bus. Cut off
//! between the two, the same messages come again and change nothing.

mod fetch;
mod portion;
mod read;

use crate::desk::Desk;
use crate::ledger::events::Event;
use crate::ledger::fold::{ENDED, Folded, Incoming, NO_TASK, News};
use crate::ledger::store::LedgerError;
use crate::spoiled;
use bus::connect::Bus;
use bus::incarnation::Mark;
use bus::outflow::{OutMessage, Outflow};
use protocol::envelope::MessageType;
use protocol::ids::{TaskId, TaskRef};
use protocol::report::Progress;
use std::time::Duration;
use tokio::time::sleep;

/// How long a journal is kept after the ledger has the end of its task.
const JOURNAL_KEPT: Duration = Duration::from_secs(3600);
/// Pause after something failed.
const PAUSE: Duration = Duration::from_millis(500);

/// Reads the out streams. Runs for ever.
pub async fn settle(desk: &Desk) {
    loop {
        let (bus, _) = desk.link.up().await;
        if let Err(error) = settle_while_up(desk, &bus).await {
            tracing::warn!(%error, "reports cannot be read");
            desk.link.noticed(&error);
            sleep(PAUSE).await;
        }
    }
}

async fn settle_while_up(desk: &Desk, bus: &Bus) -> Result<(), bus::error::BusError> {
    let mut outflow = Outflow::open(bus).await?;
    loop {
        let messages = outflow.next().await?;
        if messages.is_empty() {
            continue;
        }
        let weights = portion::weights(&messages, &desk.home.blobs());
        for portion in portion::portions(&weights) {
            let messages = &messages[portion];
            fetch::ahead(desk, bus, messages).await?;
            let _alone = desk.ledger.folding().lock().await;
            let owed = fold(desk, messages).await;
            pay(bus, owed).await?;
            outflow.done(messages).await?;
        }
    }
}

/// Why what a message names need not be read: the ledger would not take it, whatever it says.
async fn useless(desk: &Desk, message: &OutMessage) -> Option<&'static str> {
    let task = message.envelope.payload.task_id?;
    read::blob_of(&message.envelope)?;
    match desk.ledger.find(TaskRef::Id(task)).await {
        Ok(open) if open.task.agent != message.role => Some("another role's task"),
        Ok(open) if open.state.is_final() => Some(ENDED),
        Ok(_) => None,
        Err(LedgerError::NoTask(_)) => Some(NO_TASK),
        // Whoever folds it finds out.
        Err(_) => None,
    }
}

/// What the bus is to be told because of what was folded.
#[derive(Debug, Default, PartialEq)]
struct Owed {
    /// Tasks that came to an end: what the bus keeps of them may expire.
    ended: Vec<TaskId>,
    /// Tasks that somebody works on although they have ended here or are not known: a Redis or a
    /// ledger was put back to an older state.
    stray: Vec<TaskId>,
}

/// Says it before the messages are let go of, so that a supervisor killed in between says it again.
async fn pay(bus: &Bus, owed: Owed) -> Result<(), bus::error::BusError> {
    for task in owed.stray {
        tracing::warn!(%task, "somebody works on a task that is not open here; it is stopped");
        spoiled::cancel(bus, task).await?;
    }
    for task in owed.ended {
        match bus.journal_expire(task, JOURNAL_KEPT).await {
            Err(error) if !error.is_about_one() => return Err(error),
            Err(error) => tracing::warn!(%task, %error, "what the bus keeps of it stays"),
            Ok(()) => {}
        }
    }
    Ok(())
}

/// Folds messages until the ledger has them, however long that takes; returns what the bus is to
/// be told. A message that the ledger can never take is left out, so that it holds up no other.
async fn fold(desk: &Desk, messages: &[OutMessage]) -> Owed {
    let blobs = desk.home.blobs();
    let mut owed = Owed::default();
    let mut incoming: Vec<Incoming> = Vec::new();
    for message in messages {
        if let Some(why) = useless(desk, message).await {
            tracing::info!(id = ?message.id, why, "ignored, and what it names is not read");
            owed.note_unread(message, why);
            continue;
        }
        match read::read(message, &blobs) {
            Ok(one) => incoming.push(one),
            Err(why) => tracing::warn!(id = ?message.id, why, "a report cannot be read"),
        }
    }
    let marks = marks(messages);
    match fold_all(desk, &incoming, &marks).await {
        Ok(folded) => owed.add(told(desk, &incoming, folded)),
        Err(_) => {
            for one in incoming {
                owed.add(fold_alone(desk, one).await);
            }
            if let Err(error) = fold_all(desk, &[], &marks).await {
                tracing::error!(%error, "it is not kept up to where the streams are folded");
            }
        }
    }
    owed
}

/// A report that the ledger never takes is the end of its task all the same: its agent has let go.
async fn fold_alone(desk: &Desk, one: Incoming) -> Owed {
    let is_report = matches!(one.news, News::Report(_));
    let one = std::slice::from_ref(&one);
    let error = match fold_all(desk, one, &[]).await {
        Ok(folded) => return told(desk, one, folded),
        Err(error) if !is_report => {
            tracing::error!(task = %one[0].task, %error, "left out");
            return Owed::default();
        }
        Err(error) => error,
    };
    let why = format!("the agent's report cannot be kept: {error}");
    let instead = [Incoming {
        news: News::GivenUp(why),
        ..one[0].clone()
    }];
    match fold_all(desk, &instead, &[]).await {
        Ok(folded) => told(desk, &instead, folded),
        Err(error) => {
            tracing::error!(task = %instead[0].task, %error, "its end is left out");
            Owed::default()
        }
    }
}

/// Up to where each role's stream is folded with these messages, in their order.
fn marks(messages: &[OutMessage]) -> Vec<Mark> {
    let mut marks: Vec<Mark> = Vec::new();
    for message in messages {
        let entry = message.id.clone();
        match marks.iter_mut().find(|mark| mark.role == message.role) {
            Some(mark) => mark.entry = entry,
            None => marks.push(Mark {
                role: message.role.clone(),
                entry,
            }),
        }
    }
    marks
}

/// An error when the ledger will never take them together.
async fn fold_all(
    desk: &Desk,
    incoming: &[Incoming],
    marks: &[Mark],
) -> Result<Vec<Folded>, LedgerError> {
    loop {
        let error = match desk.ledger.fold_to(incoming, marks).await {
            Ok(folded) => return Ok(folded),
            Err(error) => error,
        };
        desk.note(&error);
        match error {
            LedgerError::Superseded | LedgerError::PutBack => std::future::pending::<()>().await,
            LedgerError::IllegalMove { .. }
            | LedgerError::NotTaken(_)
            | LedgerError::Unreadable { .. } => {
                return Err(error);
            }
            _ => sleep(PAUSE).await,
        }
    }
}

fn told(desk: &Desk, incoming: &[Incoming], folded: Vec<Folded>) -> Owed {
    let mut owed = Owed::default();
    for (incoming, folded) in incoming.iter().zip(folded) {
        match folded {
            Folded::Kept(happenings) => {
                let ends = happenings
                    .iter()
                    .any(|h| matches!(&h.event, Event::State(state) if state.is_final()));
                if ends {
                    owed.ended.push(incoming.task);
                }
                desk.hub.tell(happenings);
            }
            Folded::Again => tracing::debug!(task = %incoming.task, "folded before"),
            Folded::Ignored(why) => {
                tracing::info!(task = %incoming.task, why, "ignored");
                owed.note(incoming, why);
            }
        }
    }
    owed
}

impl Owed {
    fn add(&mut self, more: Owed) {
        self.ended.extend(more.ended);
        self.stray.extend(more.stray);
    }

    /// The same as [`note`](Self::note) for a message whose report was not read.
    fn note_unread(&mut self, message: &OutMessage, why: &str) {
        let end = matches!(
            message.envelope.kind,
            MessageType::Result | MessageType::Handoff
        );
        if end && (why == ENDED || why == NO_TASK) {
            self.ended.extend(message.envelope.payload.task_id);
        }
    }

    fn note(&mut self, incoming: &Incoming, why: &str) {
        if why != ENDED && why != NO_TASK {
            return;
        }
        match &incoming.news {
            News::Progress(Progress::Claimed { .. }) => self.stray.push(incoming.task),
            News::Progress(_) => {}
            // Cancelled or overdue here, and now let go of by its agent too.
            News::Report(_) | News::GivenUp(_) => self.ended.push(incoming.task),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn work_on_a_task_that_is_not_open_is_stopped() {
        let incoming = |news| Incoming {
            task: TaskId::new(),
            message: "m".to_owned(),
            role: "code".parse().unwrap(),
            epoch: None,
            at: jiff::Timestamp::UNIX_EPOCH,
            news,
        };
        let claimed = || {
            News::Progress(Progress::Claimed {
                holder: "code@h#1".to_owned(),
                epoch: protocol::ids::Epoch(7),
                replayed: 0,
            })
        };
        let note = || {
            News::Progress(Progress::Note {
                text: String::new(),
            })
        };
        for (news, why, stray, ended) in [
            (claimed(), ENDED, 1, 0),
            (claimed(), NO_TASK, 1, 0),
            (claimed(), "a newer holder has the task", 0, 0),
            (note(), ENDED, 0, 0),
            (News::GivenUp(String::new()), ENDED, 0, 1),
            (News::GivenUp(String::new()), NO_TASK, 0, 1),
        ] {
            let mut owed = Owed::default();
            owed.note(&incoming(news), why);
            assert_eq!(
                (owed.stray.len(), owed.ended.len()),
                (stray, ended),
                "{why}"
            );
        }
    }
}
