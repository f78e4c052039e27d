//! The one door: plan → gate → record → intent → executor → result → record. Nothing else in the agents runs a
//! tool. A call with a recorded result is not made again; one that was interrupted is recovered
//! by its effect class before anything else happens.

mod alone;
mod audited;
mod bounded;
mod doubted;
mod ended;
mod hidden;

use crate::call_line::{done, line, refusal, summary};
use crate::disk::hex;
use crate::doubt::{self, Verdict};
use crate::noted::Noted;
use crate::outbox::Outbox;
use crate::question::{Question, Reply};
use crate::record::Record;
use crate::steps::Steps;
use crate::stop::{self, Stop, Watch};
use crate::tries::Tries;
use crate::witness::Witness;
use crate::workspace::Sandboxes;
pub use alone::is_alone;
use ended::InHand;
use guard::act::{Act, Place};
use guard::executor::{Executor, Outcome};
use guard::gate::{Decision, Grant, judge_with};
use guard::masks::Masks;
use guard::plan::View;
use guard::redact::Redactor;
use protocol::effect::{EffectClass, Recovery, after_probe};
use protocol::journal::EntryKind;
use protocol::report::Progress;
use protocol::tool::{ToolAnswer, ToolCall};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use warden::client::Burned;

/// Longest run of one tool where the call does not say.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(900);

/// What a sandbox was opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Opened {
    Clone,
    Host,
    /// For one act.
    Alone,
}

/// The door of one task.
pub struct Toolbox {
    /// What the task may do.
    pub grant: Grant,
    /// Hides secrets in whatever comes out.
    pub redactor: Redactor,
    /// Opens sandboxes.
    pub sandboxes: Sandboxes,
    /// Signals from outside.
    pub watch: Watch,
    /// Writes the record.
    pub witness: Arc<Witness>,
    /// What the keys of this task's steps are made of: its team and its id.
    pub seed: String,
    /// The open sandbox, and what it is for.
    executor: Option<(Executor, Opened)>,
    /// The ticket that was used up for the call in hand.
    ticket: Option<Burned>,
    /// The program on the host that runs now.
    in_hand: Option<InHand>,
    /// The call in hand has its first line in the record.
    begun: bool,
    /// Hides secrets in answers behind names, and puts them back into the file that holds them.
    masks: OnceLock<Masks>,
}

impl Toolbox {
    /// A door with no sandbox open yet.
    pub fn new(
        grant: Grant,
        redactor: Redactor,
        sandboxes: Sandboxes,
        watch: Watch,
        seed: String,
    ) -> Self {
        let witness = sandboxes.witness.clone();
        Self {
            grant,
            redactor,
            sandboxes,
            watch,
            witness,
            seed,
            executor: None,
            ticket: None,
            in_hand: None,
            begun: false,
            masks: OnceLock::new(),
        }
    }

    fn key(&self, step: &str) -> String {
        let mut of = format!("{}/{step}", self.seed);
        if self.sandboxes.hold.faults().no_key() {
            of.push_str(&format!("/{:?}", std::time::Instant::now()));
        }
        hex(&Sha256::digest(of))
    }

    /// What a plan of a step may count on. The key of a step is the same on every attempt.
    pub fn view(&self, step: &str) -> View {
        View {
            outside: self.grant.outside.clone(),
            key: self.key(step),
            workspace: self.sandboxes.clone.is_some(),
            host: self.grant.host_read,
            branch: self.sandboxes.branch(),
        }
    }

    /// Makes a call, or takes its recorded answer.
    pub async fn call(
        &mut self,
        steps: &mut Steps,
        outbox: &Outbox,
        record: &mut Record,
        step: &str,
        call: &ToolCall,
        timeout: Option<Duration>,
    ) -> Result<ToolAnswer, Stop> {
        if let Some(answer) = steps.recorded::<ToolAnswer>(step)? {
            record.called(line(record, call, &answer, &self.redactor));
            return Ok(answer);
        }
        stop::check(&self.watch)?;
        let doing = record
            .screen
            .doing(format!("{} {}", call.name, summary(call, &self.redactor)));
        let answer = self.witnessed(steps, step, call, timeout).await?;
        drop(doing);
        let line = line(record, call, &answer, &self.redactor);
        tracing::info!(
            step,
            tool = line.tool,
            what = line.summary,
            ms = line.took_ms,
            failed = line.is_error,
            "call"
        );
        let told = [outbox.word(&Progress::Call { line: line.clone() })?];
        steps
            .record_and_tell(step, EntryKind::Result, &answer, &told)
            .await?;
        record.called(line);
        Ok(answer)
    }

