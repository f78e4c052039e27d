//! A question of a model to the person who gave it the task. The task is parked with it and costs
//! nothing; the answer lies in the journal at the step that asked, for whoever goes on.

use crate::call_line::refusal;
use crate::stop::Stop;
use crate::workbench::Workbench;
use protocol::ids::Epoch;
use protocol::question::{Known, Question};
use protocol::tool::{ToolAnswer, ToolCall};
use serde::Deserialize;
use serde_json::{Value, json};

/// Most questions of one call.
const QUESTIONS: usize = 4;
/// Most options of a question.
const OPTIONS: usize = 12;
/// Longest of all texts of a call together, in bytes: a person reads it in a terminal.
const BYTES: usize = 4000;
/// Most times one task may ask.
const TIMES: usize = 8;

#[derive(Deserialize)]
struct Wish {
    questions: Vec<Asked>,
}

#[derive(Deserialize)]
struct Asked {
    question: String,
    #[serde(default)]
    options: Vec<Choice>,
}

#[derive(Deserialize)]
struct Choice {
    label: String,
    #[serde(default)]
    description: String,
}

/// Asks, or gives back what was answered.
pub async fn ask(bench: &mut Workbench, step: &str, call: &ToolCall) -> Result<ToolAnswer, Stop> {
    if let Some(answered) = bench.steps.answer(step, Epoch(0))? {
        let words = bench.toolbox.hide(&answered.said.text.unwrap_or_default());
        return Ok(ToolAnswer {
            id: call.id.clone(),
            is_error: false,
            text: format!("The person answers: {words}"),
            data: json!({"answer": words, "by": answered.by.name}),
            took_ms: 0,
        });
    }
    if bench.steps.times_answered() >= TIMES {
        let text = format!(
            "refused: you have asked {TIMES} times; decide it yourself and say so in the report"
        );
        return Ok(refusal(call, &text));
    }
    match question(step, &call.input) {
        Ok(mut asked) => {
            let redactor = &bench.toolbox.redactor;
            asked.text = redactor.text(&asked.text);
            for known in &mut asked.known {
                known.value = redactor.text(&known.value);
            }
            Err(Stop::AskPerson(Box::new(asked)))
        }
        Err(why) => Ok(refusal(call, &why)),
    }
}

/// The question as a person reads it: one text, and what could be chosen beside it.
fn question(step: &str, input: &Value) -> Result<Question, String> {
    let wish: Wish = serde_json::from_value(input.clone()).map_err(|error| {
        format!(
            "AskUserQuestion takes `questions`, each with `question` and perhaps `options`: {error}"
        )
    })?;
    let many = wish.questions.len();
    if !(1..=QUESTIONS).contains(&many) {
        return Err(format!(
            "ask 1 to {QUESTIONS} questions at once, not {many}"
        ));
    }
    let mut lines = Vec::new();
    let mut known = Vec::new();
    for (n, asked) in wish.questions.iter().enumerate() {
        let text = asked.question.trim();
        if text.is_empty() {
            return Err("a question has no words".to_owned());
        }
        if asked.options.len() > OPTIONS {
            return Err(format!("a question has at most {OPTIONS} options"));
        }
        let (line, what) = match many {
            1 => (text.to_owned(), "option".to_owned()),
            _ => (format!("{}. {text}", n + 1), format!("option of {}", n + 1)),
        };
        lines.push(line);
        known.extend(asked.options.iter().map(|option| Known {
            what: what.clone(),
            value: match option.description.trim() {
                "" => option.label.clone(),
                more => format!("{}: {more}", option.label),
            },
        }));
    }
    let bytes: usize = lines
        .iter()
        .chain(known.iter().map(|known| &known.value))
        .map(String::len)
        .sum();
    if bytes > BYTES {
        return Err(format!(
            "{bytes} bytes are too much to ask a person: say it in {BYTES}"
        ));
    }
    Ok(Question {
        step: step.to_owned(),
        text: lines.join("\n"),
        known,
        choices: Vec::new(),
        ticket: None,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[track_caller]
    fn check(input: Value, expected: Result<(&str, &[&str]), &str>) {
        match (question("s", &input), expected) {
            (Ok(asked), Ok((text, options))) => {
                let known: Vec<String> = asked
                    .known
                    .iter()
                    .map(|k| format!("{}: {}", k.what, k.value))
                    .collect();
                assert_eq!(
                    (asked.text.as_str(), known),
                    (text, options.iter().map(|o| (*o).to_owned()).collect())
                );
                assert!(asked.choices.is_empty());
            }
            (Err(why), Err(expected)) => assert!(why.contains(expected), "{why}"),
            (got, expected) => panic!("{got:?}, expected {expected:?}"),
        }
    }

    #[test]
    fn a_model_asks_in_words_with_options_beside_them() {
        let one = |more: Value| json!({"questions": [more]});
        check(
            one(
                json!({"question": "Which colour?", "header": "Colour", "multiSelect": false,
                "options": [{"label": "blue", "description": "as before"}, {"label": "red"}]}),
            ),
            Ok(("Which colour?", &["option: blue: as before", "option: red"])),
        );
        check(
            json!({"questions": [{"question": "a?"}, {"question": "b?", "options": [{"label": "x"}]}]}),
            Ok(("1. a?\n2. b?", &["option of 2: x"])),
        );
        check(one(json!({"question": " "})), Err("no words"));
        check(json!({"questions": []}), Err("1 to 4"));
        check(json!({"question": "a?"}), Err("takes `questions`"));
        check(
            one(json!({"question": "x".repeat(BYTES + 1)})),
            Err("too much"),
        );
    }
}
