//! Folds what agents report into the ledger, and only then lets go of it on the bus. Cut off
//! between the two, the same messages come again and change nothing.

mod fetch;

use crate::desk::Desk;
use crate::ledger::events::Event;
use crate::ledger::fold::{ENDED, Folded, Incoming, NO_TASK, News};
use crate::ledger::store::LedgerError;
use bus::connect::Bus;
use bus::incarnation::Mark;
use bus::outflow::{OutMessage, Outflow};
use protocol::envelope::{Envelope, MessageType};
use protocol::ids::TaskId;
use protocol::report::Progress;
use serde::de::DeserializeOwned;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::io::Read;
use std::path::Path;
use std::time::Duration;
use tokio::time::sleep;

/// How long a journal is kept after the ledger has the end of its task.
const JOURNAL_KEPT: Duration = Duration::from_secs(3600);
/// Pause after something failed.
const PAUSE: Duration = Duration::from_millis(500);
/// Largest report read from a blob, in bytes.
const BLOB_BYTES: u64 = 64 * 1024 * 1024;

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
        fetch::ahead(desk, bus, &messages).await?;
        let _alone = desk.ledger.folding().lock().await;
        let owed = fold(desk, &messages).await;
        pay(bus, owed).await?;
        outflow.done(&messages).await?;
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
        bus.cancel(task).await?;
    }
    for task in owed.ended {
        match bus.journal_expire(task, JOURNAL_KEPT).await {
            Err(error) if error.is_unreachable() => return Err(error),
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
    let incoming: Vec<Incoming> = messages
        .iter()
        .filter_map(|message| match read(message, &blobs) {
            Ok(incoming) => Some(incoming),
            Err(why) => {
                tracing::warn!(id = ?message.id, why, "a report cannot be read");
                None
            }
        })
        .collect();
    let marks = marks(messages);
    match fold_all(desk, &incoming, &marks).await {
        Some(folded) => told(desk, &incoming, folded),
        None => {
            let mut owed = Owed::default();
            for one in &incoming {
                let one = std::slice::from_ref(one);
                if let Some(folded) = fold_all(desk, one, &[]).await {
                    let more = told(desk, one, folded);
                    owed.ended.extend(more.ended);
                    owed.stray.extend(more.stray);
                }
            }
            fold_all(desk, &[], &marks).await;
            owed
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

/// `None` when the ledger will never take them together.
async fn fold_all(desk: &Desk, incoming: &[Incoming], marks: &[Mark]) -> Option<Vec<Folded>> {
    loop {
        let error = match desk.ledger.fold_to(incoming, marks).await {
            Ok(folded) => return Some(folded),
            Err(error) => error,
        };
        desk.note(&error);
        match error {
            LedgerError::Superseded | LedgerError::PutBack => std::future::pending::<()>().await,
            LedgerError::IllegalMove { .. }
            | LedgerError::NotTaken(_)
            | LedgerError::Unreadable { .. } => {
                tracing::error!(%error, messages = incoming.len(), "not folded");
                return None;
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

/// Reads a message of an out stream; pure but for the blobs it names.
fn read(message: &OutMessage, blobs: &Path) -> Result<Incoming, String> {
    let envelope = &message.envelope;
    let task = envelope
        .payload
        .task_id
        .ok_or_else(|| "it names no task".to_owned())?;
    let news = match envelope.kind {
        MessageType::Progress => News::Progress(parsed(envelope, blobs)?),
        // A report that cannot be read is the end of its task all the same: its agent has let go.
        MessageType::Result | MessageType::Handoff => match parsed(envelope, blobs) {
            Ok(report) => News::Report(Box::new(report)),
            Err(why) => News::GivenUp(format!("the agent's report cannot be read: {why}")),
        },
        MessageType::Control => News::GivenUp(given_up(envelope)),
        kind => return Err(format!("a {kind:?} is no report")),
    };
    Ok(Incoming {
        task,
        message: envelope.id.to_string(),
        role: message.role.clone(),
        epoch: envelope.epoch,
        at: envelope.timestamp,
        news,
    })
}

fn given_up(envelope: &Envelope) -> String {
    let context = &envelope.payload.context;
    let reason = context.get("reason").and_then(Value::as_str);
    format!("gave up: {}", reason.unwrap_or("no agent could finish it"))
}

fn parsed<T: DeserializeOwned>(envelope: &Envelope, blobs: &Path) -> Result<T, String> {
    let context = &envelope.payload.context;
    let value = match context.get("blob").and_then(Value::as_str) {
        Some(name) if context.get("event").is_none() => blob(blobs, name)?,
        _ => context.clone(),
    };
    serde_json::from_value(value).map_err(|e| e.to_string())
}

/// Reads a blob and checks that it is what its name says.
fn blob(blobs: &Path, name: &str) -> Result<Value, String> {
    let is_digest = name.len() == 64
        && name
            .bytes()
            .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    if !is_digest {
        return Err("it names a blob that is no SHA-256".to_owned());
    }
    let mut bytes = Vec::new();
    std::fs::File::open(blobs.join(name))
        .and_then(|file| file.take(BLOB_BYTES + 1).read_to_end(&mut bytes))
        .map_err(|e| format!("blob {name}: {e}"))?;
    if bytes.len() as u64 > BLOB_BYTES {
        return Err(format!("blob {name} is larger than {BLOB_BYTES} bytes"));
    }
    let sum: String = Sha256::digest(&bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    if sum != name {
        return Err(format!("blob {name} was changed on the disk"));
    }
    serde_json::from_slice(&bytes).map_err(|e| format!("blob {name}: {e}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn a_blob_is_what_its_name_says_or_refused() {
        let folder = tempfile::tempdir().unwrap();
        let name: String = Sha256::digest(b"{\"a\":1}")
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert!(blob(folder.path(), &name).is_err());
        std::fs::write(folder.path().join(&name), "{\"a\":1}").unwrap();
        assert_eq!(blob(folder.path(), &name).unwrap()["a"], 1);
        std::fs::write(folder.path().join(&name), "{\"a\":2}").unwrap();
        assert!(blob(folder.path(), &name).is_err());
        for bad in ["", "../../etc/passwd", &"A".repeat(64), &"g".repeat(64)] {
            assert!(blob(folder.path(), bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn giving_up_is_a_sentence() {
        let team = "main".parse().unwrap();
        let mut envelope = Envelope::new(&team, MessageType::Control, "bus", "supervisor");
        for (context, expected) in [
            (
                serde_json::json!({"reason": "its holders died 5 times"}),
                "gave up: its holders died 5 times",
            ),
            (Value::Null, "gave up: no agent could finish it"),
        ] {
            envelope.payload.context = context;
            assert_eq!(given_up(&envelope), expected);
        }
    }

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
