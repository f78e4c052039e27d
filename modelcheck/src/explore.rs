//! Walks every state the team can come to. What must never be is looked at in every state by
//! stateright; that an end can be reached from every state is looked at on the graph afterwards.

use crate::agent::Pc;
use crate::state::{State, Wrong};
use crate::team::{LONG_MS, MARGIN_MS, Move, Team};
use crate::words::tell;
use protocol::task_state::TaskState;
use stateright::{Checker, HasDiscoveries, Model, Property};
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::PoisonError;

/// The moves that were seen, by fingerprints.
#[derive(Debug, Default)]
pub struct Graph {
    edges: Vec<(u64, u64)>,
    rest: HashSet<u64>,
    /// The first state that breaks a promise: the walk is breadth first, so none is nearer.
    broken: Option<(&'static str, u64)>,
}

/// What a walk came to.
#[derive(Debug, Clone)]
pub struct Walk {
    /// How many states there are.
    pub states: usize,
    /// How many moves between them.
    pub moves: usize,
    /// The longest way from the start.
    pub depth: usize,
    /// Points and words of the ledger that were played.
    pub ledger: (usize, usize),
    /// What was found: the broken promise, and the way there in words.
    pub found: Option<(String, String)>,
}

/// From some states no end can be reached.
pub const NO_TRAP: &str = "an end can be reached from everywhere";

impl Model for Team {
    type State = State;
    type Action = Move;

    fn init_states(&self) -> Vec<State> {
        vec![self.first()]
    }

    fn actions(&self, state: &State, moves: &mut Vec<Move>) {
        if broken(self, state).is_some() {
            return;
        }
        self.moves_of_office(state, moves);
        for i in 0..state.agents.len() {
            self.moves_of(state, i, moves);
        }
        self.acts(state, moves);
        self.moves_of_time(state, moves);
    }

    fn next_state(&self, last: &State, what: Move) -> Option<State> {
        let next = self.after(last, what)?;
        let mut graph = self.graph.lock().unwrap_or_else(PoisonError::into_inner);
        graph.edges.push((last.print(), next.print()));
        if self.at_rest(&next) {
            graph.rest.insert(next.print());
        }
        if graph.broken.is_none() {
            graph.broken = broken(self, &next).map(|name| (name, next.print()));
        }
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        PROMISES
            .iter()
            .map(|(name, kept)| Property::always(name, *kept))
            .collect()
    }
}

type Kept = fn(&Team, &State) -> bool;

/// What holds in every state.
const PROMISES: [(&str, Kept); 7] = [
    ("no effect is made twice", |_, s| {
        s.world.made.iter().all(|made| *made <= 1)
    }),
    ("nothing ends twice", |_, s| {
        !matches!(s.wrong, Some(Wrong::TwoEnds))
    }),
    (
        "one claim at most is told that it ended the task",
        |_, s| !matches!(s.wrong, Some(Wrong::TwoAcknowledged)),
    ),
    ("what is over is never worked on again", |_, s| {
        !matches!(s.wrong, Some(Wrong::Resurrected | Wrong::LedgerMoved))
    }),
    ("epochs rise, in claims and in the journal", |_, s| {
        !matches!(s.wrong, Some(Wrong::EpochFellBack | Wrong::JournalFellBack))
    }),
    ("no call and no word fails", |_, s| {
        !matches!(s.wrong, Some(Wrong::LedgerRefused(_) | Wrong::Failed(_)))
    }),
    ("done means that every effect is there", |team, s| {
        team.ledgers.page(s.ledger).state != TaskState::Done
            || s.world.made.iter().all(|made| *made == 1)
    }),
];

/// The first promise that a state breaks.
fn broken(team: &Team, state: &State) -> Option<&'static str> {
    let mut broken = PROMISES.iter().filter(|(_, kept)| !kept(team, state));
    broken.next().map(|(name, _)| *name)
}

