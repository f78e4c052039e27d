//! The warden's own tickets: every change is one line of a file, safe on disk before anybody hears of
//! it. Time is given from outside. Nothing of it is in Redis, the ledger or a backup: a ticket that
//! came back from somewhere could be used twice.

use super::shown;
use super::ticket::{LIFE, Said, TICKET_VERSION, Ticket, Wanted};
use crate::operations::judge::is_duty;
use crate::wire::LINE_BYTES;
use config::private_file;
use jiff::Timestamp;
use protocol::acts::is_personal;
use protocol::approval::{TicketId, TicketMove, TicketState};
use protocol::walls::{Removed, Wall};
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Most tickets of one task that may wait at once, and of all tasks.
const OPEN_OF_TASK: usize = 16;
const OPEN: usize = 256;
/// Largest action that can be asked for, in bytes: a person must be able to look at it.
const ACTION_BYTES: usize = 64 * 1024;
/// The same with all that is said about it.
const WANTED_BYTES: usize = ACTION_BYTES + 32 * 1024;
/// Most bytes of what a person is shown of it, escapes and all: it is never cut, and has to fit a line of the wire
/// together with the ticket.
const SHOWN_BYTES: usize = 128 * 1024;
const _: () = assert!(WANTED_BYTES + SHOWN_BYTES + 16 * 1024 < LINE_BYTES);

/// Why the store cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The system said no.
    #[error("cannot {doing} {}: {source}", .path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// With what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It holds something else than tickets.
    #[error("{} is damaged at line {line} ({why}): move it away; open questions are asked again", .path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// Where.
        line: usize,
        /// Why.
        why: String,
    },
}

/// What answering needs to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Which ticket.
    pub id: TicketId,
    /// Its four characters.
    pub mark: String,
    /// Yes or no.
    pub yes: bool,
    /// Who, and the words.
    pub said: Said,
}

/// The tickets.
#[derive(Debug)]
pub struct Store {
    host: String,
    path: PathBuf,
    file: File,
    length: u64,
    lines: usize,
    all: BTreeMap<TicketId, Ticket>,
    /// Walls that are taken away; none but in a test.
    walls: Removed,
}

impl Store {
    /// Opens the file. A last line that was cut off while it was written is nobody's ticket yet.
    ///
    /// # Errors
    /// When it cannot be read, or holds something else.
    pub fn open(path: &Path, host: &str) -> Result<Self, StoreError> {
        let failed = |doing| {
            let path = path.to_owned();
            move |source| StoreError::Io {
                doing,
                path,
                source,
            }
        };
        let mut file = OpenOptions::new()
            .create(true)
            .read(true)
            .append(true)
            .mode(0o600)
            .open(path)
            .map_err(failed("open"))?;
        let mut text = Vec::new();
        file.read_to_end(&mut text).map_err(failed("read"))?;
        let whole = text
            .iter()
            .rposition(|b| *b == b'\n')
            .map_or(0, |at| at + 1);
        file.set_len(whole as u64).map_err(failed("mend"))?;
        let mut all = BTreeMap::new();
        let mut lines = 0;
        let written = text.get(..whole).unwrap_or_default();
        for (at, line) in written.split(|b| *b == b'\n').enumerate() {
            if line.is_empty() {
                continue;
            }
            let damaged = |why: String| StoreError::Damaged {
                path: path.to_owned(),
                line: at + 1,
                why,
            };
            let ticket: Ticket =
                serde_json::from_slice(line).map_err(|error| damaged(error.to_string()))?;
            if ticket.v > TICKET_VERSION {
                return Err(damaged("a newer ai-infra wrote it".to_owned()));
            }
            all.insert(ticket.id, ticket);
            lines += 1;
        }
        Ok(Self {
            host: host.to_owned(),
            path: path.to_owned(),
            file,
            length: whole as u64,
            lines,
            all,
            walls: Removed::default(),
        })
    }

    /// The same, with walls taken away.
    pub(crate) fn without(self, walls: Removed) -> Self {
        Self { walls, ..self }
    }

    /// Lines of the file, one a change.
    pub(super) fn lines(&self) -> usize {
        self.lines
    }

    /// Writes the file anew with these alone: whole and safe on disk, or not at all.
    pub(super) fn replace(&mut self, left: Vec<Ticket>) -> Result<(), StoreError> {
        let failed = |said: String| StoreError::Io {
            doing: "write",
            path: self.path.clone(),
            source: io::Error::other(said),
        };
        let mut text = Vec::new();
        for ticket in &left {
            text.extend(serde_json::to_vec(ticket).map_err(|error| failed(error.to_string()))?);
            text.push(b'\n');
        }
        private_file::write(&self.path, &text).map_err(|error| failed(error.to_string()))?;
        *self = Self::open(&self.path, &self.host)?.without(self.walls);
        Ok(())
    }

