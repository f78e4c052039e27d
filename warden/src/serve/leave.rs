//! What the warden does about tickets. Every step of a ticket is a line of the record before anybody
//! hears of it.

use super::Office;
use crate::audit::book::note;
use crate::audit::line::Entry;
use crate::operations::child::signed_by;
use crate::operations::runs::Word;
use crate::tickets::pin::Pin;
use crate::tickets::store::Answer;
use crate::tickets::ticket::{Said, Ticket, Wanted};
use crate::tickets::{shown, signed};
use crate::wire::{Ask, LINE_BYTES, Reply};
use config::operations::principals;
use jiff::Timestamp;
use nix::unistd::{Uid, User};
use protocol::acts::Foreseen;
use protocol::duty::order::{ORDER_VERSION, Signed};
use protocol::walls::Wall;
use std::path::PathBuf;

/// Most tasks of one answer.
const TASKS: usize = 1000;
/// Most tickets of one answer, and most bytes of them: an answer has to fit a line of the wire.
const LISTED: usize = 500;
const PAGE_BYTES: usize = LINE_BYTES / 2;
/// Longest reason of a person, in characters.
const BECAUSE: usize = 500;

/// What is said of a task that is over.
const OVER: &str = "its task was cancelled or is over: no leave of it counts any more";

impl Office {
    fn pin_path(&self) -> PathBuf {
        self.home.warden().join("pin.json")
    }

