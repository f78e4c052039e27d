//! `memory export` and `memory import`: memories as files. An export reads the files as they lie in the home;
//! an import is read here, with the rights of who asks, and kept by the memory's one owner.

use super::memory::project;
use super::strange;
use crate::context::Context;
use crate::failure::Failure;
use crate::render::text::{count, one_line, safe, size};
use crate::terminal;
use memory::carry::{self, CarryError};
use memory::foreign;
use protocol::control::{Answer, Verb};
use protocol::document::DOCUMENT_VERSION;
use protocol::memory::{MemoryFile, MemoryImported};
use std::path::Path;
use supervisor::client;

/// Most text of one message to the supervisor, in bytes; escaped it must fit a line.
const CHUNK: usize = 1024 * 1024;
/// Most files that are named as left out.
const NAMED: usize = 10;

fn failed(error: CarryError) -> Failure {
    let exit = match &error {
        CarryError::Io(..) => protocol::exit::FAILED,
        _ => protocol::exit::USAGE,
    };
    Failure::new(exit, error)
}

/// Writes the memories to a folder or an archive.
pub fn export(context: &Context, to: &Path, workspace: Option<&Path>) -> Result<u8, Failure> {
    context.home.inspect()?;
    let project = project(workspace)?;
    let wrote = carry::export(&context.home.memory(), to, project.as_deref()).map_err(failed)?;
    terminal::line(&format!(
        "wrote {} ({}) to {}",
        count(wrote.records, "memory", "memories"),
        size(wrote.bytes),
        safe(&to.to_string_lossy())
    ));
    Ok(protocol::exit::DONE)
}

/// Keeps the memories that lie there.
pub async fn import(
    context: &Context,
    from: &Path,
    workspace: Option<&Path>,
    json: bool,
) -> Result<u8, Failure> {
    let project = project(workspace)?;
    let brought = carry::read(from).map_err(failed)?;
    let records = (brought.files.iter())
        .flat_map(|(path, text)| foreign::records(path, text, project.as_deref()));
    let mut came = MemoryImported::default();
    let mut chunk: Vec<MemoryFile> = Vec::new();
    let mut bytes = 0;
    for record in records {
        if bytes + record.text.len() > CHUNK && !chunk.is_empty() {
            add(&mut came, send(context, std::mem::take(&mut chunk)).await?);
            bytes = 0;
            terminal::complain(&format!("… {} kept\n", came.new));
        }
        bytes += record.text.len();
        chunk.push(record);
    }
    add(&mut came, send(context, chunk).await?);
    if json {
        return super::json(&serde_json::json!({
            "version": DOCUMENT_VERSION, "imported": came, "left_out": brought.left_out,
        }));
    }
    terminal::line(&said(came, brought.files.len()));
    for left in brought.left_out.iter().take(NAMED) {
        terminal::line(&format!("  left out: {}", one_line(left, 200)));
    }
    let more = brought.left_out.len().saturating_sub(NAMED) as u64;
    if more > 0 {
        terminal::line(&format!("  and {} more", count(more, "file", "files")));
    }
    Ok(protocol::exit::DONE)
}

async fn send(context: &Context, files: Vec<MemoryFile>) -> Result<MemoryImported, Failure> {
    match client::ask(&context.home, Verb::MemoryImport { files }).await? {
        Answer::MemoryImported { came } => Ok(came),
        _ => Err(strange()),
    }
}

fn add(sum: &mut MemoryImported, more: MemoryImported) {
    sum.new += more.new;
    sum.known += more.known;
    sum.forgotten += more.forgotten;
}

fn said(came: MemoryImported, files: usize) -> String {
    let mut text = format!(
        "{} of {} are new here",
        count(came.new, "memory", "memories"),
        count(files as u64, "file", "files")
    );
    if came.known > 0 {
        text.push_str(&format!(", {} were known", came.known));
    }
    if came.forgotten > 0 {
        text.push_str(&format!(
            ", {} were forgotten here and stay so",
            came.forgotten
        ));
    }
    text
}
