//! What people say to tasks that are not over. The supervisor tells it here once; words wait in the
//! task's own journal, so they move with it and outlive its holders, and whoever holds it looks for
//! them between two steps.

use crate::budget::KEPT;
use crate::connect::{Again, Bus, Call};
use crate::error::BusError;
use crate::park::written;
use crate::scripts;
use protocol::ids::{Role, TaskId};
use protocol::journal::{EntryKind, JournalEntry};
use protocol::money::MicroUsd;

/// What telling met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// The bus has it, now or from before.
    Told,
    /// The task is over.
    Ended,
    /// The bus does not know the task, or it is moving to another role just now.
    Unknown,
}

impl Bus {
    /// Tells a task the word with this number: an entry for its journal, a new limit on its cost, or
    /// both. Saying it twice is fine; a number lower than one that was told is taken as told. The
    /// supervisor's alone.
    pub async fn tell(
        &self,
        task: TaskId,
        number: u64,
        entry: Option<&JournalEntry>,
        cap: Option<MicroUsd>,
    ) -> Result<Told, BusError> {
        let Some(role) = self.role_of(task).await? else {
            return Ok(Told::Unknown);
        };
        let names = self.keys();
        let call = Call::on([
            names.task(&role, task),
            names.journal(&role, task),
            names.task_spend(task),
        ])
        .arg(number)
        .bytes(entry.map(written).transpose()?.unwrap_or_default())
        .arg(cap.map(|cap| cap.0.to_string()).unwrap_or_default())
        .arg(KEPT.as_millis());
        let answer: String = self.run(&scripts::TELL, &call, Again::Yes).await?;
        Ok(match answer.as_str() {
            "told" => Told::Told,
            "ended" => Told::Ended,
            _ => Told::Unknown,
        })
    }

    /// The number of the last thing that was told to a task of a role; 0 where there was nothing.
    pub async fn told_to(&self, role: &Role, task: TaskId) -> Result<u64, BusError> {
        let record = self.keys().task(role, task);
        let number: Option<u64> = self
            .query(redis::cmd("HGET").arg(record).arg("words"), Again::Yes)
            .await?;
        Ok(number.unwrap_or(0))
    }

    /// Every word in a task's journal, oldest first.
    pub async fn words_of(&self, task: TaskId) -> Result<Vec<JournalEntry>, BusError> {
        let mut entries = self.journal_read(task).await?;
        entries.retain(|entry| entry.kind == EntryKind::Word);
        Ok(entries)
    }
}
