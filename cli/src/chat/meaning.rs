//! What a typed line means, given what was said before: a command, the answer to what was just asked,
//! a rating, a word to a running task, or a new request. Pure.

use super::slash;
use super::standing::{Dialog, Standing};
use protocol::ids::{Role, ShortId, TaskRef};
use protocol::question::{Choice, Said};
use protocol::rating::BEST;

/// What a line means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Meaning {
    /// Nothing.
    Nothing,
    /// A `/` command.
    Slash(String),
    /// Words to a task.
    Tell(ShortId, String),
    /// One of the things that were offered, counted from 0.
    Chosen(usize),
    /// The value that was asked for.
    Value(String),
    /// Yes or no to what was asked.
    Sure(bool),
    /// What was asked is dropped.
    NeverMind,
    /// The answer to a task's question.
    Answer(Said),
    /// A number that fits nothing that is open.
    Misfit(String),
    /// How good the last result was.
    Rate(ShortId, u8),
    /// A request, for an agent where one was named.
    Ask(String, Option<Role>),
}

/// Understands a line.
pub fn meaning(line: &str, standing: &Standing, is_agent: impl Fn(&Role) -> bool) -> Meaning {
    let said = line.trim();
    if said.is_empty() {
        return Meaning::Nothing;
    }
    if slash::is_slash(said) {
        return Meaning::Slash(said.to_owned());
    }
    if let Some(meaning) = addressed(said, is_agent) {
        return meaning;
    }
    if let Some(dialog) = &standing.dialog {
        if let Some(meaning) = in_dialog(said, dialog) {
            return meaning;
        }
    } else if let Some(ticket) = standing
        .questions
        .last()
        .and_then(|q| q.question.ticket.as_ref())
    {
        let word = said.to_lowercase();
        if ["y", "yes", "ok", "n", "no", "approve", "deny"].contains(&word.as_str()) {
            return Meaning::Misfit(format!(
                "leave is said in full, after a look at /approvals {0}: /approve {0} {1}, or /deny {0}",
                ticket.id, ticket.mark
            ));
        }
    } else if let Some(asked) = standing.questions.last()
        && let Some(meaning) = answer(
            said,
            &asked.question.choices,
            standing.just_asked == Some(asked.task),
        )
    {
        return meaning;
    }
    match (said.parse::<u32>(), standing.last) {
        (Ok(number), Some(last)) => match u8::try_from(number) {
            Ok(rating @ 1..=BEST) => Meaning::Rate(last, rating),
            _ => Meaning::Misfit(format!("a rating of {last} is a number from 1 to {BEST}")),
        },
        (Ok(_), None) => Meaning::Misfit(
            "a number alone rates the last result, and there is none yet".to_owned(),
        ),
        (Err(_), _) => match standing.running.first() {
            Some(task) if standing.running.len() == 1 && adds(said) => {
                Meaning::Tell(*task, said.to_owned())
            }
            _ => Meaning::Ask(said.to_owned(), None),
        },
    }
}

/// Whether words only make sense as something more about what is being done: nothing of its own
/// begins so.
fn adds(said: &str) -> bool {
    let first = said.split_whitespace().next().unwrap_or_default();
    let first = first.trim_end_matches([',', ':']).to_lowercase();
    ["also", "and", "additionally", "but", "instead", "rather"].contains(&first.as_str())
}

/// `@t12 words` and `@code words`.
fn addressed(said: &str, is_agent: impl Fn(&Role) -> bool) -> Option<Meaning> {
    let (to, words) = said.strip_prefix('@')?.split_once(char::is_whitespace)?;
    let to = to.trim_end_matches([':', ',']);
    let words = words.trim().to_owned();
    if let (Ok(role), true) = (to.parse::<Role>(), !words.is_empty())
        && is_agent(&role)
    {
        return Some(Meaning::Ask(words, Some(role)));
    }
    match slash::task(to) {
        Some(TaskRef::Short(task)) if !words.is_empty() => Some(Meaning::Tell(task, words)),
        _ => None,
    }
}

