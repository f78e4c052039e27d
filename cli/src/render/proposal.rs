//! What would be done with a request, before it is done: the plan a person reads, and what is asked
//! where something is open.

use super::paint::Paint;
use super::plan;
use super::text::{money, one_line, safe, size};
use super::wrap::{Piece, Style, wrap};
use protocol::attachment::Attachment;
use protocol::proposal::{Candidate, Ready, Wanted};
use protocol::task::Way;
use serde_json::Value;

/// Who speaks.
pub const SUP: &str = "sup › ";
/// Below it.
const BELOW: &str = "      ";

/// `sup › ` and words, wrapped below it.
pub fn sup(words: &str, width: usize, paint: Paint) -> String {
    let text = hang(SUP, words, width, paint);
    match text.strip_prefix(SUP) {
        Some(rest) => format!("{}{rest}", paint.bold(SUP)),
        None => text,
    }
}

fn below(words: &str, width: usize, paint: Paint) -> String {
    hang(BELOW, words, width, paint)
}

/// Words wrapped behind a first prefix, the other lines indented as far.
fn hang(prefix: &str, words: &str, width: usize, paint: Paint) -> String {
    let indent = " ".repeat(prefix.chars().count());
    let room = width.saturating_sub(indent.len()).max(20);
    let pieces = [Piece::Text(safe(words), Style::default())];
    let lines = wrap(&pieces, room, paint);
    let lines = lines.iter().enumerate().map(|(at, line)| match at {
        0 => format!("{prefix}{line}\n"),
        _ => format!("{indent}{line}\n"),
    });
    lines.collect()
}

/// The plan of a request that would be accepted.
pub fn ready(ready: &Ready, width: usize, paint: Paint) -> String {
    let mut head = vec![match &ready.way {
        Way::Playbook { name, .. } => format!("{} does this by the playbook {name}", ready.agent),
        Way::Anthropic => format!("{} does this with Claude", ready.agent),
        Way::Scripted { .. } => format!("{} does this by a script of replies", ready.agent),
        Way::Plan { plan } => format!("a plan of {} parts", plan.tasks.len()),
    }];
    head.extend(ready.level.map(|level| format!("level {level}")));
    if let Some(folder) = &ready.workspace {
        head.push(format!("in a clone of {}", folder.display()));
    }
    head.extend(ready.host.as_ref().map(|host| format!("on {host}")));
    if ready.budget_usd > 0.0 {
        head.push(format!("at most {}", money(ready.budget_usd)));
    }
    let mut text = sup(&head.join(" · "), width, paint);
    let because = below(
        &format!("because {}", because(&ready.because)),
        width,
        paint,
    );
    text.push_str(&paint.dim(because.trim_end()));
    text.push('\n');
    if let Way::Playbook { params, .. } = &ready.way {
        let given = params.iter().filter(|(_, value)| !value.is_null());
        let given: Vec<String> = given
            .map(|(name, v)| format!("{name} = {}", value(v)))
            .collect();
        if !given.is_empty() {
            text.push_str(&below(&format!("with {}", given.join(", ")), width, paint));
        }
    }
    if !ready.attachments.is_empty() {
        let files: Vec<String> = ready.attachments.iter().map(file).collect();
        let words = format!("attached, read-only: {}", files.join(", "));
        text.push_str(&below(&words, width, paint));
    }
    if let Some(parts) = &ready.plan {
        for line in plan::before(parts).lines() {
            text.push_str(&format!(
                "{BELOW}{}\n",
                one_line_kept(line, width.saturating_sub(6))
            ));
        }
    }
    for (at, criterion) in ready.criteria.iter().enumerate() {
        let mark = format!("{BELOW}C{} ", at + 1);
        text.push_str(&hang(&mark, &one_line(criterion, 400), width, paint));
    }
    if ready.criteria.is_empty() && ready.plan.is_none() {
        text.push_str(&below(
            "it writes its criteria itself, in BUILD; they are shown then",
            width,
            paint,
        ));
    }
    text
}

