//! Who is connected. Agents share a part of the table, each task and each role at most so much of it: whatever one of them
//! does, a person, the supervisor and the launchers find room. What an agent asks has a pace; what is faster waits, and
//! nothing is lost.

use super::role::Speaker;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// How many may be connected, and for how long without a word.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// All together: more agents than any host runs, and whoever else asks.
    pub all: usize,
    /// From how many on those that say nothing are closed.
    pub tight: usize,
    /// How long one may say nothing then.
    pub silent: Duration,
    /// All agents together.
    pub agents: usize,
    /// The agents of one role.
    pub of_role: usize,
    /// One task of one role: its agent needs two or three, and one that died leaves its own behind for a moment.
    pub of_task: usize,
}

/// The limits of every warden.
pub(super) const LIMITS: Limits = Limits {
    all: 256,
    tight: 192,
    silent: Duration::from_secs(5),
    agents: 160,
    of_role: 64,
    of_task: 8,
};

/// Between two questions of an agent, once it has asked as many as it may at once.
const PACE: Duration = Duration::from_millis(10);
const AT_ONCE: u32 = 3_000;

/// A role and the task it speaks of; no task: its launcher is of an older version.
type Name = (String, Option<String>);

fn name_of(speaker: &Speaker) -> Name {
    let task = speaker.task.as_ref().map(|task| task.id.clone());
    (speaker.role.clone(), task)
}

/// Everybody who is connected.
#[derive(Debug)]
pub(super) struct Table {
    limits: Limits,
    taken: usize,
    speakers: BTreeMap<Name, usize>,
    /// When what a speaker asked until now would all be asked, at its pace.
    paces: BTreeMap<Name, Instant>,
}

impl Table {
    pub fn of(limits: Limits) -> Rc<RefCell<Self>> {
        Rc::new(RefCell::new(Self {
            limits,
            taken: 0,
            speakers: BTreeMap::new(),
            paces: BTreeMap::new(),
        }))
    }

    /// Why nobody more may speak under this name.
    fn full(&self, (role, task): &Name) -> Result<(), String> {
        let Limits {
            agents,
            of_role,
            of_task,
            ..
        } = self.limits;
        let mut all = 0;
        let (mut same_role, mut same_task) = (0, 0);
        for ((other, of), count) in &self.speakers {
            all += count;
            if other == role {
                same_role += count;
                same_task += if of == task { *count } else { 0 };
            }
        }
        // One that does not say its task shares the connections of its role.
        let whose = match () {
            () if task.is_some() && same_task >= of_task => {
                format!("{of_task} connections for this task of the agent {role}")
            }
            () if same_role >= of_role => format!("{of_role} connections of the agent {role}"),
            () if all >= agents => format!("{agents} connections of agents"),
            () => return Ok(()),
        };
        Err(format!(
            "there are {whose} to the warden already: close one first"
        ))
    }

    /// How long this question of a speaker waits.
    fn wait(&mut self, name: &Name, now: Instant) -> Duration {
        // Whoever asked little lately begins anew.
        self.paces.retain(|_, asked| *asked > now);
        let asked = self.paces.entry(name.clone()).or_insert(now);
        *asked += PACE;
        asked
            .saturating_duration_since(now)
            .saturating_sub(PACE * AT_ONCE)
    }
}

/// A place at the table, free again once it is dropped.
#[derive(Debug)]
pub(super) struct Seat {
    table: Rc<RefCell<Table>>,
    speaks: Option<Name>,
    heard: bool,
}

impl Seat {
    /// A place, where there is one.
    pub fn at(table: &Rc<RefCell<Table>>) -> Option<Self> {
        let mut all = table.borrow_mut();
        if all.taken >= all.limits.all {
            return None;
        }
        all.taken += 1;
        Some(Self {
            table: table.clone(),
            speaks: None,
            heard: false,
        })
    }

    /// From now on an agent speaks here.
    ///
    /// # Errors
    /// A sentence, where it has too many connections.
    pub fn speaks(&mut self, speaker: &Speaker) -> Result<(), String> {
        let name = name_of(speaker);
        let mut all = self.table.borrow_mut();
        all.full(&name)?;
        *all.speakers.entry(name.clone()).or_default() += 1;
        self.speaks = Some(name);
        Ok(())
    }

    /// Something was said here.
    pub fn heard(&mut self) {
        self.heard = true;
    }

