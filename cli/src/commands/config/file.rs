//! `config check FILE`: a file looked at before it is put in place, whichever kind it is: settings as
//! if they lay in the home already, an agent, a playbook among those it will live with, a schedule, a plan.

use crate::context::Context;
use crate::failure::Failure;
use crate::render::text::{count, one_line, safe};
use crate::terminal;
use config::document;
use config::error::Problem;
use config::load::{SYSTEM_FOLDER, Sources};
use config::trial::{FileKind, Trial};
use jiff::tz::TimeZone;
use pai::plan::PlanError;
use pai::playbook::lint::{lint, place};
use pai::playbook::{Playbook, PlaybookError};
use pai::schedule::ScheduleError;
use protocol::document::DOCUMENT_VERSION;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Longest sentence shown, in characters.
const LONGEST: usize = 400;

/// Something about a file.
struct Finding {
    /// The file with line and column, where they are known.
    place: String,
    /// False for what only could be better.
    wrong: bool,
    /// The sentence.
    problem: String,
}

impl From<Problem> for Finding {
    fn from(problem: Problem) -> Self {
        Self {
            place: problem.place,
            wrong: true,
            problem: problem.message,
        }
    }
}

/// Says of each file what it is and everything that is wrong with it.
pub fn check(
    context: &Context,
    files: &[PathBuf],
    kind: Option<&str>,
    json: bool,
) -> Result<u8, Failure> {
    let kind = kind.and_then(FileKind::of_word);
    let mut wrong = 0;
    let mut documents: Vec<Value> = Vec::new();
    for path in files {
        let (kind, findings) = look(context, path, kind)?;
        let here = findings.iter().filter(|f| f.wrong).count() as u64;
        wrong += here;
        if json {
            documents.push(document(path, kind, &findings));
        } else {
            print(path, kind, &findings, here);
        }
    }
    if json {
        super::super::json(&json!({
            "version": DOCUMENT_VERSION, "wrong": wrong, "files": documents,
        }))?;
    }
    Ok(match wrong {
        0 => protocol::exit::DONE,
        _ => protocol::exit::USAGE,
    })
}

fn document(path: &Path, kind: Option<FileKind>, findings: &[Finding]) -> Value {
    let findings: Vec<Value> = findings
        .iter()
        .map(|f| json!({"place": f.place, "wrong": f.wrong, "problem": f.problem}))
        .collect();
    json!({"file": path.to_string_lossy(), "kind": kind.map(FileKind::word), "findings": findings})
}

fn print(path: &Path, kind: Option<FileKind>, findings: &[Finding], wrong: u64) {
    for f in findings {
        let word = if f.wrong { "" } else { "could be better: " };
        let sentence = one_line(&f.problem, LONGEST);
        let place = match f.place.as_str() {
            "" => String::new(),
            place => format!("{}: ", safe(place)),
        };
        terminal::line(&format!("{place}{word}{sentence}"));
    }
    let kind = kind.map_or_else(String::new, |kind| format!(": {}", kind.shown()));
    let shown = safe(&path.display().to_string());
    match wrong {
        0 => terminal::line(&format!("✓ {shown} is right{kind}")),
        _ => {
            let things = count(wrong, "thing is", "things are");
            terminal::line(&format!("✗ {things} wrong with {shown}{kind}"));
        }
    }
}

/// What a file is, and everything that was found.
fn look(
    context: &Context,
    path: &Path,
    said: Option<FileKind>,
) -> Result<(Option<FileKind>, Vec<Finding>), Failure> {
    let text = match document::read_text(path) {
        Ok(Some(text)) => text,
        Ok(None) => {
            let shown = safe(&path.display().to_string());
            return Err(Failure::usage(format!("there is no file {shown}")));
        }
        Err(problem) => return Ok((said, vec![problem.into()])),
    };
    let kind = match said.map_or_else(|| FileKind::of(path, &text), Ok) {
        Ok(kind) => kind,
        Err(problem) => return Ok((None, vec![problem.into()])),
    };
    let findings = match kind {
        FileKind::Settings(_) | FileKind::Agent => settings(context, kind, path, &text),
        FileKind::Playbook => playbook(context, path, &text),
        FileKind::Schedule => schedule(path, &text),
        FileKind::Plan => plan(path, &text),
    };
    Ok((Some(kind), findings))
}

