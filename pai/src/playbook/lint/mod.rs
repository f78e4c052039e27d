//! Looks a playbook over as a careful colleague would: everything that keeps it from working, and
//! everything that makes it less than it seems, each with its place in the text. `check` refuses a
//! playbook at its first mistake; this names them all.

mod judge;
mod samples;
mod tree;

use super::check;
use super::grammar::{self, Playbook};
use super::intent::Intent;
use super::library::{Library, Route};
use std::collections::BTreeSet;
use tree::{Node, Place};

/// Most mistakes in keys that are looked for one after the other.
const MOST_KEYS: usize = 50;

/// Something about a playbook.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// Line, from 1.
    pub line: u64,
    /// Column, from 1.
    pub column: u64,
    /// False for what only could be better.
    pub wrong: bool,
    /// What it is, as a sentence.
    pub problem: String,
}

/// Looks over a playbook's text; `others` are the playbooks it will live among. In order of place.
pub fn lint(text: &str, others: &[Playbook]) -> Vec<Finding> {
    let mut found = BTreeSet::new();
    if text.len() > grammar::LARGEST {
        let problem = format!(
            "the playbook has {} bytes: use at most {}",
            text.len(),
            grammar::LARGEST
        );
        found.insert(wrong((1, 1), problem));
        return found.into_iter().collect();
    }
    let tree = match tree::read(text) {
        Ok(tree) => tree,
        Err((at, problem)) => {
            found.insert(wrong(at, problem));
            return found.into_iter().collect();
        }
    };
    let mut report = Report {
        text,
        tree: &tree,
        found,
    };
    intents_read(&mut report);
    if let Some(playbook) = shaped(&mut report) {
        for (path, problem) in check::problems(&playbook) {
            report.wrong_at(&path, problem);
        }
        if report.found.iter().all(|f| !f.wrong) {
            routing(&playbook, others, &mut report);
        }
        judge::criteria(&playbook, &mut report);
        could_be_better(&playbook, &mut report);
    }
    report.found.into_iter().collect()
}

/// Where a sentence about what a path of a YAML text leads to belongs: at the word that it names in
/// backticks, else where the value begins. Nothing where the text is no YAML.
pub fn place(text: &str, path: &str, problem: &str) -> Option<(u64, u64)> {
    let tree = tree::read(text).ok()?;
    let found = BTreeSet::new();
    let report = Report {
        text,
        tree: &tree,
        found,
    };
    Some(report.place(path, problem))
}

fn wrong(at: Place, problem: String) -> Finding {
    Finding {
        line: at.0.max(1),
        column: at.1.max(1),
        wrong: true,
        problem,
    }
}

/// What was found so far, and how it is placed.
struct Report<'t> {
    text: &'t str,
    tree: &'t Node,
    found: BTreeSet<Finding>,
}

impl Report<'_> {
    /// Something wrong with what a path leads to. What the sentence names in backticks is looked for
    /// there, so that the place is that of the word itself.
    fn wrong_at(&mut self, path: &str, problem: String) {
        let at = self.place(path, &problem);
        self.found.insert(wrong(at, problem));
    }

    /// Something that could be better.
    fn better_at(&mut self, path: &str, problem: String) {
        let at = self.place(path, &problem);
        self.found.insert(Finding {
            wrong: false,
            ..wrong(at, problem)
        });
    }

    fn place(&self, path: &str, problem: &str) -> Place {
        let node = self.tree.at(path);
        let named = problem.split('`').skip(1).step_by(2);
        named
            .filter(|word| !word.is_empty() && !word.contains('\n'))
            .find_map(|word| self.find(node, word))
            .unwrap_or(node.start)
    }

    /// Where a word stands inside a value, as a whole word.
    fn find(&self, node: &Node, word: &str) -> Option<Place> {
        let is_part = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
        let first = usize::try_from(node.start.0).ok()?.checked_sub(1)?;
        let many = usize::try_from(node.last_line.saturating_sub(node.start.0)).ok()? + 1;
        for (number, line) in self.text.lines().enumerate().skip(first).take(many) {
            for (at, _) in line.match_indices(word) {
                let before = line.get(..at).and_then(|l| l.chars().next_back());
                let after = line.get(at + word.len()..).and_then(|l| l.chars().next());
                let column = line.get(..at).map_or(0, |l| l.chars().count()) as u64 + 1;
                let inside = number as u64 + 1 > node.start.0 || column >= node.start.1;
                let cut = word.starts_with(|c: char| c.is_alphanumeric()) && is_part(before)
                    || word.ends_with(|c: char| c.is_alphanumeric()) && is_part(after);
                if inside && !cut {
                    return Some((number as u64 + 1, column));
                }
            }
        }
        None
    }
}

/// Each intent is read for itself, so that all wrong ones are named.
fn intents_read(report: &mut Report<'_>) {
    let Some((_, intents)) = report.tree.get("intents") else {
        return;
    };
    for (number, node) in intents.items().iter().enumerate() {
        if let Some(Err(problem)) = node.text().map(Intent::parse) {
            report.wrong_at(
                &format!("intents[{number}]"),
                format!("this intent cannot be read: {problem}"),
            );
        }
    }
}

/// Reads the playbook. Unknown keys are named one after the other and blotted out; the first value of
/// a wrong shape ends it.
fn shaped(report: &mut Report<'_>) -> Option<Playbook> {
    let mut text = report.text.to_owned();
    for _ in 0..MOST_KEYS {
        match grammar::unchecked(&text) {
            Ok(playbook) => return Some(playbook),
            Err(grammar::Unread::Key { at, key, problem }) => {
                report.found.insert(wrong(at, problem));
                text = blotted(&text, &key, at)?;
            }
            Err(grammar::Unread::Shape { at, problem }) => {
                report.found.insert(wrong(at, problem));
                return None;
            }
            Err(grammar::Unread::Intent) => return None,
        }
    }
    None
}

