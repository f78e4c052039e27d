//! Everything a moment of the team consists of, and how two moments are told apart: times are
//! looked at from now, ids and epochs by their order, so that what differs only in when it
//! happened is the same state.

use crate::agent::Agent;
use crate::ledger::{Point, Reply};
use crate::store::{Bytes, Content, Store};
use crate::world::World;
use bus::cancel::CancelOutcome;
use std::collections::BTreeSet;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};

/// Where the model's clock starts, in milliseconds.
pub const START: u64 = 1_000_000_000_000;
/// Digits of a time of the model.
const DIGITS: usize = 13;

/// How many more of each fault may come, and how many in all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Left {
    /// Faults of any kind.
    pub all: u8,
    /// Deaths of an agent.
    pub crash: u8,
    /// Stops (SIGSTOP) of an agent.
    pub pause: u8,
    /// Answers that get lost.
    pub lost: u8,
    /// Times Redis is away for longer than a lease.
    pub outage: u8,
    /// Agents told to give back.
    pub yields: u8,
    /// Deaths of the supervisor.
    pub office: u8,
    /// A person cancels.
    pub cancel: u8,
}

impl Left {
    /// Any faults, so many in all, at most one of each kind but two of crash and loss.
    pub fn any(all: u8) -> Self {
        Self {
            all,
            crash: all.min(2),
            pause: all.min(1),
            lost: all.min(2),
            outage: all.min(1),
            yields: all.min(1),
            office: all.min(1),
            cancel: all.min(1),
        }
    }

    /// None.
    pub fn none() -> Self {
        Self::any(0)
    }
}

/// What the supervisor does with a message of the out stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fold {
    /// The ledger has it; the bus is owed a word.
    Owes(Reply),
    /// The bus was told; the message may leave the stream.
    Paid,
}

/// What is in the supervisor's memory alone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Office {
    /// The message in hand.
    pub fold: Option<Fold>,
    /// The bus was to be told to stop the task, and this it met; none where it did not answer.
    pub stopped: Option<Option<CancelOutcome>>,
    /// The bus was told to go on from the park of this claim; `true` where it did not have it.
    pub resumed: Option<(bool, u64)>,
}

/// Something that must never be.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Wrong {
    /// The task came to an end twice.
    TwoEnds,
    /// Two claims were told that they ended the task.
    TwoAcknowledged,
    /// A task that was over is worked on again.
    Resurrected,
    /// A newer claim has no newer epoch.
    EpochFellBack,
    /// A journal's entry is older than the one before.
    JournalFellBack,
    /// The ledger moved a task that was over.
    LedgerMoved,
    /// The ledger could not take a word.
    LedgerRefused(String),
    /// A call of the bus failed in a way that nothing was done against.
    Failed(String),
}

/// A moment.
#[derive(Debug, Clone)]
pub struct State {
    /// Redis.
    pub store: Store,
    /// The agents.
    pub agents: Vec<Agent>,
    /// What effects changed, and who is at it.
    pub world: World,
    /// The supervisor's memory.
    pub office: Office,
    /// The ledger.
    pub ledger: Point,
    /// Faults to come.
    pub left: Left,
    /// Processes that died and whose leases the daemon did not end yet.
    pub dead: BTreeSet<String>,
    /// Epochs of the claims so far, oldest first.
    pub epochs: Vec<u64>,
    /// How often the task came to an end on the bus.
    pub ends: u8,
    /// Claims that were told that they ended it.
    pub acknowledged: BTreeSet<u64>,
    /// What went wrong.
    pub wrong: Option<Wrong>,
    print: u64,
}

impl Hash for State {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.print.hash(hasher);
    }
}

impl PartialEq for State {
    fn eq(&self, other: &Self) -> bool {
        self.print == other.print
    }
}

impl State {
    /// The first moment.
    pub fn new(agents: usize, steps: usize, left: Left) -> Self {
        Self {
            store: Store::at(START),
            agents: (0..agents).map(|_| Agent::new(1)).collect(),
            world: World::new(steps),
            office: Office::default(),
            ledger: 0,
            left,
            dead: BTreeSet::new(),
            epochs: Vec::new(),
            ends: 0,
            acknowledged: BTreeSet::new(),
            wrong: None,
            print: 0,
        }
    }

    /// The fingerprint; set when a move is over.
    pub fn print(&self) -> u64 {
        self.print
    }

    /// The rank of a claim's epoch: the first claim is 1.
    pub fn rank(&self, epoch: u64) -> u64 {
        self.epochs
            .iter()
            .position(|e| *e == epoch)
            .map_or(0, |at| at as u64 + 1)
    }

