//! What `--json` prints. Every document carries a version; fields are added, never renamed.

use crate::backup::BackupStatus;
use crate::criterion::Check;
use crate::ids::{Role, ShortId, TaskId};
use crate::money::MicroUsd;
use crate::plan::PlanDocument;
use crate::question::{Answered, Question};
use crate::rating::Rating;
use crate::report::{Artifact, CallLine, PhaseSpan, Recalled, Usage, Wait};
use crate::task::Task;
use crate::task_state::TaskState;
use crate::word::WordDocument;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Version of every document here.
pub const DOCUMENT_VERSION: u32 = 1;

/// A criterion with its last evidence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CriterionDocument {
    /// `c1`, `c2`, …
    pub id: String,
    /// The statement.
    pub text: String,
    /// How it is checked.
    pub check: Check,
    /// `true` passed, `false` failed, `null` nobody knows.
    pub passed: Option<bool>,
    /// What was seen, or `null` before VERIFY.
    pub evidence: Option<String>,
}

/// Tokens and money, in dollars.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct UsageDocument {
    /// Model calls.
    pub requests: u64,
    /// Uncached input tokens.
    pub input_tokens: u64,
    /// Output tokens.
    pub output_tokens: u64,
    /// Input tokens read from a cache.
    pub cache_read_tokens: u64,
    /// Dollars.
    pub cost_usd: f64,
    /// What the cache saved, in dollars; negative where writing it cost more than it saved.
    #[serde(default)]
    pub cache_saved_usd: f64,
}

impl From<&Usage> for UsageDocument {
    fn from(usage: &Usage) -> Self {
        Self {
            requests: usage.requests,
            input_tokens: usage.input_tokens,
            output_tokens: usage.output_tokens,
            cache_read_tokens: usage.cache_read_tokens,
            cost_usd: usage.cost.dollars(),
            cache_saved_usd: usage.saved_micro_usd as f64 / 1e6,
        }
    }
}

/// What `run --json` ends with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunDocument {
    /// Document version.
    pub version: u32,
    /// Uuid.
    pub task_id: TaskId,
    /// `t142`.
    pub short_id: ShortId,
    /// Where it rests (`state`, and `reason` or `on` where the state has one).
    #[serde(flatten)]
    pub state: TaskState,
    /// When it is to go on, while it waits for a time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<Timestamp>,
    /// Why it is tried again then, where it was begun before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait: Option<Wait>,
    /// Who worked.
    pub agent: Role,
    /// Short ids of tasks it started.
    pub children: Vec<ShortId>,
    /// How the parts stand, where it is a plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<PlanDocument>,
    /// Every phase.
    pub phases: Vec<PhaseSpan>,
    /// What was to be true, with evidence.
    pub criteria: Vec<CriterionDocument>,
    /// The report, Markdown.
    pub result: String,
    /// What it waits for, as a sentence, where that is a host that is away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waits: Option<String>,
    /// The question, where it waits for a person.
    pub question: Option<String>,
    /// Every question it asked a person, with the answers.
    #[serde(default)]
    pub questions: Vec<QuestionDocument>,
    /// What people said to it while it was open.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub words: Vec<WordDocument>,
    /// How good people found it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ratings: Vec<Rating>,
    /// Files it left.
    pub artifacts: Vec<Artifact>,
    /// Tokens and money.
    pub usage: UsageDocument,
    /// How many holders it had.
    pub attempts: u64,
    /// The trace its log lines carry: `ai-infra logs --trace ID`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
}

/// A question of a task to a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuestionDocument {
    /// Whose.
    pub task: ShortId,
    /// Counted from 1 in its task; an answer names it.
    pub number: u64,
    /// What is asked.
    #[serde(flatten)]
    pub question: Question,
    /// When.
    pub asked: Timestamp,
    /// The answer, once there is one.
    pub answer: Option<Answered>,
}

/// One line of `task list`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskLine {
    /// Uuid.
    pub task_id: TaskId,
    /// `t142`.
    pub short_id: ShortId,
    /// Where it stands.
    #[serde(flatten)]
    pub state: TaskState,
    /// When it is to go on, while it waits for a time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<Timestamp>,
    /// Who works.
    pub agent: Role,
    /// The words, on one line.
    pub request: String,
    /// When it was accepted.
    pub accepted: Timestamp,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// What it cost so far.
    pub cost: MicroUsd,
    /// The plan it is part of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<ShortId>,
}

/// One holder's turn with a task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AttemptLine {
    /// Counted from 1.
    pub number: u64,
    /// Instance name of the holder.
    pub holder: String,
    /// Its epoch.
    pub epoch: u64,
    /// When it took the task.
    pub started: Timestamp,
    /// Steps it took from the journal.
    pub replayed: u64,
}

