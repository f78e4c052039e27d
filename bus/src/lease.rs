//! A lease and what its holder may do under it. Every write goes through a script that refuses
//! an epoch older than the newest claim's.

use crate::connect::{Again, Bus, Call};
use crate::dead_letter::CRASH_LIMIT;
use crate::error::BusError;
use crate::keys;
use crate::scripts;
use protocol::ids::{Epoch, Role, TaskId};
use std::sync::atomic::{AtomicU64, Ordering};

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
    /// What its holder knows of its journal.
    pub(crate) journal: Known,
}

/// How many entries a journal has had since its holder last wrote to it; 0 where that is not known.
/// It only saves a look: leases that know different things are the same lease.
#[derive(Debug, Default)]
pub(crate) struct Known(AtomicU64);

impl Known {
    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(crate) fn set(&self, entries: u64) {
        self.0.store(entries, Ordering::Relaxed);
    }
}

impl Clone for Known {
    fn clone(&self) -> Self {
        Self(AtomicU64::new(self.get()))
    }
}

impl PartialEq for Known {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Known {}

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

    /// Frees everything that a process seen dead held, without grace: at once, or after a rest where
    /// it is not the first that died with it. Answers which tasks; each counts one crash. The name
    /// must be that process's alone, so that a new one
    /// under the same name loses nothing.
    pub async fn release_holder(&self, instance: &str) -> Result<Vec<TaskId>, BusError> {
        self.release_in(instance, "").await
    }

    /// The same on one host's lane of a role: all that the daemon of another host may touch.
    pub async fn release_on(
        &self,
        instance: &str,
        role: &Role,
        host: &str,
    ) -> Result<Vec<TaskId>, BusError> {
        self.release_in(instance, &keys::lane(role, Some(host)))
            .await
    }

    async fn release_in(&self, instance: &str, lane: &str) -> Result<Vec<TaskId>, BusError> {
        let names = self.keys();
        let call = Call::on([names.lanes()])
            .arg(instance)
            .arg(names.lease_prefix())
            .arg(names.back_prefix())
            .arg(names.task_prefix())
            .arg(names.wake_prefix())
            .arg(self.lease_ms())
            .arg(CRASH_LIMIT)
            .arg(lane);
        // As bytes: ids are what the role's own user wrote there.
        let freed: Vec<Vec<u8>> = self.run(&scripts::RELEASE, &call, Again::Yes).await?;
        let id = |bytes: &Vec<u8>| std::str::from_utf8(bytes).ok()?.parse().ok();
        Ok(freed.iter().filter_map(id).collect())
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
