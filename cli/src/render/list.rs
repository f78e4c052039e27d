//! Lists: tasks, memories.

use super::text::{columns, indent, one_line, safe, size, time as text_time};
use jiff::Timestamp;
use protocol::document::TaskLine;
use protocol::memory::{FoundMemory, MemoryStats};
use protocol::task_state::{TaskState, WaitReason};
use protocol::workspace::Workspace;
use std::time::Duration;

/// `task list`, as of `now`.
pub fn tasks(tasks: &[TaskLine], now: Timestamp) -> String {
    if tasks.is_empty() {
        return "no tasks yet; give it one: ai-infra run \"…\"\n".to_owned();
    }
    let rows: Vec<Vec<String>> = families(tasks)
        .into_iter()
        .map(|(task, indent)| {
            vec![
                format!("{indent}{}", task.short_id),
                state(task, now),
                task.agent.to_string(),
                ago(task.accepted, now),
                task.cost.to_string(),
                one_line(&task.request, 70),
            ]
        })
        .collect();
    columns(&rows)
}

/// Tasks in their order, the parts of a plan right below it, oldest first.
fn families(tasks: &[TaskLine]) -> Vec<(&TaskLine, &'static str)> {
    let mut lines = Vec::with_capacity(tasks.len());
    for task in tasks {
        let listed = |id| tasks.iter().any(|other| Some(other.short_id) == id);
        if task.parent.is_some() && listed(task.parent) {
            continue;
        }
        lines.push((task, ""));
        let mut parts: Vec<&TaskLine> = tasks
            .iter()
            .filter(|part| part.parent == Some(task.short_id))
            .collect();
        parts.sort_by_key(|part| part.short_id);
        lines.extend(parts.into_iter().map(|part| (part, "  ")));
    }
    lines
}

fn state(task: &TaskLine, now: Timestamp) -> String {
    match (&task.state, task.due) {
        (TaskState::Running { phase }, _) => format!("running {phase}"),
        (TaskState::Waiting { .. }, Some(due)) => {
            let left = Duration::try_from(due.duration_since(now)).unwrap_or_default();
            format!("waits {}", text_time(Duration::from_secs(left.as_secs())))
        }
        (
            TaskState::Waiting {
                on: WaitReason::Children,
            },
            _,
        ) => "works".to_owned(),
        (
            TaskState::Waiting {
                on: WaitReason::Host,
            },
            _,
        ) => "waits host".to_owned(),
        (TaskState::Waiting { .. }, None) => "waits".to_owned(),
        (other, _) => other.name().as_str().to_owned(),
    }
}

/// `now`, `5 min ago`, `3 h ago`, `2 d ago`.
pub fn ago(then: Timestamp, now: Timestamp) -> String {
    let seconds = now.duration_since(then).as_secs().max(0);
    match seconds {
        0..60 => "now".to_owned(),
        60..3600 => format!("{} min ago", seconds / 60),
        3600..86_400 => format!("{} h ago", seconds / 3600),
        _ => format!("{} d ago", seconds / 86_400),
    }
}

/// `workspace list`, as of `now`.
pub fn workspaces(workspaces: &[Workspace], now: Timestamp) -> String {
    if workspaces.is_empty() {
        return "no workspaces yet: a folder is put here by its first task, or by ai-infra workspace add DIR\n".to_owned();
    }
    let several = workspaces.windows(2).any(|two| two[0].host != two[1].host);
    let rows: Vec<Vec<String>> = workspaces
        .iter()
        .map(|one| {
            let last = match (one.last_task, one.last) {
                (Some(task), Some(at)) => format!("{task} {}", ago(at, now)),
                _ => "no task yet".to_owned(),
            };
            let place = match several {
                true => format!("{}:{}", one.host, one.path),
                false => one.path.clone(),
            };
            vec![
                safe(&one.name),
                one.kind
                    .as_deref()
                    .map_or_else(|| "elsewhere".to_owned(), safe),
                last,
                one_line(&place, 200),
            ]
        })
        .collect();
    columns(&rows)
}