    async fn admit(
        &mut self,
        steps: &mut Steps,
        step: &str,
        call: &ToolCall,
        act: &Act,
        timeout: Option<Duration>,
    ) -> Result<ToolAnswer, Stop> {
        let act = &self.put_back(act).await?;
        let mut tries = Tries::default();
        loop {
            let leave = match judge_with(act, &self.grant, self.ticket.as_ref()) {
                Decision::Allow(leave) => leave,
                Decision::Deny(why) => return Ok(refusal(call, &format!("refused: {why}"))),
                Decision::Ask(kind) => {
                    let text = format!("refused: {kind} needs a person's leave, and there is none");
                    return Ok(refusal(call, &text));
                }
            };
            if let Some(answer) = self.recover(steps, step, call, act).await? {
                return Ok(answer);
            }
            if act.operation.place() == Place::Warden {
                return self.by_the_warden(steps, step, call, act, leave).await;
            }
            let timeout = timeout.unwrap_or(DEFAULT_TIMEOUT);
            let lapses = self.sandboxes.hold.lapses();
            let began = Instant::now();
            let ran = match act.operation.place() {
                _ if is_alone(act) => match self.alone(step, call, act, leave, timeout).await {
                    // It was sent once already: whoever goes on with the task finds out what became of it.
                    Err(Stop::Refuse(why)) if self.begun && act.effect != EffectClass::Pure => {
                        tracing::warn!(why, step, "not sent again");
                        return Err(Stop::Yield);
                    }
                    Err(Stop::Refuse(why)) => {
                        return Ok(refusal(call, &format!("refused: {why}")));
                    }
                    ran => ran?,
                },
                Place::Host => {
                    let executor = self.executor(Opened::Host).await?;
                    executor.run(act, leave, timeout).await
                }
                _ => {
                    let executor = self.executor(Opened::Clone).await?;
                    executor.run(act, leave, timeout).await
                }
            };
            match ran {
                // It was sent, and nobody knows what became of it.
                Ok(outcome) if in_doubt(act, &outcome) => {
                    return self.doubted(steps, step, call, act, outcome);
                }
                Ok(outcome) => return Ok(self.answer(call, outcome)),
                // The sandbox ended under the call: by its deadline, because this process was
                // stopped for longer than its lease, or by the kernel. While the task is still
                // held, the call is recovered as a new holder would.
                Err(error) => {
                    let lapsed = self.sandboxes.hold.lapsed_since(lapses);
                    let more = tries.again(lapsed, began.elapsed());
                    self.stop().await;
                    self.sandboxes.hold.still().await?;
                    if !more {
                        return Ok(refusal(call, &format!("the sandbox ended: {error}")));
                    }
                }
            }
        }
    }

    /// Deals with an interrupted call; `Some` when its effect turned out to be there already.
    /// Where nothing was begun, writes the intent.
    async fn recover(
        &mut self,
        steps: &mut Steps,
        step: &str,
        call: &ToolCall,
        act: &Act,
    ) -> Result<Option<ToolAnswer>, Stop> {
        if act.effect == EffectClass::Pure {
            return Ok(None);
        }
        let written = steps.interrupted(step)?;
        let noted = match act.effect.recovery() {
            Recovery::AskPerson => self.noted(steps).unheard(step, written.as_ref())?,
            _ => None,
        };
        let begun = match (&noted, written) {
            (Some((begun, _)), _) => begun.clone(),
            (None, Some(begun)) => begun,
            (None, None) => return self.begin(steps, step, act).await.map(|()| None),
        };
        if let Some(mut answered) = steps.answer(step, begun.epoch)? {
            // What a person says is masked before a model or the journal has it.
            answered.said.text = answered.said.text.map(|text| self.hide(&text));
            return match doubt::verdict(act, &answered, &self.redactor)? {
                Verdict::Done(text) => Ok(Some(done(call, text))),
                // Begun anew: the answer was about the call before, and a new doubt asks again.
                Verdict::MakeIt => self.begin(steps, step, act).await.map(|()| None),
            };
        }
        let probed = match act.effect.recovery() {
            Recovery::RunAgain => return Ok(None),
            Recovery::ResetAndRun => {
                if let Some(tree) = begun.seen["tree"].as_str() {
                    self.reset(tree).await?;
                }
                return Ok(None);
            }
            Recovery::Probe => {
                let before = begun.seen["before"].clone();
                let answer = self.asked(Question::Probe(act, &before)).await?.probed();
                match after_probe(answer) {
                    Ok(true) => {
                        let text = "done before the interruption; the world shows its effect";
                        return Ok(Some(done(call, text.to_owned())));
                    }
                    Ok(false) => return Ok(None),
                    Err(_) => Some(answer),
                }
            }
            Recovery::AskPerson => None,
        };
        let holder = match &noted {
            Some((_, holder)) => holder,
            None => steps.holder(begun.epoch),
        };
        let mut asked = doubt::question(step, act, &begun, holder, probed, &self.redactor);
        if noted.is_some() {
            asked.known.push(doubt::journal_lost());
        }
        Err(Stop::AskPerson(Box::new(asked)))
    }

