//! Folds what agents report into the ledger, and only then lets go of it on the bus. Cut off
//! between the two, the same messages come again and change nothing.

use crate::desk::Desk;
use crate::ledger::events::Event;
use crate::ledger::fold::{ENDED, Folded, Incoming, News};
use crate::ledger::store::LedgerError;
use bus::connect::Bus;
use bus::outflow::{OutMessage, Outflow};
use protocol::envelope::{Envelope, MessageType};
use protocol::ids::TaskId;
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
        let ended = fold(desk, &messages).await;
        outflow.done(&messages).await?;
        for task in ended {
            bus.journal_expire(task, JOURNAL_KEPT).await?;
        }
    }
}

/// Folds messages until the ledger has them, however long that takes; returns the tasks that
/// came to an end.
async fn fold(desk: &Desk, messages: &[OutMessage]) -> Vec<TaskId> {
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
    loop {
        match desk.ledger.fold(&incoming).await {
            Ok(folded) => return told(desk, &incoming, folded),
            Err(error) => {
                desk.note(&error);
                if matches!(error, LedgerError::Superseded) {
                    std::future::pending::<()>().await;
                }
                sleep(PAUSE).await;
            }
        }
    }
}

fn told(desk: &Desk, incoming: &[Incoming], folded: Vec<Folded>) -> Vec<TaskId> {
    let mut ended = Vec::new();
    for (incoming, folded) in incoming.iter().zip(folded) {
        match folded {
            Folded::Kept(happenings) => {
                let ends = happenings
                    .iter()
                    .any(|h| matches!(&h.event, Event::State(state) if state.is_final()));
                if ends {
                    ended.push(incoming.task);
                }
                desk.hub.tell(happenings);
            }
            Folded::Again => tracing::debug!(task = %incoming.task, "folded before"),
            Folded::Ignored(why) => {
                tracing::info!(task = %incoming.task, why, "ignored");
                // Cancelled or overdue here, and now let go of by its agent too.
                if why == ENDED && !matches!(incoming.news, News::Progress(_)) {
                    ended.push(incoming.task);
                }
            }
        }
    }
    ended
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
        MessageType::Result => match parsed(envelope, blobs) {
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
}
