//! A lease and what its holder may do under it. Every write goes through a script that refuses
//! an epoch older than the newest claim's.

use crate::connect::{Again, Bus, Call};
use crate::dead_letter::CRASH_LIMIT;
use crate::error::BusError;
use crate::keys::WORK_GROUP;
use crate::scripts;
use jiff::Timestamp;
use protocol::envelope::{Envelope, micros};
use protocol::ids::{Epoch, Role, TaskId};
use protocol::journal::{EntryKind, JOURNAL_VERSION, JournalEntry};
use redis::Script;
use serde_json::json;

/// A claim on a task; held until it is renewed too late, given back or finished.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The task.
    pub task: TaskId,
    /// The claim's epoch; every write carries it.
    pub epoch: Epoch,
    /// The role that works on it.
    pub role: Role,
    /// The holder.
    pub instance: String,
    /// `<role>:<host|any>`.
    pub(crate) lane: String,
}

/// What a renewal says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Renewal {
    /// The lease runs for its full time again.
    Held {
        /// The task was cancelled: stop it, then finish.
        cancel: bool,
        /// A person paused the task: finish the effect in hand, then park it.
        pause: bool,
        /// The team is frozen: begin nothing and stop in place what runs.
        frozen: bool,
    },
    /// Somebody else has the task, or it is over: stop at once and write nothing more.
    Lost,
}

impl Bus {
    /// Renews a lease. Do it every third of the lease time, also while a tool or model call runs.
    pub async fn renew(&self, lease: &Lease) -> Result<Renewal, BusError> {
        let call = self
            .pulsing()
            .key(self.keys().task(&lease.role, lease.task))
            .key(self.keys().lease(&lease.lane))
            .arg(lease.epoch.0)
            .arg(lease.task)
            .arg(self.keys().frozen());
        let answer: String = self.run(&scripts::RENEW, &call, Again::Yes).await?;
        let mut said = answer.split(' ');
        if said.next() != Some("held") {
            return Ok(Renewal::Lost);
        }
        let told: Vec<&str> = said.collect();
        Ok(Renewal::Held {
            cancel: told.contains(&"cancel"),
            pause: told.contains(&"pause"),
            frozen: told.contains(&"frozen"),
        })
    }

    /// Gives a task back unfinished: the next claimer has it at once, before anything new.
    pub async fn give_back(&self, lease: &Lease) -> Result<(), BusError> {
        let names = self.keys();
        let call = Call::on([
            names.task(&lease.role, lease.task),
            names.lease(&lease.lane),
            names.back(&lease.lane),
            names.wake(&lease.role),
        ])
        .arg(lease.epoch.0)
        .arg(lease.task);
        let answer: String = self.run(&scripts::GIVE_BACK, &call, Again::No).await?;
        self.settled(lease, &answer)
    }

    /// Tells the supervisor how a held task gets on, over the role's own out stream; refused with
    /// [`BusError::Full`] where Redis has no room, as the report at the end says it all again. After
    /// [`BusError::Unreachable`] it may or may not have arrived; the same envelope again is fine,
    /// because the supervisor takes an envelope's id once.
    pub async fn progress(&self, lease: &Lease, envelope: &Envelope) -> Result<(), BusError> {
        let out = self.keys().out(&lease.role);
        let bytes = envelope.to_bytes()?;
        self.append(&scripts::APPEND, lease, out, "e", bytes, self.queue_limit())
            .await
    }

    /// Ends a task: journal, result, acknowledgement and lease in one step. The same call again
    /// under the same epoch is fine; an older epoch is [`BusError::Fenced`].
    pub async fn finish(&self, lease: &Lease, envelope: &Envelope) -> Result<(), BusError> {
        let end = JournalEntry {
            v: JOURNAL_VERSION,
            epoch: lease.epoch,
            at: micros(Timestamp::now()),
            step: "end".to_owned(),
            kind: EntryKind::End,
            body: json!({ "result": envelope.id }),
        };
        let end = serde_json::to_vec(&end).map_err(|e| BusError::Refused(e.to_string()))?;
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
        .bytes(end)
        .bytes(envelope.to_bytes()?);
        let answer: String = self.run(&scripts::FINISH, &call, Again::Yes).await?;
        self.settled(lease, &answer)
    }

    /// Frees everything that a process seen dead held, without grace: at once, or after a rest where
    /// it is not the first that died with it. Answers which tasks; each counts one crash. The name must be that process's alone, so that a new one
    /// under the same name loses nothing.
    pub async fn release_holder(&self, instance: &str) -> Result<Vec<TaskId>, BusError> {
        let names = self.keys();
        let call = Call::on([names.lanes()])
            .arg(instance)
            .arg(names.lease_prefix())
            .arg(names.back_prefix())
            .arg(names.task_prefix())
            .arg(names.wake_prefix())
            .arg(self.lease_ms())
            .arg(CRASH_LIMIT);
        let freed: Vec<String> = self.run(&scripts::RELEASE, &call, Again::Yes).await?;
        Ok(freed.iter().filter_map(|id| id.parse().ok()).collect())
    }

    /// A fenced write of one field to a stream of the holder's. The same value twice in a row is
    /// written once, so it may be sent again when nobody knows whether it arrived.
    pub(crate) async fn append(
        &self,
        script: &Script,
        lease: &Lease,
        stream: String,
        field: &str,
        value: Vec<u8>,
        limit: u64,
    ) -> Result<(), BusError> {
        let call = Call::on([self.keys().task(&lease.role, lease.task), stream])
            .arg(lease.epoch.0)
            .arg(field)
            .bytes(value)
            .arg(limit);
        let answer: String = self.run(script, &call, Again::Yes).await?;
        self.settled(lease, &answer)
    }

    pub(crate) fn settled(&self, lease: &Lease, answer: &str) -> Result<(), BusError> {
        match answer {
            "ok" => Ok(()),
            "full" => Err(BusError::QueueFull {
                role: lease.role.clone(),
                limit: self.queue_limit(),
            }),
            _ => Err(BusError::Fenced { task: lease.task }),
        }
    }
}
