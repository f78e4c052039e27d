//! `task show`: one task, whole, so that it reads like a good pull request.

use super::plan;
use super::proposal;
use super::question;
use super::result::{proven, summary, worked};
use super::sheet::Sheet;
use super::text::{columns, count, indent, money, one_line, safe, size, time, until};
use jiff::Timestamp;
use protocol::document::{RunDocument, TaskPage};
use protocol::rating::BEST;
use protocol::task::{Task, Way};
use protocol::word::Spoken;
use std::time::Duration;

/// Most lines of evidence shown below a criterion.
const EVIDENCE_LINES: usize = 6;

/// The whole page.
pub fn text(page: &TaskPage, sheet: Sheet) -> String {
    let document = &page.document;
    let mut sections = vec![head(page)];
    sections.push(section("questions", questions(document)));
    sections.push(section("said since", said(document)));
    sections.push(section("report", sheet.report(document.result.trim())));
    if let Some(plan) = &document.plan {
        sections.push(section("parts", plan::parts(plan)));
    }
    sections.push(section(
        &format!("criteria  {}", proven(&document.criteria)),
        criteria(document),
    ));
    sections.push(section("phases", phases(document)));
    sections.push(section("calls", calls(page)));
    sections.push(section("recalled", recalled(page)));
    sections.push(section("learned", list(&page.learned)));
    sections.push(section("attempts", attempts(page)));
    sections.push(section("artifacts", artifacts(document)));
    sections.push(section("ratings", ratings(document)));
    sections.push(section("notes", list(&page.notes)));
    sections.push(section("cost", cost(document)));
    sections.retain(|section| !section.is_empty());
    sections.join("\n")
}

/// A title above its lines; nothing at all without lines.
fn section(title: &str, lines: String) -> String {
    match lines.trim_end() {
        "" => String::new(),
        lines => format!("{title}\n{lines}\n"),
    }
}

fn head(page: &TaskPage) -> String {
    let (task, document) = (&page.task, &page.document);
    let mut rows = vec![
        row("request", &one_line(&task.request, 2000)),
        row(
            "asked by",
            &format!("{}, {}", safe(&task.principal.name), moment(task.accepted)),
        ),
        row("agent", &format!("{} · {}", task.agent, way(task))),
        row("because", &one_line(&task.routed_because, 400)),
    ];
    if let Some(parent) = &task.parent {
        let part = format!("`{}` of {}", parent.part, parent.short_id);
        rows.push(row("part", &part));
    }
    if let Some(workspace) = &task.workspace {
        rows.push(row("workspace", &safe(&workspace.to_string_lossy())));
    }
    for (at, file) in task.attachments.iter().enumerate() {
        let name = if at == 0 { "attached" } else { "" };
        rows.push(row(name, &proposal::file(file)));
    }
    if let Some(host) = &task.host {
        rows.push(row("host", &safe(host)));
    }
    if let Some(waits) = &document.waits {
        rows.push(row("waits", &one_line(waits, 400)));
    }
    if let Some(budget) = task.budget {
        rows.push(row("budget", &budget.to_string()));
    }
    if let Some(trace) = &document.trace_id {
        rows.push(row("trace", &safe(trace)));
    }
    if let Some(due) = document.due {
        let until = until(due, Timestamp::now());
        match &document.wait {
            None => rows.push(row("begins", &until)),
            Some(wait) => {
                let tries = format!("tries again {until}, {} of {}", wait.number, wait.most);
                let next = format!("sooner: ai-infra task resume {}", document.short_id);
                let why = one_line(&wait.why, 300);
                rows.push(row("waits for", &format!("{why}; {tries}; {next}")));
            }
        }
    }
    if let Some(old) = task.retry_of {
        rows.push(row("again", &format!("does {old} again")));
    }
    if let (Some(question), true) = (&document.question, document.questions.is_empty()) {
        rows.push(row("question", &one_line(question, 2000)));
    }
    format!(
        "{}  {}\n{}",
        document.short_id,
        summary(document, worked(&document.phases)),
        columns(&rows)
    )
}

fn questions(document: &RunDocument) -> String {
    document.questions.iter().map(question::text).collect()
}

/// What people said while it was open, and whether it was heard.
fn said(document: &RunDocument) -> String {
    let rows: Vec<Vec<String>> = document
        .words
        .iter()
        .map(|word| {
            let (what, fate) = match (&word.said, word.heard) {
                (Spoken::Budget(limit), _) => (format!("may cost {limit}"), String::new()),
                (Spoken::Words(text), Some(at)) => {
                    (one_line(text, 400), format!("; heard {}", moment(at)))
                }
                (Spoken::Words(text), None) if document.state.is_final() => (
                    one_line(text, 400),
                    "; never heard: it ended before".to_owned(),
                ),
                (Spoken::Words(text), None) => (one_line(text, 400), "; not heard yet".to_owned()),
            };
            let who = format!("{}, {}{fate}", safe(&word.by.name), moment(word.at));
            vec![format!("  {}", word.number), format!("{what} ({who})")]
        })
        .collect();
    columns(&rows)
}