/// `memory search`.
pub fn memories(memories: &[FoundMemory]) -> String {
    if memories.is_empty() {
        return "nothing found\n".to_owned();
    }
    let mut text = String::new();
    for memory in memories {
        let project = match &memory.project {
            Some(project) => format!(" · {}", safe(project)),
            None => String::new(),
        };
        text.push_str(&format!(
            "{}  {}\n  {}{project}\n",
            safe(&memory.id),
            one_line(&memory.title, 120),
            one_line(&memory.written, 40),
        ));
        let snippet = indent(memory.snippet.trim(), "  ");
        if !snippet.is_empty() {
            text.push_str(&format!("{snippet}\n"));
        }
    }
    text
}

/// `memory stats`.
pub fn memory_stats(stats: &MemoryStats) -> String {
    let mut rows = vec![vec![
        "memories".to_owned(),
        format!("{} ({})", stats.records, size(stats.bytes)),
    ]];
    for kind in &stats.kinds {
        rows.push(vec![
            format!("  {}", safe(&kind.kind)),
            format!("{} ({})", kind.records, size(kind.bytes)),
        ]);
    }
    if let (Some(oldest), Some(newest)) = (&stats.oldest, &stats.newest) {
        rows.push(vec!["oldest".to_owned(), one_line(oldest, 40)]);
        rows.push(vec!["newest".to_owned(), one_line(newest, 40)]);
    }
    let index = match stats.records.saturating_sub(stats.indexed) {
        0 => format!("holds them all ({})", size(stats.index_bytes)),
        behind => format!("{behind} of them follow with the next question"),
    };
    rows.push(vec!["index".to_owned(), index]);
    if stats.forgotten > 0 {
        let many = format!("{} can be taken back", stats.forgotten);
        rows.push(vec!["forgotten".to_owned(), many]);
    }
    let mut text = columns(&rows);
    for problem in &stats.problems {
        text.push_str(&format!("✗ {}\n", one_line(problem, 200)));
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use serde_json::json;

    #[test]
    fn tasks_line_up() {
        let line = |id: &str, state: serde_json::Value, request: &str| {
            let mut line = json!({
                "task_id": "01890000-0000-7000-8000-000000000000", "short_id": id, "agent": "code",
                "request": request, "accepted": "2026-11-20T10:00:00Z", "ended": null, "cost": 0,
            });
            for (key, value) in state.as_object().unwrap() {
                line[key] = value.clone();
            }
            serde_json::from_value::<TaskLine>(line).unwrap()
        };
        let list = [
            line(
                "t12",
                json!({"state": "running", "phase": "verify"}),
                "a\u{7}b",
            ),
            line("t1", json!({"state": "failed", "reason": "x"}), "look"),
        ];
        let now = "2026-11-20T10:05:30Z".parse().unwrap();
        assert_eq!(
            tasks(&list, now),
            "t12  running VERIFY  code  5 min ago  $0.00  a\\u{7}b\nt1   failed          code  5 min ago  $0.00  look\n"
        );
        assert!(tasks(&[], now).contains("ai-infra run"));
    }

    #[test]
    fn parts_stand_below_their_plan() {
        let line = |id: &str, parent: Option<&str>| {
            serde_json::from_value::<TaskLine>(json!({
                "task_id": "01890000-0000-7000-8000-000000000000", "short_id": id, "agent": "qa",
                "request": "look", "accepted": "2026-11-20T10:00:00Z", "ended": null, "cost": 0,
                "state": "queued", "parent": parent,
            }))
            .unwrap()
        };
        let list = [
            line("t5", None),
            line("t4", Some("t2")),
            line("t3", Some("t2")),
            line("t2", None),
            line("t1", Some("t0")),
        ];
        let shown: Vec<String> = families(&list)
            .iter()
            .map(|(task, indent)| format!("{indent}{}", task.short_id))
            .collect();
        assert_eq!(shown, ["t5", "t2", "  t3", "  t4", "t1"]);
    }

    #[test]
    fn memories_show_what_they_say() {
        let found = FoundMemory {
            id: "m1".to_owned(),
            title: "tests need a port".to_owned(),
            snippet: "set PORT\nfirst".to_owned(),
            project: None,
            score: 1.0,
            written: "2026-11-20T10:00:00Z".to_owned(),
        };
        assert_eq!(
            memories(&[found]),
            "m1  tests need a port\n  2026-11-20T10:00:00Z\n  set PORT\n  first\n"
        );
    }
}
