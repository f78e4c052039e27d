//! A question of a task: what is asked, what is known, and exactly what to type.

use super::text::{columns, indent, one_line, safe};
use protocol::document::QuestionDocument;
use protocol::question::Choice;

/// The question with what is known; where it is open, the commands that answer it.
pub fn text(asked: &QuestionDocument) -> String {
    let mut text = format!("{}\n", indent(&asked.question.text, "  "));
    let known: Vec<Vec<String>> = asked
        .question
        .known
        .iter()
        .map(|known| {
            vec![
                format!("    {}", safe(&known.what)),
                one_line(&known.value, 400),
            ]
        })
        .collect();
    text.push_str(&columns(&known));
    match &asked.answer {
        Some(answer) => {
            let said = one_line(&answer.said.to_string(), 200);
            let at = answer.at.strftime("%Y-%m-%d %H:%M:%S UTC");
            text.push_str(&format!(
                "  answered {said} by {}, {at}\n",
                safe(&answer.by.name)
            ));
        }
        None => text.push_str(&columns(&commands(asked))),
    }
    text
}

/// Each with the number of the question, so that another question is never answered by mistake.
fn commands(asked: &QuestionDocument) -> Vec<Vec<String>> {
    let (task, number) = (asked.task, asked.number);
    if let Some(ticket) = &asked.question.ticket {
        let on = ticket.host.as_deref();
        let on = on.map_or_else(String::new, |host| format!("on {}: ", safe(host)));
        let command = |verb: &str| format!("  {on}ai-infra approvals {verb} {}", ticket.id);
        return vec![
            vec![command("show"), "exactly what would be done".to_owned()],
            vec![
                format!("{} {}", command("approve"), safe(&ticket.mark)),
                "once, and only this".to_owned(),
            ],
            vec![command("deny"), "it goes on without it".to_owned()],
        ];
    }
    let command =
        |answer: &str| format!("  ai-infra task answer {task} {answer} --question {number}");
    let row = |choice: &Choice| vec![command(choice.as_str()), choice.meaning().to_owned()];
    match asked.question.choices.as_slice() {
        [] => vec![vec![command("--text \"…\"")]],
        choices => choices.iter().map(row).collect(),
    }
}

/// Those that wait for an answer.
pub fn open(questions: &[QuestionDocument]) -> impl Iterator<Item = &QuestionDocument> {
    questions.iter().filter(|asked| asked.answer.is_none())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    #[test]
    fn it_shows_what_is_known_and_what_to_type() {
        let mut asked: QuestionDocument = serde_json::from_value(json!({
            "task": "t5", "number": 2, "step": "s", "text": "did this happen: POST hooks/deploy?",
            "known": [{"what": "begun", "value": "2026-11-20 10:00:00 UTC by infra@h#1"}],
            "choices": ["happened", "again", "stop"], "asked": "2026-11-20T10:00:00Z", "answer": null,
        }))
        .unwrap();
        let expected = "  did this happen: POST hooks/deploy?
    begun  2026-11-20 10:00:00 UTC by infra@h#1
  ai-infra task answer t5 happened --question 2  it happened: go on after it
  ai-infra task answer t5 again --question 2     it did not happen: make the call
  ai-infra task answer t5 stop --question 2      neither: the task fails
";
        assert_eq!(text(&asked), expected);
        asked.answer = serde_json::from_value(json!({
            "choice": "again", "by": {"uid": 0, "name": "root"}, "at": "2026-11-20T10:01:00Z",
        }))
        .unwrap();
        assert!(text(&asked).ends_with("  answered again by root, 2026-11-20 10:01:00 UTC\n"));
        (asked.answer, asked.question.choices) = (None, Vec::new());
        assert!(text(&asked).contains("task answer t5 --text \"…\" --question 2"));
    }
}
