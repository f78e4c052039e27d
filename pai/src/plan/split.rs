//! A request in words for several agents, as a plan; by rules alone. It is split at clear
//! connectors, and only when every part is a playbook's by itself; else it stays one request.

use crate::playbook::library::{Library, Route};
use protocol::plan::{OnFailure, PLAN_VERSION, Part, Plan};

/// Most parts a request is split into; more is no sentence a person says.
const MOST: usize = 8;
/// Words that make one part hang on another in a way no rule here understands.
const CONDITIONS: [&str; 19] = [
    "if",
    "unless",
    "when",
    "whenever",
    "until",
    "while",
    "without",
    "except",
    "instead",
    "or",
    "before",
    "after",
    "because",
    "only",
    "but",
    "not",
    "otherwise",
    "else",
    "where",
];

/// What stands between two parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Link {
    /// Both may run at the same time.
    And,
    /// The second comes after what stands before it.
    Then,
}

/// The plan of a request that names several playbooks; `None` where it does not, or not surely.
/// With `exact` a part must match an intent as a whole.
pub fn split(library: &Library, request: &str, exact: bool) -> Option<Plan> {
    let pieces = pieces(request);
    if !(2..=MOST).contains(&pieces.len()) {
        return None;
    }
    let mut tasks: Vec<Part> = Vec::new();
    let mut stage: Vec<String> = Vec::new();
    let mut before: Vec<String> = Vec::new();
    for (link, words) in &pieces {
        let Route::Sure {
            name,
            params,
            exact: whole,
            ..
        } = library.route(words)
        else {
            return None;
        };
        // The same job twice is one thing said in two ways, or something not understood.
        let twice = tasks
            .iter()
            .any(|part| part.playbook.as_ref() == Some(&name) && part.params == params);
        if (exact && !whole) || twice {
            return None;
        }
        if *link == Link::Then {
            before = std::mem::take(&mut stage);
        }
        let id = id(&name, &tasks);
        stage.push(id.clone());
        tasks.push(Part {
            id,
            ask: None,
            playbook: Some(name),
            params,
            agent: None,
            after: before.clone(),
            on_failure: OnFailure::Skip,
            retries: None,
        });
    }
    Some(Plan {
        plan: PLAN_VERSION,
        name: "request".to_owned(),
        tasks,
        gather: None,
    })
}

/// The playbook's name as a part's; numbered where it is there already.
fn id(name: &str, tasks: &[Part]) -> String {
    let plain: String = name.replace('-', "_").chars().take(44).collect();
    let taken = |id: &str| tasks.iter().any(|part| part.id == id);
    if !taken(&plain) {
        return plain;
    }
    (2..)
        .map(|number| format!("{plain}_{number}"))
        .find(|id| !taken(id))
        .unwrap_or(plain)
}

/// The pieces of a request, each with what links it to those before. One piece where a word of
/// condition or a quote says that it cannot be cut.
fn pieces(request: &str) -> Vec<(Link, String)> {
    let quoted = request.contains(['"', '`', '“', '”']);
    let words: Vec<&str> = request.split_whitespace().collect();
    let lower: Vec<String> = words
        .iter()
        .map(|word| {
            word.trim_matches(|c: char| !c.is_alphanumeric())
                .to_lowercase()
        })
        .collect();
    let mut pieces: Vec<(Link, Vec<&str>)> = vec![(Link::And, Vec::new())];
    let mut at = 0;
    while let Some(word) = words.get(at) {
        let (link, long) = connector(&lower[at..]);
        if let Some(link) = link {
            cut(&mut pieces, link);
            at += long;
            continue;
        }
        at += 1;
        let bare = word.trim_end_matches([',', ';']);
        if let Some((_, piece)) = pieces.last_mut()
            && !bare.is_empty()
        {
            piece.push(bare);
        }
        if bare.len() < word.len() {
            cut(&mut pieces, Link::And);
        }
    }
    pieces.retain(|(_, words)| !words.is_empty());
    let conditional = lower
        .iter()
        .zip(0..)
        .any(|(word, at)| CONDITIONS.contains(&word.as_str()) && !is_after_that(&lower, at));
    if quoted || conditional {
        return vec![(Link::And, request.to_owned())];
    }
    pieces
        .into_iter()
        .map(|(link, words)| (link, words.join(" ")))
        .collect()
}