fn in_dialog(said: &str, dialog: &Dialog) -> Option<Meaning> {
    let word = said.to_lowercase();
    let word = word.trim_end_matches(['.', '!']);
    if ["never mind", "nevermind", "forget it", "none", "neither"].contains(&word) {
        return Some(Meaning::NeverMind);
    }
    match dialog {
        Dialog::Sure { .. } | Dialog::Suggested { .. } | Dialog::Attach { .. } => match word {
            "y" | "yes" | "ok" | "sure" | "go" | "do it" => Some(Meaning::Sure(true)),
            "n" | "no" | "stop" => Some(Meaning::Sure(false)),
            _ => None,
        },
        Dialog::Which { candidates, .. } => {
            let names = candidates
                .iter()
                .map(|candidate| candidate.playbook.as_str());
            chosen(word, names.collect())
        }
        Dialog::Value { wanted, .. } => {
            let choices = wanted.first().map(|wanted| wanted.choices.as_slice());
            let by_number = word.parse::<usize>().ok().and_then(|n| n.checked_sub(1));
            let choice = by_number.and_then(|at| choices.unwrap_or_default().get(at));
            Some(Meaning::Value(
                choice.map_or(said, String::as_str).to_owned(),
            ))
        }
    }
}

fn chosen(word: &str, names: Vec<&str>) -> Option<Meaning> {
    if let Some(at) = names.iter().position(|name| *name == word) {
        return Some(Meaning::Chosen(at));
    }
    match word.parse::<usize>() {
        Ok(number) if (1..=names.len()).contains(&number) => Some(Meaning::Chosen(number - 1)),
        Ok(_) => Some(Meaning::Misfit(format!(
            "say a number from 1 to {}, or never mind",
            names.len()
        ))),
        Err(_) => None,
    }
}

