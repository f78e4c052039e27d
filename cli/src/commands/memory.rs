//! `memory`: what the team has learned, and what a person wants it to know or to forget. `carry` has what
//! moves memories as files.

use super::{carry, strange, team};
use crate::args::MemoryCommand;
use crate::context::Context;
use crate::failure::Failure;
use crate::render::{list, text};
use crate::terminal;
use guard::redact::Redactor;
use memory::forget::KEPT_DAYS;
use protocol::control::{Answer, Reply, Verb};
use protocol::document::DOCUMENT_VERSION;
use protocol::memory::NewMemory;
use protocol::report::Progress;
use sha2::{Digest, Sha256};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use supervisor::client::{self, Client};

/// Largest body read from standard input, in bytes.
const MOST: u64 = 256 * 1024;

/// Adds, searches or shows.
pub async fn run(context: &Context, command: MemoryCommand) -> Result<u8, Failure> {
    // Files are read as they lie there: a team is not needed for it.
    if let MemoryCommand::Export { to, workspace } = &command {
        return carry::export(context, to, workspace.as_deref());
    }
    team::ensure(context).await?;
    let home = &context.home;
    match command {
        MemoryCommand::Add {
            title,
            body,
            tags,
            workspace,
        } => {
            let memory = record(title, body, tags, project(workspace.as_deref())?)?;
            say_masked(context, &memory);
            match client::ask(home, Verb::MemoryAdd { memory }).await? {
                Answer::Ok { message } | Answer::Text { text: message } => {
                    terminal::line(&text::safe(&message));
                }
                _ => return Err(strange()),
            }
        }
        MemoryCommand::Search {
            query,
            workspace,
            limit,
            json,
        } => {
            let project = project(workspace.as_deref())?;
            let verb = Verb::MemorySearch {
                query,
                project,
                limit,
            };
            let Answer::Memories { memories } = client::ask(home, verb).await? else {
                return Err(strange());
            };
            if json {
                let version = DOCUMENT_VERSION;
                return super::json(&serde_json::json!({"version": version, "memories": memories}));
            }
            terminal::print(&list::memories(&memories));
        }
        MemoryCommand::Show { id } => {
            let Answer::Text { text } = client::ask(home, Verb::MemoryShow { id }).await? else {
                return Err(strange());
            };
            terminal::line(text::safe(&text).trim_end());
        }
        MemoryCommand::Forget { id, reason, undo } => forget(context, id, reason, undo).await?,
        MemoryCommand::Stats { json } => {
            let Answer::MemoryStats { stats } = client::ask(home, Verb::MemoryStats).await? else {
                return Err(strange());
            };
            if json {
                let version = DOCUMENT_VERSION;
                return super::json(&serde_json::json!({"version": version, "stats": stats}));
            }
            terminal::print(&list::memory_stats(&stats));
        }
        MemoryCommand::Reindex => reindex(context).await?,
        MemoryCommand::Export { .. } => return Err(strange()),
        MemoryCommand::Import {
            from,
            workspace,
            json,
        } => return carry::import(context, &from, workspace.as_deref(), json).await,
    }
    Ok(protocol::exit::DONE)
}

async fn forget(context: &Context, id: String, reason: String, undo: bool) -> Result<(), Failure> {
    let shown = text::one_line(&id, 120);
    let verb = match undo {
        true => Verb::MemoryTakeBack { id },
        false => Verb::MemoryForget { id, reason },
    };
    let Answer::Ok { message: title } = client::ask(&context.home, verb).await? else {
        return Err(strange());
    };
    let title = text::one_line(&title, 120);
    terminal::line(&match undo {
        true => format!("remembered again: {title}"),
        false => format!(
            "forgotten: {title}\n  to take it back within {KEPT_DAYS} days: ai-infra memory forget {shown} --undo"
        ),
    });
    Ok(())
}

async fn reindex(context: &Context) -> Result<(), Failure> {
    let mut client = Client::connect(&context.home).await?;
    client.send(Verb::MemoryReindex).await?;
    loop {
        match client.next().await? {
            Reply::Event { progress } => {
                if let Progress::Note { text } = *progress {
                    terminal::complain(&format!("… {}\n", text::one_line(&text, 120)));
                }
            }
            Reply::Done { answer } => {
                let Answer::Ok { message } = *answer else {
                    return Err(strange());
                };
                terminal::line(&text::safe(&message));
                return Ok(());
            }
            _ => {}
        }
    }
}

/// The project a folder belongs to.
pub(super) fn project(workspace: Option<&Path>) -> Result<Option<String>, Failure> {
    let Some(folder) = workspace else {
        return Ok(None);
    };
    let folder: PathBuf = folder
        .canonicalize()
        .map_err(|error| Failure::usage(format!("cannot find {}: {error}", folder.display())))?;
    Ok(Some(memory::project_of(&folder)))
}

/// A record written by a person. The same words for the same project are the same record.
fn record(
    title: String,
    body: String,
    tags: Vec<String>,
    project: Option<String>,
) -> Result<NewMemory, Failure> {
    let body = match body.as_str() {
        "-" => {
            let mut read = String::new();
            io::stdin()
                .lock()
                .take(MOST)
                .read_to_string(&mut read)
                .map_err(|error| Failure::usage(format!("standard input: {error}")))?;
            read
        }
        _ => body,
    };
    let mut digest = Sha256::new();
    for part in [&title, &body, project.as_ref().unwrap_or(&String::new())] {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part.as_bytes());
    }
    let digest: String = digest
        .finalize()
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect();
    Ok(NewMemory {
        title,
        body,
        project,
        tags,
        source: "person".to_owned(),
        task: None,
        phase: None,
        evidence: Vec::new(),
        key: format!("person-{digest}"),
    })
}

/// Whoever keeps a secret in a memory is told that it is kept masked.
fn say_masked(context: &Context, memory: &NewMemory) {
    let kept = config::secret::every(&context.home, &context.env);
    let redactor = Redactor::new(kept.iter().map(|secret| secret.reveal().to_owned()));
    if [&memory.title, &memory.body]
        .into_iter()
        .any(|text| redactor.text(text) != *text)
    {
        terminal::complain(
            "note: what looks like a secret is kept as [secret]; a secret has its place in: ai-infra secret set NAME\n",
        );
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn the_same_words_are_the_same_record() {
        let key = |title: &str, body: &str, project: Option<&str>| {
            record(
                title.into(),
                body.into(),
                Vec::new(),
                project.map(Into::into),
            )
            .unwrap()
            .key
        };
        assert_eq!(key("a", "b", None), key("a", "b", None));
        assert_ne!(key("a", "b", None), key("ab", "", None));
        assert_ne!(key("a", "b", None), key("a", "b", Some("p")));
    }
}
