//! The journal seen from the work: every step has a name that is the same on each run of the
//! task. A step with a recorded result is not run again; a step with an intent and no result was
//! interrupted, and its effect class says what to do.

use crate::blob::{BlobError, Blobs};
use crate::outbox::Outbox;
use crate::pulse::Hold;
use crate::stop::Stop;
use bus::connect::Bus;
use bus::lease::Lease;
use jiff::Timestamp;
use protocol::envelope::{Envelope, micros};
use protocol::ids::{Epoch, TaskId};
use protocol::journal::{EntryKind, JOURNAL_VERSION, JournalEntry};
use protocol::limits::JOURNAL_INLINE_BYTES;
use protocol::money::MicroUsd;
use protocol::question::Answered;
use protocol::report::Progress;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::collections::HashMap;

/// What follows the name of a step under which it asks for leave: the answer to that says nothing about
/// what became of the step.
pub const LEAVE: &str = "/leave";
/// Room left in an entry for everything but its body.
const ENTRY_OVERHEAD: usize = 512;

/// What the journal of a task says, and the pen to go on writing it.
pub struct Steps {
    bus: Bus,
    lease: Lease,
    blobs: Blobs,
    hold: Hold,
    folded: Folded,
}

/// An effect that was begun.
#[derive(Debug, Clone, PartialEq)]
pub struct Begun {
    /// When.
    pub at: Timestamp,
    /// Under which claim.
    pub epoch: Epoch,
    /// What was seen before it; may be a reference to a blob.
    pub seen: Value,
}

/// A journal folded to what a new holder needs.
#[derive(Debug, Default, PartialEq)]
pub struct Folded {
    /// Results and replies by step.
    pub done: HashMap<String, (Timestamp, Value)>,
    /// Intents by step; those without a result were interrupted.
    pub begun: HashMap<String, Begun>,
    /// By step, what a person answered to its question, and under which claim it was asked. An
    /// effect that is begun again uses its answer up.
    pub answers: HashMap<String, (Epoch, Value)>,
    /// Who held the task under which epoch.
    pub holders: HashMap<Epoch, String>,
    /// By step, what was reserved for model calls whose replies are not known.
    pub unanswered: HashMap<String, Vec<MicroUsd>>,
    /// By step, the model calls that came to nothing.
    pub failed: HashMap<String, Vec<Value>>,
}

/// Folds entries in order. A newer format is refused, so that an older binary never guesses.
pub fn fold(entries: Vec<JournalEntry>) -> Result<Folded, Stop> {
    let mut folded = Folded::default();
    for entry in entries {
        if entry.v > JOURNAL_VERSION {
            return Err(Stop::Fail(format!(
                "the journal of this task has version {}, this binary reads up to {JOURNAL_VERSION}: upgrade ai-infra",
                entry.v
            )));
        }
        folded.take(entry);
    }
    Ok(folded)
}

impl Folded {
    fn take(&mut self, entry: JournalEntry) {
        match entry.kind {
            EntryKind::Phase | EntryKind::Result | EntryKind::ModelReply => {
                if entry.kind == EntryKind::ModelReply
                    && let Some(costs) = self.unanswered.get_mut(&entry.step)
                {
                    costs.pop();
                }
                self.done.insert(entry.step, (entry.at, entry.body));
            }
            EntryKind::Intent => {
                self.answers.remove(&entry.step);
                let begun = Begun {
                    at: entry.at,
                    epoch: entry.epoch,
                    seen: entry.body,
                };
                self.begun.insert(entry.step, begun);
            }
            EntryKind::ModelRequest => {
                let reserved = MicroUsd(entry.body["reserved"].as_u64().unwrap_or(0));
                self.unanswered
                    .entry(entry.step)
                    .or_default()
                    .push(reserved);
            }
            EntryKind::ModelFailed => {
                if let Some(costs) = self.unanswered.get_mut(&entry.step) {
                    costs.pop();
                }
                self.failed.entry(entry.step).or_default().push(entry.body);
            }
            EntryKind::Answer => {
                self.answers.insert(entry.step, (entry.epoch, entry.body));
            }
            EntryKind::Claimed => {
                let holder = entry.body["holder"].as_str().unwrap_or_default();
                self.holders.insert(entry.epoch, holder.to_owned());
            }
            EntryKind::Word | EntryKind::Parked | EntryKind::End => {}
        }
    }
}

