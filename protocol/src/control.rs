//! What the command line says to the supervisor and to the daemon: one JSON object a line over a
//! unix socket. A request is answered by zero or more `Event` lines and one `Done` or `Error`.

use crate::costs::CostsBy;
use crate::document::TaskLine;
use crate::ids::{RequestId, Role, ShortId, TaskRef};
use crate::memory::{MemoryFile, NewMemory};
use crate::proposal::Proposal;
use crate::question::Said;
use crate::report::Progress;
use crate::talk::Question;
use crate::task_state::TaskState;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

pub use crate::answer::Answer;
pub use crate::submit::{Request, Submit};

/// Version of this conversation; a supervisor refuses a client that is newer.
pub const CONTROL_VERSION: u32 = 1;

/// What a client may want.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "verb")]
pub enum Verb {
    /// How is the team?
    Status,
    /// The team at a glance, for a monitor.
    Board,
    /// What models cost since a time.
    Costs {
        /// From when on.
        since: Timestamp,
        /// What the lines are about.
        by: CostsBy,
    },
    /// Is Redis the one the ledger knows?
    BusStatus,
    /// Take Redis and ledger as they are, though one of them was put back to an older state.
    BusAccept,
    /// Do this.
    Submit(Box<Submit>),
    /// What would be done with this? Nothing is kept.
    Propose(Box<Submit>),
    /// Answer a plain question with the team's model. Answers `Piece`s as they come, then the whole;
    /// a client that goes away ends the call, which stays charged at its reservation.
    Talk(Box<Question>),
    /// Keep a file that a request is going to name. Right after this line follow exactly so many
    /// bytes, its content. Answers `Kept`.
    Keep {
        /// Its name, for what kind of file it is.
        name: String,
        /// Its size.
        bytes: u64,
    },
    /// Tell me what happens to every task and to the team, from now on, until I go away. Answers
    /// `Happened` and `Event`s; what a slow listener misses is not told again.
    Watch,
    /// Tell me everything about this task until it rests. Answers `Event`s, then its document.
    Follow {
        /// Which.
        task: TaskRef,
    },
    /// The newest tasks.
    TaskList {
        /// How many at most.
        limit: usize,
    },
    /// One task, whole.
    TaskShow {
        /// Which.
        task: TaskRef,
    },
    /// Stop this task.
    TaskCancel {
        /// Which.
        task: TaskRef,
    },
    /// How good the result of an ended task is.
    TaskRate {
        /// Which.
        task: TaskRef,
        /// 1 to 10.
        number: u8,
        /// Words said with it.
        #[serde(default)]
        remark: Option<String>,
    },
    /// The answer to a question of a task.
    TaskAnswer {
        /// Which.
        task: TaskRef,
        /// The question's number; the newest where it is not said.
        question: Option<u64>,
        /// The answer.
        #[serde(flatten)]
        said: Said,
    },
    /// Words for whoever works on this task.
    TaskTell {
        /// Which.
        task: TaskRef,
        /// The words.
        text: String,
    },
    /// The most this task may cost from now on.
    TaskBudget {
        /// Which.
        task: TaskRef,
        /// In dollars.
        usd: f64,
    },
    /// Pause this task until `TaskResume`: one that runs finishes the step in hand.
    TaskPause {
        /// Which.
        task: TaskRef,
    },
    /// Let a paused task go on.
    TaskResume {
        /// Which.
        task: TaskRef,
    },
    /// Do an ended task again, as a new task. Answers like `Submit`.
    TaskRetry {
        /// Which.
        task: TaskRef,
        /// The caller's id for the new one; the same one twice is one task.
        request_id: RequestId,
    },
    /// The patch a task made.
    TaskDiff {
        /// Which.
        task: TaskRef,
    },
    /// Bring a task's patch into the workspace.
    TaskApply {
        /// Which.
        task: TaskRef,
        /// The person has read the files in it that programs obey without being asked.
        #[serde(default)]
        control_files: bool,
    },
    /// Throw a task's clone and patch away.
    TaskDiscard {
        /// Which.
        task: TaskRef,
    },
    /// Let go of old clones, caches and blobs now.
    Gc {
        /// Only say what would go.
        dry: bool,
    },
    /// The folders the team works in.
    WorkspaceList,
    /// Register a folder, or give a registered one another name.
    WorkspaceAdd {
        /// Absolute.
        path: PathBuf,
        /// The host it lies on, where it is not the team's first one.
        #[serde(default)]
        host: Option<String>,
        /// Its name; one is made of its path where none is given.
        #[serde(default)]
        name: Option<String>,
    },
    /// Take a folder off the list.
    WorkspaceForget {
        /// Its name.
        name: String,
    },
    /// Keep a memory.
    MemoryAdd {
        /// The record.
        memory: NewMemory,
    },
    /// Find memories.
    MemorySearch {
        /// Words.
        query: String,
        /// Only this project and records of none.
        project: Option<String>,
        /// How many at most.
        limit: usize,
    },
    /// One memory, as its file.
    MemoryShow {
        /// Its id.
        id: String,
    },
    /// Copy the ledger as it is now to a file that is not there yet, below the home's `backup`.
    LedgerCopy {
        /// Which file.
        to: PathBuf,
    },
    /// Forget a memory: nothing finds it from now on, and it can be taken back for a while.
    MemoryForget {
        /// Its id.
        id: String,
        /// Why.
        reason: String,
    },
    /// Take a forgotten memory back.
    MemoryTakeBack {
        /// Its id.
        id: String,
    },
    /// How the memory is.
    MemoryStats,
    /// Make the index of the memory anew. Answers `Event`s on the way.
    MemoryReindex,
    /// Keep memories that were written elsewhere.
    MemoryImport {
        /// Their files.
        files: Vec<MemoryFile>,
    },
    /// How far the records of all hosts were seen to go.
    AuditAnchors,
    /// Stop all effects at once, until `Thaw`.
    Freeze,
    /// Let work go on.
    Thaw,
    /// An agent begins nothing new, until `AgentResume`; what it holds goes on.
    AgentPause {
        /// Which.
        role: Role,
    },
    /// An agent takes work again.
    AgentResume {
        /// Which.
        role: Role,
    },
    /// Messages that nobody could read or finish.
    DeadList {
        /// How many at most.
        limit: usize,
    },
    /// One of them, with what it held.
    DeadShow {
        /// `<role>/<entry>`.
        id: String,
    },
    /// Hand one in again; it leaves the list. Answers like `Submit`.
    DeadReplay {
        /// `<role>/<entry>`.
        id: String,
    },
    /// Say in window 0 what a backup or a drill that a person began came to.
    BackupSaid {
        /// The sentence.
        words: String,
    },
    /// The schedules of the home. They are read again before.
    ScheduleList,
    /// One schedule: its next times, and what became of the last ones.
    ScheduleShow {
        /// Its name.
        name: String,
    },
    /// Begin a run of a schedule now, beside its own times. Answers like `Submit`.
    ScheduleRun {
        /// Its name.
        name: String,
        /// The caller's id for the run; the same one twice is one task.
        request_id: RequestId,
    },
    /// A schedule begins nothing by itself, until `ScheduleResume`.
    SchedulePause {
        /// Its name.
        name: String,
    },
    /// It begins again, with its next time.
    ScheduleResume {
        /// Its name.
        name: String,
    },
    /// To the daemon: stop and start one agent; what it holds goes on afterwards.
    AgentRestart {
        /// Which.
        role: Role,
    },
    /// To the daemon, from a process of its team: the settings that stood in the environment of
    /// `up`. They are in no file, command line or tmux environment.
    Environment,
    /// To the daemon, from a process of its team: a service refused a secret (401, 403), so those who keep
    /// secrets are to be asked once more.
    SecretsAgain,
    /// To the daemon: stop the team.
    Down,
    /// To the daemon: stop and start every process with the binary on disk.
    Restart,
}

