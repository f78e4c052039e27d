//! Stopping a task: out of the queue where nobody has it, else a flag its holder sees at the next
//! renewal, and a hint that makes it look sooner.

use crate::connect::{Again, Bus, Call};
use crate::error::BusError;
use crate::keys::WORK_GROUP;
use crate::place::SPOILT;
use crate::scripts;
use protocol::envelope::{Envelope, MessageType};
use protocol::ids::TaskId;
use std::time::Duration;

/// How long the record of a task cancelled in the queue refuses a late retry of its submission.
const TOMBSTONE: Duration = Duration::from_secs(24 * 3600);

/// What a cancellation met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CancelOutcome {
    /// Nobody held it; it is gone from the queue.
    Removed,
    /// Its holder sees it at the next renewal.
    Told,
    /// It is not known here, or it has ended.
    Unknown,
}

impl Bus {
    /// Cancels a task: queued, held, given back or parked. Saying it twice is fine.
    pub async fn cancel(&self, task: TaskId) -> Result<CancelOutcome, BusError> {
        let Some((role, places)) = self.places_of(task).await? else {
            return Ok(CancelOutcome::Unknown);
        };
        let names = self.keys();
        let call = Call::on([
            names.role_of(task),
            names.task(&role, task),
            names.journal(&role, task),
            names.task_spend(task),
            names.given(task),
        ])
        .arg(task)
        .arg(WORK_GROUP)
        .arg(TOMBSTONE.as_millis())
        .and(places);
        let answer: String = self.run(&scripts::CANCEL, &call, Again::Yes).await?;
        match answer.as_str() {
            "removed" => Ok(CancelOutcome::Removed),
            SPOILT => {
                self.was_spoilt(&role, task);
                Ok(CancelOutcome::Removed)
            }
            "told" => {
                self.hint(task).await;
                Ok(CancelOutcome::Told)
            }
            _ => Ok(CancelOutcome::Unknown),
        }
    }

    /// The flag is what counts; a hint that is lost costs only the time to the next renewal.
    async fn hint(&self, task: TaskId) {
        let mut hint = Envelope::new(self.team(), MessageType::Control, "supervisor", "*");
        hint.payload.task_id = Some(task);
        hint.payload.action = "cancel".to_owned();
        if let Err(error) = self.broadcast(&hint).await {
            tracing::debug!(%task, %error, "cancel hint not sent");
        }
    }
}