/// Everything `task show` prints.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskPage {
    /// The task as accepted.
    pub task: Task,
    /// Its run document so far.
    pub document: RunDocument,
    /// Its holders.
    pub attempts: Vec<AttemptLine>,
    /// Its tool calls.
    pub calls: Vec<CallLine>,
    /// Memories OBSERVE brought back.
    pub recalled: Vec<Recalled>,
    /// Memory ids LEARN wrote.
    pub learned: Vec<String>,
    /// Lines for people, in order.
    pub notes: Vec<String>,
}

/// [`ProcessLine::state`] of a process that died too often and is left alone.
pub const GIVEN_UP: &str = "crash loop";

/// One process of the team.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessLine {
    /// `redis`, `supervisor`, or a role.
    pub name: String,
    /// Its process id, where it runs.
    pub pid: Option<u32>,
    /// `up`, `starting`, `down`, `crash loop`.
    pub state: String,
    /// How often it was started again.
    pub restarts: u64,
    /// The task it holds, where it holds one.
    pub task: Option<ShortId>,
}

/// Another host of the team.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostLine {
    /// What the team calls it.
    pub name: String,
    /// `up`; `not seen` where nobody there gave a sign of life for three lease times; `lost` once its
    /// tasks wait for it; `out` where it was put out and tasks still wait for it.
    pub state: String,
    /// The roles that may work there.
    pub roles: Vec<Role>,
    /// The roles that were seen there a moment ago.
    #[serde(default)]
    pub seen: Vec<Role>,
    /// When it was seen last, while it is lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// Tasks that wait for it.
    #[serde(default)]
    pub waiting: u64,
}

/// What `status` prints.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TeamStatus {
    /// Document version.
    pub version: u32,
    /// `up`, `starting`, `down`, or `degraded`.
    pub state: String,
    /// The home folder.
    pub home: String,
    /// Version of the running team.
    pub team_version: Option<String>,
    /// The exact command that attaches, where there is a tmux session.
    pub attach: Option<String>,
    /// In which database the ledger is, where it is no file of the home.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ledger: Option<String>,
    /// On a host that joined a team: which team that is and where its first host is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub joined: Option<String>,
    /// Every process.
    pub processes: Vec<ProcessLine>,
    /// The team's other hosts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<HostLine>,
    /// Tasks waiting in a queue.
    pub queued: u64,
    /// Tasks being worked on.
    pub running: u64,
    /// Tasks that wait for a person.
    pub waiting: u64,
    /// The questions that wait for an answer, oldest first.
    #[serde(default)]
    pub questions: Vec<QuestionDocument>,
    /// Tasks that wait for their time.
    #[serde(default)]
    pub delayed: u64,
    /// Tasks that wait for a host that is lost.
    #[serde(default)]
    pub for_hosts: u64,
    /// Who froze the team and since when, while it is frozen.
    #[serde(default)]
    pub frozen: Option<BrakeLine>,
    /// Agents that take no new work because a person paused them.
    #[serde(default)]
    pub paused: Vec<BrakeLine>,
    /// Agents that begin only urgent tasks, because their host is under pressure.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub held_back: Vec<HeldBackLine>,
    /// How the backups stand; none where the supervisor does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backups: Option<BackupStatus>,
    /// Messages nobody could read.
    pub dead_letters: u64,
    /// Sentences about what is wrong, each with its next step.
    pub problems: Vec<String>,
}

/// A brake that a person pulled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BrakeLine {
    /// The role that is paused; none where the whole team is frozen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// Since when.
    pub since: Timestamp,
    /// Who did it.
    pub by: String,
}

/// An agent that begins only urgent tasks, because its host is under pressure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldBackLine {
    /// Which.
    pub role: Role,
    /// The other host it works on; none on the team's first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// What was seen there, such as `memory 94 % in use (over 90 %)`.
    pub why: String,
}

/// One line of `dead list`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadLetterLine {
    /// `<role>/<entry>`, as `dead show` and `dead replay` take it.
    pub id: String,
    /// Whose stream it was in.
    pub role: Role,
    /// Why it was taken out, as a sentence.
    pub reason: String,
    /// When.
    pub at: Timestamp,
    /// Its size.
    pub bytes: u64,
    /// The task, where it was one that is known.
    pub task: Option<ShortId>,
}

/// What `dead show` prints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadLetterPage {
    /// Its line.
    #[serde(flatten)]
    pub line: DeadLetterLine,
    /// The stream it was in.
    pub stream: String,
    /// What it held, at most so much as is kept; bytes that are no text are replaced.
    pub body: String,
    /// Whether the body was cut.
    pub cut: bool,
    /// What a replay would do, as a sentence.
    pub replay: String,
}
