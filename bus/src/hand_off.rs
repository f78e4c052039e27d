//! A task changes hands: record, journal and work message of a parked task move to another role's
//! keys in one step, and the task is queued there. Only what moves it may touch both roles' keys.

use crate::connect::{Again, Bus, Call};
use crate::error::BusError;
use crate::keys;
use crate::park::{Resumed, written};
use crate::scripts;
use protocol::envelope::Envelope;
use protocol::ids::{Epoch, Role, TaskId};
use protocol::journal::JournalEntry;
use protocol::task::Class;

impl Bus {
    /// Moves a task that was parked under the epoch `parked` from one role to another and queues
    /// it there, on one host or on any, with `entry` at the end of its journal and `envelope` as its work message. Saying
    /// it twice is fine, also after it was parked again or moved on. The supervisor's alone.
    pub async fn hand_off(
        &self,
        task: TaskId,
        parked: Epoch,
        (from, to, host): (&Role, &Role, Option<&str>),
        entry: &JournalEntry,
        envelope: &Envelope,
    ) -> Result<Resumed, BusError> {
        let names = self.keys();
        let lane = keys::lane(to, host);
        let class = Class::of_priority(envelope.priority);
        let call = Call::on([
            names.role_of(task),
            names.task(from, task),
            names.task(to, task),
            names.journal(from, task),
            names.journal(to, task),
            names.work(&lane, class),
            names.wake(to),
            names.idle(to),
            names.lanes(),
        ])
        .arg(task)
        .arg(parked.0)
        .bytes(written(entry)?)
        .arg(to)
        .arg(&lane)
        .bytes(envelope.to_bytes()?);
        let answer: String = self.run(&scripts::HAND_OFF, &call, Again::Yes).await?;
        Ok(Resumed::read(&answer))
    }
}
