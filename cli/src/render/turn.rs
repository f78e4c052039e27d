//! A turn of the conversation as it is shown in the chat: what agents do as it happens, the result
//! as a page with its evidence, the question of a task that waits.

use super::live::mark;
use super::markdown;
use super::paint::Paint;
use super::proposal::SUP;
use super::result::summary;
use super::text::{one_line, safe};
use protocol::criterion::Verdict;
use protocol::document::{CriterionDocument, QuestionDocument, RunDocument};
use protocol::ids::{Role, ShortId};
use protocol::task_state::TaskState;
use protocol::word::Spoken;
use std::time::Duration;

/// Most criteria listed below a result.
const CRITERIA: usize = 12;

/// A line about a running task: `t12   code     EXECUTE  Bash … · 1.4 s`, cut to the width.
pub fn event(task: ShortId, agent: &Role, line: &str, width: usize, paint: Paint) -> String {
    // A line about a part of a plan names the part's own task.
    let (id, line) = match line.split_once(' ').filter(|(id, _)| is_task(id)) {
        Some((id, rest)) => (id.to_owned(), rest.trim_start()),
        None => (task.to_string(), line),
    };
    let room = width.saturating_sub(6).max(20);
    let cut = match line.chars().count() > room {
        true => format!("{}…", line.chars().take(room - 1).collect::<String>()),
        false => line.to_owned(),
    };
    let (who, what) = cut.split_at(cut.find(' ').unwrap_or(cut.len()));
    let who = match who.is_empty() {
        true => agent.as_str(),
        false => who,
    };
    let what = what
        .replace('✓', &paint.good("✓"))
        .replace('✗', &paint.bad("✗"));
    format!(
        "{} {}{what}",
        paint.dim(&format!("{id:<5}")),
        paint.agent(who, who)
    )
}

fn is_task(word: &str) -> bool {
    word.strip_prefix('t')
        .is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
}

/// The result of a task that rests.
pub fn result(document: &RunDocument, took: Duration, width: usize, paint: Paint) -> String {
    let id = document.short_id;
    let head = format!("{id} {}", summary(document, took));
    let head = match document.state {
        TaskState::Done => paint.good(&head),
        TaskState::Failed { .. } | TaskState::Refused { .. } => paint.bad(&head),
        _ => paint.waits(&head),
    };
    let mut text = format!("{}{head}\n", paint.bold(SUP));
    if !document.result.trim().is_empty() {
        let page = markdown::text(&document.result, width.saturating_sub(2), paint);
        text.push('\n');
        for line in page.lines() {
            text.push_str(format!("  {line}").trim_end());
            text.push('\n');
        }
        text.push('\n');
    }
    if !document.phases.is_empty() {
        text.push_str(&criteria(&document.criteria, width, paint));
    }
    for word in document.words.iter().filter(|_| document.state.is_final()) {
        if let (Spoken::Words(words), None) = (&word.said, word.heard) {
            let words = one_line(words, width.saturating_sub(60).max(20));
            let line = format!("  ended before it heard \"{words}\": say it as a new request");
            text.push_str(&format!("{}\n", paint.waits(&line)));
        }
    }
    let mut next = Vec::new();
    if document
        .artifacts
        .iter()
        .any(|artifact| artifact.kind == "patch")
    {
        next.push(format!("/diff {id}   /apply {id}   /discard {id}"));
    }
    match &document.state {
        TaskState::Done => next.push(format!(
            "evidence of each number: /show {id} · how good was it? 1 to 10"
        )),
        TaskState::Failed { .. } => {
            next.push(format!("what happened: /show {id} · again: /retry {id}"))
        }
        _ => next.push(format!("all of it: /show {id}")),
    }
    for line in next {
        text.push_str(&format!("  {}\n", paint.dim(&line)));
    }
    text
}

/// Each criterion that is not proven, and the first line of what was seen.
fn criteria(criteria: &[CriterionDocument], width: usize, paint: Paint) -> String {
    let mut text = String::new();
    let room = width.saturating_sub(9).max(20);
    // Those that hold were told as they were measured, and are counted in the first line.
    let open: Vec<&CriterionDocument> =
        criteria.iter().filter(|c| c.passed != Some(true)).collect();
    for criterion in open.iter().take(CRITERIA) {
        let verdict = match (criterion.passed, &criterion.evidence) {
            (Some(false), _) => Some(Verdict::Failed),
            (_, Some(_)) => Some(Verdict::Unknown),
            (_, None) => None,
        };
        let sign = match verdict {
            Some(Verdict::Failed) => paint.bad(mark(verdict)),
            _ => paint.waits(mark(verdict)),
        };
        let id = safe(&criterion.id).to_uppercase();
        text.push_str(&format!(
            "  {sign} {id:<3} {}\n",
            one_line(&criterion.text, room)
        ));
        let seen = criterion
            .evidence
            .as_deref()
            .and_then(|e| e.lines().find(|l| !l.trim().is_empty()));
        if let Some(seen) = seen {
            text.push_str(&format!("        {}\n", paint.dim(&one_line(seen, room))));
        }
    }
    if open.len() > CRITERIA {
        text.push_str(&format!("    and {} more\n", open.len() - CRITERIA));
    }
    text
}

