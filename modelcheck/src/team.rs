//! The team as a model: its settings, its moves, and what each move comes to.

use crate::agent::{Agent, Pc};
use crate::carrier::{Calls, Fate, Witness};
use crate::ledger::{Ledgers, role};
use crate::state::{Left, State, Wrong};
use crate::store::Bytes;
use bus::connect::Bus;
use bus::error::BusError;
use bus::keys::{self, Keys};
use protocol::effect::EffectClass;
use protocol::envelope::{Envelope, MessageType};
use protocol::fault::Faults;
use protocol::ids::{TaskId, TeamName};
use protocol::task::Class;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The host the agents are on.
pub const HOST: &str = "here";
/// How long a claim lasts, in milliseconds.
pub const LEASE_MS: u64 = 4000;
/// How far the clock moves at a time: half a lease.
pub const LONG_MS: u64 = 2000;
/// How long a new holder waits before it looks at the world, as in `agents/src/held.rs`.
pub const MARGIN_MS: u64 = 250;
/// How long Redis is away when it is away.
pub const OUTAGE_MS: u64 = 6000;

/// What is broken on purpose.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Broken {
    /// The guarantees of the product's own that it can leave out.
    pub faults: Faults,
    /// Each attempt sends a key of its own.
    pub fresh_keys: bool,
    /// A new holder does not wait for the last one's executor.
    pub no_margin: bool,
    /// Nobody tells the bus of processes that died. (Nothing is broken by that alone.)
    pub no_daemon: bool,
    /// An executor outlives its agent and its deadline.
    pub orphans: bool,
}

/// What can happen next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Move {
    /// An agent makes its next call.
    Go(usize, Fate),
    /// An agent renews, and hears whether it is to stop.
    Renew(usize),
    /// An agent whose lease ran out by its own clock lets go.
    GiveUp(usize),
    /// The running call with this number has its effect.
    Act(usize),
    /// Time passes, and whoever holds a task renews; one of them is not answered.
    Time(u64, Option<usize>),
    /// Redis is away for longer than a lease; `true` where it was started anew.
    Outage(bool),
    /// An agent's process dies; the daemon starts another in its place.
    Crash(usize),
    /// The daemon ends the leases of a dead process.
    Release(Fate),
    /// An agent's process is stopped.
    Pause(usize),
    /// And goes on.
    Wake(usize),
    /// An agent is told to give the task back.
    Yield(usize),
    /// The supervisor sends what the bus does not know.
    Send(Fate),
    /// The supervisor folds the oldest message into the ledger.
    Fold,
    /// It tells the bus what that owes.
    Pay(Fate),
    /// It lets go of the message.
    LetGo,
    /// A person wants the task stopped.
    Cancel,
    /// The supervisor tells the bus.
    Stop(Fate),
    /// And writes down what it said.
    Stopped,
    /// A person answers.
    Answer,
    /// The supervisor tells the bus to go on.
    Resume(Fate),
    /// And writes down what it said.
    Resumed,
    /// The supervisor dies and is started again.
    OfficeDies,
}

/// The team.
pub struct Team {
    /// The class of each step's effect.
    pub classes: Vec<EffectClass>,
    /// How many agents.
    pub agents: usize,
    /// How many faults.
    pub left: Left,
    /// What is broken.
    pub broken: Broken,
    /// Its name.
    pub name: TeamName,
    /// How calls are made.
    pub calls: Calls,
    /// The names of keys.
    pub keys: Keys,
    /// The ledger.
    pub ledgers: Arc<Ledgers>,
    /// The task.
    pub task: TaskId,
    /// Its work message.
    pub envelope: Envelope,
    skip: Vec<Bytes>,
    pub(crate) graph: Mutex<crate::explore::Graph>,
}

