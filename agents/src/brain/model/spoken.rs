//! A model and the person who speaks to it while it works: words go into the conversation between two
//! replies, and what they ask for in addition may become criteria. Criteria are only ever added.

use super::ModelBrain;
use crate::call_line::{line, refusal};
use crate::context;
use crate::record::Record;
use crate::stop::Stop;
use crate::work_loop;
use crate::workbench::Workbench;
use engine::conversation::Message;
use pai::algorithm::MOST_CRITERIA;
use protocol::criterion::{Check, Criterion, Verdict};
use protocol::journal::EntryKind;
use protocol::phase::Phase;
use protocol::report::Progress;
use protocol::tool::{ToolAnswer, ToolCall};
use serde::Deserialize;
use serde_json::{Value, json};

/// The tool by which a model adds criteria.
pub const ADD: &str = "AddCriteria";
/// Longest text of an added criterion, in bytes.
const TEXT_BYTES: usize = 500;

#[derive(Deserialize)]
struct Wish {
    criteria: Vec<Wanted>,
}

#[derive(Deserialize)]
struct Wanted {
    text: String,
    check: Check,
    #[serde(default)]
    change: bool,
}

impl ModelBrain {
    /// Takes in what was said before a reply of EXECUTE. `done`: the model thinks it is finished.
    /// Whether there was anything.
    pub(super) async fn hear(
        &mut self,
        bench: &mut Workbench,
        record: &Record,
        reply: &str,
        done: bool,
    ) -> Result<bool, Stop> {
        let decided =
            bench.steps.recorded_at(reply).is_some() || (done && bench.went_on_to(Phase::Verify));
        let words = self.hearing.before(bench, record, reply, decided).await?;
        if words.is_empty() {
            return Ok(false);
        }
        let text = context::words(&words);
        self.say(vec![json!({"type": "text", "text": text})]);
        Ok(true)
    }

    /// Takes in what was said before a proposal. Later ones are said in EXECUTE, where the
    /// conversation is.
    pub(super) async fn hear_before_proposal(
        &mut self,
        bench: &mut Workbench,
        record: &Record,
        step: &str,
    ) -> Result<(), Stop> {
        if self.messages.is_empty() {
            let decided = bench.steps.recorded_at(step).is_some();
            self.hearing.before(bench, record, step, decided).await?;
        }
        Ok(())
    }

    /// The opening of the task with everything that was said since.
    fn opened(&self) -> String {
        match self.hearing.words.as_slice() {
            [] => self.opening.clone(),
            words => format!("{}\n{}", self.opening, context::words(words)),
        }
    }

    /// The first turn: what was attached to be looked at, then the opening, then what is to be done.
    pub(super) fn first(&self, what: &str) -> Message {
        let mut message = Message::user(&format!("{}\n{what}", self.opened()));
        message
            .content
            .splice(0..0, self.pictures.blocks.iter().cloned());
        message
    }

    /// Makes a call that adds criteria, or takes its recorded answer.
    pub(super) async fn add_criteria(
        &mut self,
        bench: &mut Workbench,
        record: &mut Record,
        step: &str,
        call: &ToolCall,
    ) -> Result<ToolAnswer, Stop> {
        if let Some(answer) = bench.steps.recorded::<ToolAnswer>(step)? {
            self.added_by(record, &answer)?;
            record.called(line(record, call, &answer, &bench.toolbox.redactor));
            return Ok(answer);
        }
        crate::stop::check(&bench.toolbox.watch)?;
        let answer = match self.admitted(bench, record, step, call).await? {
            Ok(criteria) => accepted(call, &criteria)?,
            Err(why) => refusal(call, &why),
        };
        let fresh = added(&answer)?;
        let call_line = line(record, call, &answer, &bench.toolbox.redactor);
        let mut told = vec![bench.outbox.word(&Progress::Call {
            line: call_line.clone(),
        })?];
        if !fresh.is_empty() {
            told.insert(0, bench.outbox.word(&Progress::Added { criteria: fresh })?);
        }
        let Workbench { steps, .. } = bench;
        steps
            .record_and_tell(step, EntryKind::Result, &answer, &told)
            .await?;
        self.added_by(record, &answer)?;
        record.called(call_line);
        Ok(answer)
    }