fn row(name: &str, value: &str) -> Vec<String> {
    vec![format!("  {name}"), value.to_owned()]
}

fn way(task: &Task) -> String {
    match &task.way {
        Way::Playbook { name, params, .. } if params.is_empty() => {
            format!("playbook {}", safe(name))
        }
        Way::Playbook { name, params, .. } => {
            let params = serde_json::to_string(params).unwrap_or_default();
            format!("playbook {} {}", safe(name), one_line(&params, 300))
        }
        Way::Anthropic => "Claude".to_owned(),
        Way::Plan { plan } => format!("plan {}", safe(&plan.name)),
        Way::Scripted { .. } => "scripted replies".to_owned(),
    }
}

/// UTC, to the second.
fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

fn criteria(document: &RunDocument) -> String {
    let mut text = String::new();
    for criterion in &document.criteria {
        let mark = match (criterion.passed, &criterion.evidence) {
            (Some(true), _) => "✓",
            (Some(false), _) => "✗",
            (None, Some(_)) => "?",
            (None, None) => "·",
        };
        let line = one_line(&criterion.text, 400);
        text.push_str(&format!("  {mark} {}  {line}\n", safe(&criterion.id)));
        if let Some(evidence) = criterion
            .evidence
            .as_deref()
            .filter(|e| !e.trim().is_empty())
        {
            text.push_str(&indent(&cut(evidence), "        "));
            text.push('\n');
        }
    }
    text
}

/// The first lines of evidence; `--json` has all of them.
fn cut(evidence: &str) -> String {
    let lines: Vec<&str> = evidence.trim_end().lines().collect();
    if lines.len() <= EVIDENCE_LINES {
        return lines.join("\n");
    }
    let shown = lines.get(..EVIDENCE_LINES - 1).unwrap_or_default();
    let more = lines.len() - shown.len();
    format!("{}\n… {more} more lines (all: --json)", shown.join("\n"))
}

fn phases(document: &RunDocument) -> String {
    let rows: Vec<Vec<String>> = document
        .phases
        .iter()
        .map(|span| {
            let took = match span.ended {
                Some(ended) => {
                    time(Duration::try_from(ended.duration_since(span.started)).unwrap_or_default())
                }
                None if document.state.is_final() => "cut off".to_owned(),
                None => "…".to_owned(),
            };
            vec![format!("  {}", span.phase), took]
        })
        .collect();
    columns(&rows)
}

fn calls(page: &TaskPage) -> String {
    let rows: Vec<Vec<String>> = page
        .calls
        .iter()
        .map(|call| {
            let mark = if call.is_error { "✗" } else { "✓" };
            vec![
                format!("  {mark} {}", call.phase),
                safe(&call.tool),
                time(Duration::from_millis(call.took_ms)),
                one_line(&call.summary, 120),
            ]
        })
        .collect();
    columns(&rows)
}

fn recalled(page: &TaskPage) -> String {
    let rows: Vec<Vec<String>> = page
        .recalled
        .iter()
        .map(|memory| {
            vec![
                format!("  {}", safe(&memory.id)),
                format!("{:.1}", memory.score),
                one_line(&memory.title, 120),
            ]
        })
        .collect();
    columns(&rows)
}

fn ratings(document: &RunDocument) -> String {
    let rows: Vec<Vec<String>> = document
        .ratings
        .iter()
        .map(|rating| {
            vec![
                format!("  {} of {BEST}", rating.number),
                safe(&rating.by.name),
                moment(rating.at),
                one_line(rating.remark.as_deref().unwrap_or_default(), 400),
            ]
        })
        .collect();
    columns(&rows)
}

fn list(lines: &[String]) -> String {
    let lines: Vec<String> = lines.iter().map(|line| indent(line, "  ")).collect();
    lines.join("\n")
}

fn attempts(page: &TaskPage) -> String {
    let rows: Vec<Vec<String>> = page
        .attempts
        .iter()
        .map(|attempt| {
            let resumed = match attempt.replayed {
                0 => String::new(),
                steps => format!("{} from the journal", count(steps, "step", "steps")),
            };
            vec![
                format!("  {}", attempt.number),
                safe(&attempt.holder),
                moment(attempt.started),
                resumed,
            ]
        })
        .collect();
    columns(&rows)
}