impl Team {
    /// A team of `agents` that does one task with these steps.
    ///
    /// # Errors
    /// When its ledger cannot be made.
    pub fn new(
        classes: &[EffectClass],
        agents: usize,
        left: Left,
        broken: Broken,
    ) -> Result<Self, String> {
        let name: TeamName = TeamName::try_from("main".to_owned()).map_err(|e| e.to_string())?;
        let text = "01990000-0000-7000-8000-000000000001";
        let task: TaskId = text.parse().map_err(|e| format!("{e:?}"))?;
        let mut envelope = Envelope::new(&name, MessageType::Task, "supervisor", "code");
        envelope.id = uuid::Uuid::from_u128(1);
        envelope.payload.task_id = Some(task);
        envelope.payload.action = "run".to_owned();
        let keys = Keys::new(&name);
        let role = role();
        Ok(Self {
            classes: classes.to_vec(),
            agents,
            left,
            broken,
            calls: Calls::new(&name, Duration::from_millis(LEASE_MS), broken.faults)
                .map_err(|e| e.to_string())?,
            name,
            skip: vec![
                keys.wake(&role).into_bytes(),
                keys.idle(&role).into_bytes(),
                keys.incarnation().into_bytes(),
            ],
            keys,
            ledgers: Arc::new(Ledgers::new()?),
            task,
            envelope,
            graph: Mutex::default(),
        })
    }

    /// The same with its ledger on a server; `None` where none is installed.
    ///
    /// # Errors
    /// When the ledger cannot be made.
    pub fn on_server(mut self) -> Result<Option<Self>, String> {
        let Some(ledgers) = Ledgers::on_server()? else {
            return Ok(None);
        };
        self.ledgers = Arc::new(ledgers);
        Ok(Some(self))
    }

    /// The same with somebody who looks on.
    pub fn watched(self, witness: Arc<Mutex<dyn Witness>>) -> Self {
        self.calls.watch(witness);
        self
    }

    /// The name of the task's record.
    pub fn record(&self) -> String {
        self.keys.task(&role(), self.task)
    }

    /// The lane all is on.
    pub fn lane(&self) -> String {
        keys::lane(&role(), None)
    }

    /// Makes a call of the bus and looks at what it did to the task.
    pub(crate) fn call<T>(
        &self,
        state: &mut State,
        fate: Fate,
        call: impl AsyncFnOnce(&Bus) -> Result<T, BusError>,
    ) -> Result<T, BusError> {
        let record = self.record();
        let journal = self.keys.journal(&role(), self.task);
        let read = |state: &State| {
            let of = |name| state.store.field(&record, name);
            let entries = state.store.stream(&journal).map_or(0, |s| s.entries.len());
            (of("state"), of("epoch"), entries)
        };
        let before = read(state);
        let said = self.calls.make(&mut state.store, fate, call);
        let after = read(state);
        self.look(state, &before.0, after.0.as_deref());
        if let Some(epoch) = after.1.filter(|epoch| before.1.as_ref() != Some(epoch)) {
            let epoch: u64 = epoch.parse().unwrap_or(0);
            if state.epochs.last().is_some_and(|last| *last >= epoch) {
                state.wrong = Some(Wrong::EpochFellBack);
            }
            state.epochs.push(epoch);
        }
        if after.2 > before.2 && !journal_in_order(state, &journal) {
            state.wrong = Some(Wrong::JournalFellBack);
        }
        if let Err(error @ (BusError::Redis(_) | BusError::Refused(_))) = &said {
            state.wrong = Some(Wrong::Failed(error.to_string()));
        }
        said
    }

    fn look(&self, state: &mut State, before: &Option<String>, after: Option<&str>) {
        let over = |name: &str| matches!(name, "finished" | "dead" | "removed");
        let was_over = before.as_deref().is_some_and(over);
        if before.as_deref() == after {
            return;
        }
        if was_over {
            state.wrong = Some(Wrong::Resurrected);
        }
        if after.is_some_and(over) {
            state.ends += 1;
            if state.ends > 1 {
                state.wrong = Some(Wrong::TwoEnds);
            }
        }
    }

    fn settle(&self, state: &mut State) {
        let pulse = self.keys.pulse().into_bytes();
        let grace = self.keys.grace().into_bytes();
        state.seal(&self.skip, &pulse, &grace);
    }

    /// The first moment.
    pub fn first(&self) -> State {
        let mut state = State::new(self.agents, self.classes.len(), self.left);
        // What every process says when it comes up.
        let _ = self.call(&mut state, Fate::Answered, async |bus| {
            bus.arrive_again().await
        });
        self.settle(&mut state);
        state
    }

