//! What an agent hands back: progress while it works, one report at the end.

use crate::criterion::{Criterion, Evidence};
use crate::ids::{Epoch, Role, TaskId};
use crate::money::MicroUsd;
use crate::phase::Phase;
use crate::question::Question;
use crate::task_state::TaskState;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// When a phase began and ended. A phase that was returned to appears again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhaseSpan {
    /// Which.
    pub phase: Phase,
    /// When it began.
    pub started: Timestamp,
    /// When it ended; `None` while it runs or when it was cut off.
    pub ended: Option<Timestamp>,
}

/// Tokens and money.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Model calls.
    pub requests: u64,
    /// Input tokens that were not read from a cache.
    pub input_tokens: u64,
    /// Output tokens.
    pub output_tokens: u64,
    /// Input tokens read from a cache.
    pub cache_read_tokens: u64,
    /// Input tokens written to a cache.
    #[serde(default)]
    pub cache_write_tokens: u64,
    /// What it cost.
    pub cost: MicroUsd,
    /// What the cache saved, in micro-dollars at the prices of the call; negative where writing it
    /// cost more than reading it saved.
    #[serde(default)]
    pub saved_micro_usd: i64,
}

/// Most of anything that a task can have used: a million million tokens, or a million dollars.
const MOST: u64 = 1_000_000_000_000;

impl Usage {
    /// Adds another call's usage. More than can be counted stays the most that can.
    pub fn add(&mut self, other: &Usage) {
        for (own, more) in self.counts().into_iter().zip(other.clone().counts()) {
            *own = own.saturating_add(*more);
        }
        self.saved_micro_usd = self.saved_micro_usd.saturating_add(other.saved_micro_usd);
    }

    /// The same with nothing beyond what a task can have: these are the words of an agent, and sums of them must stay sums.
    #[must_use]
    pub fn believable(&self) -> Usage {
        let mut own = self.clone();
        for count in own.counts() {
            *count = (*count).min(MOST);
        }
        own.saved_micro_usd = own
            .saved_micro_usd
            .clamp(-MOST.cast_signed(), MOST.cast_signed());
        own
    }

    fn counts(&mut self) -> [&mut u64; 6] {
        [
            &mut self.requests,
            &mut self.input_tokens,
            &mut self.output_tokens,
            &mut self.cache_read_tokens,
            &mut self.cache_write_tokens,
            &mut self.cost.0,
        ]
    }
}

/// A file the task left for the person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Artifact {
    /// The digest under which its content travels, where it was made on another host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blob: Option<String>,
    /// What it is: `patch`, `log`, `report`.
    pub kind: String,
    /// Absolute path on the host that ran the task.
    pub path: String,
    /// Size in bytes.
    pub bytes: u64,
    /// Of a patch: the files in it, relative, that programs obey without being asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub control_files: Vec<String>,
}

/// A memory that OBSERVE brought back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recalled {
    /// Memory id, as `memory show` takes it.
    pub id: String,
    /// Its title.
    pub title: String,
    /// Lexical score; larger is nearer.
    pub score: f32,
}

/// A tool call as `task show` lists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallLine {
    /// Phase in which it ran.
    pub phase: Phase,
    /// Tool name.
    pub tool: String,
    /// One line about what it did.
    pub summary: String,
    /// How long, in milliseconds.
    pub took_ms: u64,
    /// Whether it failed.
    pub is_error: bool,
}

/// Something that happened to a running task; the supervisor folds it into the ledger and shows
/// it to whoever follows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "event")]
pub enum Progress {
    /// An agent took the task.
    Claimed {
        /// Instance name of the holder.
        holder: String,
        /// Its epoch.
        epoch: Epoch,
        /// Steps taken from the journal instead of being run again; 0 at the first attempt.
        replayed: u64,
    },
    /// A phase began.
    PhaseStarted {
        /// Which.
        phase: Phase,
        /// When.
        at: Timestamp,
    },
    /// A phase ended.
    PhaseEnded {
        /// Which.
        phase: Phase,
        /// When.
        at: Timestamp,
    },
    /// The criteria were written.
    Criteria {
        /// All of them.
        criteria: Vec<Criterion>,
    },
    /// A tool call ended.
    Call {
        /// What it was.
        line: CallLine,
    },
    /// A criterion was measured.
    Evidence {
        /// What was seen.
        evidence: Evidence,
    },
    /// What memory brought back.
    Recalled {
        /// Best first.
        memories: Vec<Recalled>,
    },
    /// A person said something to the task.
    Said {
        /// Its number among the words to this task.
        number: u64,
        /// The words.
        text: String,
        /// Who said them.
        by: String,
    },
    /// Whoever works on it took the words in.
    Heard {
        /// Their number.
        number: u64,
        /// The words.
        text: String,
    },
    /// Criteria were added to those that were written, because of such words.
    Added {
        /// The new ones.
        criteria: Vec<Criterion>,
    },
    /// A line for people.
    Note {
        /// The line.
        text: String,
    },
    /// Money was set aside for a model call that is about to be made.
    Reserved {
        /// The step of the journal that asks.
        step: String,
        /// The model.
        model: String,
        /// How much.
        amount: MicroUsd,
        /// When.
        at: Timestamp,
    },
    /// A model call ended, and this is what it used: the reservation of its step is over.
    Spent {
        /// The step of the journal that asked.
        step: String,
        /// The model.
        model: String,
        /// What it used.
        usage: Usage,
        /// When.
        at: Timestamp,
        /// Whether it came to nothing.
        #[serde(default)]
        failed: bool,
    },
}

/// A wish to hand the task to another role, with its journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandOff {
    /// The role that is to go on with it.
    pub to: Role,
    /// What is left to be done, for that role.
    pub note: String,
    /// The step of the journal that asked for it.
    pub step: String,
    /// The id of the call.
    pub call: String,
}

/// Until when a task rests that is to be tried again, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wait {
    /// When it goes on.
    pub until: Timestamp,
    /// For what it waits, such as `the model: overloaded (status 529)`.
    pub why: String,
    /// Which wait this is, counted from 1.
    pub number: u32,
    /// How many there may be before the task fails.
    pub most: u32,
}

/// The end of a task, as its agent reports it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskReport {
    /// Which task.
    pub task_id: TaskId,
    /// Who worked.
    pub agent: Role,
    /// A final state, or `Waiting`.
    #[serde(flatten)]
    pub state: TaskState,
    /// The question, where it waits for a person.
    #[serde(default)]
    pub question: Option<String>,
    /// The same with what is known and what may be answered.
    #[serde(default)]
    pub asked: Option<Question>,
    /// To whom it is to be handed on, where it waits for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handoff: Option<HandOff>,
    /// Until when it rests, where it waits for a time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait: Option<Wait>,
    /// Every phase it went through.
    pub phases: Vec<PhaseSpan>,
    /// What was to be true.
    pub criteria: Vec<Criterion>,
    /// The last measurement of each criterion.
    pub evidence: Vec<Evidence>,
    /// The report for the person, Markdown.
    pub result: String,
    /// Files it left.
    pub artifacts: Vec<Artifact>,
    /// Tokens and money.
    pub usage: Usage,
    /// Memory ids that LEARN wrote.
    #[serde(default)]
    pub learned: Vec<String>,
    /// Memories that OBSERVE brought back.
    #[serde(default)]
    pub recalled: Vec<Recalled>,
    /// Its tool calls, in order.
    #[serde(default)]
    pub calls: Vec<CallLine>,
}
