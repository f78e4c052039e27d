//! `playbook`: jobs that need no model: which there are, their text, and whether a file is right.

use crate::args::{JsonArgs, PlaybookCommand};
use crate::context::Context;
use crate::failure::Failure;
use crate::render::playbook;
use crate::render::text::{columns, count, one_line, safe};
use crate::terminal;
use pai::playbook::Playbook;
use pai::playbook::lint::{Finding, lint};
use protocol::document::DOCUMENT_VERSION;
use serde_json::json;
use std::path::{Path, PathBuf};

/// From this many columns on a terminal holds the whole list.
const ROOM: usize = 170;

/// Lists, shows or checks.
pub fn run(context: &Context, command: PlaybookCommand) -> Result<u8, Failure> {
    let texts = config::playbooks::all(&context.home)?;
    match command {
        PlaybookCommand::List(JsonArgs { json }) => list(&texts, json),
        PlaybookCommand::Show { name, yaml } => show(&texts, &name, yaml),
        PlaybookCommand::Check { files, json } if files.is_empty() => check(&texts, &texts, json),
        PlaybookCommand::Check { files, json } => check(&read(files)?, &texts, json),
    }
}

fn list(texts: &[(String, String)], json: bool) -> Result<u8, Failure> {
    let (good, bad): (Vec<_>, Vec<_>) = texts
        .iter()
        .map(|(name, text)| (name, Playbook::parse(text)))
        .partition(|(_, read)| read.is_ok());
    let good: Vec<Playbook> = good.into_iter().filter_map(|(_, read)| read.ok()).collect();
    if json {
        let playbooks: Vec<_> = good
            .iter()
            .map(|book| {
                json!({
                    "name": book.name, "agent": book.agent, "level": book.level,
                    "description": book.description, "example": book.example(), "writes": book.writes(),
                })
            })
            .collect();
        return super::json(&json!({"version": DOCUMENT_VERSION, "playbooks": playbooks}));
    }
    let rows = |described: bool| -> Vec<Vec<String>> {
        let row = |book: &Playbook| {
            let mut row = vec![
                book.name.clone(),
                book.agent.to_string(),
                format!("\"{}\"", one_line(&book.example(), 60)),
            ];
            row.extend(described.then(|| one_line(&book.description, 90)));
            row
        };
        good.iter().map(row).collect()
    };
    match terminal::size() {
        // What each does would not fit beside its words.
        Some((wide, _)) if wide < ROOM => {
            terminal::print(&columns(&rows(false)));
            terminal::line("\nwhat one of them does: ai-infra playbook show NAME");
        }
        _ => terminal::print(&columns(&rows(true))),
    }
    for (name, _) in bad {
        terminal::complain(&format!(
            "warning: playbook {} is wrong: ai-infra playbook check\n",
            safe(name)
        ));
    }
    Ok(protocol::exit::DONE)
}

/// The name in an origin (`shipped NAME`, or the file's path).
pub(crate) fn name_of(origin: &str) -> &str {
    match origin.strip_prefix("shipped ") {
        Some(name) => name,
        None => {
            let file = origin.rsplit('/').next().unwrap_or(origin);
            file.strip_suffix(".yaml").unwrap_or(file)
        }
    }
}

fn show(texts: &[(String, String)], name: &str, yaml: bool) -> Result<u8, Failure> {
    let found = texts.iter().find(|(origin, _)| name_of(origin) == name);
    let Some((origin, text)) = found else {
        let near = texts
            .iter()
            .map(|(origin, _)| name_of(origin))
            .map(|known| (strsim::jaro_winkler(known, name), known))
            .filter(|(score, _)| *score > 0.7)
            .max_by(|a, b| a.0.total_cmp(&b.0));
        let failure = Failure::usage(format!("there is no playbook `{name}`"));
        return Err(match near {
            Some((_, known)) => {
                failure.hint(format!("did you mean: ai-infra playbook show {known}"))
            }
            None => failure.hint("see: ai-infra playbook list"),
        });
    };
    match Playbook::parse(text) {
        Ok(book) if !yaml => terminal::print(&playbook::page(&book, origin)),
        // One that is wrong is shown as it is; what is wrong with it, `check` says.
        _ => terminal::exact(&safe(text)),
    }
    Ok(protocol::exit::DONE)
}

