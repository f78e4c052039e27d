//! What may be asked of the warden, and what it answers: one JSON line each, in turn, over a
//! connection that may stay open. Whoever asks is known by the kernel, not by what is said.

use crate::audit::line::Entry;
use crate::audit::verify::Head;
use crate::tickets::ticket::{Ticket, Wanted};
use crate::trust::Trust;
use protocol::approval::{Rule, TicketId};
use protocol::duty::order::Outcome;
use protocol::level::Level;
use serde::{Deserialize, Serialize};

/// The version of the lines.
pub const WIRE_VERSION: u32 = 1;
/// Longest line, in bytes.
pub const LINE_BYTES: usize = 256 * 1024;

/// A question.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// [`WIRE_VERSION`].
    pub v: u32,
    /// What.
    #[serde(flatten)]
    pub ask: Ask,
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case")]
pub enum Ask {
    /// From now on an agent of this role speaks here, and no person. Said by its launcher, which makes the
    /// connection; it cannot be taken back.
    For {
        /// Its role.
        role: String,
        /// The one task whose acts it does here; a launcher of an older version does not say.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        task: Option<OfTask>,
    },
    /// Write a line.
    Note {
        /// The line.
        entry: Box<Entry>,
        /// Answer only once a power cut cannot take it away.
        safe: bool,
    },
    /// How far the chain goes, every line of it safe.
    Head,
    /// Leave for an act.
    Request {
        /// Which.
        wanted: Box<Wanted>,
    },
    /// The ticket a step has for this, if any. Nothing is asked of anybody.
    Known {
        /// Which.
        wanted: Box<Wanted>,
    },
    /// Nothing was done under a ticket that was used: it would have been more than it was given for.
    Grown {
        /// Which.
        id: TicketId,
        /// What it would have been.
        wanted: Box<Wanted>,
    },
    /// Whether an act of a kind that is bounded by the hour is within the bound now.
    Hour {
        /// Which.
        wanted: Box<Wanted>,
        /// It is done next: count it.
        count: bool,
    },
    /// Use a ticket up.
    Burn {
        /// Which.
        id: TicketId,
        /// For what.
        wanted: Box<Wanted>,
    },
    /// Do a duty on the host, under a ticket that was used where a rule asks for one.
    Operate {
        /// Which, and for what.
        wanted: Box<Wanted>,
        /// The claim under which the agent holds the task; 0 where one of an older version does not say.
        #[serde(default)]
        epoch: u64,
    },
    /// A task was cancelled: its program of level 3 ends, one that waits for its turn is not begun, and how it ended is answered.
    /// Harmless where there is none. Other duties go on to their end.
    EndRun {
        /// The task's uuid.
        task: String,
        /// The agent's role: it ends what was begun for that role alone.
        agent: String,
        /// The claim under which the agent holds the task: it ends nothing that was begun under a later one.
        epoch: u64,
        /// The key under which it had one done: that it ended already is answered too.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<String>,
    },
    /// The tasks whose programs of level 3 run now or wait for their turn.
    Runs,
    /// A ticket, where its task is not over: whoever carries an act out looks at its leave once more.
    StillCounts {
        /// Which.
        id: TicketId,
    },
    /// The tasks with leave that counts while they go on: a yes to a kind for all of the task, a ticket that was just used, or one
    /// that was used for an act of a sandbox.
    /// Those that are over, as far as the warden heard, are not among them.
    Leaves,
    /// The team is frozen, or goes on: while it is, nothing of a duty is begun, and what runs is told to stop.
    Freeze {
        /// It is.
        frozen: bool,
    },
    /// A task is over: what it asked for is not wanted any more, its program of level 3 ends, and no leave of it counts from now
    /// on. That cannot be taken back.
    Cancel {
        /// The task's uuid.
        task: String,
    },
    /// Tickets, newest first, as many as fit a line.
    Tickets {
        /// Only those that wait for an answer, or to be used.
        open: bool,
        /// How many at most.
        limit: usize,
        /// Only those asked for before this one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        before: Option<TicketId>,
    },
    /// One ticket.
    Ticket {
        /// Which.
        id: TicketId,
    },
    /// A person's answer. Who it is, the kernel says; where agents run as the same user, the PIN proves
    /// that it is a person.
    Answer {
        /// Which.
        id: TicketId,
        /// Its four characters.
        mark: String,
        /// Yes or no.
        yes: bool,
        /// Yes to this kind for the whole task.
        for_task: bool,
        /// Why, in their words.
        because: String,
        /// The PIN.
        pin: Option<String>,
        /// A signature of `tickets::signed::text`, armoured, instead of a PIN.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        signature: Option<String>,
    },
    /// Keep a PIN.
    Pin {
        /// The one there is.
        old: Option<String>,
        /// The new one.
        new: String,
    },
    /// A person trusts what a workspace says to agents, as it is now.
    Trust {
        /// The workspace, absolute.
        path: String,
        /// The digest of what it says.
        digest: String,
        /// The PIN.
        pin: Option<String>,
        /// A signature of `trust::signed::text`, armoured, instead of a PIN.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        signature: Option<String>,
    },
    /// Trust in a workspace is over.
    Distrust {
        /// The workspace.
        path: String,
        /// A signature that says whose word it is; none is needed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        signature: Option<String>,
    },
    /// What a person signs to trust a workspace, or to trust it no more.
    TrustToSign {
        /// The workspace, absolute.
        path: String,
        /// The digest of what it says now; none: it is to be trusted no more.
        digest: Option<String>,
    },
    /// Whether a workspace that says this now is trusted. Where it said something else when a person
    /// trusted it, that trust is over, where an agent speaks only that in the workspace of its own task.
    Trusted {
        /// The workspace.
        path: String,
        /// The digest of what it says now.
        digest: String,
    },
    /// Whether an answer of whoever asks needs a PIN, and whether one is kept.
    Proof,
}