    /// Every ticket, oldest first.
    pub fn all(&self) -> impl DoubleEndedIterator<Item = &Ticket> {
        self.all.values()
    }

    /// One.
    ///
    /// # Errors
    /// A sentence, where there is none.
    pub fn get(&self, id: TicketId) -> Result<&Ticket, String> {
        let found = self.all.get(&id);
        found.ok_or_else(|| format!("there is no ticket {id}: see ai-infra approvals list"))
    }

    fn keep(&mut self, ticket: Ticket) -> Result<Ticket, String> {
        let written = serde_json::to_vec(&ticket).map_err(io::Error::other);
        let written = written.and_then(|mut line| {
            line.push(b'\n');
            self.file.write_all(&line)?;
            self.file.sync_data()?;
            Ok(line.len() as u64)
        });
        match written {
            Ok(bytes) => {
                self.length += bytes;
                self.lines += 1;
                self.all.insert(ticket.id, ticket.clone());
                Ok(ticket)
            }
            Err(error) => {
                // Whatever part of it was written is no ticket.
                let _cut = self.file.set_len(self.length);
                let path = self.path.display();
                Err(format!("the ticket cannot be kept in {path}: {error}"))
            }
        }
    }

    fn moved(&mut self, mut ticket: Ticket, what: TicketMove) -> Result<Ticket, String> {
        ticket.make(what)?;
        self.keep(ticket)
    }

    /// Lets everything expire whose time is over; answers what did.
    ///
    /// # Errors
    /// When it cannot be kept.
    pub fn expire(&mut self, now: Timestamp) -> Result<Vec<Ticket>, String> {
        let stands = self.walls.stands(Wall::Expiry);
        let late = self.all().filter(|one| stands && one.is_late(now));
        let late: Vec<Ticket> = late.cloned().collect();
        late.into_iter()
            .map(|ticket| self.moved(ticket, TicketMove::Expire))
            .collect()
    }

    /// Asks for leave. The same step asking for the same thing again gets the ticket it has; asking for
    /// something else cancels what it had, and is told so.
    ///
    /// # Errors
    /// A sentence, where it cannot be asked.
    pub fn request(&mut self, wanted: Wanted, now: Timestamp) -> Result<Ticket, String> {
        self.expire(now)?;
        let digest = wanted.digest(&self.host);
        let same_step =
            |one: &&Ticket| one.wanted.task == wanted.task && one.wanted.step == wanted.step;
        let before = self.all().rev().find(same_step).cloned();
        // One that turned out to be for less than is wanted now is no leave: it is asked for anew.
        if let Some(before) = before.filter(|one| one.digest != digest || one.grown.is_none()) {
            if before.digest == digest || !self.walls.stands(Wall::Bound) {
                return Ok(before);
            }
            if !before.state.is_final() {
                let _cancelled = self.moved(before.clone(), TicketMove::Cancel)?;
            }
            return Err(format!(
                "what {} asked leave for is not what would be done now: it changed after the request",
                before.id
            ));
        }
        let bytes = serde_json::to_vec(&wanted).map_or(usize::MAX, |text| text.len());
        if wanted.action.to_string().len() > ACTION_BYTES || bytes > WANTED_BYTES {
            return Err(format!(
                "it is larger than {ACTION_BYTES} bytes: nobody could look at it before saying yes"
            ));
        }
        shown::readable(&wanted, &self.host, SHOWN_BYTES)?;
        let open = |one: &&Ticket| one.state == TicketState::Requested;
        let of_task = |one: &&Ticket| one.wanted.task == wanted.task;
        if self.all().filter(open).count() >= OPEN
            || self.all().filter(open).filter(of_task).count() >= OPEN_OF_TASK
        {
            return Err("too many tickets wait for an answer already".to_owned());
        }
        let granted = self.all().find(|one| {
            // Leave for a kind is leave for as much of it as the rules allow.
            wanted.above.is_none()
                && !is_personal(&wanted.kind)
                && of_task(one)
                && one.wanted.kind == wanted.kind
                && one.said.as_ref().is_some_and(|said| said.for_task)
        });
        let said = granted.and_then(|one| {
            let said = one.said.clone()?;
            let because = format!("allowed for this task by {}", one.id);
            Some(Said { because, ..said })
        });
        let next = self.all.keys().next_back().map_or(1, |last| last.0 + 1);
        let mut ticket = Ticket::of(TicketId(next), wanted, &self.host, now);
        if let Some(said) = said {
            ticket.make(TicketMove::Approve)?;
            ticket.said = Some(said);
        }
        self.keep(ticket)
    }