    /// What a move comes to; `None` where it changes nothing that counts.
    pub fn after(&self, before: &State, what: Move) -> Option<State> {
        let state = self.take(before, what);
        (state.print() != before.print()).then_some(state)
    }

    /// What a move comes to, the time included.
    pub fn take(&self, before: &State, what: Move) -> State {
        let mut state = before.clone();
        if what.loses() {
            state.left.lost -= 1;
            state.left.all -= 1;
        }
        self.carry_out(&mut state, what);
        self.settle(&mut state);
        state
    }

    fn carry_out(&self, state: &mut State, what: Move) {
        match what {
            Move::Go(i, fate) => self.go(state, i, fate),
            Move::Renew(i) => {
                self.renew(state, i, Fate::Answered);
            }
            Move::GiveUp(i) => self.let_go(state, i),
            Move::Act(n) => self.act(state, n),
            Move::Time(ms, deaf) => self.time(state, ms, deaf),
            Move::Outage(anew) => self.outage(state, anew),
            Move::Crash(i) => self.crash(state, i),
            Move::Release(fate) => self.release(state, fate),
            Move::Pause(i) => {
                state.left.pause -= 1;
                state.left.all -= 1;
                state.agents[i].paused = true;
            }
            Move::Wake(i) => state.agents[i].paused = false,
            Move::Yield(i) => {
                state.left.yields -= 1;
                state.left.all -= 1;
                state.agents[i].yields = true;
            }
            other => self.office(state, other),
        }
    }

    fn crash(&self, state: &mut State, i: usize) {
        state.left.crash -= 1;
        state.left.all -= 1;
        let agent = &state.agents[i];
        let (instance, of) = (agent.instance(i), (i, agent.life));
        if !self.broken.no_daemon {
            state.dead.insert(instance);
        }
        let now = state.store.now;
        if !self.broken.orphans {
            // The pipe to its executor is closed: it ends with its next look around.
            for call in state.world.running.iter_mut().filter(|call| call.of == of) {
                call.until = call.until.min(now);
            }
        }
        state.agents[i] = Agent::new(of.1 + 1);
    }

    fn release(&self, state: &mut State, fate: Fate) {
        let Some(instance) = state.dead.first().cloned() else {
            return;
        };
        let said = self.call(state, fate, async |bus| bus.release_holder(&instance).await);
        if said.is_ok() {
            state.dead.remove(&instance);
        }
    }

    fn time(&self, state: &mut State, ms: u64, deaf: Option<usize>) {
        state.store.pass(ms);
        state.world.bury(state.store.now);
        let _ = self.call(state, Fate::Answered, async |bus| bus.beat_once().await);
        for i in 0..state.agents.len() {
            let agent = &state.agents[i];
            if !agent.paused && agent.work.as_ref().is_some_and(|w| w.pc != Pc::LetGo) {
                let fate = if deaf == Some(i) {
                    Fate::Lost
                } else {
                    Fate::Answered
                };
                self.renew(state, i, fate);
            }
        }
    }

    fn outage(&self, state: &mut State, anew: bool) {
        state.left.outage -= 1;
        state.left.all -= 1;
        state.store.pass(OUTAGE_MS);
        state.world.bury(state.store.now);
        if anew {
            state.store.run += 1;
            let _ = self.call(state, Fate::Answered, async |bus| bus.arrive_again().await);
        }
    }

    /// Sends the work message.
    pub(crate) fn submit(&self, state: &mut State, fate: Fate) {
        let envelope = self.envelope.clone();
        let said = self.call(state, fate, async |bus| {
            let known = bus.known(self.task).await?;
            if !known {
                bus.submit(&envelope, &role(), None, Class::Normal).await?;
            }
            Ok(())
        });
        drop(said);
    }
}

fn journal_in_order(state: &State, journal: &str) -> bool {
    let Some(stream) = state.store.stream(journal) else {
        return true;
    };
    let epochs: Vec<u64> = stream
        .values("j")
        .filter_map(|entry| serde_json::from_slice::<serde_json::Value>(entry).ok())
        .filter_map(|entry| entry["epoch"].as_u64())
        .collect();
    epochs.is_sorted()
}
