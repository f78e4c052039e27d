//! `backup conflicts`: what of the configuration waits for a person, and their word about it.

use super::beside;
use super::configuration::{judged, wanted};
use crate::args::{ConflictsCommand, SideWord};
use crate::context::Context;
use crate::failure::Failure;
use crate::render::text::{columns, count, one_line, safe};
use crate::terminal;
use backup::sync::take::{Both, Side, both, take};
use backup::sync::{Report, Waiting, alone};
use protocol::document::DOCUMENT_VERSION;
use serde_json::json;

/// Lists, shows or settles.
pub async fn run(
    context: &Context,
    command: Option<ConflictsCommand>,
    json: bool,
) -> Result<u8, Failure> {
    match command {
        None => list(context, json),
        Some(ConflictsCommand::List { json: own }) => list(context, json || own),
        Some(ConflictsCommand::Show { path, json: own }) => show(context, path, json || own).await,
        Some(ConflictsCommand::Take { side, paths, all }) => {
            settle(context, side, paths, all).await
        }
    }
}

fn waiting(context: &Context) -> Vec<Waiting> {
    Report::last(&context.home).map_or_else(Vec::new, |report| report.waiting)
}

fn list(context: &Context, json: bool) -> Result<u8, Failure> {
    let waiting = waiting(context);
    if json {
        let version = DOCUMENT_VERSION;
        return super::super::json(&json!({"version": version, "waiting": waiting}));
    }
    if waiting.is_empty() {
        terminal::line("nothing of the configuration waits for a decision");
        return Ok(protocol::exit::DONE);
    }
    let rows: Vec<Vec<String>> = waiting
        .iter()
        .map(|waiting| vec![safe(&waiting.path), one_line(&waiting.why, 90)])
        .collect();
    terminal::print(&columns(&rows));
    terminal::print(
        "\nboth sides are kept, what lies here is in force:\n  ai-infra backup conflicts show PATH           lines here (-) and there (+)\n  ai-infra backup conflicts take ours PATH      the next run sends it\n  ai-infra backup conflicts take theirs PATH    it comes in now\n",
    );
    Ok(protocol::exit::DONE)
}

async fn show(context: &Context, path: String, json: bool) -> Result<u8, Failure> {
    let (_, place) = wanted(&context.settings()?)?;
    let home = context.home.clone();
    let found = beside(move || both(&home, &place, &path)).await?;
    if json {
        let text = |side: &Option<config::in_force::Content>| {
            side.as_ref()
                .map(|content| String::from_utf8_lossy(&content.bytes).into_owned())
        };
        return super::super::json(&json!({
            "version": DOCUMENT_VERSION, "path": found.waiting.path, "why": found.waiting.why,
            "conflict": found.waiting.conflict, "ours": text(&found.ours), "theirs": text(&found.theirs),
        }));
    }
    terminal::print(&said(&found));
    Ok(protocol::exit::DONE)
}

fn said(found: &Both) -> String {
    let path = safe(&found.waiting.path);
    let mut text = format!("{path}: {}\n\n", safe(&found.waiting.why));
    let side = |name: &str, content: &Option<config::in_force::Content>| match content {
        Some(content) => format!(
            "{name}:\n{}\n",
            safe_lines(&String::from_utf8_lossy(&content.bytes))
        ),
        None => format!("{name}: not there\n"),
    };
    match &found.difference {
        // Without git's own names of the two.
        Some(difference) => {
            let lines = difference
                .lines()
                .skip_while(|line| !line.starts_with("@@"));
            text.push_str("- lies here, + lies there\n");
            for line in lines {
                text.push_str(&format!("{}\n", safe(line)));
            }
        }
        None => {
            text.push_str(&side("here", &found.ours));
            text.push_str(&side("there", &found.theirs));
        }
    }
    text
}

fn safe_lines(text: &str) -> String {
    let lines: Vec<String> = text
        .lines()
        .map(|line| format!("  {}", safe(line)))
        .collect();
    lines.join("\n")
}

async fn settle(
    context: &Context,
    side: SideWord,
    paths: Vec<String>,
    all: bool,
) -> Result<u8, Failure> {
    let (_, place) = wanted(&context.settings()?)?;
    let paths = match all {
        true => {
            let all = waiting(context).into_iter().filter(|one| one.can_be_taken);
            all.map(|one| one.path).collect()
        }
        false => paths,
    };
    let context = context.clone();
    let side = match side {
        SideWord::Ours => Side::Ours,
        SideWord::Theirs => Side::Theirs,
    };
    let (done, failed) = beside(move || {
        let _alone = alone(&context.home)?;
        judged(&context, |judge| {
            let mut done = 0;
            for path in &paths {
                match take(&context.home, &place, judge, path, side) {
                    Ok(()) => done += 1,
                    // One that cannot be taken now keeps the others from nothing, but is said.
                    Err(error) => return Ok((done, Some(error))),
                }
            }
            Ok((done, None))
        })
    })
    .await?;
    if done > 0 {
        let many = count(done, "file is", "files are");
        terminal::line(&match side {
            Side::Ours => {
                format!("✓ {many} as it lies here; sent by: ai-infra backup run configuration")
            }
            Side::Theirs => format!("✓ {many} now what lay there"),
        });
    }
    match failed {
        Some(error) => Err(error.into()),
        None if done == 0 => {
            terminal::line("nothing of the configuration waits for a decision");
            Ok(protocol::exit::DONE)
        }
        None => Ok(protocol::exit::DONE),
    }
}