/// The texts of files, and of the `.yaml` files in folders, in order of name.
fn read(files: Vec<PathBuf>) -> Result<Vec<(String, String)>, Failure> {
    let mut all = Vec::new();
    for path in files {
        let cannot = |path: &Path, error: std::io::Error| {
            Failure::usage(format!(
                "cannot read {}: {error}",
                safe(&path.display().to_string())
            ))
        };
        let mut found = vec![path.clone()];
        if path.is_dir() {
            let entries = std::fs::read_dir(&path).map_err(|e| cannot(&path, e))?;
            found = entries.flatten().map(|entry| entry.path()).collect();
            found.retain(|file| file.extension().is_some_and(|e| e == "yaml" || e == "yml"));
            found.sort();
            if found.is_empty() {
                let shown = safe(&path.display().to_string());
                return Err(Failure::usage(format!("there is no .yaml file in {shown}")));
            }
        }
        for file in found {
            let text = std::fs::read_to_string(&file).map_err(|e| cannot(&file, e))?;
            all.push((file.display().to_string(), text));
        }
    }
    Ok(all)
}

/// Looks every text over, among the playbooks it will live with.
fn check(
    texts: &[(String, String)],
    library: &[(String, String)],
    json: bool,
) -> Result<u8, Failure> {
    let mut live: Vec<Playbook> = library
        .iter()
        .filter_map(|(_, text)| Playbook::parse(text).ok())
        .collect();
    let checked = texts
        .iter()
        .filter_map(|(_, text)| Playbook::parse(text).ok());
    for book in checked {
        live.retain(|known| known.name != book.name);
        live.push(book);
    }
    let found: Vec<(&String, Finding)> = texts
        .iter()
        .flat_map(|(place, text)| lint(text, &live).into_iter().map(move |f| (place, f)))
        .collect();
    let wrong = found.iter().filter(|(_, f)| f.wrong).count() as u64;
    let exit = match wrong {
        0 => protocol::exit::DONE,
        _ => protocol::exit::USAGE,
    };
    if json {
        let findings: Vec<_> = found
            .iter()
            .map(|(place, f)| {
                json!({"place": place, "line": f.line, "column": f.column, "wrong": f.wrong, "problem": f.problem})
            })
            .collect();
        super::json(&json!({
            "version": DOCUMENT_VERSION, "checked": texts.len(), "wrong": wrong, "findings": findings,
        }))?;
        return Ok(exit);
    }
    for (place, f) in &found {
        let word = if f.wrong { "" } else { "could be better: " };
        terminal::line(&format!(
            "{}:{}:{}: {word}{}",
            safe(place),
            f.line,
            f.column,
            one_line(&f.problem, 400)
        ));
    }
    let many = count(texts.len() as u64, "playbook is", "playbooks are");
    match wrong {
        0 => terminal::line(&format!("✓ {many} right")),
        _ => {
            let things = count(wrong, "thing is", "things are");
            let books = count(texts.len() as u64, "playbook", "playbooks");
            terminal::line(&format!("✗ {things} wrong in {books}"));
        }
    }
    Ok(exit)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn shipped_and_own_playbooks_are_found_by_name() {
        let texts = [
            ("shipped run-tests".to_owned(), "a: 1\n".to_owned()),
            (
                "/my home/playbooks/rotate.yaml".to_owned(),
                "b: 1\n".to_owned(),
            ),
        ];
        assert!(show(&texts, "run-tests", true).is_ok());
        assert!(show(&texts, "rotate", false).is_ok());
        let near = show(&texts, "run-test", false).unwrap_err();
        assert_eq!(
            near.hints,
            ["did you mean: ai-infra playbook show run-tests"]
        );
        let far = show(&texts, "zzz", false).unwrap_err();
        assert_eq!(far.hints, ["see: ai-infra playbook list"]);
    }
}