    /// The criteria of a call with ids of their own, or why they cannot be had. One that says it
    /// proves a change is measured now and must fail.
    async fn admitted(
        &mut self,
        bench: &mut Workbench,
        record: &mut Record,
        step: &str,
        call: &ToolCall,
    ) -> Result<Result<Vec<Criterion>, String>, Stop> {
        if self.hearing.words.is_empty() {
            let why = "refused: nobody added anything to the request, so its criteria stay as they were accepted";
            return Ok(Err(why.to_owned()));
        }
        let known = self.proposal.iter().flat_map(|proposal| &proposal.criteria);
        let known: Vec<&str> = known.map(|criterion| criterion.id.as_str()).collect();
        let criteria = match numbered(&call.input, &known) {
            Ok(criteria) => criteria,
            Err(why) => return Ok(Err(why)),
        };
        let change: Vec<Criterion> = criteria.iter().filter(|c| c.change).cloned().collect();
        if !change.is_empty() {
            let context = json!({"params": {}, "steps": {}});
            let seen = work_loop::measure(bench, record, &context, step, &change).await?;
            if let Some(holds) = seen.iter().find(|seen| seen.verdict == Verdict::Passed) {
                let text = change.iter().find(|c| c.id == holds.criterion);
                let text = text.map_or("", |c| c.text.as_str());
                return Ok(Err(format!(
                    "\"{text}\" says it proves a change, but it holds already: write one that fails until the work is done, or leave `change` out"
                )));
            }
        }
        Ok(Ok(criteria))
    }

    /// Takes the criteria of an answer in.
    fn added_by(&mut self, record: &mut Record, answer: &ToolAnswer) -> Result<(), Stop> {
        let fresh = added(answer)?;
        if fresh.is_empty() {
            return Ok(());
        }
        let mut all = record.criteria.clone();
        all.extend(fresh.iter().cloned());
        record.written(&all);
        if let Some(proposal) = self.proposal.as_mut() {
            proposal.criteria.extend(fresh.iter().cloned());
        }
        self.added.extend(fresh);
        Ok(())
    }
}

/// The wanted criteria under ids that nothing has yet.
fn numbered(input: &Value, known: &[&str]) -> Result<Vec<Criterion>, String> {
    let wish: Wish = serde_json::from_value(input.clone()).map_err(|error| {
        format!("{ADD} takes `criteria`, each with `text` and `check`: {error}")
    })?;
    if wish.criteria.is_empty() {
        return Err("there is no criterion in it".to_owned());
    }
    if known.len() + wish.criteria.len() > MOST_CRITERIA {
        return Err(format!(
            "with these there would be more than {MOST_CRITERIA} criteria: add fewer"
        ));
    }
    let mut free = (1..)
        .map(|n| format!("c{n}"))
        .filter(|id| !known.contains(&id.as_str()));
    let mut criteria = Vec::with_capacity(wish.criteria.len());
    for Wanted {
        text,
        check,
        change,
    } in wish.criteria
    {
        if text.trim().is_empty() || text.len() > TEXT_BYTES {
            return Err(format!("a criterion's text has 1 to {TEXT_BYTES} bytes"));
        }
        let id = free.next().unwrap_or_default();
        criteria.push(Criterion {
            id,
            text,
            check,
            change,
        });
    }
    Ok(criteria)
}

fn accepted(call: &ToolCall, criteria: &[Criterion]) -> Result<ToolAnswer, Stop> {
    let ids: Vec<&str> = criteria.iter().map(|c| c.id.as_str()).collect();
    let data = serde_json::to_value(criteria)
        .map_err(|e| Stop::Fail(format!("the criteria cannot be written down: {e}")))?;
    Ok(ToolAnswer {
        id: call.id.clone(),
        is_error: false,
        text: format!(
            "Added as {}; they will be checked after your work.",
            ids.join(", ")
        ),
        data: json!({"criteria": data}),
        took_ms: 0,
    })
}

fn added(answer: &ToolAnswer) -> Result<Vec<Criterion>, Stop> {
    match answer.data.get("criteria") {
        None => Ok(Vec::new()),
        Some(criteria) => serde_json::from_value(criteria.clone())
            .map_err(|e| Stop::Fail(format!("the added criteria cannot be read: {e}"))),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[track_caller]
    fn check(input: Value, known: &[&str], expected: Result<&[&str], &str>) {
        match (numbered(&input, known), expected) {
            (Ok(criteria), Ok(expected)) => {
                let ids: Vec<&str> = criteria.iter().map(|c| c.id.as_str()).collect();
                assert_eq!(ids, expected);
            }
            (Err(why), Err(expected)) => assert!(why.contains(expected), "{why}"),
            (got, expected) => panic!("{got:?}, expected {expected:?}"),
        }
    }

    #[test]
    fn added_criteria_get_ids_of_their_own() {
        let file = json!({"file": {"path": "x"}});
        let one = |text: &str| json!({"text": text, "check": file});
        let of = |all: Vec<Value>| json!({"criteria": all});
        check(
            of(vec![one("a"), one("b")]),
            &["c1", "c2"],
            Ok(&["c3", "c4"]),
        );
        check(
            of(vec![one("a"), one("b")]),
            &["c2", "mine"],
            Ok(&["c1", "c3"]),
        );
        check(of(Vec::new()), &[], Err("no criterion"));
        check(of(vec![one(" ")]), &[], Err("1 to 500 bytes"));
        check(json!({"criteria": [{"text": "a"}]}), &[], Err("check"));
        check(json!([]), &[], Err("AddCriteria takes"));
        let many: Vec<Value> = (0..MOST_CRITERIA).map(|_| one("a")).collect();
        check(of(many), &["c1"], Err("more than"));
    }
}