impl From<BlobError> for Stop {
    fn from(error: BlobError) -> Self {
        Stop::Fail(error.to_string())
    }
}

impl Steps {
    /// Reads the task's journal, writes that a holder took it, and says so.
    pub async fn open(
        bus: &Bus,
        lease: &Lease,
        blobs: Blobs,
        hold: &Hold,
        task: TaskId,
        outbox: &Outbox,
    ) -> Result<Self, Stop> {
        let folded = fold(hold.insist(|| bus.journal_read(task)).await?)?;
        let mut steps = Self {
            bus: bus.clone(),
            lease: lease.clone(),
            blobs,
            hold: hold.clone(),
            folded,
        };
        let told = Progress::Claimed {
            holder: lease.instance.clone(),
            epoch: lease.epoch,
            replayed: steps.known(),
        };
        let holder = json!({"holder": lease.instance});
        steps
            .append(
                "claimed",
                EntryKind::Claimed,
                holder,
                &[outbox.word(&told)?],
            )
            .await?;
        Ok(steps)
    }

    /// The claim it writes under.
    pub fn lease(&self) -> &Lease {
        &self.lease
    }

    /// How many results the journal already holds.
    pub fn known(&self) -> u64 {
        self.folded.done.len() as u64
    }

    /// The recorded result of a step.
    pub fn recorded<T: DeserializeOwned>(&self, step: &str) -> Result<Option<T>, Stop> {
        let Some((_, body)) = self.folded.done.get(step) else {
            return Ok(None);
        };
        let body = self.blobs.load(body.clone())?;
        serde_json::from_value(body)
            .map(Some)
            .map_err(|e| Stop::Fail(format!("the journal's step {step} cannot be read: {e}")))
    }

    /// When a step was recorded.
    pub fn recorded_at(&self, step: &str) -> Option<Timestamp> {
        self.folded.done.get(step).map(|(at, _)| *at)
    }

    /// An effect that was begun and whose result is not known.
    pub fn interrupted(&self, step: &str) -> Result<Option<Begun>, Stop> {
        match self.folded.begun.get(step) {
            Some(begun) if !self.folded.done.contains_key(step) => {
                let mut begun = begun.clone();
                begun.seen = self.blobs.load(begun.seen)?;
                Ok(Some(begun))
            }
            _ => Ok(None),
        }
    }

    /// The effect that was begun last, where its result is not known.
    pub fn unfinished(&self) -> Option<&str> {
        let last = self.folded.begun.iter().max_by_key(|(_, begun)| begun.at)?;
        (!self.folded.done.contains_key(last.0)).then_some(last.0)
    }

    /// Who held the task under an epoch.
    pub fn holder(&self, epoch: Epoch) -> &str {
        self.folded.holders.get(&epoch).map_or("?", String::as_str)
    }

    /// What a person answered to the question of a step that was begun under `begun`, unless it was
    /// acted on since. An answer to an earlier question says nothing about a later call.
    pub fn answer(&self, step: &str, begun: Epoch) -> Result<Option<Answered>, Stop> {
        let Some((asked, body)) = self.folded.answers.get(step) else {
            return Ok(None);
        };
        if *asked < begun {
            return Ok(None);
        }
        serde_json::from_value(body.clone()).map(Some).map_err(|e| {
            Stop::Fail(format!(
                "the answer to the question of {step} cannot be read: {e}"
            ))
        })
    }

    /// How many questions of this task people have answered and that were not acted on since.
    pub fn times_answered(&self) -> usize {
        let leave = |step: &&String| step.ends_with(LEAVE);
        self.folded.answers.len() - self.folded.answers.keys().filter(leave).count()
    }