    pub(super) async fn of_tickets(&self, ask: Ask, peer: u32) -> Result<Reply, String> {
        let now = Timestamp::now();
        for ticket in self.tickets.borrow_mut().expire(now)? {
            self.write(&ticket, "nobody answered or used it in time", now)?;
        }
        Ok(match ask {
            Ask::Request { wanted } => {
                let above = self.above(&wanted, now)?;
                let before = self.tickets.borrow().all().count();
                let task = wanted.task.clone();
                let asked = self.tickets.borrow_mut().request(wanted.taken(above), now);
                let ticket = asked.inspect_err(|why| {
                    let _told = self.note(&format!("leave for {task} was refused: {why}"), now);
                })?;
                if self.tickets.borrow().all().count() > before {
                    let why = ticket.said.as_ref().map_or("", |said| &said.because);
                    self.write(&ticket, why, now)?;
                }
                self.shown(ticket)
            }
            Ask::Known { wanted } => {
                let known = self.tickets.borrow().known(&wanted).cloned();
                known.map_or(Reply::Done, |ticket| self.shown(ticket))
            }
            Ask::Grown { id, wanted } => {
                let ticket = self.tickets.borrow_mut().grown(id, &wanted)?;
                let grown = ticket.grown.as_ref().map(Foreseen::line);
                let why = format!("nothing was done: {}", grown.unwrap_or_default());
                self.write(&ticket, &why, now)?;
                self.shown(ticket)
            }
            Ask::Burn { id, wanted } => {
                let again = self.tickets.borrow().get(id)?.used.is_some();
                self.tickets.borrow_mut().may_burn(id, &wanted, now)?;
                // Before it is used: what cannot be counted is not done, and leaves its ticket.
                if !again {
                    self.counted(&wanted)?;
                }
                let ticket = self.tickets.borrow_mut().burn(id, &wanted, now)?;
                let why = if again { "its step is recovered" } else { "" };
                self.write(&ticket, why, now)?;
                let seq = self.book.borrow().head().seq;
                self.make_safe(seq).await?;
                self.shown(ticket)
            }
            Ask::Cancel { task } => {
                // What runs of it ends meanwhile; its lines say how.
                let _ends = self.runs.borrow_mut().over(Word::of_owner(task.clone()));
                let kept = self.over.borrow_mut().add(&task, now);
                for ticket in self.tickets.borrow_mut().cancel(&task, now)? {
                    self.write(&ticket, "its task is over", now)?;
                }
                kept?;
                Reply::Done
            }
            Ask::Tickets {
                open,
                limit,
                before,
            } => {
                let tickets = self.tickets.borrow();
                let wanted = tickets.all().rev().filter(|one| {
                    (!open || !one.state.is_final()) && before.is_none_or(|id| one.id < id)
                });
                // Large ones must not keep the others from being seen.
                let mut bytes = 0;
                let fits = |one: &&Ticket| {
                    let first = bytes == 0;
                    bytes += serde_json::to_vec(one).map_or(0, |text| text.len());
                    first || bytes <= PAGE_BYTES
                };
                let listed = wanted.take(limit.min(LISTED)).take_while(fits);
                Reply::Tickets {
                    tickets: listed.map(|one| (one.clone(), one.mark())).collect(),
                }
            }
            Ask::StillCounts { id } => {
                let ticket = self.tickets.borrow().get(id)?.clone();
                self.goes_on(&ticket.wanted)?;
                self.shown(ticket)
            }
            Ask::Ticket { id } => {
                let ticket = self.tickets.borrow().get(id)?.clone();
                self.shown(ticket)
            }
            Ask::Answer {
                id,
                mark,
                yes,
                for_task,
                because,
                pin,
                signature,
            } => {
                let key = match signature {
                    None => {
                        self.proven(peer, pin, now).await?;
                        None
                    }
                    Some(signature) => {
                        let ticket = self.tickets.borrow().get(id)?.clone();
                        let text = signed::text(&ticket, yes, yes && for_task);
                        Some(self.signer(text, signature, now).await?)
                    }
                };
                let (by, key) = match key {
                    Some((by, key)) => (by, Some(key)),
                    None => (name_of(peer), None),
                };
                let said = Said {
                    by,
                    uid: peer,
                    key,
                    at: now,
                    because: because.chars().take(BECAUSE).collect(),
                    for_task: yes && for_task,
                };
                let answer = Answer {
                    id,
                    mark,
                    yes,
                    said,
                };
                let ticket = self.tickets.borrow_mut().answer(answer, now)?;
                let by_key = ticket.said.as_ref().and_then(|said| said.key.as_ref());
                let why = match by_key {
                    Some(key) => format!("{because} (signed with {key})"),
                    None => because,
                };
                self.write(&ticket, why.trim_start(), now)?;
                self.shown(ticket)
            }
            Ask::Pin { old, new } => {
                if Pin::read(&self.pin_path())
                    .map_err(|e| e.to_string())?
                    .is_some()
                {
                    self.proven_by_pin(old, now).await?;
                }
                let pin = off_loop(move || Pin::of(&new)).await??;
                pin.keep(&self.pin_path()).map_err(|e| e.to_string())?;
                self.note(&format!("a PIN is kept for {}", name_of(peer)), now)?;
                Reply::Done
            }
            Ask::Proof => Reply::Proof {
                pin_wanted: shares_uid(peer),
                pin_kept: Pin::read(&self.pin_path())
                    .map_err(|e| e.to_string())?
                    .is_some(),
                // Settings that cannot be read are told where an answer is tried.
                pin_taken: principals(&self.home).map_or(true, |rules| rules.pin),
            },
            Ask::Trust { .. }
            | Ask::Distrust { .. }
            | Ask::TrustToSign { .. }
            | Ask::Trusted { .. } => {
                return Err("that is about trust".to_owned());
            }
            Ask::For { .. }
            | Ask::Note { .. }
            | Ask::Head
            | Ask::Operate { .. }
            | Ask::EndRun { .. }
            | Ask::Runs
            | Ask::Leaves
            | Ask::Hour { .. }
            | Ask::Freeze { .. } => {
                return Err("that is about the record".to_owned());
            }
        })
    }

    /// That a task is not over: nothing is asked, counted or used for one that is.
    pub(super) fn goes_on(&self, wanted: &Wanted) -> Result<(), String> {
        let over = self.over.borrow().is(&wanted.task);
        match over && self.walls.stands(Wall::Answered) {
            true => Err(OVER.to_owned()),
            false => Ok(()),
        }
    }

    /// Who has leave, those first that have had it longest.
    pub(super) fn leaves(&self) -> Reply {
        let (tickets, over) = (self.tickets.borrow(), self.over.borrow());
        let mut tasks: Vec<String> = Vec::new();
        for ticket in tickets.with_leave(Timestamp::now()) {
            let task = &ticket.wanted.task;
            if tasks.len() < TASKS && !over.is(task) && !tasks.contains(task) {
                tasks.push(task.clone());
            }
        }
        Reply::Runs { tasks }
    }