fn artifacts(document: &RunDocument) -> String {
    let rows: Vec<Vec<String>> = document
        .artifacts
        .iter()
        .map(|artifact| {
            vec![
                format!("  {}", safe(&artifact.kind)),
                size(artifact.bytes),
                safe(&artifact.path),
            ]
        })
        .collect();
    columns(&rows)
}

fn cost(document: &RunDocument) -> String {
    let usage = &document.usage;
    let saved = match usage.cache_saved_usd > 0.0 {
        true => format!(", which saved {}", money(usage.cache_saved_usd)),
        false => String::new(),
    };
    format!(
        "  {} · {} · {} tokens in, {} from the cache{saved}, {} out",
        money(usage.cost_usd),
        count(usage.requests, "model call", "model calls"),
        usage.input_tokens,
        usage.cache_read_tokens,
        usage.output_tokens
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use serde_json::json;

    fn page() -> TaskPage {
        let id = "01890000-0000-7000-8000-000000000000";
        serde_json::from_value(json!({
            "task": {
                "id": id, "short_id": "t7", "request_id": "r1", "principal": {"uid": 0, "name": "root"},
                "request": "run the tests\nof this repository \u{1b}]0;x\u{7}", "agent": "code",
                "routed_because": "its words match the playbook test-report",
                "way": {"engine": "playbook", "name": "test-report", "params": {}},
                "workspace": "/srv/shop", "effort": "standard", "budget": 1_500_000, "priority": 5,
                "deadline": null, "accepted": "2026-11-20T10:00:00.5Z",
            },
            "document": {
                "version": 1, "task_id": id, "short_id": "t7", "state": "done", "agent": "code", "children": [],
                "phases": [
                    {"phase": "observe", "started": "2026-11-20T10:00:00Z", "ended": "2026-11-20T10:00:00.04Z"},
                    {"phase": "verify", "started": "2026-11-20T10:00:01Z", "ended": "2026-11-20T10:00:03Z"},
                ],
                "criteria": [
                    {"id": "c1", "text": "the suite ran", "check": {"file": {"path": "x"}}, "passed": true, "evidence": "exit 0\n12 passed"},
                    {"id": "c2", "text": "nobody knows", "check": {"file": {"path": "x"}}, "passed": null, "evidence": "no answer"},
                ],
                "result": "12 tests passed.", "question": null,
                "artifacts": [{"kind": "patch", "path": "/h/tasks/t7/patch.diff", "bytes": 1234}],
                "usage": {"requests": 0, "input_tokens": 0, "output_tokens": 0, "cache_read_tokens": 0, "cost_usd": 0.0},
                "attempts": 2,
            },
            "attempts": [
                {"number": 1, "holder": "code@h", "epoch": 1, "started": "2026-11-20T10:00:00Z", "replayed": 0},
                {"number": 2, "holder": "code@h", "epoch": 2, "started": "2026-11-20T10:00:02Z", "replayed": 3},
            ],
            "calls": [{"phase": "execute", "tool": "Tests", "summary": "12 passed", "took_ms": 1400, "is_error": false}],
            "recalled": [{"id": "m1", "title": "tests need a port", "score": 2.5}],
            "learned": [], "notes": [],
        }))
        .unwrap()
    }

    #[test]
    fn long_evidence_is_cut_and_says_so() {
        assert_eq!(cut("a\nb\n"), "a\nb");
        let long: Vec<String> = (1..=9).map(|n| n.to_string()).collect();
        assert_eq!(
            cut(&long.join("\n")),
            "1\n2\n3\n4\n5\n… 4 more lines (all: --json)"
        );
    }

    #[test]
    fn it_reads_like_a_good_pull_request() {
        let expected = "\
t7  done in 3.0 s · 1 of 2 criteria proven · 0 model calls · $0.00
  request    run the tests of this repository \\u{1b}]0;x\\u{7}
  asked by   root, 2026-11-20 10:00:00 UTC
  agent      code · playbook test-report
  because    its words match the playbook test-report
  workspace  /srv/shop
  budget     $1.50

report
  12 tests passed.

criteria  1 of 2 criteria proven
  ✓ c1  the suite ran
        exit 0
        12 passed
  ? c2  nobody knows
        no answer

phases
  OBSERVE  40 ms
  VERIFY   2.0 s

calls
  ✓ EXECUTE  Tests  1.4 s  12 passed

recalled
  m1  2.5  tests need a port

attempts
  1  code@h  2026-11-20 10:00:00 UTC
  2  code@h  2026-11-20 10:00:02 UTC  3 steps from the journal

artifacts
  patch  1.2 kB  /h/tasks/t7/patch.diff

cost
  $0.00 · 0 model calls · 0 tokens in, 0 from the cache, 0 out
";
        assert_eq!(text(&page(), Sheet::Pipe), expected);
    }
}