fn settings(context: &Context, kind: FileKind, path: &Path, text: &str) -> Vec<Finding> {
    let sources = Sources {
        system: Path::new(SYSTEM_FOLDER),
        home: &context.home,
        env: &context.env,
        flags: &[],
    };
    let problems = Trial::new(kind, path, text).problems(&sources);
    problems.into_iter().map(Finding::from).collect()
}

fn playbook(context: &Context, path: &Path, text: &str) -> Vec<Finding> {
    let library = config::playbooks::all(&context.home).unwrap_or_default();
    let own = Playbook::parse(text).map(|book| book.name);
    let mut live: Vec<Playbook> = library
        .iter()
        .filter_map(|(_, text)| Playbook::parse(text).ok())
        .filter(|book| own.as_ref().ok() != Some(&book.name))
        .collect();
    live.extend(Playbook::parse(text));
    let found = lint(text, &live).into_iter();
    found
        .map(|f| Finding {
            place: at(path, Some((f.line, f.column))),
            wrong: f.wrong,
            problem: f.problem,
        })
        .collect()
}

fn schedule(path: &Path, text: &str) -> Vec<Finding> {
    let parsed = pai::schedule::grammar::parse(text, &TimeZone::system());
    let (place, problem) = match parsed {
        Ok(schedule) => {
            let file = format!("{}.yaml", schedule.name);
            if path.file_name().is_some_and(|name| *name == *file) {
                return Vec::new();
            }
            let problem = format!("its file must be {file} once it is put in place");
            return vec![Finding {
                place: at(path, place(text, "name", "")),
                wrong: false,
                problem,
            }];
        }
        Err(ScheduleError::Grammar(error)) => grammar(text, error),
        Err(error) => {
            let said = error.to_string();
            let key = match &error {
                ScheduleError::Key { key, .. } => key,
                ScheduleError::Plan(_) => "plan",
                _ => "schedule",
            };
            (place(text, key, ""), said)
        }
    };
    vec![wrong(path, place, problem)]
}

fn plan(path: &Path, text: &str) -> Vec<Finding> {
    let Err(error) = pai::plan::grammar::parse(text) else {
        return Vec::new();
    };
    let (place, problem) = match error {
        PlanError::Grammar(error) => grammar(text, error),
        error => {
            let named = match &error {
                PlanError::Part { part, .. } => format!("`{part}`"),
                PlanError::Circle(parts) => format!("`{}`", parts.first().map_or("", |p| p)),
                _ => String::new(),
            };
            let key = match &error {
                PlanError::Whole { place, .. } => place,
                PlanError::Version(_) => "plan",
                _ => "tasks",
            };
            (place(text, key, &named), error.to_string())
        }
    };
    vec![wrong(path, place, problem)]
}

/// A mistake in the grammar: its line is the parser's, the column that of the key it names.
fn grammar(text: &str, error: PlaybookError) -> (Option<(u64, u64)>, String) {
    let (line, problem, key) = match error {
        PlaybookError::Yaml { line, problem } => (line, problem, String::new()),
        PlaybookError::UnknownKey { line, key, hint } => {
            (line, format!("unknown key `{key}`{hint}"), key)
        }
        other => return (None, other.to_string()),
    };
    let on_line = usize::try_from(line)
        .ok()
        .and_then(|line| line.checked_sub(1));
    let written = on_line.and_then(|line| text.lines().nth(line));
    let before = written.and_then(|written| Some(written.split_once(&key)?.0));
    let column = match key.is_empty() {
        true => written.map(|written| written.len() - written.trim_start().len()),
        false => before.map(|before| before.chars().count()),
    };
    let place = written.map(|_| (line, column.unwrap_or(0) as u64 + 1));
    // The parser ends some sentences with the place, which stands in front here.
    let problem = match problem.rsplit_once(" at line ") {
        Some((said, _)) => said.to_owned(),
        None => problem,
    };
    (place, problem)
}

fn wrong(path: &Path, place: Option<(u64, u64)>, problem: String) -> Finding {
    Finding {
        place: at(path, place),
        wrong: true,
        problem,
    }
}

fn at(path: &Path, place: Option<(u64, u64)>) -> String {
    match place {
        Some((line, column)) => format!("{}:{line}:{column}", path.display()),
        None => path.display().to_string(),
    }
}