    /// What was reserved for the calls of a model step whose replies are not known.
    pub fn lost(&self, step: &str) -> Vec<MicroUsd> {
        self.folded
            .unanswered
            .get(step)
            .cloned()
            .unwrap_or_default()
    }

    /// The calls of a model step that came to nothing, oldest first.
    pub fn failed<T: DeserializeOwned>(&self, step: &str) -> Result<Vec<T>, Stop> {
        let bodies = self.folded.failed.get(step).into_iter().flatten();
        bodies
            .map(|body| {
                serde_json::from_value(self.blobs.load(body.clone())?).map_err(|e| {
                    Stop::Fail(format!("the journal's step {step} cannot be read: {e}"))
                })
            })
            .collect()
    }

    /// By step, what was reserved for the model calls whose replies are not known.
    pub fn unanswered(&self) -> &HashMap<String, Vec<MicroUsd>> {
        &self.folded.unanswered
    }

    /// Writes down that an effect is about to be made.
    pub async fn intent(&mut self, step: &str, kind: EntryKind, seen: Value) -> Result<(), Stop> {
        self.append(step, kind, seen, &[]).await
    }

    /// The same for a model call, and tells the supervisor what was set aside for it.
    pub async fn reserved(
        &mut self,
        step: &str,
        model: &str,
        amount: MicroUsd,
        outbox: &Outbox,
    ) -> Result<(), Stop> {
        let told = outbox.word(&Progress::Reserved {
            step: step.to_owned(),
            model: model.to_owned(),
            amount,
            at: micros(Timestamp::now()),
        })?;
        let note = json!({"model": model, "reserved": amount});
        self.append(step, EntryKind::ModelRequest, note, &[told])
            .await
    }

    /// Writes down the result of a step.
    pub async fn record<T: Serialize>(
        &mut self,
        step: &str,
        kind: EntryKind,
        value: &T,
    ) -> Result<(), Stop> {
        self.record_and_tell(step, kind, value, &[]).await
    }

    /// Writes down the result of a step and tells the supervisor, both at once: one write instead
    /// of several, and nobody is told what the journal does not hold.
    pub async fn record_and_tell<T: Serialize>(
        &mut self,
        step: &str,
        kind: EntryKind,
        value: &T,
        told: &[Envelope],
    ) -> Result<(), Stop> {
        let body = serde_json::to_value(value)
            .map_err(|e| Stop::Fail(format!("step {step} cannot be written down: {e}")))?;
        self.append(step, kind, body, told).await
    }

    /// Runs a step that has no effect outside, once: its recorded result is used where there is
    /// one.
    pub async fn once<T, F>(&mut self, step: &str, work: F) -> Result<T, Stop>
    where
        T: Serialize + DeserializeOwned,
        F: Future<Output = Result<T, Stop>>,
    {
        if let Some(value) = self.recorded(step)? {
            return Ok(value);
        }
        let value = work.await?;
        self.record(step, EntryKind::Result, &value).await?;
        Ok(value)
    }

