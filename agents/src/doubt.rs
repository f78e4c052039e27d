//! A call that was begun and of which nobody knows whether it happened: the exact question for a
//! person, and what an answer means. Pure.

use crate::steps::Begun;
use crate::stop::Stop;
use guard::act::{Act, Operation};
use guard::redact::Redactor;
use protocol::duty::Duty;
use protocol::effect::ProbeAnswer;
use protocol::question::{Answered, Choice, Known, Question};

/// Longest value shown of what was seen before a call, in characters.
const SEEN_CHARS: usize = 300;

/// What to do with the call now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It counts as done; the sentence says by whose word.
    Done(String),
    /// Make it, as if it had never been begun.
    MakeIt,
}

/// The question about a call.
pub fn question(
    step: &str,
    act: &Act,
    begun: &Begun,
    holder: &str,
    probed: Option<ProbeAnswer>,
    redactor: &Redactor,
) -> Question {
    let preview = act.shown(redactor);
    let known = |what: &str, value: String| Known {
        what: what.to_owned(),
        value: redactor.text(&value),
    };
    let mut all = vec![
        known("call", format!("{} ({})", preview, act.tool)),
        known(
            "begun",
            format!("{} by {holder}", begun.at.strftime("%Y-%m-%d %H:%M:%S UTC")),
        ),
    ];
    if !begun.seen["before"].is_null() {
        // Half a secret is known as none: it is masked before it is cut.
        let seen = redactor.text(&begun.seen["before"].to_string());
        all.push(known("before", seen.chars().take(SEEN_CHARS).collect()));
    }
    all.push(known(
        "since",
        match probed {
            Some(ProbeAnswer::Partly) => "part of it can be seen".to_owned(),
            Some(_) => "what can be seen now is neither as before nor as it should be after".to_owned(),
            None => "its holder was lost before it could write down the outcome, and nothing can be asked"
                .to_owned(),
        },
    ));
    Question {
        step: step.to_owned(),
        text: format!("did this happen: {preview}?"),
        known: all,
        choices: choices(act),
        ticket: None,
    }
}

/// What may be answered. A program on the host is never run again under a yes that was used: that is asked for anew.
fn choices(act: &Act) -> Vec<Choice> {
    match &act.operation {
        Operation::Duty {
            duty: Duty::HostRun { .. },
            ..
        } => vec![Choice::Happened, Choice::Stop],
        _ => Choice::ALL.to_vec(),
    }
}

/// What is known where the journal does not have the call and this host does.
pub fn journal_lost() -> Known {
    Known {
        what: "journal".to_owned(),
        value:
            "redis has lost what it knew of this call; it is told from a note on the agent's host"
                .to_owned(),
    }
}

/// What a person's answer means for the call.
///
/// # Errors
/// [`Stop::Fail`] where the person ended it.
pub fn verdict(act: &Act, answered: &Answered, redactor: &Redactor) -> Result<Verdict, Stop> {
    let by = &answered.by.name;
    let remark = match &answered.said.text {
        Some(text) => format!(": {text}"),
        None => String::new(),
    };
    match answered.said.choice {
        Some(Choice::Happened) => Ok(Verdict::Done(format!("it happened, says {by}{remark}"))),
        Some(Choice::Again) => Ok(Verdict::MakeIt),
        Some(Choice::Stop) | None => Err(Stop::Fail(format!(
            "stopped by {by} at `{}`, of which nobody knows whether it happened{remark}",
            act.shown(redactor)
        ))),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use jiff::Timestamp;
    use protocol::ids::Epoch;
    use protocol::question::Said;
    use protocol::task::Principal;
    use serde_json::json;

    fn act() -> Act {
        Act::of(Operation::Edit {
            path: "a".to_owned(),
            old: "x".to_owned(),
            new: "y".to_owned(),
            all: false,
        })
    }

    #[test]
    fn what_was_before_is_masked_before_it_is_cut() {
        let secret = "hunter2hunter2";
        let begun = Begun {
            at: Timestamp::UNIX_EPOCH,
            epoch: Epoch(7),
            seen: json!({"before": format!("{}{secret}", "x".repeat(SEEN_CHARS - 8))}),
        };
        let redactor = Redactor::new([secret.to_owned()]);
        let asked = question("execute/1", &act(), &begun, "code@h#1", None, &redactor);
        let before = asked.known.iter().find(|known| known.what == "before");
        assert!(before.is_some_and(|known| !known.value.contains("hunter")));
    }

    #[test]
    fn the_question_says_what_is_known_and_hides_secrets() {
        let begun = Begun {
            at: Timestamp::UNIX_EPOCH,
            epoch: Epoch(7),
            seen: json!({"act": "edit a", "before": {"sha256": "hunter2hunter2"}}),
        };
        let redactor = Redactor::new(["hunter2hunter2".to_owned()]);
        let partly = Some(ProbeAnswer::Partly);
        let asked = question("execute/1", &act(), &begun, "code@h#1", partly, &redactor);
        assert_eq!(asked.text, "did this happen: edit a?");
        let lines: Vec<String> = asked
            .known
            .iter()
            .map(|k| format!("{}: {}", k.what, k.value))
            .collect();
        let text = lines.join("\n");
        for words in [
            "call: edit a (Edit)",
            "begun: 1970-01-01 00:00:00 UTC by code@h#1",
            "part of it",
        ] {
            assert!(text.contains(words), "{text}");
        }
        assert!(!text.contains("hunter2"), "{text}");
        assert_eq!(asked.choices, Choice::ALL);
    }

    #[test]
    fn what_a_person_let_run_once_is_not_offered_again() {
        let run = json!({"duty": "host_run", "run": {"argv": ["id"]}});
        let act = Act::of(Operation::Duty {
            duty: serde_json::from_value(run).unwrap(),
            key: "k".to_owned(),
        });
        assert_eq!(choices(&act), [Choice::Happened, Choice::Stop]);
    }

    #[test]
    fn an_answer_is_taken_at_its_word() {
        let said = |choice, text: Option<&str>| Answered {
            said: Said {
                choice,
                text: text.map(str::to_owned),
            },
            by: Principal {
                uid: 7,
                name: "ada".to_owned(),
            },
            at: Timestamp::UNIX_EPOCH,
        };
        let none = Redactor::default();
        let happened = verdict(
            &act(),
            &said(Some(Choice::Happened), Some("I saw it")),
            &none,
        )
        .unwrap();
        assert_eq!(
            happened,
            Verdict::Done("it happened, says ada: I saw it".to_owned())
        );
        assert_eq!(
            verdict(&act(), &said(Some(Choice::Again), None), &none).unwrap(),
            Verdict::MakeIt
        );
        let stopped = verdict(&act(), &said(Some(Choice::Stop), None), &none).unwrap_err();
        assert!(stopped.to_string().contains("stopped by ada at `edit a`"));
    }
}