impl Verb {
    /// Whether saying it twice is as good as once: it changes nothing, or carries the id that makes two of it one.
    /// Whoever lost the answer to another one cannot know whether it was carried out.
    pub fn is_safe_twice(&self) -> bool {
        match self {
            Verb::Status
            | Verb::Board
            | Verb::Costs { .. }
            | Verb::BusStatus
            | Verb::Submit(_)
            | Verb::Propose(_)
            | Verb::Watch
            | Verb::Follow { .. }
            | Verb::TaskList { .. }
            | Verb::TaskShow { .. }
            | Verb::TaskRetry { .. }
            | Verb::TaskDiff { .. }
            | Verb::WorkspaceList
            | Verb::MemorySearch { .. }
            | Verb::MemoryShow { .. }
            | Verb::MemoryStats
            | Verb::AuditAnchors
            | Verb::DeadList { .. }
            | Verb::DeadShow { .. }
            | Verb::DeadReplay { .. }
            | Verb::ScheduleList
            | Verb::ScheduleShow { .. }
            | Verb::ScheduleRun { .. }
            | Verb::Environment
            // Who wants a stop wants it, also where it is there already.
            | Verb::TaskCancel { .. }
            | Verb::Freeze => true,
            Verb::Gc { dry } => *dry,
            Verb::BusAccept
            | Verb::Talk(_)
            | Verb::Keep { .. }
            | Verb::TaskRate { .. }
            | Verb::TaskAnswer { .. }
            | Verb::TaskTell { .. }
            | Verb::TaskBudget { .. }
            | Verb::TaskPause { .. }
            | Verb::TaskResume { .. }
            | Verb::TaskApply { .. }
            | Verb::TaskDiscard { .. }
            | Verb::WorkspaceAdd { .. }
            | Verb::WorkspaceForget { .. }
            | Verb::MemoryAdd { .. }
            | Verb::LedgerCopy { .. }
            | Verb::MemoryForget { .. }
            | Verb::MemoryTakeBack { .. }
            | Verb::MemoryReindex
            | Verb::MemoryImport { .. }
            | Verb::Thaw
            | Verb::AgentPause { .. }
            | Verb::AgentResume { .. }
            | Verb::BackupSaid { .. }
            | Verb::SchedulePause { .. }
            | Verb::ScheduleResume { .. }
            | Verb::AgentRestart { .. }
            | Verb::SecretsAgain
            | Verb::Down
            | Verb::Restart => false,
        }
    }
}