    /// Returns once the place is wanted for others: nothing was ever said here, and the table is nearly full.
    pub async fn wanted(&self) {
        if self.heard {
            std::future::pending::<()>().await;
        }
        let silent = self.table.borrow().limits.silent;
        loop {
            tokio::time::sleep(silent).await;
            let all = self.table.borrow();
            if all.taken >= all.limits.tight {
                return;
            }
        }
    }

    /// Waits until an agent may have its next question answered; nobody else waits.
    pub async fn pace(&self) {
        let Some(name) = &self.speaks else {
            return;
        };
        let wait = self.table.borrow_mut().wait(name, Instant::now());
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut all = self.table.borrow_mut();
        all.taken -= 1;
        if let Some(name) = &self.speaks {
            let left = all.speakers.get(name).map_or(0, |count| count - 1);
            match left {
                0 => all.speakers.remove(name),
                left => all.speakers.insert(name.clone(), left),
            };
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::wire::OfTask;
    use protocol::level::Level;

    const SMALL: Limits = Limits {
        all: 10,
        tight: 2,
        silent: Duration::from_millis(1),
        agents: 6,
        of_role: 4,
        of_task: 2,
    };

    fn speaker(role: &str, task: &str) -> Speaker {
        let task = (!task.is_empty()).then(|| OfTask {
            id: task.to_owned(),
            short: task.to_owned(),
            level: Level::Standard,
            workspace: None,
        });
        Speaker {
            role: role.to_owned(),
            task,
        }
    }

    #[test]
    fn no_task_no_role_and_not_all_agents_take_the_whole_table() {
        let table = Table::of(SMALL);
        let mut seats = Vec::new();
        for (role, task, expected) in [
            ("code", "t1", ""),
            ("code", "t1", ""),
            (
                "code",
                "t1",
                "2 connections for this task of the agent code",
            ),
            ("code", "t2", ""),
            ("code", "", ""),
            ("code", "t3", "4 connections of the agent code"),
            ("code", "", "4 connections of the agent code"),
            // The same number of another role is another agent's.
            ("infra", "t1", ""),
            ("qa", "t1", ""),
            ("qa", "t2", "6 connections of agents"),
        ] {
            let mut seat = Seat::at(&table).unwrap();
            let said = seat.speaks(&speaker(role, task)).err().unwrap_or_default();
            assert!(said.contains(expected), "{role} {task}: {said}");
            assert_eq!(
                said.is_empty(),
                expected.is_empty(),
                "{role} {task}: {said}"
            );
            if said.is_empty() {
                seats.push(seat);
            }
        }
        // Whoever is no agent finds room all the same, until the table is full.
        let others: Vec<Seat> = std::iter::from_fn(|| Seat::at(&table)).collect();
        assert_eq!(others.len(), SMALL.all - SMALL.agents);
        seats.remove(0);
        let mut next = Seat::at(&table).unwrap();
        assert_eq!(next.speaks(&speaker("code", "t1")), Ok(()));
        drop((seats, others, next));
        let all = table.borrow();
        assert!(all.taken == 0 && all.speakers.is_empty());
    }

    #[tokio::test]
    async fn whoever_says_nothing_makes_room_once_it_is_tight() {
        let table = Table::of(SMALL);
        let silent = Seat::at(&table).unwrap();
        let mut talks = Seat::at(&table).unwrap();
        talks.heard();
        tokio::select! {
            () = talks.wanted() => panic!("it said something"),
            () = silent.wanted() => {}
        }
        drop(talks);
        let some = SMALL.silent * 20;
        let goes = tokio::time::timeout(some, silent.wanted()).await;
        assert!(goes.is_err(), "there is room");
    }

    #[test]
    fn an_agent_that_asks_without_end_waits_and_others_do_not() {
        let (table, now) = (Table::of(SMALL), Instant::now());
        let mut all = table.borrow_mut();
        let hasty = name_of(&speaker("code", "t1"));
        for _ in 0..AT_ONCE {
            assert_eq!(all.wait(&hasty, now), Duration::ZERO);
        }
        assert_eq!(all.wait(&hasty, now), PACE);
        assert_eq!(all.wait(&hasty, now), PACE * 2);
        assert_eq!(
            all.wait(&name_of(&speaker("code", "t2")), now),
            Duration::ZERO
        );
        // A new connection is no new beginning; time is.
        let later = now + PACE * 10;
        assert_eq!(all.wait(&hasty, later), Duration::ZERO);
        assert_eq!(all.wait(&hasty, now + PACE * (AT_ONCE * 2)), Duration::ZERO);
        assert_eq!(all.paces.len(), 1);
    }
}
