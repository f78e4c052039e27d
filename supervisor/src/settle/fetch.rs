//! Fetches what another host sent ahead of its reports, before they are folded: the report itself
//! where it was too large for a message, and the patch it names. Afterwards both lie where those of
//! this host's own agents lie.

use super::read::{blob, blob_of, is_digest, parsed};
use super::useless;
use crate::desk::Desk;
use crate::spoiled;
use bus::connect::Bus;
use bus::error::BusError;
use bus::outflow::OutMessage;
use config::private_file;
use protocol::envelope::MessageType;
use protocol::ids::{Role, TaskRef};
use protocol::report::{Artifact, TaskReport};
use sha2::{Digest, Sha256};
use std::path::Path;

/// Most patches fetched for one report. A task leaves one.
const PATCHES: usize = 2;

/// Fetches everything these messages need.
///
/// # Errors
/// When the bus does not answer; what is not there is said when the report is read.
pub(super) async fn ahead(desk: &Desk, bus: &Bus, messages: &[OutMessage]) -> Result<(), BusError> {
    for message in messages {
        if !matches!(
            message.envelope.kind,
            MessageType::Result | MessageType::Handoff
        ) {
            continue;
        }
        if useless(desk, message).await.is_some() {
            continue;
        }
        let blobs = desk.home.blobs();
        if let Some(name) = blob_of(&message.envelope)
            && blob(&blobs, name).is_err()
        {
            fetch(bus, &message.role, name, &blobs.join(name)).await?;
        }
        let Ok(report) = parsed::<TaskReport>(&message.envelope, &blobs) else {
            continue;
        };
        let patches = report.artifacts.iter().filter(|one| one.kind == "patch");
        for artifact in patches.take(PATCHES) {
            patch(desk, bus, message, artifact).await?;
        }
    }
    Ok(())
}

/// The patch of a task of another host, put where this host's own would be.
async fn patch(
    desk: &Desk,
    bus: &Bus,
    message: &OutMessage,
    artifact: &Artifact,
) -> Result<(), BusError> {
    let (Some(task), Some(name)) = (message.envelope.payload.task_id, &artifact.blob) else {
        return Ok(());
    };
    let Ok(open) = desk.ledger.find(TaskRef::Id(task)).await else {
        return Ok(());
    };
    // A role's agent speaks for its own tasks, and only for those that are on another host.
    let elsewhere = open
        .task
        .host
        .is_some_and(|host| host != desk.settings.host);
    if open.task.agent != message.role || !elsewhere || open.state.is_final() {
        return Ok(());
    }
    let folder = desk.home.tasks().join(open.task.short_id.to_string());
    if let Err(error) = std::fs::create_dir_all(&folder) {
        tracing::warn!(%task, %error, "the patch of another host cannot be kept");
        return Ok(());
    }
    fetch(bus, &message.role, name, &folder.join("patch.diff")).await
}

async fn fetch(bus: &Bus, role: &Role, name: &str, to: &Path) -> Result<(), BusError> {
    if !is_digest(name) {
        return Ok(());
    }
    let there = match bus.blob_that_travels(role, name).await {
        // A key of this role that holds something else, or too much, is like one that is not there. What may not be looked at
        // for now is asked for again: nothing is settled without it.
        Err(error) if error.is_wrong_type() || matches!(error, BusError::Refused(_)) => {
            tracing::warn!(name, %error, "what another host sent ahead cannot be read");
            None
        }
        said => said?,
    };
    let Some(content) = there else {
        tracing::warn!(name, "what another host sent ahead is not there (any more)");
        return Ok(());
    };
    if digest(&content) != name {
        tracing::warn!(name, "what another host sent ahead is not what it says");
        return Ok(());
    }
    match private_file::write(to, &content) {
        Ok(()) => spoiled::spared(bus.blob_fetched(role, name).await).map(drop),
        Err(error) => {
            tracing::error!(name, %error, "what another host sent ahead cannot be kept");
            Ok(())
        }
    }
}

fn digest(content: &[u8]) -> String {
    let sum = Sha256::digest(content);
    sum.iter().map(|byte| format!("{byte:02x}")).collect()
}
