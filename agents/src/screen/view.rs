//! What an agent's window knows: kept up to date by the work, drawn by the window's own thread.
//! Every text here is as it came; whoever draws tames it.

use jiff::Timestamp;
use protocol::criterion::{Criterion, Evidence, Verdict};
use protocol::ids::ShortId;
use protocol::money::MicroUsd;
use protocol::phase::Phase;
use protocol::report::{CallLine, Usage};
use protocol::task::{Task, Way};
use std::collections::VecDeque;
use std::time::Duration;

/// Calls that are kept of a task.
pub const CALLS: usize = 5;
/// Results that are kept of tasks that were left.
const RESULTS: usize = 20;

/// The window's content.
#[derive(Debug, Clone)]
pub struct View {
    /// The agent, and its level.
    pub agent: String,
    /// What it is for.
    pub about: String,
    /// The team is frozen.
    pub frozen: bool,
    /// Why only urgent tasks are begun, while the host is under pressure.
    pub held_back: Option<String>,
    /// Since when it holds nothing.
    pub since: Timestamp,
    /// What it holds.
    pub held: Option<Held>,
    /// What it left, newest first.
    pub results: VecDeque<Left>,
    /// A word to the person at the keyboard, and until when it stands.
    pub hint: Option<(String, Timestamp)>,
}

/// A held task.
#[derive(Debug, Clone)]
pub struct Held {
    /// Its number.
    pub short_id: ShortId,
    /// The words.
    pub request: String,
    /// How it is done: the playbook or the model.
    pub way: String,
    /// Counted from 1.
    pub attempt: u64,
    /// Steps taken from the journal.
    pub replayed: u64,
    /// When it was taken.
    pub taken: Timestamp,
    /// The phase, and since when.
    pub phase: Option<(Phase, Timestamp)>,
    /// Its criteria, and what was seen of each last.
    pub criteria: Vec<(Criterion, Option<Verdict>)>,
    /// The newest calls, oldest first.
    pub calls: VecDeque<CallLine>,
    /// How many calls there were, and how many of them failed.
    pub counted: (u64, u64),
    /// What it does or waits for right now, and since when.
    pub doing: Option<(String, Timestamp)>,
    /// Words of people it took in.
    pub words: u64,
    /// Model calls so far.
    pub requests: u64,
    /// What they cost.
    pub cost: MicroUsd,
}

/// A task that was left.
#[derive(Debug, Clone)]
pub struct Left {
    /// When.
    pub at: Timestamp,
    /// Its number.
    pub short_id: ShortId,
    /// Its state, or why it was left.
    pub state: String,
    /// It ended well.
    pub good: bool,
    /// Criteria that hold, of how many.
    pub proven: (usize, usize),
    /// How long it was held.
    pub took: Duration,
    /// The words.
    pub request: String,
}

impl View {
    /// Of an agent that holds nothing.
    pub fn new(agent: String, about: String, now: Timestamp) -> Self {
        Self {
            agent,
            about,
            frozen: false,
            held_back: None,
            since: now,
            held: None,
            results: VecDeque::new(),
            hint: None,
        }
    }

    /// A task was taken.
    pub fn took(&mut self, task: &Task, attempt: u64, now: Timestamp) {
        self.held = Some(Held {
            short_id: task.short_id,
            request: task.request.clone(),
            way: way(&task.way),
            attempt,
            replayed: 0,
            taken: now,
            phase: None,
            criteria: Vec::new(),
            calls: VecDeque::new(),
            counted: (0, 0),
            doing: None,
            words: 0,
            requests: 0,
            cost: MicroUsd(0),
        });
    }

    /// The held task came to its end here.
    pub fn left(&mut self, state: &str, good: bool, now: Timestamp) {
        let Some(held) = &self.held else {
            return;
        };
        self.results.push_front(Left {
            at: now,
            short_id: held.short_id,
            state: state.to_owned(),
            good,
            proven: held.proven(),
            took: Duration::try_from(now.duration_since(held.taken)).unwrap_or_default(),
            request: held.request.clone(),
        });
        self.results.truncate(RESULTS);
    }

    /// Nothing is held any more.
    pub fn idle(&mut self, now: Timestamp) {
        self.held = None;
        self.since = now;
    }

    /// Whether the picture changes by time alone.
    pub fn ticks(&self) -> bool {
        self.held.is_some() || self.hint.is_some()
    }
}

impl Held {
    /// A call ended, or its answer was taken from the journal.
    pub fn called(&mut self, line: &CallLine) {
        self.counted.0 += 1;
        self.counted.1 += u64::from(line.is_error);
        self.calls.push_back(line.clone());
        if self.calls.len() > CALLS {
            self.calls.pop_front();
        }
    }

    /// The criteria were written; what was seen of older ones says nothing about them.
    pub fn criteria(&mut self, criteria: &[Criterion]) {
        self.criteria = criteria.iter().map(|c| (c.clone(), None)).collect();
    }

    /// A criterion was measured.
    pub fn measured(&mut self, evidence: &Evidence) {
        let named = |(c, _): &&mut (Criterion, Option<Verdict>)| c.id == evidence.criterion;
        if let Some((_, verdict)) = self.criteria.iter_mut().find(named) {
            *verdict = Some(evidence.verdict);
        }
    }

    /// What was spent so far.
    pub fn spent(&mut self, usage: &Usage) {
        (self.requests, self.cost) = (usage.requests, usage.cost);
    }

    /// Criteria that were seen to hold, of how many.
    pub fn proven(&self) -> (usize, usize) {
        let holds =
            |(_, verdict): &&(Criterion, Option<Verdict>)| *verdict == Some(Verdict::Passed);
        (
            self.criteria.iter().filter(holds).count(),
            self.criteria.len(),
        )
    }
}

/// Whole seconds between two moments; 0 for a clock that was set back.
pub fn seconds(then: Timestamp, now: Timestamp) -> u64 {
    u64::try_from(now.as_second() - then.as_second()).unwrap_or(0)
}

fn way(way: &Way) -> String {
    match way {
        Way::Playbook { name, .. } => format!("playbook {name}, no model"),
        Way::Anthropic => "Claude".to_owned(),
        Way::Plan { plan } => format!("plan {}", plan.name),
        Way::Scripted { .. } => "canned replies".to_owned(),
    }
}
