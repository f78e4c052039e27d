//! `config`: every setting with the layer it came from, and everything that is wrong; `file` looks
//! at one before it is put in place.

mod file;

use crate::args::{ConfigCommand, JsonArgs};
use crate::context::Context;
use crate::failure::Failure;
use crate::render::text::{columns, count, one_line, safe};
use crate::terminal;
use protocol::document::DOCUMENT_VERSION;
use serde_json::json;

/// Shows or checks.
pub fn run(context: &Context, command: ConfigCommand) -> Result<u8, Failure> {
    match command {
        ConfigCommand::Show(JsonArgs { json }) => show(context, json),
        ConfigCommand::Check { files, json, .. } if files.is_empty() => check(context, json),
        ConfigCommand::Check { files, kind, json } => {
            file::check(context, &files, kind.as_deref(), json)
        }
    }
}

fn show(context: &Context, json: bool) -> Result<u8, Failure> {
    let lines = config::show::show(&context.settings()?);
    if json {
        let keys: serde_json::Map<_, _> = lines
            .into_iter()
            .map(|(key, value, origin)| (key, json!({"value": value, "origin": origin})))
            .collect();
        let home = context.home.root.to_string_lossy();
        return super::json(&json!({"version": DOCUMENT_VERSION, "home": home, "keys": keys}));
    }
    let rows: Vec<Vec<String>> = lines
        .iter()
        .map(|(key, value, origin)| vec![safe(key), safe(origin), one_line(value, 60)])
        .collect();
    terminal::line(&format!("home: {}", context.home.root.display()));
    terminal::print(&columns(&rows));
    Ok(protocol::exit::DONE)
}

fn check(context: &Context, json: bool) -> Result<u8, Failure> {
    let problems = config::check::check(&context.home, &context.env);
    if json {
        let findings: Vec<_> = problems
            .iter()
            .map(|p| json!({"place": p.place, "problem": p.message}))
            .collect();
        super::json(&json!({
            "version": DOCUMENT_VERSION, "wrong": findings.len(), "findings": findings,
        }))?;
        return Ok(match problems.is_empty() {
            true => protocol::exit::DONE,
            false => protocol::exit::USAGE,
        });
    }
    if problems.is_empty() {
        terminal::line("✓ the settings are right");
        return Ok(protocol::exit::DONE);
    }
    let many = count(problems.len() as u64, "thing is", "things are");
    let mut failure = Failure::usage(format!("{many} wrong with the settings"));
    failure.hints = problems.iter().map(ToString::to_string).collect();
    Err(failure)
}
