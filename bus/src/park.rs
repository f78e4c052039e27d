//! Tasks that wait: `park` ends a hold without ending the task, `resume` puts it back into its
//! queue. A parked task is in no stream and costs nothing. The supervisor says which queue and which work
//! message: the record has them too, and the role's own user of Redis may write there.

use crate::connect::{Again, Bus, Call};
use crate::error::BusError;
use crate::keys::{self, WORK_GROUP};
use crate::lease::Lease;
use crate::scripts;
use jiff::Timestamp;
use protocol::envelope::{Envelope, micros};
use protocol::ids::{Epoch, Role, TaskId};
use protocol::journal::{EntryKind, JOURNAL_VERSION, JournalEntry};
use protocol::limits::JOURNAL_INLINE_BYTES;
use protocol::task::Class;
use serde_json::json;

/// What parking came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parked {
    /// It waits; the lease is gone.
    Waits,
    /// It was cancelled meanwhile and is held still: finish it as cancelled.
    Cancelled,
}

/// What resuming met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resumed {
    /// It is queued again.
    Queued,
    /// This park was resumed before; nothing changed.
    Again,
    /// It ended or was cancelled.
    Ended,
    /// The bus does not know of this park.
    Unknown,
}

impl Resumed {
    pub(crate) fn read(answer: &str) -> Self {
        match answer {
            "queued" => Resumed::Queued,
            "again" => Resumed::Again,
            "ended" => Resumed::Ended,
            _ => Resumed::Unknown,
        }
    }
}

impl Bus {
    /// Ends a hold without ending the task: the report goes out, the task waits. The same call
    /// again under the same epoch is fine; an older epoch is [`BusError::Fenced`].
    pub async fn park(&self, lease: &Lease, envelope: &Envelope) -> Result<Parked, BusError> {
        let entry = JournalEntry {
            v: JOURNAL_VERSION,
            epoch: lease.epoch,
            at: micros(Timestamp::now()),
            step: "parked".to_owned(),
            kind: EntryKind::Parked,
            body: json!({ "report": envelope.id }),
        };
        let names = self.keys();
        let call = Call::on([
            names.task(&lease.role, lease.task),
            names.lease(&lease.lane),
            names.journal(&lease.role, lease.task),
            names.out(&lease.role),
        ])
        .arg(lease.epoch.0)
        .arg(lease.task)
        .arg(WORK_GROUP)
        .bytes(written(&entry)?)
        .bytes(envelope.to_bytes()?);
        let answer: String = self.run(&scripts::PARK, &call, Again::Yes).await?;
        if answer == "cancel" {
            return Ok(Parked::Cancelled);
        }
        self.settled(lease, &answer).map(|()| Parked::Waits)
    }

    /// Puts a task that was parked under the epoch `parked` back into the queue of its role, on one host or on any,
    /// with `envelope` as its work message and an answer for its journal where there is one. Saying it twice is fine,
    /// also after it was parked again. The supervisor's alone.
    pub async fn resume(
        &self,
        task: TaskId,
        parked: Epoch,
        (role, host): (&Role, Option<&str>),
        answer: Option<&JournalEntry>,
        envelope: &Envelope,
    ) -> Result<Resumed, BusError> {
        let entry = answer.map(written).transpose()?.unwrap_or_default();
        // An older state of this Redis has it with another role.
        if self.role_of(task).await?.as_ref() != Some(role) {
            return Ok(Resumed::Unknown);
        }
        let names = self.keys();
        let lane = keys::lane(role, host);
        let class = Class::of_priority(envelope.priority);
        let call = Call::on([
            names.task(role, task),
            names.journal(role, task),
            names.work(&lane, class),
            names.wake(role),
            names.lanes(),
        ])
        .arg(task)
        .arg(parked.0)
        .bytes(entry)
        .arg(&lane)
        .bytes(envelope.to_bytes()?);
        let answer: String = self.run(&scripts::RESUME, &call, Again::Yes).await?;
        Ok(Resumed::read(&answer))
    }
}

pub(crate) fn written(entry: &JournalEntry) -> Result<Vec<u8>, BusError> {
    let bytes = serde_json::to_vec(entry).map_err(|e| BusError::Refused(e.to_string()))?;
    if bytes.len() > JOURNAL_INLINE_BYTES + 1024 {
        return Err(BusError::Refused(format!(
            "a journal entry of {} bytes is larger than {JOURNAL_INLINE_BYTES}: say it shorter",
            bytes.len()
        )));
    }
    Ok(bytes)
}
