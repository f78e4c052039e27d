//! One ticket: bound to the digest of exactly what is to be done, where and for which step; whoever
//! holds the task under whichever claim, the same step asks for the same ticket. Pure.

use crate::audit::seal::hex;
use jiff::{SignedDuration, Timestamp};
use protocol::acts::Foreseen;
use protocol::approval::{TicketId, TicketMove, TicketState};
use protocol::text::one_line;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// The version of a ticket as it is kept.
pub const TICKET_VERSION: u32 = 1;
/// How long a ticket may be answered, and how long an answered one may be used.
pub const LIFE: SignedDuration = SignedDuration::from_mins(30);

/// How far a clock may be put back without a ticket being the worse for it: small steps are usual.
const STEP: SignedDuration = SignedDuration::from_mins(1);

/// What somebody asks leave for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Wanted {
    /// The task's uuid.
    pub task: String,
    /// Its number, such as `t142`.
    pub short: String,
    /// The step of its journal.
    pub step: String,
    /// The agent's role.
    pub agent: String,
    /// On whose behalf.
    pub principal: String,
    /// The level the act needs.
    pub level: u8,
    /// The kind that rules name, such as `http.change`.
    pub kind: String,
    /// The act, whole: every field that decides what happens.
    pub action: Value,
    /// How it could be undone.
    pub undo: Option<String>,
    /// Why, as the agent says: never shown as a fact.
    pub claimed: String,
    /// What it would change, where that can be known before. No part of what a step asks for: the first word holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub foreseen: Option<Foreseen>,
    /// Why it asks although a rule allows its kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub above: Option<String>,
    /// Digest of what the warden saw on the host and shows of it. Its own word alone: what an agent says here is thrown away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<String>,
}

/// A person's word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// Login name, or the signer's.
    pub by: String,
    /// The number of the user who said it, proven by the kernel.
    pub uid: u32,
    /// The key that signed it, where one did: then `by` is the name its owner gave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// When.
    pub at: Timestamp,
    /// Why, in their words.
    pub because: String,
    /// The yes is for every act of this kind of the same task.
    #[serde(default)]
    pub for_task: bool,
}

/// A ticket.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ticket {
    /// [`TICKET_VERSION`].
    pub v: u32,
    /// Its number.
    pub id: TicketId,
    /// Digest of what it is for.
    pub digest: String,
    /// What it is for.
    pub wanted: Wanted,
    /// How it stands.
    pub state: TicketState,
    /// When it was asked for.
    pub asked: Timestamp,
    /// Until when it may be answered, or used.
    pub expires: Timestamp,
    /// What a person said.
    pub said: Option<Said>,
    /// When it was used.
    pub used: Option<Timestamp>,
    /// It was used and nothing was done, because it would have changed this, which is more than the yes was for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grown: Option<Foreseen>,
}

/// Digest of an action as JSON, lower-case hex.
pub fn action_digest(action: &Value) -> String {
    hex(&Sha256::digest(action.to_string()))
}

/// The kind of which it is tried what it would change.
const TRIED: &str = "sql.change";
/// Most characters of why an agent says that it asks.
const ABOVE: usize = 200;

impl Wanted {
    /// Whether it can be tried what it would change, and what was tried binds whoever does it.
    pub fn is_tried(&self) -> bool {
        self.kind == TRIED
    }

    /// As the warden takes it from whoever asks. What the warden knows itself is a fact; why the agent says that it asks is marked as
    /// said by it; what an act would change is thrown away where nothing holds the act to it.
    #[must_use]
    pub fn taken(self, above: Option<String>) -> Self {
        let said = self.above.as_deref();
        let said = said.map(|said| format!("{} (its agent says so)", one_line(said, ABOVE)));
        Self {
            foreseen: self.foreseen.clone().filter(|_| self.is_tried()),
            above: above.or(said),
            ..self
        }
    }

    /// The digest a ticket is bound to: the act, the host, the task, the step.
    pub fn digest(&self, host: &str) -> String {
        let mut all = Sha256::new();
        for part in [host, &self.task, &self.step, &self.kind] {
            all.update((part.len() as u64).to_be_bytes());
            all.update(part);
        }
        all.update(self.action.to_string());
        hex(&all.finalize())
    }
}

impl Ticket {
    /// A new one.
    pub fn of(id: TicketId, wanted: Wanted, host: &str, now: Timestamp) -> Self {
        Self {
            v: TICKET_VERSION,
            id,
            digest: wanted.digest(host),
            wanted,
            state: TicketState::Requested,
            asked: now,
            expires: now.saturating_add(LIFE).unwrap_or(Timestamp::MAX),
            said: None,
            used: None,
            grown: None,
        }
    }

    /// Four characters that stand for exactly this ticket and exactly this act: who types them has seen
    /// them.
    pub fn mark(&self) -> String {
        let mut both = format!("{} {}", self.id, self.digest);
        if let Some(foreseen) = &self.wanted.foreseen {
            both.push_str(&foreseen.line());
        }
        if let Some(seen) = &self.wanted.seen {
            both.push_str(seen);
        }
        let mut text = hex(&Sha256::digest(both));
        text.truncate(4);
        text
    }

    /// Makes a move.
    ///
    /// # Errors
    /// A sentence, where it is not legal.
    pub fn make(&mut self, what: TicketMove) -> Result<(), String> {
        let next = self.state.after(what);
        self.state = next.ok_or_else(|| match self.state {
            TicketState::Requested => format!("{} was not answered yet", self.id),
            state => format!("{} is {state} already", self.id),
        })?;
        Ok(())
    }

    /// Whether its time is over. One that would last for longer than any ticket does was given while the clock was ahead: it has
    /// not gained that time.
    pub fn is_late(&self, now: Timestamp) -> bool {
        let left = self.expires.duration_since(now);
        !self.state.is_final() && (left <= SignedDuration::ZERO || left > LIFE + STEP)
    }

    /// Whether it was used so lately that what it was used for may be begun.
    pub fn is_just_used(&self, now: Timestamp) -> bool {
        let age = self.used.map(|used| now.duration_since(used));
        let lately = age.is_some_and(|age| age < LIFE && age >= -STEP);
        self.state == TicketState::Used && lately
    }
}
