//! A request in words for several agents, as a plan; by rules alone. It is split at clear
//! connectors, and only when every part is a playbook's by itself; else it stays one request.

use crate::playbook::library::{Library, Route};
use crate::playbook::params::ParamType;
use crate::playbook::words;
use protocol::plan::{OnFailure, PLAN_VERSION, Part, Plan};
use serde_json::{Map, Value};

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
        let (name, params, whole) =
            sure(library, words).or_else(|| same_again(library, &tasks, words))?;
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

/// The parts of a request that no playbook does, where others of its parts are a playbook's;
/// empty where it has no parts, or none of them is known.
pub fn beyond(library: &Library, request: &str) -> Vec<String> {
    let pieces = pieces(request);
    let unknown: Vec<String> = pieces
        .iter()
        .filter(|(_, words)| sure(library, words).is_none())
        .map(|(_, words)| words.clone())
        .collect();
    match unknown.len() < pieces.len() && pieces.len() <= MOST {
        true => unknown,
        false => Vec::new(),
    }
}

/// The playbook that a piece is, its parameters, and whether it matches as a whole.
fn sure(library: &Library, words: &str) -> Option<(String, Map<String, Value>, bool)> {
    match library.route(words) {
        Route::Sure {
            name,
            params,
            exact,
            ..
        } => Some((name, params, exact)),
        _ => None,
    }
}

/// "profile a.csv and b.csv": a piece that only names a file is the job before it, with that file.
fn same_again(
    library: &Library,
    tasks: &[Part],
    words: &str,
) -> Option<(String, Map<String, Value>, bool)> {
    let tokens = words::tokens(words);
    let [token] = tokens.as_slice() else {
        return None;
    };
    let last = tasks.last()?;
    let name = last.playbook.clone()?;
    let playbook = library.find(&name)?;
    let mut named = last.params.iter().filter(|(key, _)| {
        let spec = playbook.params.get(*key);
        spec.is_some_and(|spec| matches!(spec.kind, ParamType::File | ParamType::Path))
    });
    let (key, _) = named.next()?;
    let value = playbook.params.get(key)?.read(token)?;
    if named.next().is_some() {
        return None;
    }
    let mut params = last.params.clone();
    params.insert(key.clone(), value);
    Some((name, params, true))
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
        let sign = matches!(*word, "&" | "+").then_some(Link::And);
        if let Some(link) = link.or(sign) {
            cut(&mut pieces, link);
            at += long.max(1);
            continue;
        }
        at += 1;
        let opens = pieces.last().is_some_and(|(_, piece)| piece.is_empty());
        if opens && matches!(word.trim_end_matches(','), "first" | "First") {
            continue;
        }
        let bare = word.trim_end_matches([',', ';', '.', '?', '!']);
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
#[path = "split_tests.rs"]
mod tests;
