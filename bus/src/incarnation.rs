//! Whether the Redis that answers is the one the ledger knows. It may be new, put back to an older
//! state, or another home's; until the supervisor has compared, no agent is let in, so nothing is
//! claimed from a past that never happened.

use crate::connect::{Again, Bus, Call};
use crate::error::BusError;
use crate::keys::WORK_GROUP;
use crate::place::SPOILT;
use crate::scripts;
use crate::spoiled::Kind;
use protocol::ids::{Role, TaskId, TeamName};
use protocol::task::Class;

/// How many tasks are asked about at a time.
const PAGE: usize = 500;

/// As what a process connects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Arrival {
    /// As nobody's: it looks at nothing. For tools, and for the daemon, which only frees.
    Unchecked,
    /// As a process of this home that works: waits, with [`BusError::Unsettled`], until the
    /// supervisor has compared, also when it connects again later.
    Worker(String),
    /// As the supervisor of this home, only to compare.
    Leader(String),
}

/// Up to which entry the ledger has folded a role's out stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// Whose stream.
    pub role: Role,
    /// The entry.
    pub entry: String,
}

/// What comparing came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is the one, or a later state of it: agents are let in.
    Same,
    /// It is nobody's yet: it holds nothing, or what was there before homes had ids. [`Bus::found`] makes it the home's.
    New,
    /// It was put back: its last entry comes before one that was folded.
    Older {
        /// Whose stream says so.
        role: String,
        /// The last entry there.
        last: String,
    },
    /// The ledger was put back or lost: an entry was folded and deleted that it does not know.
    Newer {
        /// Whose stream says so; empty when the ledger knows nothing of this Redis.
        role: String,
        /// The last entry deleted there.
        deleted: String,
    },
}

impl Arrival {
    fn home(&self) -> &str {
        match self {
            Arrival::Unchecked => "",
            Arrival::Worker(home) | Arrival::Leader(home) => home,
        }
    }

    pub(crate) fn call(&self, bus: &Bus, run_id: &str) -> Call {
        let names = bus.keys();
        bus.pulsing()
            .key(names.incarnation())
            .arg(run_id)
            .arg(self.home())
            .arg(u8::from(matches!(self, Arrival::Worker(_))))
            .arg(names.owner())
            .arg(names.settled())
    }

    pub(crate) fn judge(&self, team: &TeamName, said: &str) -> Result<(), BusError> {
        match said {
            "ok" => Ok(()),
            "unsettled" => Err(BusError::Unsettled(
                "redis was started anew, and the supervisor has not compared it with the ledger \
                 yet: nothing is begun until then"
                    .to_owned(),
            )),
            _ => Err(taken(team)),
        }
    }
}

fn taken(team: &TeamName) -> BusError {
    BusError::Unsettled(format!(
        "redis already holds a team `{team}` of another home, and two teams must not share their \
         tasks: give this one another name (team.name) or another redis; if that home is gone for \
         good, delete its keys ({})",
        crate::keys::Keys::new(team).all()
    ))
}

impl Bus {
    /// Compares this Redis with what the ledger of `home` knows of it: whether it was ever `found`,
    /// and its marks. On [`Verdict::Same`] agents are let in; otherwise they are kept out. Another home's is [`BusError::Unsettled`].
    pub async fn compare(
        &self,
        home: &str,
        found: bool,
        marks: &[Mark],
    ) -> Result<Verdict, BusError> {
        let names = self.keys();
        let mut call = Call::on([
            names.owner(),
            names.settled(),
            names.incarnation(),
            names.lanes(),
        ])
        .arg(home)
        .arg(u8::from(found));
        for mark in marks {
            call = call
                .arg(names.out(&mark.role))
                .arg(names.dead(&mark.role))
                .arg(&mark.entry);
        }
        let mut compared = self.run(&scripts::COMPARE, &call, Again::Yes).await;
        if compared.as_ref().is_err_and(BusError::is_wrong_type) {
            for Mark { role, .. } in marks {
                for stream in [names.out(role), names.dead(role)] {
                    self.clear(&stream, Kind::Stream).await?;
                }
            }
            compared = self.run(&scripts::COMPARE, &call, Again::Yes).await;
        }
        let said: Vec<String> = compared?;
        let at = |place: usize| said.get(place).cloned().unwrap_or_default();
        let role = at(1).rsplit(':').next().unwrap_or_default().to_owned();
        match at(0).as_str() {
            "same" => Ok(Verdict::Same),
            "new" => Ok(Verdict::New),
            "older" => Ok(Verdict::Older { role, last: at(2) }),
            "newer" => Ok(Verdict::Newer {
                role,
                deleted: at(2),
            }),
            _ => Err(taken(self.team())),
        }
    }

    /// Takes this Redis for the home's, as it is, and lets agents in.
    pub async fn found(&self, home: &str) -> Result<(), BusError> {
        let names = self.keys();
        let call = Call::on([names.owner(), names.settled(), names.incarnation()]).arg(home);
        self.run::<i64>(&scripts::FOUND, &call, Again::Yes)
            .await
            .map(drop)
    }

    /// Whether this Redis is still somebody's; one that forgot everything is not.
    pub async fn is_owned(&self) -> Result<bool, BusError> {
        let owner: Option<String> = self
            .query(redis::cmd("GET").arg(self.keys().owner()), Again::Yes)
            .await?;
        Ok(owner.is_some())
    }

    /// Every task that could be worked on: queued, held, given back or due later. On a role's lane only tasks that are
    /// the role's count: its own user of Redis may have put others there.
    pub async fn open_tasks(&self) -> Result<Vec<TaskId>, BusError> {
        let names = self.keys();
        let mut call = Call::on([names.lanes()])
            .arg(names.work_prefix())
            .arg(names.lease_prefix())
            .arg(names.back_prefix())
            .arg(names.delay(""));
        for class in Class::ALL {
            call = call.arg(class.as_str());
        }
        let rows: Vec<Vec<u8>> = self.run(&scripts::OPEN_TASKS, &call, Again::Yes).await?;
        let text = |bytes: &Vec<u8>| String::from_utf8(bytes.clone()).ok();
        let row = |pair: &[Vec<u8>]| -> Option<(Role, TaskId)> {
            let [role, id] = pair else { return None };
            Some((text(role)?.parse().ok()?, text(id)?.parse().ok()?))
        };
        let rows: Vec<(Role, TaskId)> = rows.chunks(2).filter_map(row).collect();
        let mut open = Vec::with_capacity(rows.len());
        for rows in rows.chunks(PAGE) {
            let ids: Vec<TaskId> = rows.iter().map(|(_, id)| *id).collect();
            let known = self.assignments(&ids).await?;
            for ((role, id), known) in rows.iter().zip(known) {
                if known.is_some_and(|known| known.role == *role) {
                    open.push(*id);
                }
            }
        }
        Ok(open)
    }

    /// Takes a task out whatever its state, with its journal, as if it had never come. For a
    /// Redis that was put back; a person decides what becomes of the task.
    pub async fn expel(&self, task: TaskId) -> Result<(), BusError> {
        let Some((role, places)) = self.places_of(task).await? else {
            return Ok(());
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
        .and(places);
        let answer: String = self.run(&scripts::EXPEL, &call, Again::Yes).await?;
        if answer == SPOILT {
            self.was_spoilt(&role, task);
        }
        Ok(())
    }
}
