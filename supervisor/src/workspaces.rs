//! The list of folders the team works in: shown, added to, taken from. What lies in a folder is never
//! touched here.

use crate::desk::Desk;
use crate::intake::IntakeError;
use crate::intake::hosts;
use crate::ledger::store::LedgerError;
use crate::ledger::workspaces::Named;
use jiff::Timestamp;
use protocol::workspace::{self, Workspace};
use std::path::Path;

/// Why the list was not changed.
#[derive(Debug, thiserror::Error)]
pub enum WorkspaceError {
    /// The folder may not be a workspace.
    #[error(transparent)]
    Folder(#[from] IntakeError),
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The name is none.
    #[error(
        "`{0}` is no name for a workspace: use small letters, digits, `.`, `_` and `-`, a letter or digit first"
    )]
    Name(String),
    /// The name is taken.
    #[error("`{0}` is the name of {1} already: choose another, or ai-infra workspace forget {0}")]
    Taken(String, String),
    /// There is none.
    #[error("no workspace is called `{0}`: `ai-infra workspace list` shows what there is")]
    NoSuch(String),
}

impl WorkspaceError {
    /// Exit code of the command line.
    pub fn exit_code(&self) -> u8 {
        match self {
            WorkspaceError::Folder(error) => error.exit_code(),
            WorkspaceError::Ledger(error) => error.exit_code(),
            _ => protocol::exit::USAGE,
        }
    }
}

/// Every folder; those of this host with what they are now.
pub async fn list(desk: &Desk) -> Result<Vec<Workspace>, LedgerError> {
    let mut all = desk.ledger.workspaces().await?;
    for one in &mut all {
        if one.host.is_empty() {
            one.host.clone_from(&desk.settings.host);
        }
        if one.host == desk.settings.host {
            one.kind = Some(kind(Path::new(&one.path)).to_owned());
        }
    }
    Ok(all)
}

fn kind(path: &Path) -> &'static str {
    match (path.is_dir(), path.join(".git").exists()) {
        (false, _) => "gone",
        (true, true) => "repository",
        (true, false) => "folder",
    }
}

/// Registers a folder, or gives a registered one another name. Says what was done.
pub async fn add(
    desk: &Desk,
    path: &Path,
    host: Option<String>,
    name: Option<String>,
) -> Result<String, WorkspaceError> {
    if let Some(name) = name.as_deref().filter(|name| !workspace::is_name(name)) {
        return Err(WorkspaceError::Name(name.escape_debug().take(80).collect()));
    }
    let there = hosts::known(desk, host.as_deref())?;
    let folder = hosts::folder(desk, Some(path), there.as_deref())?;
    let folder = folder.unwrap_or_else(|| path.to_owned());
    let shown = folder.to_string_lossy().into_owned();
    let host = there.unwrap_or_else(|| desk.settings.host.clone());
    let named = desk
        .ledger
        .name_workspace(&host, &shown, name.as_deref(), Timestamp::now());
    match named.await? {
        Named::New(name) => Ok(format!("{name} is {shown}")),
        Named::Already(name) => Ok(format!("{name} is {shown}, as before")),
        Named::Renamed(from, to) => Ok(format!("{from} is called {to} now ({shown})")),
        Named::Taken(name, other) => Err(WorkspaceError::Taken(name, other)),
    }
}

/// Takes a folder off the list. Says what was done.
pub async fn forget(desk: &Desk, name: &str) -> Result<String, WorkspaceError> {
    match desk.ledger.forget_workspace(name).await? {
        Some(path) => Ok(format!(
            "{name} is off the list; nothing in {path} was touched, its tasks stay, and its next task puts it back"
        )),
        None => Err(WorkspaceError::NoSuch(
            name.escape_debug().take(80).collect(),
        )),
    }
}