    /// Takes the fingerprint. `skip` names keys on which nothing depends; `pulse` the one whose age
    /// counts.
    pub fn seal(&mut self, skip: &[Bytes], pulse: &[u8], grace: &[u8]) {
        let mut seal = Seal {
            now: self.store.now,
            epochs: Vec::new(),
            entries: Vec::new(),
        };
        for (key, slot) in self.store.contents() {
            if !skip.contains(key) && key != pulse && key != grace {
                seal.collect(&slot.content);
            }
        }
        for agent in &self.agents {
            seal.epochs
                .extend(agent.work.as_ref().map(|w| w.lease.epoch.0));
        }
        seal.epochs
            .extend(self.world.running.iter().map(|call| call.epoch));
        seal.epochs.extend(self.world.keys.iter().map(|key| key.1));
        for all in [&mut seal.epochs, &mut seal.entries] {
            all.sort_unstable();
            all.dedup();
        }
        let mut h = DefaultHasher::new();
        for (key, slot) in self.store.contents() {
            if skip.contains(key) || nothing_in(&slot.content) {
                continue;
            }
            if key == pulse || key == grace {
                let Content::Text(text) = &slot.content else {
                    continue;
                };
                let at: u64 = String::from_utf8_lossy(text).parse().unwrap_or(0);
                let now = self.store.now;
                if key == pulse {
                    (1, now.saturating_sub(at).min(20_000)).hash(&mut h);
                } else if at > now {
                    (2, at - now).hash(&mut h);
                }
                continue;
            }
            key.hash(&mut h);
            slot.until.is_some().hash(&mut h);
            seal.content(&slot.content, &mut h);
        }
        self.agents
            .iter()
            .for_each(|agent| seal.agent(agent, &mut h));
        self.world.made.hash(&mut h);
        for call in &self.world.running {
            (call.of, call.step, call.key.0).hash(&mut h);
            seal.epoch(call.epoch).hash(&mut h);
            seal.epoch(call.key.1).hash(&mut h);
            seal.ahead(call.until).hash(&mut h);
        }
        for key in &self.world.keys {
            (key.0, seal.epoch(key.1)).hash(&mut h);
        }
        (
            self.office,
            self.ledger,
            self.left,
            self.epochs.len(),
            self.ends,
        )
            .hash(&mut h);
        (&self.dead, self.acknowledged.len(), &self.wrong).hash(&mut h);
        self.print = h.finish().max(1);
    }
}

struct Seal {
    now: u64,
    epochs: Vec<u64>,
    entries: Vec<u64>,
}

fn model_time(time: u64) -> bool {
    (START..START + 1_000_000_000).contains(&time)
}

/// A stream without entries and without any handed out is as good as none: whoever needs it or
/// its group makes it.
fn nothing_in(content: &Content) -> bool {
    matches!(content, Content::Stream(s)
        if s.entries.is_empty() && s.groups.values().all(|g| g.pending.is_empty()))
}

impl Seal {
    /// The rank of an epoch among those that are still known: only their order counts.
    fn epoch(&self, epoch: u64) -> usize {
        self.epochs.binary_search(&epoch).unwrap_or(usize::MAX)
    }

    fn ahead(&self, time: u64) -> i64 {
        if time == u64::MAX {
            return i64::MAX;
        }
        // What is over by more than the longest margin is over.
        (time as i64 - self.now as i64).max(-1000)
    }

    /// Hands out the text between times, and after each the time itself and whether it is one of
    /// an entry's id.
    fn each_number(bytes: &[u8], mut see: impl FnMut(&[u8], Option<(u64, bool)>)) {
        let mut from = 0;
        let mut at = 0;
        while at < bytes.len() {
            if !bytes[at].is_ascii_digit() {
                at += 1;
                continue;
            }
            let end = bytes[at..]
                .iter()
                .position(|b| !b.is_ascii_digit())
                .map_or(bytes.len(), |n| at + n);
            if end - at == DIGITS {
                let number = bytes[at..end]
                    .iter()
                    .fold(0u64, |n, b| n * 10 + u64::from(b - b'0'));
                if model_time(number) {
                    see(
                        &bytes[from..at],
                        Some((number, bytes.get(end) == Some(&b'-'))),
                    );
                    from = end;
                }
            }
            at = end;
        }
        see(&bytes[from..], None);
    }

    fn bytes_of(content: &Content) -> Vec<&Bytes> {
        match content {
            Content::Text(text) => vec![text],
            Content::Hash(hash) => hash.iter().flat_map(|(f, v)| [f, v]).collect(),
            Content::Set(set) => set.iter().collect(),
            Content::Scores(scores) => scores.keys().collect(),
            Content::Stream(stream) => stream.entries.values().flatten().collect(),
        }
    }

    fn collect(&mut self, content: &Content) {
        for bytes in Self::bytes_of(content) {
            Self::each_number(bytes, |_, number| match number {
                Some((number, true)) => self.entries.push(number),
                Some((number, false)) => self.epochs.push(number),
                None => {}
            });
        }
    }

    fn bytes(&self, bytes: &[u8], h: &mut DefaultHasher) {
        Self::each_number(bytes, |text, number| {
            text.hash(h);
            match number {
                Some((number, true)) => self.entries.binary_search(&number).ok().hash(h),
                Some((number, false)) => self.epoch(number).hash(h),
                None => {}
            }
        });
    }

    fn content(&self, content: &Content, h: &mut DefaultHasher) {
        for bytes in Self::bytes_of(content) {
            self.bytes(bytes, h);
        }
        match content {
            Content::Scores(scores) => {
                scores
                    .values()
                    .for_each(|score| self.ahead(score.unsigned_abs()).max(0).hash(h));
            }
            Content::Stream(stream) => {
                let place = |id| stream.entries.range(..=id).count();
                for group in stream.groups.values() {
                    place(group.delivered).hash(h);
                    for (id, (owner, _)) in &group.pending {
                        (place(*id), stream.entries.contains_key(id), owner).hash(h);
                    }
                }
            }
            _ => {}
        }
    }

    fn agent(&self, agent: &Agent, h: &mut DefaultHasher) {
        (agent.life, agent.paused, agent.yields, &agent.lost).hash(h);
        let Some(work) = &agent.work else {
            return;
        };
        self.epoch(work.lease.epoch.0).hash(h);
        self.ahead(work.until).max(0).hash(h);
        (
            work.attempt,
            work.cancel,
            &work.done,
            &work.begun,
            &work.answers,
        )
            .hash(h);
        match work.pc {
            crate::agent::Pc::Open(at) => ("open", self.ahead(at).max(0)).hash(h),
            pc => pc.hash(h),
        }
    }
}
