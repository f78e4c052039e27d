//! The producer's side: a task is queued once, however often it is sent, and a full queue says so.

use crate::connect::{Again, Bus, Call};
use crate::error::BusError;
use crate::{keys, scripts};
use jiff::Timestamp;
use protocol::envelope::Envelope;
use protocol::ids::{Role, TaskId};
use protocol::task::Class;

/// Whether a submitted task is a new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Submitted {
    /// It is queued now.
    New,
    /// The bus knew it already; nothing changed.
    Again,
}

impl Bus {
    /// Queues the task named in `payload.task_id` for `role`, on one host or on any. Safe to send
    /// again after [`BusError::Unreachable`]. Fails with [`BusError::QueueFull`] at the bound and
    /// with [`BusError::Refused`] for an envelope that is too large or names no task.
    pub async fn submit(
        &self,
        envelope: &Envelope,
        role: &Role,
        host: Option<&str>,
        class: Class,
    ) -> Result<Submitted, BusError> {
        self.submit_at(envelope, role, host, class, None).await
    }

    /// The same for a task with a due time, by the clock of Redis: nobody can claim it before, and
    /// one whose stream is full then waits until there is room. A due time that has passed is now.
    pub async fn submit_at(
        &self,
        envelope: &Envelope,
        role: &Role,
        host: Option<&str>,
        class: Class,
        due: Option<Timestamp>,
    ) -> Result<Submitted, BusError> {
        let task = task_of(self, envelope)?;
        if let Some(host) = host.filter(|host| !keys::is_host(host)) {
            return Err(BusError::Refused(format!(
                "`{}` is not a host name",
                host.escape_debug()
            )));
        }
        let lane = keys::lane(role, host);
        let names = self.keys();
        let call = Call::on([
            names.role_of(task),
            names.task(role, task),
            names.work(&lane, class),
            names.wake(role),
            names.lanes(),
            names.delay(&lane),
        ])
        .arg(task)
        .arg(role)
        .arg(&lane)
        .arg(self.queue_limit())
        .bytes(envelope.to_bytes()?)
        .arg(due.map_or(0, |due| due.as_millisecond().max(0)));
        let answer: String = self.run(&scripts::SUBMIT, &call, Again::Yes).await?;
        match answer.as_str() {
            "new" => Ok(Submitted::New),
            "again" => Ok(Submitted::Again),
            _ => Err(BusError::QueueFull {
                role: role.clone(),
                limit: self.queue_limit(),
            }),
        }
    }

    /// Whether the bus still has the task: queued, held, given back, parked, or ended and not yet
    /// forgotten. A task that was cancelled in the queue is not known.
    pub async fn known(&self, task: TaskId) -> Result<bool, BusError> {
        let Some(role) = self.role_of(task).await? else {
            return Ok(false);
        };
        let state: Option<String> = self
            .query(
                redis::cmd("HGET")
                    .arg(self.keys().task(&role, task))
                    .arg("state"),
                Again::Yes,
            )
            .await?;
        Ok(state.is_some_and(|state| state != "removed"))
    }

    /// Which role works on a task, where the bus knows it.
    pub(crate) async fn role_of(&self, task: TaskId) -> Result<Option<Role>, BusError> {
        let role: Option<String> = self
            .query(redis::cmd("GET").arg(self.keys().role_of(task)), Again::Yes)
            .await?;
        Ok(role.and_then(|role| role.parse().ok()))
    }
}

fn task_of(bus: &Bus, envelope: &Envelope) -> Result<TaskId, BusError> {
    if envelope.team != *bus.team() {
        return Err(BusError::Refused(format!(
            "the message is of team {}, this is the bus of {}",
            envelope.team,
            bus.team()
        )));
    }
    envelope
        .payload
        .task_id
        .ok_or_else(|| BusError::Refused("a work message names its task in payload.task_id".into()))
}