/// A question, with what may be answered.
pub fn question(asked: &QuestionDocument, width: usize, paint: Paint) -> String {
    let task = asked.task;
    let words = format!("{task} asks: {}", asked.question.text);
    let mut text = paint.waits(super::proposal::sup(&words, width, Paint(false)).trim_end());
    text.push('\n');
    let room = width.saturating_sub(20).max(20);
    for known in &asked.question.known {
        text.push_str(&format!(
            "      {:<12} {}\n",
            safe(&known.what),
            one_line(&known.value, room)
        ));
    }
    for (at, choice) in asked.question.choices.iter().enumerate() {
        let number = paint.code(&(at + 1).to_string());
        text.push_str(&format!(
            "      {number} {:<9} {}\n",
            choice.as_str(),
            choice.meaning()
        ));
    }
    let how = match (&asked.question.ticket, asked.question.choices.is_empty()) {
        (Some(ticket), _) if ticket.host.is_some() => format!(
            "answer it there: on {}, ai-infra approvals show {}",
            safe(ticket.host.as_deref().unwrap_or_default()),
            ticket.id
        ),
        (Some(ticket), _) => format!(
            "look: /approvals {0} · yes: /approve {0} {1} · no: /deny {0}",
            ticket.id,
            safe(&ticket.mark)
        ),
        (None, true) => format!("say it here, or: /answer {task} WORDS"),
        (None, false) => format!("say the number or the word, or: /answer {task} WORD"),
    };
    text.push_str(&format!("      {}\n", paint.dim(&how)));
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    #[test]
    fn lines_of_tasks_and_of_parts_are_cut_to_the_width() {
        let role: Role = "code".parse().unwrap();
        let check = |line: &str, expected: &str| {
            assert_eq!(event(ShortId(1), &role, line, 40, Paint(false)), expected);
        };
        check(
            "code     EXECUTE  Bash x · 1.4 s",
            "t1    code     EXECUTE  Bash x · 1.4 s",
        );
        check(
            "t12   qa       BUILD    2 criteria",
            "t12   qa       BUILD    2 criteria",
        );
        check(
            &format!("code     {}", "x".repeat(80)),
            &format!("t1    code     {}…", "x".repeat(24)),
        );
    }

    #[test]
    fn a_result_is_a_page_with_its_evidence() {
        let document: RunDocument = serde_json::from_value(json!({
            "version": 1, "task_id": "01890000-0000-7000-8000-000000000000", "short_id": "t7",
            "state": "done", "agent": "qa", "children": [],
            "phases": [{"phase": "observe", "started": "2026-11-20T10:00:00Z", "ended": "2026-11-20T10:00:01.4Z"}],
            "criteria": [
                {"id": "c1", "text": "it holds", "check": {"file": {"path": "x"}}, "passed": true, "evidence": "x is there"},
                {"id": "c2", "text": "nobody knows", "check": {"file": {"path": "x"}}, "passed": null, "evidence": "\nno answer\nmore"},
            ],
            "result": "**12** tests passed:\n\n- `a.py`\n", "question": null,
            "artifacts": [{"kind": "patch", "path": "/p", "bytes": 3}],
            "usage": {"requests": 0, "input_tokens": 0, "output_tokens": 0, "cache_read_tokens": 0, "cost_usd": 0.0},
            "attempts": 1,
        }))
        .unwrap();
        assert_eq!(
            result(&document, Duration::from_millis(1400), 80, Paint(false)),
            "\
sup › t7 done in 1.4 s · 1 of 2 criteria proven · 0 model calls · $0.00

  12 tests passed:

  - a.py

  ? C2  nobody knows
        no answer
  /diff t7   /apply t7   /discard t7
  evidence of each number: /show t7 · how good was it? 1 to 10
"
        );
    }

    #[test]
    fn a_question_is_numbered() {
        let asked: QuestionDocument = serde_json::from_value(json!({
            "task": "t5", "number": 1, "step": "s", "text": "did it happen: POST x?",
            "known": [{"what": "begun", "value": "10:00"}], "choices": ["happened", "again"],
            "asked": "2026-11-20T10:00:00Z", "answer": null,
        }))
        .unwrap();
        assert_eq!(
            question(&asked, 80, Paint(false)),
            "\
sup › t5 asks: did it happen: POST x?
      begun        10:00
      1 happened  it happened: go on after it
      2 again     it did not happen: make the call
      say the number or the word, or: /answer t5 WORD
"
        );
    }
}
