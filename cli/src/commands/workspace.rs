//! `workspace`: the folders the team works in, which of them are trusted, and names for them that `run --workspace` takes.

mod trust;

use super::strange;
use crate::args::WorkspaceCommand;
use crate::context::Context;
use crate::failure::Failure;
use crate::render::{list, text};
use crate::terminal;
use jiff::Timestamp;
use protocol::control::{Answer, Verb};
use protocol::document::DOCUMENT_VERSION;
use protocol::workspace::{self, Workspace};
use std::path::{Path, PathBuf};
use supervisor::client;

/// Lists, adds or forgets.
pub async fn run(context: &Context, command: WorkspaceCommand) -> Result<u8, Failure> {
    let verb = match command {
        WorkspaceCommand::List { json } => {
            let workspaces = all(context).await?;
            if json {
                let version = DOCUMENT_VERSION;
                let document = serde_json::json!({"version": version, "workspaces": workspaces});
                return super::json(&document);
            }
            terminal::print(&list::workspaces(&workspaces, Timestamp::now()));
            return Ok(protocol::exit::DONE);
        }
        WorkspaceCommand::Add { folder, name, host } => {
            // A folder of another disk: nothing here can say what it is.
            let path = match &host {
                Some(_) => folder,
                None => super::run::absolute(&folder)?,
            };
            Verb::WorkspaceAdd { path, host, name }
        }
        WorkspaceCommand::Trust {
            folder,
            show,
            revoke,
            to_sign,
            proof,
            json,
        } => {
            let folder = super::run::absolute(&folder)?;
            return match (show, to_sign, revoke) {
                (true, ..) => trust::show(context, &folder, json).await,
                (_, true, _) => trust::to_sign(context, &folder, revoke).await,
                (_, _, true) => trust::revoke(context, &folder, &proof).await,
                _ => trust::give(context, &folder, &proof).await,
            };
        }
        WorkspaceCommand::Forget { name } => Verb::WorkspaceForget { name },
    };
    match client::ask(&context.home, verb).await? {
        Answer::Ok { message } => terminal::line(&text::safe(&message)),
        _ => return Err(strange()),
    }
    Ok(protocol::exit::DONE)
}

async fn all(context: &Context) -> Result<Vec<Workspace>, Failure> {
    match client::ask(&context.home, Verb::WorkspaceList).await? {
        Answer::Workspaces { workspaces } => Ok(workspaces),
        _ => Err(strange()),
    }
}

/// The folder, and the host it lies on, of a workspace that is named instead of given by its path. A
/// folder of that name below the current one comes first.
pub async fn named(context: &Context, given: &Path) -> Result<Option<(PathBuf, String)>, Failure> {
    let Some(name) = given.to_str().filter(|name| workspace::is_name(name)) else {
        return Ok(None);
    };
    if given.exists() {
        return Ok(None);
    }
    super::team::ensure(context).await?;
    let mut workspaces = all(context).await?;
    if let Some(at) = workspaces.iter().position(|one| one.name == name) {
        let found = workspaces.swap_remove(at);
        return Ok(Some((PathBuf::from(found.path), found.host)));
    }
    let names: Vec<&str> = workspaces.iter().map(|one| one.name.as_str()).collect();
    let near = names
        .iter()
        .max_by(|a, b| strsim::jaro_winkler(a, name).total_cmp(&strsim::jaro_winkler(b, name)));
    let failure = Failure::usage(format!(
        "`{name}` is neither a folder here nor the name of a workspace"
    ));
    Err(match near {
        Some(near) => failure.hint(format!(
            "the nearest name is {near}: ai-infra workspace list"
        )),
        None => failure.hint("register a folder: ai-infra workspace add DIR"),
    })
}
