//! `playbook`: jobs that need no model: which there are, their text, and whether a file is right.

use crate::args::{JsonArgs, PlaybookCommand};
use crate::context::Context;
use crate::failure::Failure;
use crate::render::text::{columns, count, one_line, safe};
use crate::terminal;
use pai::playbook::Playbook;
use pai::playbook::library::Library;
use protocol::document::DOCUMENT_VERSION;
use serde_json::json;
use std::path::PathBuf;

/// Lists, shows or checks.
pub fn run(context: &Context, command: PlaybookCommand) -> Result<u8, Failure> {
    let texts = config::playbooks::all(&context.home)?;
    match command {
        PlaybookCommand::List(JsonArgs { json }) => list(&texts, json),
        PlaybookCommand::Show { name } => show(&texts, &name),
        PlaybookCommand::Check { files } if files.is_empty() => check(texts),
        PlaybookCommand::Check { files } => check(read(files)?),
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
    let rows: Vec<Vec<String>> = good
        .iter()
        .map(|book| {
            vec![
                book.name.clone(),
                book.agent.to_string(),
                format!("\"{}\"", one_line(&book.example(), 60)),
                one_line(&book.description, 90),
            ]
        })
        .collect();
    terminal::print(&columns(&rows));
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

fn show(texts: &[(String, String)], name: &str) -> Result<u8, Failure> {
    let found = texts.iter().find(|(origin, _)| name_of(origin) == name);
    let Some((_, text)) = found else {
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
    terminal::print(&safe(text));
    Ok(protocol::exit::DONE)
}

fn read(files: Vec<PathBuf>) -> Result<Vec<(String, String)>, Failure> {
    files
        .into_iter()
        .map(|path| {
            let shown = path.display().to_string();
            std::fs::read_to_string(&path)
                .map(|text| (shown.clone(), text))
                .map_err(|error| Failure::usage(format!("cannot read {shown}: {error}")))
        })
        .collect()
}

/// Reads every text and lets each playbook's own tests find it.
fn check(texts: Vec<(String, String)>) -> Result<u8, Failure> {
    let mut problems = Vec::new();
    let mut good = Vec::new();
    for (place, text) in &texts {
        match Playbook::parse(text) {
            Ok(book) => good.push(book),
            Err(error) => problems.push(format!("{place}: {error}")),
        }
    }
    let many = good.len() as u64;
    for misrouted in Library::new(good).self_test() {
        problems.push(format!(
            "{}: `{}` should mean {} and means {}",
            misrouted.name, misrouted.ask, misrouted.expected, misrouted.got
        ));
    }
    if problems.is_empty() {
        let many = count(many, "playbook is", "playbooks are");
        terminal::line(&format!("✓ {many} right"));
        return Ok(protocol::exit::DONE);
    }
    let many = count(problems.len() as u64, "thing is", "things are");
    let mut failure = Failure::usage(format!("{many} wrong with the playbooks"));
    failure.hints = problems;
    Err(failure)
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
        assert!(show(&texts, "run-tests").is_ok());
        assert!(show(&texts, "rotate").is_ok());
        let near = show(&texts, "run-test").unwrap_err();
        assert_eq!(
            near.hints,
            ["did you mean: ai-infra playbook show run-tests"]
        );
        let far = show(&texts, "zzz").unwrap_err();
        assert_eq!(far.hints, ["see: ai-infra playbook list"]);
    }
}