fn is_after_that(lower: &[String], at: usize) -> bool {
    lower.get(at).is_some_and(|word| word == "after")
        && lower
            .get(at + 1)
            .is_some_and(|word| matches!(word.as_str(), "that" | "this"))
}

/// The connector at the start of the words, and how many words it has.
fn connector(lower: &[String]) -> (Option<Link>, usize) {
    let starts = |words: &[&str]| {
        lower.len() >= words.len() && lower.iter().zip(words).all(|(word, known)| word == known)
    };
    let known: [(&[&str], Link); 14] = [
        (&["and", "after", "that"], Link::Then),
        (&["and", "then"], Link::Then),
        (&["and", "afterwards"], Link::Then),
        (&["and", "finally"], Link::Then),
        (&["and", "also"], Link::And),
        (&["after", "that"], Link::Then),
        (&["after", "this"], Link::Then),
        (&["as", "well", "as"], Link::And),
        (&["then"], Link::Then),
        (&["afterwards"], Link::Then),
        (&["finally"], Link::Then),
        (&["and"], Link::And),
        (&["also"], Link::And),
        (&["plus"], Link::And),
    ];
    known
        .iter()
        .find(|(words, _)| starts(words))
        .map_or((None, 0), |(words, link)| (Some(*link), words.len()))
}

/// Ends the piece in hand. Two connectors in a row are one; "then" is the stronger.
fn cut(pieces: &mut Vec<(Link, Vec<&str>)>, link: Link) {
    match pieces.last_mut() {
        Some((kept, words)) if words.is_empty() => {
            if link == Link::Then {
                *kept = Link::Then;
            }
        }
        _ => pieces.push((link, Vec::new())),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use crate::playbook::Playbook;

    fn library() -> Library {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../config/playbooks");
        let read = |entry: std::io::Result<std::fs::DirEntry>| {
            let yaml = std::fs::read_to_string(entry.unwrap().path()).unwrap();
            Playbook::parse(&yaml).unwrap()
        };
        Library::new(std::fs::read_dir(folder).unwrap().map(read).collect())
    }

    /// `id<before,before id …`, or nothing.
    fn made(request: &str, exact: bool) -> String {
        let Some(plan) = split(&library(), request, exact) else {
            return String::new();
        };
        crate::plan::grammar::check(&plan).unwrap();
        let parts: Vec<String> = plan
            .tasks
            .iter()
            .map(|part| match part.after.as_slice() {
                [] => part.id.clone(),
                after => format!("{}<{}", part.id, after.join(",")),
            })
            .collect();
        parts.join(" ")
    }

    #[test]
    fn requests_are_split_where_every_part_is_sure() {
        for (request, expected) in [
            (
                "run the tests, then look for leaked secrets and show the host health",
                "run_tests leaked_secrets<run_tests host_health<run_tests",
            ),
            (
                "run the tests and look for leaked secrets",
                "run_tests leaked_secrets",
            ),
            (
                "run the tests; look for leaked secrets",
                "run_tests leaked_secrets",
            ),
            (
                "Run the tests, and then scan the code for secrets.",
                "run_tests leaked_secrets<run_tests",
            ),
            (
                "run the tests. After that, look for secrets",
                "run_tests leaked_secrets<run_tests",
            ),
            ("run the tests", ""),
            ("run the tests and tell me what fails", ""),
            ("run the tests and fix what fails", ""),
            ("run the tests and run the tests again", ""),
            ("if the tests pass, look for leaked secrets", ""),
            ("run the tests but not look for leaked secrets", ""),
            ("run the tests and do not look for leaked secrets", ""),
            ("run the tests or look for leaked secrets", ""),
            ("look for leaked secrets after you run the tests", ""),
            (
                "run the tests and look for leaked secrets and write a poem",
                "",
            ),
            ("say \"run the tests and look for leaked secrets\"", ""),
            ("and, then; and", ""),
            ("", ""),
        ] {
            assert_eq!(made(request, false), expected, "{request}");
        }
    }

    #[test]
    fn where_a_model_is_at_hand_every_part_must_be_exact() {
        assert_ne!(made("run the tests and look for leaked secrets", true), "");
        let near = "run unit tests colourfully and look for leaked secrets";
        assert_ne!(made(near, false), "", "sure by its words");
        assert_eq!(made(near, true), "");
    }
}