/// What a line says to an open question; `None` where it is about something else. Plain words answer
/// one that was just asked, and no other: a request must not end up as the answer to an old question.
fn answer(said: &str, choices: &[Choice], just_asked: bool) -> Option<Meaning> {
    if choices.is_empty() {
        if !just_asked {
            return None;
        }
        let text = Some(said.to_owned());
        return Some(Meaning::Answer(Said { choice: None, text }));
    }
    let word = said.to_lowercase();
    let choice = match word.parse::<usize>() {
        Ok(number) => match number.checked_sub(1).and_then(|at| choices.get(at)) {
            Some(choice) => Some(*choice),
            None => {
                return Some(Meaning::Misfit(format!(
                    "say a number from 1 to {}, or the word",
                    choices.len()
                )));
            }
        },
        Err(_) => choices.iter().find(|c| c.as_str() == word).copied(),
    };
    choice.map(|choice| {
        Meaning::Answer(Said {
            choice: Some(choice),
            text: None,
        })
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use protocol::control::Submit;
    use protocol::document::QuestionDocument;
    use protocol::proposal::{Candidate, Wanted};
    use serde_json::json;

    fn question(choices: &[Choice]) -> QuestionDocument {
        serde_json::from_value(json!({
            "task": "t5", "number": 1, "step": "s", "text": "did it happen?", "known": [],
            "choices": choices, "asked": "2026-11-20T10:00:00Z", "answer": null,
        }))
        .unwrap()
    }

    fn which() -> Dialog {
        let candidate = |name: &str| Candidate {
            playbook: name.to_owned(),
            agent: "qa".parse().unwrap(),
            about: String::new(),
            example: String::new(),
            params: serde_json::Map::new(),
            beside: Vec::new(),
        };
        Dialog::Which {
            asked: Submit::words("check it"),
            candidates: vec![candidate("run-tests"), candidate("look-over")],
        }
    }

    fn value(choices: &[&str]) -> Dialog {
        Dialog::Value {
            asked: Submit::words("check it"),
            playbook: "p".to_owned(),
            params: serde_json::Map::new(),
            wanted: vec![Wanted {
                name: "n".to_owned(),
                kind: String::new(),
                about: String::new(),
                choices: choices.iter().map(|c| (*c).to_owned()).collect(),
            }],
        }
    }

    fn standing(
        dialog: Option<Dialog>,
        questions: Vec<QuestionDocument>,
        last: Option<u64>,
    ) -> Standing {
        Standing {
            dialog,
            questions,
            last: last.map(ShortId),
            ..Standing::default()
        }
    }

    #[track_caller]
    fn check(line: &str, standing: &Standing, expected: &str) {
        let is_agent = |role: &Role| role.as_str() == "code";
        let told = match meaning(line, standing, is_agent) {
            Meaning::Ask(words, None) => format!("ask {words}"),
            Meaning::Ask(words, Some(agent)) => format!("ask {agent}: {words}"),
            Meaning::Answer(said) => format!("answer {said}"),
            Meaning::Rate(task, number) => format!("rate {task} {number}"),
            Meaning::Tell(task, words) => format!("tell {task}: {words}"),
            Meaning::Chosen(at) => format!("chosen {at}"),
            Meaning::Value(value) => format!("value {value}"),
            Meaning::Misfit(why) => format!("misfit: {why}"),
            other => format!("{other:?}"),
        };
        assert_eq!(told, expected, "{line}");
    }

    #[test]
    fn with_nothing_open() {
        let s = standing(None, Vec::new(), None);
        check("  ", &s, "Nothing");
        check("run the tests", &s, "ask run the tests");
        check("look\nat\nthis", &s, "ask look\nat\nthis");
        check("/show t1", &s, "Slash(\"/show t1\")");
        check("/srv/shop is slow, why?", &s, "ask /srv/shop is slow, why?");
        check("@t12 also log it", &s, "tell t12: also log it");
        check("@t12: stop\nat ten", &s, "tell t12: stop\nat ten");
        check("@code: mend it", &s, "ask code: mend it");
        check("@poet write", &s, "ask @poet write");
        check("@t12", &s, "ask @t12");
        check(
            "7",
            &s,
            "misfit: a number alone rates the last result, and there is none yet",
        );
        check("yes", &s, "ask yes");
    }

    #[test]
    fn what_adds_to_the_one_task_that_runs_is_told_to_it() {
        let mut s = standing(None, Vec::new(), Some(3));
        check(
            "also log the rejected ones",
            &s,
            "ask also log the rejected ones",
        );
        s.running.insert(ShortId(12));
        check(
            "also log the rejected ones",
            &s,
            "tell t12: also log the rejected ones",
        );
        check("But not the first", &s, "tell t12: But not the first");
        check("run the tests", &s, "ask run the tests");
        check("android builds fail", &s, "ask android builds fail");
        check("@code also mend it", &s, "ask code: also mend it");
        s.running.insert(ShortId(13));
        check("also log it", &s, "ask also log it");
    }

    #[test]
    fn a_number_alone_rates_the_last_result_unless_a_question_is_open() {
        let rated = standing(None, Vec::new(), Some(3));
        check("8", &rated, "rate t3 8");
        check("10", &rated, "rate t3 10");
        check(
            "11",
            &rated,
            "misfit: a rating of t3 is a number from 1 to 10",
        );
        check(
            "0",
            &rated,
            "misfit: a rating of t3 is a number from 1 to 10",
        );
        check("8 files are too many", &rated, "ask 8 files are too many");
        let asked = standing(None, vec![question(&Choice::ALL)], Some(3));
        check("2", &asked, "answer again");
        check("happened", &asked, "answer happened");
        check("9", &asked, "misfit: say a number from 1 to 3, or the word");
        check("run the tests", &asked, "ask run the tests");
        let mut words = standing(None, vec![question(&[])], Some(3));
        check("run the tests", &words, "ask run the tests");
        check("8", &words, "rate t3 8");
        words.just_asked = Some(ShortId(5));
        check("42", &words, "answer \"42\"");
        check("the blue one", &words, "answer \"the blue one\"");
        check("/status", &words, "Slash(\"/status\")");
    }

    #[test]
    fn what_was_just_asked_is_answered_first() {
        let s = standing(Some(which()), vec![question(&Choice::ALL)], Some(3));
        check("2", &s, "chosen 1");
        check("run-tests", &s, "chosen 0");
        check("3", &s, "misfit: say a number from 1 to 2, or never mind");
        check("never mind", &s, "NeverMind");
        check(
            "look for secrets instead",
            &s,
            "ask look for secrets instead",
        );
        let s = standing(Some(value(&[])), Vec::new(), Some(3));
        check("7", &s, "value 7");
        check("a b", &s, "value a b");
        check("/help", &s, "Slash(\"/help\")");
        let s = standing(Some(value(&["csv", "json"])), Vec::new(), None);
        check("2", &s, "value json");
        let sure = Dialog::Sure {
            asked: Submit::words("x"),
        };
        let s = standing(Some(sure), Vec::new(), Some(3));
        check("Yes.", &s, "Sure(true)");
        check("no", &s, "Sure(false)");
        check("what does it do?", &s, "ask what does it do?");
    }
}