    /// Writes down that a call is about to be made. One that cannot be made twice is noted on this
    /// host too; whoever reads the note after this holder was let go of finds it, so the task must
    /// be held still when it is there.
    async fn begin(&mut self, steps: &mut Steps, step: &str, act: &Act) -> Result<(), Stop> {
        let seen = self.look_before(act).await?;
        steps.intent(step, EntryKind::Intent, seen).await?;
        let hold = &self.sandboxes.hold;
        if act.effect.recovery() == Recovery::AskPerson && !hold.faults().no_note() {
            let begun = steps.interrupted(step)?;
            let begun = begun.ok_or_else(|| Stop::Fail(format!("{step} was not begun")))?;
            self.noted(steps).begin(step, begun)?;
            hold.heard().await?;
        }
        Ok(())
    }

    /// What this host knows of the task's calls without any journal.
    fn noted(&self, steps: &Steps) -> Noted {
        Noted::of(&self.sandboxes.disk, self.sandboxes.task, steps.lease())
    }

    /// What recovery will need to know about the world before the effect.
    async fn look_before(&mut self, act: &Act) -> Result<Value, Stop> {
        let shown = act.shown(&self.redactor);
        let seen = match act.effect {
            EffectClass::Contained if self.sandboxes.clone.is_some() => {
                let tree = self.asked(Question::Snapshot).await?.text();
                json!({"act": shown, "tree": tree})
            }
            EffectClass::Probed => {
                let before = self.asked(Question::Before(act)).await?.seen();
                json!({"act": shown, "before": before})
            }
            _ => json!({"act": shown}),
        };
        Ok(seen)
    }

    /// Puts the clone back to one of its trees.
    pub async fn reset(&mut self, tree: &str) -> Result<(), Stop> {
        self.asked(Question::Reset(tree)).await.map(drop)
    }

    /// Asks the sandbox something that may be asked twice. One that has ended is replaced while
    /// the task is still held.
    async fn asked(&mut self, question: Question<'_>) -> Result<Reply, Stop> {
        let mut tries = Tries::default();
        loop {
            let lapses = self.sandboxes.hold.lapses();
            let executor = self.executor(Opened::Clone).await?;
            let began = Instant::now();
            match question.put(executor).await {
                Ok(answer) => return Ok(answer),
                Err(error) => {
                    let lapsed = self.sandboxes.hold.lapsed_since(lapses);
                    let more = tries.once_more(lapsed, began.elapsed());
                    self.stop().await;
                    self.sandboxes.hold.still().await?;
                    if !more {
                        return Err(Stop::Fail(error.to_string()));
                    }
                }
            }
        }
    }

    /// The sandbox for one kind of work: never two kinds in one. Without a clone there is only the
    /// one that looks at the host. The lease surely runs when this returns.
    async fn executor(&mut self, wanted: Opened) -> Result<&mut Executor, Stop> {
        let wanted = match wanted {
            Opened::Clone if self.sandboxes.clone.is_none() => Opened::Host,
            other => other,
        };
        let open = self.executor.as_ref().map(|(_, opened)| opened);
        let other = open.is_some_and(|opened| *opened != wanted);
        // Its programs would find nobody at the socket they see.
        if other || self.sandboxes.way_out.is_broken().await {
            self.stop().await;
        }
        self.sandboxes.hold.surely().await?;
        if self.executor.is_none() {
            let clone = self.sandboxes.clone.as_ref();
            let on = clone.filter(|_| wanted == Opened::Clone);
            let started = self.sandboxes.open(on).await?;
            self.executor = Some((started, wanted));
        }
        match self.executor.as_mut() {
            Some((executor, _)) => Ok(executor),
            None => Err(Stop::Fail("no sandbox is open".to_owned())),
        }
    }

    /// The tree of the clone as it is now.
    pub async fn tree(&mut self) -> Result<Option<String>, Stop> {
        if self.sandboxes.clone.is_none() {
            return Ok(None);
        }
        let tree = self.asked(Question::Snapshot).await?;
        Ok(Some(tree.text()))
    }

    /// The change between two trees of the clone.
    pub async fn patch(&mut self, from: &str, to: &str) -> Result<String, Stop> {
        self.asked(Question::Patch(from, to)).await.map(Reply::text)
    }

    /// Ends the sandbox, and the way out of it.
    pub async fn close(&mut self) {
        self.stop().await;
        self.sandboxes.way_out.end().await;
    }

    /// Ends the sandbox and everything in it.
    pub async fn stop(&mut self) {
        if let Some((executor, _)) = self.executor.take() {
            executor.stop().await;
        }
    }

    /// An outcome as an answer, with secrets hidden behind their names.
    pub fn answer(&self, call: &ToolCall, outcome: Outcome) -> ToolAnswer {
        ToolAnswer {
            id: call.id.clone(),
            is_error: outcome.is_error,
            text: self.masks().text(&outcome.text),
            data: self.masks().value(outcome.data),
            took_ms: outcome.took.as_millis() as u64,
        }
    }
}

/// Whether a call that changes something outside came back without anyone knowing whether it did.
fn in_doubt(act: &Act, outcome: &Outcome) -> bool {
    act.effect != EffectClass::Pure && outcome.data["unknown"] == Value::Bool(true)
}
