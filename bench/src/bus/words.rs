//! What the measured messages say.

use super::{BenchError, fail};
use bus::claim::{Delivery, Inbox};
use jiff::Timestamp;
use protocol::envelope::{Envelope, MessageType, micros};
use protocol::ids::{Epoch, TaskId, TeamName};
use protocol::journal::{EntryKind, JOURNAL_VERSION, JournalEntry};
use serde_json::json;

/// Bytes of one message's context: with its frame a message has about 600.
const CONTEXT_BYTES: usize = 300;

/// The steps of a measured task, each a journal entry.
pub(super) const STEPS: [&str; 4] = ["a", "b", "c", "d"];

/// A new task.
pub(super) fn work(team: &TeamName) -> Envelope {
    let mut envelope = Envelope::new(team, MessageType::Task, "supervisor", "code");
    envelope.payload.task_id = Some(TaskId::new());
    envelope.payload.action = "run".to_owned();
    envelope.payload.context = json!({"text": "x".repeat(CONTEXT_BYTES)});
    envelope
}

/// Its result.
pub(super) fn answer(delivery: &Delivery) -> Envelope {
    let mut envelope = Envelope::new(
        &delivery.envelope.team,
        MessageType::Result,
        &delivery.lease.instance,
        "supervisor",
    );
    envelope.payload.task_id = Some(delivery.lease.task);
    envelope.epoch = Some(delivery.lease.epoch);
    envelope.payload.context = json!({"text": "x".repeat(CONTEXT_BYTES)});
    envelope
}

/// One journal entry.
pub(super) fn entry(step: &str, epoch: Epoch) -> JournalEntry {
    JournalEntry {
        v: JOURNAL_VERSION,
        epoch,
        at: micros(Timestamp::now()),
        step: step.to_owned(),
        kind: EntryKind::Result,
        body: json!({"text": "x".repeat(CONTEXT_BYTES)}),
    }
}

/// The next task, waited for.
pub(super) async fn claim(inbox: &mut Inbox) -> Result<Delivery, BenchError> {
    for _ in 0..20 {
        if let Some(delivery) = inbox.next().await.map_err(fail)? {
            return Ok(delivery);
        }
    }
    Err(fail("no task was handed out"))
}
