//! What the warden's record says of a task's acts: one line before each, one after, one for each
//! refusal. Digests of arguments, never the arguments; one redacted line for people. An act whose
//! first line cannot be written is not made.

use crate::call_line::summary;
use crate::disk::hex;
use crate::run::Shared;
use bus::lease::Lease;
use guard::act::{Act, Place};
use guard::executor::Outcome;
use guard::gate::Leave;
use guard::proxy::told::{Stage as Connecting, Told};
use guard::redact::Redactor;
use protocol::acts::{Foreseen, is_personal};
use protocol::approval::{Rule, TicketId};
use protocol::duty::order::Outcome as Ended;
use protocol::effect::EffectClass;
use protocol::fault::Faults;
use protocol::ids::TaskId;
use protocol::task::Task;
use protocol::tool::ToolCall;
use protocol::walls::Wall;
use sha2::{Digest, Sha256};
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::timeout;
use warden::audit::line::{Entry, Stage};
use warden::client::{Burned, Client};
use warden::tickets::ticket::{Ticket, Wanted};

/// How long a warden that is being started again is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// The same where it was at work on a duty when it died: nobody else knows what became of it.
const RETURN: Duration = Duration::from_secs(60);

/// How long a warden that is away is waited for where a task was cancelled, and how long the end of its program.
const HEARD: Duration = Duration::from_secs(1);
const ENDED: Duration = Duration::from_secs(3);