    /// The ticket that a step has for exactly this, whatever became of it.
    pub fn known(&self, wanted: &Wanted) -> Option<&Ticket> {
        let digest = wanted.digest(&self.host);
        let of_step = |one: &&Ticket| {
            one.wanted.task == wanted.task && one.wanted.step == wanted.step && one.digest == digest
        };
        let last = self.all().rev().find(of_step);
        last.filter(|one| one.grown.is_none())
    }

    /// The tickets whose leave counts while their task goes on: a yes to a kind for the whole task, what was just used, and what
    /// was used for an act of a sandbox, which a recovered step may make once more at any time.
    pub fn with_leave(&self, now: Timestamp) -> impl Iterator<Item = &Ticket> {
        let for_task = |one: &Ticket| one.said.as_ref().is_some_and(|said| said.for_task);
        let of_sandbox =
            |one: &Ticket| one.state == TicketState::Used && !is_duty(&one.wanted.action);
        self.all()
            .filter(move |one| for_task(one) || one.is_just_used(now) || of_sandbox(one))
    }

    /// Nothing was done under a used ticket, because it would have been more than a person said yes to.
    ///
    /// # Errors
    /// A sentence, where it was not used, or for something else.
    pub fn grown(&mut self, id: TicketId, wanted: &Wanted) -> Result<Ticket, String> {
        let mut ticket = self.get(id)?.clone();
        if ticket.digest != wanted.digest(&self.host)
            || ticket.state != TicketState::Used
            || !wanted.is_tried()
        {
            return Err(format!("{id} was not used for this"));
        }
        ticket.grown.clone_from(&wanted.foreseen);
        self.keep(ticket)
    }

    /// Takes a person's answer. Who may answer is looked at before.
    ///
    /// # Errors
    /// A sentence, where the ticket is another one, is over, or the four characters are not its own.
    pub fn answer(&mut self, answer: Answer, now: Timestamp) -> Result<Ticket, String> {
        self.expire(now)?;
        let mut ticket = self.get(answer.id)?.clone();
        if ticket.mark() != answer.mark {
            return Err(format!(
                "`{}` does not stand for what {} asks: look at it, then type its four characters: ai-infra approvals show {}",
                answer.mark.chars().take(8).collect::<String>(),
                ticket.id,
                ticket.id
            ));
        }
        let kind = &ticket.wanted.kind;
        if answer.yes && answer.said.for_task && is_personal(kind) {
            return Err(format!(
                "each {kind} wants a yes of its own: answer without --for-task"
            ));
        }
        ticket.make(match answer.yes {
            true => TicketMove::Approve,
            false => TicketMove::Deny,
        })?;
        if answer.yes {
            ticket.expires = now.saturating_add(LIFE).unwrap_or(Timestamp::MAX);
        }
        ticket.said = Some(answer.said);
        self.keep(ticket)
    }

    /// Uses a ticket up, for exactly what it was given for. The same step may say so again, because its
    /// holder may have died in between: whether the act is made again then is a question of its effect,
    /// not of the ticket.
    ///
    /// # Errors
    /// A sentence, where there is no leave for this.
    pub fn burn(
        &mut self,
        id: TicketId,
        wanted: &Wanted,
        now: Timestamp,
    ) -> Result<Ticket, String> {
        match self.burnt(id, wanted, now)? {
            (ticket, false) => Ok(ticket),
            (ticket, true) => self.keep(ticket),
        }
    }

    /// Whether it may be used up; nothing is.
    ///
    /// # Errors
    /// As [`Store::burn`].
    pub fn may_burn(
        &mut self,
        id: TicketId,
        wanted: &Wanted,
        now: Timestamp,
    ) -> Result<(), String> {
        self.burnt(id, wanted, now).map(drop)
    }

    /// The ticket as it is when it was used up, and whether that is new.
    fn burnt(
        &mut self,
        id: TicketId,
        wanted: &Wanted,
        now: Timestamp,
    ) -> Result<(Ticket, bool), String> {
        self.expire(now)?;
        let mut ticket = self.get(id)?.clone();
        if ticket.digest != wanted.digest(&self.host) && self.walls.stands(Wall::Bound) {
            return Err(format!("{id} was given for something else"));
        }
        if ticket.state == TicketState::Used || !self.walls.stands(Wall::Answered) {
            return Ok((ticket, false));
        }
        ticket.make(TicketMove::Use)?;
        ticket.used = Some(now);
        Ok((ticket, true))
    }

    /// What a task asked for is not wanted any more.
    ///
    /// # Errors
    /// When it cannot be kept.
    pub fn cancel(&mut self, task: &str, now: Timestamp) -> Result<Vec<Ticket>, String> {
        self.expire(now)?;
        let open: Vec<Ticket> = self
            .all()
            .filter(|one| one.wanted.task == task && !one.state.is_final())
            .cloned()
            .collect();
        open.into_iter()
            .map(|ticket| self.moved(ticket, TicketMove::Cancel))
            .collect()
    }
}

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
