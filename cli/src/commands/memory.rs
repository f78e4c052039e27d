//! `memory`: what the team has learned, and what a person wants it to know.

use super::{strange, team};
use crate::args::MemoryCommand;
use crate::context::Context;
use crate::failure::Failure;
use crate::render::{list, text};
use crate::terminal;
use protocol::control::{Answer, Verb};
use protocol::document::DOCUMENT_VERSION;
use protocol::memory::NewMemory;
use sha2::{Digest, Sha256};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use supervisor::client;

/// Largest body read from standard input, in bytes.
const MOST: u64 = 256 * 1024;

/// Adds, searches or shows.
pub async fn run(context: &Context, command: MemoryCommand) -> Result<u8, Failure> {
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
    }
    Ok(protocol::exit::DONE)
}

/// The project a folder belongs to.
fn project(workspace: Option<&Path>) -> Result<Option<String>, Failure> {
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