    async fn append(
        &mut self,
        step: &str,
        kind: EntryKind,
        body: Value,
        told: &[Envelope],
    ) -> Result<(), Stop> {
        let body = self
            .blobs
            .fit(body, JOURNAL_INLINE_BYTES - ENTRY_OVERHEAD)?;
        let entry = JournalEntry {
            v: JOURNAL_VERSION,
            epoch: self.lease.epoch,
            at: micros(Timestamp::now()),
            step: step.to_owned(),
            kind,
            body,
        };
        let entries = std::slice::from_ref(&entry);
        let append = || self.bus.record(&self.lease, entries, told);
        self.hold.boundary.before();
        self.hold.insist(append).await?;
        self.hold.boundary.after();
        self.folded.take(entry);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn entry(step: &str, kind: EntryKind, body: Value) -> JournalEntry {
        JournalEntry {
            v: JOURNAL_VERSION,
            epoch: Epoch(1),
            at: Timestamp::UNIX_EPOCH,
            step: step.to_owned(),
            kind,
            body,
        }
    }

    #[test]
    fn an_intent_without_result_is_seen_as_begun() {
        let folded = fold(vec![
            entry("a", EntryKind::Intent, json!({"tree": "1"})),
            entry("a", EntryKind::Result, json!({"ok": true})),
            entry("b", EntryKind::Intent, json!({"tree": "2"})),
        ])
        .unwrap();
        assert!(folded.done.contains_key("a") && !folded.done.contains_key("b"));
        assert_eq!(folded.begun["b"].seen, json!({"tree": "2"}));
    }

    #[test]
    fn an_effect_that_is_begun_again_uses_its_answer_up() {
        let intent = || entry("a", EntryKind::Intent, json!({}));
        let answer = || entry("a", EntryKind::Answer, json!({"choice": "again"}));
        for (entries, left) in [
            (vec![intent(), answer()], 1),
            (vec![intent(), answer(), intent()], 0),
            (vec![intent(), answer(), intent(), answer()], 1),
        ] {
            assert_eq!(fold(entries).unwrap().answers.len(), left);
        }
    }

    #[test]
    fn lost_model_calls_are_counted_also_when_a_later_one_was_answered() {
        let request =
            |reserved: u64| entry("m", EntryKind::ModelRequest, json!({"reserved": reserved}));
        let reply = || entry("m", EntryKind::ModelReply, json!({}));
        let failed = || entry("m", EntryKind::ModelFailed, json!({}));
        for (entries, expected) in [
            (vec![request(5)], vec![5]),
            (vec![request(5), reply()], vec![]),
            (vec![request(5), request(7), reply()], vec![5]),
            (vec![request(5), request(7)], vec![5, 7]),
            (vec![request(5), failed()], vec![]),
            (vec![request(5), failed(), request(7)], vec![7]),
        ] {
            let lost: Vec<u64> = fold(entries).unwrap().unanswered["m"]
                .iter()
                .map(|c| c.0)
                .collect();
            assert_eq!(lost, expected);
        }
    }

    #[test]
    fn a_journal_of_the_first_version_is_gone_on_with() {
        let lines = [
            r#"{"v":1,"epoch":5,"at":"2026-11-20T10:00:00Z","step":"claimed","kind":"claimed","body":{"holder":"code@h#1"}}"#,
            r#"{"v":1,"epoch":5,"at":"2026-11-20T10:00:01Z","step":"phase/1/observe","kind":"phase","body":{"phase":"observe"}}"#,
            r#"{"v":1,"epoch":5,"at":"2026-11-20T10:00:02Z","step":"m","kind":"model_request","body":{"reserved":7}}"#,
            r#"{"v":1,"epoch":5,"at":"2026-11-20T10:00:03Z","step":"m","kind":"model_reply","body":{"text":"paid"}}"#,
            r#"{"v":1,"epoch":5,"at":"2026-11-20T10:00:04Z","step":"c","kind":"intent","body":{"tree":"1"}}"#,
        ];
        let entries = lines.map(|line| serde_json::from_str(line).unwrap());
        let folded = fold(entries.to_vec()).unwrap();
        assert_eq!(folded.done["m"].1, json!({"text": "paid"}));
        assert_eq!(folded.begun["c"].seen, json!({"tree": "1"}));
        assert_eq!(folded.holders[&Epoch(5)], "code@h#1");
        assert!(folded.unanswered["m"].is_empty() && folded.failed.is_empty());
    }

    #[test]
    fn a_newer_journal_is_refused() {
        let mut newer = entry("a", EntryKind::Result, json!(1));
        newer.v = JOURNAL_VERSION + 1;
        let said = fold(vec![newer]).unwrap_err().to_string();
        assert!(said.contains("upgrade ai-infra"), "{said}");
    }
}
