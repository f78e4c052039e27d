//! Where a task may lie, for scripts of the supervisor. A task's record says where it does, and the role's own user of
//! Redis writes records: so the lanes are told by what the supervisor alone wrote, and the record only says in which of
//! them the task is.

use crate::assignment::Assignment;
use crate::connect::{Again, Bus, Call};
use crate::error::BusError;
use crate::keys;
use protocol::ids::{Role, TaskId};
use protocol::task::Class;

/// What a script says where a record was not true.
pub(crate) const SPOILT: &str = "spoilt";

impl Bus {
    /// The role of a task and the keys of every lane it may be on, as scripts take them: lease, back, delay and a stream
    /// for each class. `None` of a task that the bus does not know.
    pub(crate) async fn places_of(&self, task: TaskId) -> Result<Option<(Role, Call)>, BusError> {
        let Some((role, lanes)) = self.lanes_of(task).await? else {
            return Ok(None);
        };
        let names = self.keys();
        let places = lanes.iter().fold(Call::default(), |call, lane| {
            let sets = Call::on([names.lease(lane), names.back(lane), names.delay(lane)]);
            let streams = Class::ALL.iter().map(|class| names.work(lane, *class));
            call.and(streams.fold(sets, Call::key))
        });
        Ok(Some((role, places)))
    }

    /// The role of a task and the lanes it may be on.
    pub(crate) async fn lanes_of(
        &self,
        task: TaskId,
    ) -> Result<Option<(Role, Vec<String>)>, BusError> {
        let Some(Assignment { role, work }) = self.assignment(task).await? else {
            return Ok(None);
        };
        let host = match work {
            Some(work) => work.host,
            None => self.recorded_host(&role, task).await?,
        };
        let host = host.filter(|host| keys::is_host(host));
        let lanes = std::iter::once(keys::lane(&role, None))
            .chain(host.map(|host| keys::lane(&role, Some(&host))))
            .collect();
        Ok(Some((role, lanes)))
    }

    /// The host of a task that an older supervisor sent: its record alone says so. Whatever it says, the lane is one of
    /// the role's own.
    async fn recorded_host(&self, role: &Role, task: TaskId) -> Result<Option<String>, BusError> {
        let record = self.keys().task(role, task);
        let lane: Option<Vec<u8>> = self
            .query(redis::cmd("HGET").arg(&record).arg("lane"), Again::Yes)
            .await?;
        let lane = lane.and_then(|lane| String::from_utf8(lane).ok());
        let host = lane.and_then(|lane| {
            let host = lane.strip_prefix(role.as_str())?.strip_prefix(':')?;
            Some(host.to_owned())
        });
        Ok(host)
    }

    /// Says in the log that a record was not true.
    pub(crate) fn was_spoilt(&self, role: &Role, task: TaskId) {
        tracing::warn!(
            %task,
            %role,
            "the record of this task does not say where it lies: something other than the bus wrote it, so nothing was \
             read or removed there; look at the agent of this role"
        );
    }
}