/// The text without one key and its value; places stay what they are.
fn blotted(text: &str, key: &str, at: Place) -> Option<String> {
    let tree = tree::read(text).ok()?;
    let (from, to) = field(&tree, key, at)?;
    let mut comma = false;
    let blot = |(index, c): (usize, char)| {
        if c == '\n' || !(from..to).contains(&index) {
            // In a list in braces the comma behind goes too.
            if index >= to && !comma && !c.is_whitespace() {
                comma = true;
                if c == ',' {
                    return ' ';
                }
            }
            c
        } else {
            ' '
        }
    };
    Some(text.chars().enumerate().map(blot).collect())
}

fn field(node: &Node, key: &str, at: Place) -> Option<(usize, usize)> {
    match &node.kind {
        tree::Kind::Map(fields) => fields.iter().find_map(|(name, value)| {
            let here = name.text() == Some(key) && name.start.0 == at.0;
            if here {
                Some((name.range.0, value.range.1))
            } else {
                field(value, key, at)
            }
        }),
        tree::Kind::List(items) => items.iter().find_map(|item| field(item, key, at)),
        _ => None,
    }
}

/// Whether its requests reach it, and only it.
fn routing(playbook: &Playbook, others: &[Playbook], report: &mut Report<'_>) {
    let mut all: Vec<Playbook> = others
        .iter()
        .filter(|p| p.name != playbook.name)
        .cloned()
        .collect();
    all.push(playbook.clone());
    let library = Library::new(all);
    for misrouted in library.self_test_of(playbook) {
        let of = |list: Vec<&String>| list.iter().position(|ask| **ask == misrouted.ask);
        let path = of(playbook.tests.iter().map(|t| &t.ask).collect())
            .map(|n| format!("tests[{n}]"))
            .or(of(playbook.not.iter().collect()).map(|n| format!("not[{n}]")))
            .unwrap_or_default();
        report.wrong_at(
            &path,
            format!(
                "\"{}\" should mean {} and means {}",
                misrouted.ask, misrouted.expected, misrouted.got
            ),
        );
    }
    for (number, intent) in playbook.intents.iter().enumerate() {
        let path = format!("intents[{number}]");
        if let Some(same) = playbook
            .intents
            .iter()
            .take(number)
            .position(|i| i.text == intent.text)
        {
            report.wrong_at(
                &path,
                format!("this intent is the same as number {}", same + 1),
            );
            continue;
        }
        let asked = samples::of(&intent.text, &playbook.params);
        let reaches = |ask: &&String| reaches(&library, ask, &playbook.name);
        let lost: Vec<&String> = asked.iter().filter(|ask| !reaches(ask)).collect();
        let Some(ask) = lost.first() else {
            continue;
        };
        if lost.len() == asked.len() {
            report.wrong_at(
                &path,
                format!(
                    "no request reaches it by this intent: \"{ask}\" {}",
                    goes(&library, ask, &playbook.name)
                ),
            );
        } else {
            report.wrong_at(
                &path,
                format!("\"{ask}\" {}", goes(&library, ask, &playbook.name)),
            );
        }
    }
}

fn reaches(library: &Library, ask: &str, name: &str) -> bool {
    matches!(library.route(ask), Route::Sure { name: n, .. } | Route::Missing { name: n, .. } if n == name)
}

fn goes(library: &Library, ask: &str, own: &str) -> String {
    match library.route(ask) {
        Route::Sure { name, .. } | Route::Missing { name, .. } => format!("means {name}"),
        Route::Which(names) => {
            let others: Vec<&str> = names
                .iter()
                .map(|n| n.name.as_str())
                .filter(|n| *n != own)
                .collect();
            format!("means {} too", others.join(" and "))
        }
        Route::None { .. } => "means nothing: a phrase under `not` may say the same".to_owned(),
    }
}

/// What works and could be better.
fn could_be_better(playbook: &Playbook, report: &mut Report<'_>) {
    if playbook.tests.is_empty() {
        report.better_at(
            "",
            "it has no tests: name two or three requests that must reach it".to_owned(),
        );
    }
    if playbook.not.is_empty() {
        report.better_at(
            "",
            "it has no near misses under not: name a request that sounds like it and means something else"
                .to_owned(),
        );
    }
    if playbook.description.trim().is_empty() {
        report.better_at(
            "",
            "it has no description: one line for the list".to_owned(),
        );
    }
    let used = check::names_used(playbook);
    for name in playbook.params.keys() {
        if !used.contains(name) {
            report.better_at(
                &format!("params.{name}"),
                format!("parameter `{name}` is used by no step, criterion or report"),
            );
        }
        let asked = playbook
            .intents
            .iter()
            .any(|intent| intent.params().contains(name));
        let required = playbook.params.get(name).is_some_and(|spec| spec.required);
        if required && !asked {
            report.better_at(&format!("params.{name}"), format!("parameter `{name}` is required and no intent takes it: nobody can give it in words"));
        }
    }
    for (number, step) in playbook.steps.iter().enumerate() {
        if !used.contains(&format!("steps.{}", step.id))
            && !super::tools::find(&step.tool).is_some_and(|t| t.writes)
        {
            report.better_at(
                &format!("steps[{number}]"),
                format!("nothing looks at what step `{}` gives", step.id),
            );
        }
    }
}

#[cfg(test)]
mod guide_tests;
#[cfg(test)]
mod tests;