    fn shown(&self, ticket: Ticket) -> Reply {
        let mut lines = shown::lines(&ticket, &self.host);
        // Of a duty, what it would change was looked at when leave was asked for.
        if let Some(planned) = self.plans.get(&ticket.digest) {
            lines.retain(|(label, _)| !["do", "duty", "key"].contains(&label.as_str()));
            lines.splice(0..0, shown::joined(planned.shown));
        }
        Reply::Ticket {
            mark: ticket.mark(),
            shown: lines,
            ticket: Box::new(ticket),
        }
    }

    /// That it is a person who answers. Another user than the agents' is proven by the kernel; the same one
    /// proves nothing, so it takes the PIN.
    pub(super) async fn proven(
        &self,
        peer: u32,
        pin: Option<String>,
        now: Timestamp,
    ) -> Result<(), String> {
        match shares_uid(peer) && self.walls.stands(Wall::Person) {
            true => self.proven_by_pin(pin, now).await,
            false => Ok(()),
        }
    }

    /// Who signed this, and with which key: the owner's rules, read now, say whose signatures count.
    pub(super) async fn signer(
        &self,
        text: String,
        signature: String,
        now: Timestamp,
    ) -> Result<(String, String), String> {
        let rules = principals(&self.home).map_err(|e| e.to_string())?;
        let signers = rules.allowed_signers.ok_or(
            "no signatures count here: say `principals: {allowed_signers: /etc/ai-infra/allowed_signers}` in permissions.yaml",
        )?;
        let asked = Signed {
            v: ORDER_VERSION,
            signers,
            revoked: rules.revoked,
            namespace: signed::NAMESPACE.to_owned(),
            text,
            signature,
        };
        let found = signed_by(&asked).await;
        if let Err(why) = &found {
            self.note(&format!("a signature was refused: {why}"), now)?;
        }
        found
    }

    async fn proven_by_pin(&self, pin: Option<String>, now: Timestamp) -> Result<(), String> {
        if !principals(&self.home).map_err(|e| e.to_string())?.pin {
            return Err("the rules take no PIN here (permissions.principals.pin): sign with a key, --sign KEY".to_owned());
        }
        let kept = Pin::read(&self.pin_path()).map_err(|e| e.to_string())?;
        let kept = kept.ok_or(
            "the team runs as the same user as you, so only a PIN tells you apart, and none is kept: ai-infra approvals pin",
        )?;
        self.tries.borrow().may(now)?;
        let pin = pin.ok_or("the team runs as the same user as you: an answer needs your PIN")?;
        // Counted before it is tried: many at once are many.
        self.tries.borrow_mut().tried(false, now);
        let right = off_loop(move || kept.is(&pin)).await?;
        if right {
            self.tries.borrow_mut().tried(true, now);
            return Ok(());
        }
        self.note("a wrong PIN was tried", now)?;
        Err("that is not the PIN; nothing was answered".to_owned())
    }

    pub(super) fn note(&self, said: &str, now: Timestamp) -> Result<(), String> {
        let written = self.book.borrow_mut().append(note("warden", said), now);
        self.wanted.notify_one();
        written.map(drop).map_err(|error| error.to_string())
    }

    /// A line about a ticket.
    fn write(&self, ticket: &Ticket, why: &str, now: Timestamp) -> Result<(), String> {
        let wanted = &ticket.wanted;
        let by = ticket.said.as_ref();
        let by = by.map_or_else(String::new, |said| format!("{}({})", said.by, said.uid));
        let entry = Entry {
            principal: match by.is_empty() {
                true => wanted.principal.clone(),
                false => by,
            },
            agent: wanted.agent.clone(),
            task: wanted.short.clone(),
            call: wanted.step.clone(),
            level: wanted.level,
            ticket: ticket.id.to_string(),
            tool: wanted.kind.clone(),
            args_sha256: ticket.digest.clone(),
            outcome: why.to_owned(),
            ..note("warden", &format!("ticket {}", ticket.state))
        };
        let written = self.book.borrow_mut().append(entry, now);
        self.wanted.notify_one();
        written.map(drop).map_err(|error| error.to_string())
    }
}

/// Whether agents run as this user.
fn shares_uid(peer: u32) -> bool {
    peer == Uid::effective().as_raw()
}

pub(super) fn name_of(uid: u32) -> String {
    let user = User::from_uid(Uid::from_raw(uid)).ok().flatten();
    user.map_or_else(|| uid.to_string(), |user| user.name)
}

/// Does work that takes its time beside the loop.
async fn off_loop<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, String> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| error.to_string())
}
