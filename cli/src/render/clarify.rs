//! A question back about a request: what is asked, what may be typed, and the commands that answer
//! it where nobody can type.

use super::text::{columns, one_line, safe};
use protocol::proposal::{Candidate, Proposal, Wanted};
use serde_json::{Map, Value};
use supervisor::tmux::session::shell_word as word;

/// The playbooks that may be meant, as numbered rows.
pub fn candidates(candidates: &[Candidate]) -> String {
    let row = |(number, choice): (usize, &Candidate)| {
        let beside = match choice.beside.is_empty() {
            true => String::new(),
            false => format!("knows nothing of \"{}\"", choice.beside.join(" ")),
        };
        vec![
            format!("  {number}"),
            safe(&choice.playbook),
            one_line(&choice.about, 70),
            one_line(&beside, 60),
        ]
    };
    let rows: Vec<Vec<String>> = (1..).zip(candidates).map(row).collect();
    columns(&rows)
}

/// What a person reads before the place where they type a parameter.
pub fn prompt(wanted: &Wanted) -> String {
    let mut about: Vec<String> = Vec::new();
    let said = wanted.about.trim_end_matches('.');
    about.extend((!said.is_empty()).then(|| said.to_owned()));
    about.extend((!wanted.kind.is_empty()).then(|| wanted.kind.clone()));
    match about.as_slice() {
        [] => format!("{}: ", safe(&wanted.name)),
        about => {
            let about = one_line(&about.join(": "), 200);
            format!("{} ({about}): ", safe(&wanted.name))
        }
    }
}

/// The commands that answer a question, `tail` (such as the workspace) at their ends.
pub fn commands(proposal: &Proposal, tail: &str) -> Vec<String> {
    match proposal {
        Proposal::Several { candidates } => {
            let of = |choice: &Candidate| command(&choice.playbook, &choice.params, &[], tail);
            candidates.iter().map(of).collect()
        }
        Proposal::Missing {
            playbook,
            params,
            wanted,
            ..
        } => vec![command(playbook, params, wanted, tail)],
        Proposal::Ready(_) | Proposal::Talk(_) | Proposal::NoWay { .. } => Vec::new(),
    }
}

fn command(name: &str, known: &Map<String, Value>, missing: &[Wanted], tail: &str) -> String {
    let mut words = vec![format!("ai-infra run --playbook {}", word(name))];
    for (key, value) in known.iter().filter(|(_, value)| !value.is_null()) {
        let value = match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        words.push(format!("--param {}", word(&format!("{key}={value}"))));
    }
    words.extend(missing.iter().map(|w| format!("--param {}=…", w.name)));
    words.extend((!tail.is_empty()).then(|| tail.to_owned()));
    one_line(&words.join(" "), 400)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use serde_json::json;

    fn wanted(name: &str, about: &str, kind: &str) -> Wanted {
        Wanted {
            name: name.to_owned(),
            kind: kind.to_owned(),
            about: about.to_owned(),
            choices: Vec::new(),
        }
    }

    #[test]
    fn commands_can_be_pasted() {
        let known = json!({"n": 3, "file": "my data.csv", "x": null});
        let asks = Proposal::Missing {
            playbook: "profile-data".to_owned(),
            agent: "data".parse().unwrap(),
            params: known.as_object().unwrap().clone(),
            wanted: vec![wanted("table", "", "")],
        };
        let [command] = commands(&asks, "--workspace /srv").try_into().unwrap();
        let words: [&str; 4] = [
            "ai-infra run --playbook profile-data",
            " --param 'file=my data.csv'",
            " --param n=3",
            " --param table=… --workspace /srv",
        ];
        assert!(words.iter().all(|word| command.contains(word)), "{command}");
        assert!(!command.contains("x="));
    }

    #[test]
    fn prompts_say_what_is_meant() {
        for (wanted, expected) in [
            (wanted("file", "A CSV file.", ""), "file (A CSV file): "),
            (wanted("how", "", "one of a, b"), "how (one of a, b): "),
            (wanted("x", "", ""), "x: "),
            (wanted("x", "odd\x1b", "a text"), "x (odd\\u{1b}: a text): "),
        ] {
            assert_eq!(prompt(&wanted), expected);
        }
    }

    #[test]
    fn candidates_are_numbered_and_say_what_they_leave_out() {
        let choice = |name: &str, beside: &[&str]| Candidate {
            playbook: name.to_owned(),
            agent: "code".parse().unwrap(),
            about: "Does it.".to_owned(),
            example: String::new(),
            params: Map::new(),
            beside: beside.iter().map(|b| (*b).to_owned()).collect(),
        };
        let text = candidates(&[choice("run-tests", &["docker"]), choice("look-over", &[])]);
        assert_eq!(
            text,
            "  1  run-tests  Does it.  knows nothing of \"docker\"\n  2  look-over  Does it.\n"
        );
    }
}