/// What a line of the record is about.
#[derive(Clone, Copy)]
enum About<'a> {
    /// A call that became no act.
    Call,
    Act(&'a Act),
    /// An act that is taken back whatever it does.
    Trial(&'a Act),
}

/// The witness of one held task.
#[derive(Debug)]
pub struct Witness {
    warden: Mutex<Client>,
    redactor: Redactor,
    principal: String,
    agent: String,
    task: String,
    id: TaskId,
    role: String,
    epoch: u64,
    /// Nobody sits in front of it: a schedule began it.
    unattended: bool,
    /// The host's name, where it works for another host's team: whoever answers does so there.
    far: Option<String>,
    /// Whether anything is written: a test shows that it is missed otherwise.
    writes: bool,
}

impl Witness {
    /// Of a task under a claim.
    pub fn of(shared: &Shared, task: &Task, lease: &Lease, faults: Faults) -> Self {
        Self {
            warden: Mutex::new(Client::through(&shared.home, PATIENCE, {
                let (hatch, number) = (shared.hatch.clone(), task.short_id);
                move || hatch.warden(number)
            })),
            redactor: shared.redactor.clone(),
            principal: format!("{}({})", task.principal.name, task.principal.uid),
            agent: lease.instance.clone(),
            task: task.short_id.to_string(),
            id: task.id,
            role: task.agent.to_string(),
            epoch: lease.epoch.0,
            unattended: task.request_id.is_by_schedule(),
            far: shared
                .settings
                .joined
                .as_ref()
                .map(|_| shared.settings.host.clone()),
            writes: faults.stands(Wall::Record),
        }
    }

    /// Why nobody can be asked for leave for a kind; `None` where somebody can.
    pub fn nobody_to_ask(&self, kind: &str) -> Option<&'static str> {
        self.unattended.then_some(match is_personal(kind) {
            true => "a schedule began this, so nobody is there to say yes: run it yourself",
            false => "a schedule began this, so nobody is there to say yes: allow that kind in permissions.yaml, or run it yourself",
        })
    }

    /// The host whose warden keeps the tickets, where that is not the team's first one.
    pub fn far(&self) -> Option<&str> {
        self.far.as_deref()
    }

    /// What is asked for: the act itself, and the step that wants it, under whichever claim.
    pub fn wanted(&self, step: &str, act: &Act, kind: &str) -> Wanted {
        Wanted {
            task: self.id.to_string(),
            short: self.task.clone(),
            step: step.to_owned(),
            agent: self.role.clone(),
            principal: self.principal.clone(),
            level: u8::from(act.level),
            kind: kind.to_owned(),
            action: act.action(),
            undo: act.undo.clone(),
            claimed: act.shown(&self.redactor),
            foreseen: None,
            above: None,
            seen: None,
        }
    }

    /// Asks for leave; answers the ticket as it stands, and its four characters.
    ///
    /// # Errors
    /// A sentence: there is no leave.
    pub async fn leave(&self, wanted: &Wanted) -> Result<(Ticket, String), String> {
        let asked = self.warden.lock().await.leave(wanted).await;
        asked.map_err(|error| error.to_string())
    }

    /// Whether a step has a ticket for this already, whatever became of it.
    ///
    /// # Errors
    /// A sentence: the warden is away.
    pub async fn known(&self, wanted: &Wanted) -> Result<bool, String> {
        let known = self.warden.lock().await.known(wanted).await;
        known.map_err(|error| error.to_string())
    }

    /// Says that nothing was done under a ticket, because it would have been more than the yes was for.
    ///
    /// # Errors
    /// A sentence: the warden does not know it.
    pub async fn grown(
        &self,
        id: TicketId,
        step: &str,
        act: &Act,
        foreseen: &Foreseen,
    ) -> Result<(), String> {
        let kind = act.operation.kind().unwrap_or_default();
        let mut wanted = self.wanted(step, act, kind);
        wanted.foreseen = Some(foreseen.clone());
        let said = self.warden.lock().await.grown(id, &wanted).await;
        said.map_err(|error| error.to_string())
    }

    /// Why one more act of its kind is more than the hour's bound; with `count` it is counted where it is not.
    ///
    /// # Errors
    /// A sentence: nothing may be done.
    pub async fn hour(
        &self,
        wanted: &Wanted,
        count: bool,
    ) -> Result<Option<(Rule, String)>, String> {
        let said = self.warden.lock().await.hour(wanted, count).await;
        said.map_err(|error| error.to_string())
    }

    /// Uses a ticket up.
    ///
    /// # Errors
    /// A sentence: there is no leave.
    pub async fn burn(&self, id: TicketId, wanted: &Wanted) -> Result<Burned, String> {
        let burned = self.warden.lock().await.burn(id, wanted).await;
        burned.map_err(|error| error.to_string())
    }

    /// Whether a person trusts a workspace that says this to agents. A warden that cannot be asked means no.
    pub async fn trusts(&self, workspace: &str, digest: &str) -> bool {
        let trusted = self.warden.lock().await.trusted(workspace, digest).await;
        trusted.unwrap_or_else(|error| {
            tracing::warn!(%error, "the workspace is taken as not trusted");
            false
        })
    }

    /// Has the warden do a duty, over a connection of its own: it may take its time.
    ///
    /// # Errors
    /// A sentence: nothing was done.
    pub async fn carry_out(&self, step: &str, act: &Act, leave: Leave) -> Result<Outcome, String> {
        let kind = act.operation.kind().unwrap_or_default();
        let wanted = self.wanted(step, act, kind);
        let mut warden = self.warden.lock().await.another().waiting(RETURN);
        guard::duty::carry_out(&mut warden, act, leave, &wanted, self.epoch).await
    }

    /// Has the warden end the program that runs for this task, which was cancelled: how it ended, or how what was done under
    /// `key` did; `None` where nothing was begun, nor will be.
    ///
    /// # Errors
    /// A sentence: the warden was not heard in time.
    pub async fn end_run(&self, key: Option<String>) -> Result<Option<Ended>, String> {
        let mut warden = self.warden.lock().await.another().waiting(HEARD);
        let task = self.id.to_string();
        let said = warden.end_run(&task, &self.role, self.epoch, key);
        match timeout(ENDED, said).await {
            Ok(said) => said.map_err(|error| error.to_string()),
            Err(_) => Err("the warden did not answer in time".to_owned()),
        }
    }

    /// What the record says before an act, where its launcher writes that.
    pub fn begins(&self, step: &str, call: &ToolCall, act: &Act) -> Entry {
        self.entry(step, call, About::Act(act))
    }

    /// The same before one that is only tried.
    pub fn begins_trial(&self, step: &str, call: &ToolCall, act: &Act) -> Entry {
        self.entry(step, call, About::Trial(act))
    }

    fn entry(&self, step: &str, call: &ToolCall, about: About<'_>) -> Entry {
        let (level, summary) = match about {
            About::Call => (0, summary(call, &self.redactor)),
            About::Act(act) => (u8::from(act.level), act.shown(&self.redactor)),
            About::Trial(act) => (u8::from(act.level), act.shown_as_trial(&self.redactor)),
        };
        Entry {
            principal: self.principal.clone(),
            agent: self.agent.clone(),
            task: self.task.clone(),
            call: step.to_owned(),
            epoch: self.epoch,
            level,
            ticket: String::new(),
            tool: call.name.clone(),
            args_sha256: hex(&Sha256::digest(call.input.to_string())),
            summary,
            stage: Stage::Before,
            outcome: String::new(),
        }
    }

    /// Writes that an act is about to be made. One that the warden does, and that changes something, is begun only when a
    /// power cut cannot take the line away.
    ///
    /// # Errors
    /// A sentence: the act must not be made.
    pub async fn before(
        &self,
        step: &str,
        call: &ToolCall,
        act: &Act,
        ticket: Option<TicketId>,
    ) -> Result<(), String> {
        if !self.writes {
            return Ok(());
        }
        let safe = act.operation.place() == Place::Warden && act.effect != EffectClass::Pure;
        let entry = Entry {
            ticket: ticket.map(|id| id.to_string()).unwrap_or_default(),
            ..self.entry(step, call, About::Act(act))
        };
        let written = self.warden.lock().await.note(&entry, safe).await;
        written.map(drop).map_err(|error| {
            tracing::error!(%error, step, "not done: the record cannot be written");
            format!("refused: nothing is done without a record, and {error}")
        })
    }

    /// Writes how it ended. That it happened cannot be undone by a record that fails now: it is logged, and
    /// the next act is not begun.
    pub async fn after(&self, step: &str, call: &ToolCall, act: &Act, outcome: &str) {
        self.ended(step, call, About::Act(act), outcome).await;
    }

    /// The same of one that was only tried.
    pub async fn after_trial(&self, step: &str, call: &ToolCall, act: &Act, outcome: &str) {
        self.ended(step, call, About::Trial(act), outcome).await;
    }

    async fn ended(&self, step: &str, call: &ToolCall, about: About<'_>, outcome: &str) {
        let entry = Entry {
            stage: Stage::After,
            outcome: self.redactor.text(outcome),
            ..self.entry(step, call, about)
        };
        self.tell(&entry).await;
    }

    /// Writes that a call was refused, and why.
    pub async fn refused(&self, step: &str, call: &ToolCall, act: Option<&Act>, why: &str) {
        let entry = Entry {
            stage: Stage::Refused,
            outcome: self.redactor.text(why),
            ..self.entry(step, call, act.map_or(About::Call, About::Act))
        };
        self.tell(&entry).await;
    }

    /// Writes down a connection that a program asked for.
    ///
    /// # Errors
    /// A sentence: where it is about to be made, it must not be.
    pub async fn connection(&self, told: &Told) -> Result<(), String> {
        if !self.writes {
            return Ok(());
        }
        let entry = self.of_connection(told);
        let written = self.warden.lock().await.note(&entry, false).await;
        written.map(drop).map_err(|error| {
            let (call, outcome) = (&entry.call, &entry.outcome);
            tracing::error!(%error, call, outcome, "not in the record");
            format!("nothing is done without a record, and {error}")
        })
    }

    fn of_connection(&self, told: &Told) -> Entry {
        let seen = &told.connection;
        let place = match seen.host.is_empty() {
            true if !seen.asked.is_empty() => seen.asked.clone(),
            true => "a place that cannot be read".to_owned(),
            false if seen.asked.is_empty() => format!("{}:{}", seen.host, seen.port),
            false => format!("{} at {}:{}", seen.asked, seen.host, seen.port),
        };
        let carried = format!(
            "{} bytes out, {} in, {} ms",
            seen.up, seen.down, seen.took_ms
        );
        let (stage, outcome) = match (told.stage, &seen.refused) {
            (Connecting::Begins, _) => (Stage::Before, String::new()),
            (Connecting::Refused, why) => (Stage::Refused, why.clone().unwrap_or_default()),
            (Connecting::Ended, None) => (Stage::After, format!("ok, {carried}")),
            (Connecting::Ended, Some(why)) => (Stage::After, format!("{why}; {carried}")),
        };
        Entry {
            principal: self.principal.clone(),
            agent: self.agent.clone(),
            task: self.task.clone(),
            call: format!("connection/{}", told.number),
            epoch: self.epoch,
            level: 1,
            ticket: String::new(),
            tool: "connect".to_owned(),
            args_sha256: hex(&Sha256::digest(&place)),
            summary: self.redactor.text(&place),
            stage,
            outcome: self.redactor.text(&outcome),
        }
    }

    async fn tell(&self, entry: &Entry) {
        if !self.writes {
            return;
        }
        if let Err(error) = self.warden.lock().await.note(entry, false).await {
            tracing::error!(%error, call = entry.call, outcome = entry.outcome, "not in the record");
        }
    }
}