/// What an agent may speak of on a connection: a task, as its launcher has it from the supervisor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfTask {
    /// Its uuid.
    pub id: String,
    /// Its number, such as `t142`.
    pub short: String,
    /// The most it may do.
    pub level: Level,
    /// The workspace it is about; a launcher of an older version does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace: Option<String>,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum Reply {
    /// The line is written.
    Written {
        /// Its number.
        seq: u64,
    },
    /// How far the chain goes.
    Head {
        /// Its end.
        head: Head,
    },
    /// A ticket.
    Ticket {
        /// It.
        ticket: Box<Ticket>,
        /// Its four characters.
        mark: String,
        /// What a person is shown of it: labels and texts.
        shown: Vec<(String, String)>,
    },
    /// Tickets.
    Tickets {
        /// With the four characters of each.
        tickets: Vec<(Ticket, String)>,
    },
    /// Whether it is within the hour's bound.
    Hour {
        /// Why it is not, and what is done about it.
        above: Option<(Rule, String)>,
    },
    /// What came of a duty, or of the program that was ended.
    Operated {
        /// It.
        outcome: Box<Outcome>,
    },
    /// Whose programs run now, or who has leave.
    Runs {
        /// The tasks' uuids.
        tasks: Vec<String>,
    },
    /// What an answer needs.
    Proof {
        /// A PIN.
        pin_wanted: bool,
        /// One is kept.
        pin_kept: bool,
        /// The rules take one.
        #[serde(default = "taken")]
        pin_taken: bool,
    },
    /// What is to be signed, line by line.
    ToSign {
        /// It.
        text: String,
    },
    /// The trust in a workspace, where there is some.
    Trusted {
        /// It.
        trust: Option<Trust>,
    },
    /// It is done.
    Done,
    /// No, and why.
    Refused {
        /// A sentence.
        why: String,
    },
}

/// A warden that does not say takes a PIN.
fn taken() -> bool {
    true
}