impl Team {
    fn moves_of_time(&self, state: &State, moves: &mut Vec<Move>) {
        let left = state.left;
        let may = |kind: u8| kind > 0 && left.all > 0;
        let lane = self.lane();
        let sets = [
            self.keys.lease(&lane),
            self.keys.back(&lane),
            self.keys.delay(&lane),
        ];
        let waited_for = sets.iter().any(|key| state.store.size(key) > 0)
            || !state.world.running.is_empty()
            || state.agents.iter().any(|a| a.work.is_some());
        // Who was just given a task renews at once; a process that does not is one that stands still.
        let at_once = state.agents.iter().any(|agent| {
            let sure = agent.work.as_ref().is_some_and(|w| w.pc == Pc::Sure);
            sure && !agent.paused
        });
        if waited_for && !at_once {
            moves.push(Move::Time(LONG_MS, None));
            for i in 0..state.agents.len() {
                if may(left.lost) && state.agents[i].work.is_some() && !state.agents[i].paused {
                    moves.push(Move::Time(LONG_MS, Some(i)));
                }
            }
            if self.soon(state) {
                moves.push(Move::Time(MARGIN_MS, None));
            }
            if may(left.outage) {
                moves.push(Move::Outage(true));
                moves.push(Move::Outage(false));
            }
        }
        if !state.dead.is_empty() {
            moves.push(Move::Release(crate::carrier::Fate::Answered));
            if may(left.lost) {
                moves.push(Move::Release(crate::carrier::Fate::Lost));
            }
        }
    }

    /// Somebody waits for the margin to be over.
    fn soon(&self, state: &State) -> bool {
        let now = state.store.now;
        state.agents.iter().any(|agent| {
            let waits = |at| at > now;
            agent
                .work
                .as_ref()
                .is_some_and(|work| matches!(work.pc, Pc::Open(at) if waits(at)))
        })
    }

    /// Walks everything; `most` is a bound on the number of moves.
    pub fn walk(self, most: usize) -> Walk {
        let checker = self
            .checker()
            .target_state_count(most)
            .finish_when(HasDiscoveries::AnyFailures)
            .threads(1)
            .spawn_bfs()
            .join();
        let team = checker.model();
        let graph = team.graph.lock().unwrap_or_else(PoisonError::into_inner);
        let graph = std::mem::take(&mut *{ graph });
        // Cut off, a walk has seen too little to say what cannot be reached.
        let whole = checker.state_count() < most;
        let first = team.first().print();
        let bad = graph
            .broken
            .or_else(|| Some((NO_TRAP, trap(first, &graph).filter(|_| whole)?)));
        let found = bad.map(|(name, at)| {
            let way = way(first, at, &graph);
            (name.to_owned(), tell(team, &actions(team, &way)))
        });
        Walk {
            states: checker.unique_state_count(),
            moves: graph.edges.len(),
            depth: checker.max_depth(),
            ledger: team.ledgers.size(),
            found,
        }
    }
}

/// The nearest state from which no rest can be reached.
fn trap(first: u64, graph: &Graph) -> Option<u64> {
    let mut back: HashMap<u64, Vec<u64>> = HashMap::new();
    for (from, to) in &graph.edges {
        back.entry(*to).or_default().push(*from);
    }
    let mut good: HashSet<u64> = graph.rest.clone();
    let mut queue: VecDeque<u64> = good.iter().copied().collect();
    while let Some(at) = queue.pop_front() {
        for from in back.get(&at).into_iter().flatten() {
            if good.insert(*from) {
                queue.push_back(*from);
            }
        }
    }
    let met = graph.edges.iter().map(|(_, to)| *to);
    std::iter::once(first)
        .chain(met)
        .find(|at| !good.contains(at))
}

/// The shortest way to a state: who came to a state first came on a shortest way.
fn way(first: u64, to: u64, graph: &Graph) -> Vec<u64> {
    let mut parent: HashMap<u64, u64> = HashMap::new();
    for (from, to) in &graph.edges {
        parent.entry(*to).or_insert(*from);
    }
    let mut way = vec![to];
    let mut at = to;
    while at != first
        && let Some(before) = parent.get(&at)
    {
        at = *before;
        way.push(at);
    }
    way.reverse();
    way
}

/// The moves along a way of fingerprints.
fn actions(team: &Team, way: &[u64]) -> Vec<Move> {
    let mut state = team.first();
    let mut taken = Vec::new();
    for print in &way[1..] {
        let mut moves = Vec::new();
        team.actions(&state, &mut moves);
        for what in moves {
            if let Some(next) = team.after(&state, what)
                && next.print() == *print
            {
                taken.push(what);
                state = next;
                break;
            }
        }
    }
    taken
}
