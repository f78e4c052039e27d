//! A program on the host whose task was cancelled: the warden ends it, and the report says what came of it. Whoever loses the
//! task or is told to give it back says nothing here: the program goes on, and the next holder is told its end.

use super::Toolbox;
use crate::call_line::{line, refusal};
use crate::record::Record;
use crate::steps::Steps;
use guard::act::{Act, Operation};
use protocol::duty::Duty;
use protocol::duty::order::{End, Outcome};
use protocol::tool::{ToolAnswer, ToolCall};

/// The tool that asks for one.
const TOOL: &str = "HostRun";

/// A program that the warden was asked for and that has not answered yet.
pub(super) struct InHand {
    step: String,
    call: ToolCall,
    act: Act,
}

impl InHand {
    /// One, where the act is one. Other duties go on to their end, whatever becomes of their task.
    pub(super) fn of(step: &str, call: &ToolCall, act: &Act) -> Option<Self> {
        is_run(act).then(|| Self {
            step: step.to_owned(),
            call: call.clone(),
            act: act.clone(),
        })
    }
}

fn is_run(act: &Act) -> bool {
    let Operation::Duty { duty, .. } = &act.operation else {
        return false;
    };
    matches!(duty, Duty::HostRun { .. })
}

impl Toolbox {
    /// Ends everything of a task that was cancelled: its sandbox, and the program that the warden runs for it. That may have
    /// been begun under a holder before this one, so an agent that may ask for programs asks in any case.
    pub async fn close_cancelled(&mut self, steps: &Steps, record: &mut Record) {
        let hand = self.in_hand.take();
        if hand.is_none() && !self.grant.tools.iter().any(|name| name == TOOL) {
            return self.close().await;
        }
        let step = hand.as_ref().map(|hand| hand.step.as_str());
        let key = step.or_else(|| steps.unfinished());
        let key = key.map(|step| self.key(step));
        let witness = self.witness.clone();
        let (said, ()) = tokio::join!(witness.end_run(key), self.close());
        if let Err(why) = &said {
            tracing::warn!(why, "a program on the host is not known to have ended");
        }
        let recorded = said.as_ref().ok().map(recorded);
        let what = hand.as_ref().map(|hand| hand.act.shown(&self.redactor));
        let Some(text) = told(what.as_deref(), said) else {
            return;
        };
        let text = self.masks().text(&text);
        if let Some(hand) = hand {
            let answer = ToolAnswer {
                text: text.clone(),
                ..refusal(&hand.call, "")
            };
            record.called(line(record, &hand.call, &answer, &self.redactor));
            if let Some(outcome) = recorded {
                let (step, act) = (&hand.step, &hand.act);
                witness.after(step, &hand.call, act, outcome).await;
            }
        }
        if !record.text.is_empty() {
            record.text.push_str("\n\n");
        }
        record.text.push_str(&text);
    }
}

/// How it ended, as the record says it: no contents.
fn recorded(ended: &Option<Outcome>) -> &'static str {
    match ended {
        None => "not begun: the task was cancelled",
        Some(ended) => match ended.end {
            End::Done => "ok",
            End::Not => "not done",
            End::Failed | End::Undone if ended.data["over"] == true => {
                "ended: the task was cancelled"
            }
            End::Failed | End::Undone => "error",
            End::Unknown => "nobody knows whether it happened",
        },
    }
}

/// What the report of a cancelled task says of its program; `None` where there was none. `what` is the one that this holder had
/// asked for.
fn told(what: Option<&str>, said: Result<Option<Outcome>, String>) -> Option<String> {
    let name = what.unwrap_or("a program on the host");
    Some(match (said, what) {
        (Ok(Some(outcome)), _) if outcome.end == End::Done => {
            format!(
                "{name}: it had ended when the task was cancelled: {}",
                outcome.text
            )
        }
        (Ok(Some(outcome)), _) => format!("{name}: {}", outcome.text),
        (Ok(None), Some(_)) => format!("{name}: it was not begun"),
        (Err(why), Some(_)) => format!(
            "{name}: it may have happened, and may still run, since the warden was not heard ({why}): `ai-infra audit tail` says what became of it, `ai-infra freeze` ends it"
        ),
        (_, None) => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    #[test]
    fn the_report_says_what_is_known_and_nothing_else() {
        let ended = |end| Ok(Some(Outcome::of(end, "its words", Value::Null)));
        let away = || Err("the warden does not answer".to_owned());
        for (what, said, words) in [
            (
                Some("run id"),
                ended(End::Failed),
                Some("run id: its words"),
            ),
            (
                Some("run id"),
                ended(End::Unknown),
                Some("run id: its words"),
            ),
            (
                Some("run id"),
                ended(End::Done),
                Some("run id: it had ended when the task was cancelled: its words"),
            ),
            (Some("run id"), Ok(None), Some("run id: it was not begun")),
            (Some("run id"), away(), Some("run id: it may have happened")),
            (
                None,
                ended(End::Failed),
                Some("a program on the host: its words"),
            ),
            (None, Ok(None), None),
            (None, away(), None),
        ] {
            let said = told(what, said);
            assert_eq!(said.is_some(), words.is_some(), "{said:?}");
            let said = said.unwrap_or_default();
            assert!(said.starts_with(words.unwrap_or_default()), "{said}");
        }
    }
}
