//! Dead letters, for people: nothing they hold may drive a terminal.

use super::list::ago;
use super::text::{clock, columns, indent, one_line, safe, size};
use jiff::Timestamp;
use protocol::document::{DeadLetterLine, DeadLetterPage};

/// Most characters of a body that are shown; `--json` has all that is kept.
const SHOWN: usize = 4_000;

/// `dead list`, as of `now`.
pub fn list(letters: &[DeadLetterLine], now: Timestamp) -> String {
    if letters.is_empty() {
        return "no dead letters\n".to_owned();
    }
    let rows: Vec<Vec<String>> = letters
        .iter()
        .map(|letter| {
            vec![
                safe(&letter.id),
                ago(letter.at, now),
                size(letter.bytes),
                letter.task.map_or("-".to_owned(), |task| task.to_string()),
                one_line(&letter.reason, 100),
            ]
        })
        .collect();
    format!(
        "{}look at one: ai-infra dead show ID   hand it in again: ai-infra dead replay ID\n",
        columns(&rows)
    )
}

/// `dead show`.
pub fn page(letter: &DeadLetterPage) -> String {
    let line = &letter.line;
    let row = |name: &str, value: String| vec![format!("  {name}"), value];
    let mut rows = vec![
        row("reason", one_line(&line.reason, 1000)),
        row("taken out", clock(line.at)),
        row("stream", one_line(&letter.stream, 200)),
        row("size", size(line.bytes)),
    ];
    if let Some(task) = line.task {
        rows.push(row("task", task.to_string()));
    }
    rows.push(row("replay", one_line(&letter.replay, 400)));
    let body: String = letter.body.chars().take(SHOWN).collect();
    let more = match (letter.cut, body.len() < letter.body.len()) {
        (true, _) => "  … (only its beginning was kept)\n",
        (false, true) => "  … (all that is kept: --json)\n",
        (false, false) => "",
    };
    format!(
        "{}\n{}\nheld\n{}\n{more}",
        safe(&line.id),
        columns(&rows),
        indent(&body, "  ")
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    #[test]
    fn what_it_held_cannot_drive_a_terminal() {
        let letter: DeadLetterPage = serde_json::from_value(json!({
            "id": "code/1-0", "role": "code", "reason": "message is not UTF-8\u{1b}[2J",
            "at": "2026-11-20T10:00:00Z", "bytes": 70000, "task": null,
            "stream": "{main}:q:code:any:normal", "body": "a\u{1b}]0;x\u{7}b", "cut": true,
            "replay": "refused: of its 70000 bytes only the first 1024 are kept",
        }))
        .unwrap();
        let shown = page(&letter);
        assert!(
            !shown.contains('\u{1b}') && !shown.contains('\u{7}'),
            "{shown}"
        );
        assert!(shown.contains("only its beginning was kept"), "{shown}");
        let now = "2026-11-20T10:05:30Z".parse().unwrap();
        let lines = list(&[letter.line], now);
        assert!(
            lines.starts_with("code/1-0  5 min ago  70.0 kB  -  message is not UTF-8\\u{1b}[2J\n"),
            "{lines}"
        );
        assert_eq!(list(&[], now), "no dead letters\n");
    }
}