/// A line from the supervisor or the daemon.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "line")]
pub enum Reply {
    /// The task is kept.
    Accepted {
        /// Its line.
        task: Box<TaskLine>,
        /// True when the request id was seen before.
        again: bool,
    },
    /// Something happened to a followed task.
    Event {
        /// What.
        progress: Box<Progress>,
    },
    /// A followed task changed state.
    State {
        /// To what.
        #[serde(flatten)]
        state: TaskState,
    },
    /// Something happened to a part of a followed plan.
    Part {
        /// The part's name.
        part: String,
        /// Its task.
        task: ShortId,
        /// Who works on it.
        agent: Role,
        /// An `event` or a `state`.
        told: Box<Reply>,
    },
    /// Something happened to one of the tasks, for who watches them all.
    Happened {
        /// Its number.
        task: ShortId,
        /// Who works on it.
        agent: Role,
        /// An `event` or a `state`.
        told: Box<Reply>,
    },
    /// A piece of an answer that is being said.
    Piece {
        /// What comes next.
        text: String,
    },
    /// The answer; nothing follows.
    Done {
        /// What was asked for.
        answer: Box<Answer>,
    },
    /// It cannot be done before this is answered; nothing was kept, nothing follows.
    Ask {
        /// The question, as a sentence.
        message: String,
        /// What is open: `Missing` or `Several`.
        proposal: Box<Proposal>,
        /// What else would work, for people.
        #[serde(default)]
        hints: Vec<String>,
    },
    /// It cannot be done; nothing follows.
    Error {
        /// Exit code of the command line.
        exit: u8,
        /// A lower-case sentence with the next step.
        message: String,
        /// Nearest things that would work, for people.
        #[serde(default)]
        hints: Vec<String>,
    },
}