/// An attached file: its name, what it is, its size.
pub fn file(file: &Attachment) -> String {
    let (name, kind) = (one_line(&file.name, 80), one_line(&file.kind, 40));
    format!("{name} ({kind}, {})", size(file.bytes))
}

/// Cut to the width, blanks kept.
fn one_line_kept(line: &str, most: usize) -> String {
    match line.chars().count() > most {
        true => format!(
            "{}…",
            line.chars()
                .take(most.saturating_sub(1))
                .collect::<String>()
        ),
        false => line.to_owned(),
    }
}

fn because(text: &str) -> String {
    one_line(text, 300)
}

fn value(value: &Value) -> String {
    match value {
        Value::String(text) => one_line(text, 80),
        other => other.to_string(),
    }
}

/// What is asked of a person for a parameter.
pub fn wanted(playbook: &str, wanted: &Wanted, width: usize, paint: Paint) -> String {
    let about = match wanted.about.trim() {
        "" => String::new(),
        about => format!(" ({about})"),
    };
    let mut text = sup(
        &format!(
            "{playbook} needs `{}`{about}: {}?",
            wanted.name, wanted.kind
        ),
        width,
        paint,
    );
    for (at, choice) in wanted.choices.iter().enumerate() {
        text.push_str(&format!(
            "{BELOW}{} {}\n",
            paint.code(&(at + 1).to_string()),
            safe(choice)
        ));
    }
    text
}

/// Playbooks that may have been meant, numbered.
pub fn candidates(candidates: &[Candidate], width: usize, paint: Paint) -> String {
    let mut text = String::new();
    for (at, it) in candidates.iter().enumerate() {
        let number = (at + 1).to_string();
        let line = format!(
            "{} ({}): {}",
            it.playbook,
            it.agent,
            one_line(&it.about, 200)
        );
        let hung = hang(&format!("{BELOW}{number} "), &line, width, paint);
        text.push_str(&hung);
        let example = one_line(
            &format!("\"{}\"", it.example),
            width.saturating_sub(8).max(20),
        );
        text.push_str(&format!("{BELOW}  {}\n", paint.dim(&example)));
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    #[test]
    fn the_plan_is_read_before_it_runs() {
        let it: Ready = serde_json::from_value(json!({
            "agent": "data", "way": {"engine": "playbook", "name": "profile-data", "params": {"file": "orders.csv", "sheet": null}},
            "because": "matches \"profile {file}\"", "level": 0, "workspace": "/srv/shop", "host": null,
            "criteria": ["a fresh reading finds the same tables with the same number of rows"],
            "budget_usd": 0.0, "confirm": null, "plan": null,
        }))
        .unwrap();
        assert_eq!(
            ready(&it, 60, Paint(false)),
            "\
sup › data does this by the playbook profile-data · level 0
      · in a clone of /srv/shop
      because matches \"profile {file}\"
      with file = orders.csv
      C1 a fresh reading finds the same tables with the same
         number of rows
"
        );
    }

    #[test]
    fn what_is_open_is_asked_with_numbers() {
        let one = Wanted {
            name: "days".to_owned(),
            kind: "a whole number from 1 to 90".to_owned(),
            about: "how old".to_owned(),
            choices: Vec::new(),
        };
        assert_eq!(
            wanted("rotate-logs", &one, 80, Paint(false)),
            "sup › rotate-logs needs `days` (how old): a whole number from 1 to 90?\n"
        );
        let it = Candidate {
            playbook: "run-tests".to_owned(),
            agent: "qa".parse().unwrap(),
            about: "Runs them.".to_owned(),
            example: "run the tests".to_owned(),
            params: serde_json::Map::new(),
            beside: Vec::new(),
        };
        assert_eq!(
            candidates(&[it], 80, Paint(false)),
            "      1 run-tests (qa): Runs them.\n        \"run the tests\"\n"
        );
    }
}
