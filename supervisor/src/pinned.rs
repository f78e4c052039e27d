//! The text of a playbook as it was when a task was accepted: kept under its digest, so that whoever
//! works on the task, here or on another host, now or after the file was changed, works by it.

use crate::desk::Desk;
use bus::connect::Bus;
use bus::error::BusError;
use config::error::ConfigError;
use config::private_file;
use protocol::task::{Task, Way};
use sha2::{Digest, Sha256};
use std::path::Path;

/// Names the text in the way of a new task and keeps it in this home. Other ways stay as they are.
///
/// # Errors
/// When the text cannot be kept: the task must not be accepted then.
pub(crate) fn pin(desk: &Desk, way: &mut Way) -> Result<(), ConfigError> {
    let Way::Playbook { name, sha256, .. } = way else {
        return Ok(());
    };
    let Some(text) = desk.shelf.text(name) else {
        return Ok(());
    };
    *sha256 = Some(keep(&desk.home.blobs(), text.as_bytes())?);
    Ok(())
}

/// Keeps content in the folder of blobs under its digest; on return it is on the disk.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn keep(folder: &Path, content: &[u8]) -> Result<String, ConfigError> {
    let digest = hex(content);
    let path = folder.join(&digest);
    // What is used again is touched, so that nobody lets go of it as old.
    let touch = || std::fs::File::open(&path)?.set_modified(std::time::SystemTime::now());
    let kept = std::fs::read(&path).is_ok_and(|kept| hex(&kept) == digest) && touch().is_ok();
    if !kept {
        std::fs::create_dir_all(folder).map_err(|e| ConfigError::file("make", folder, e))?;
        private_file::write(&path, content)?;
    }
    Ok(digest)
}

/// Sends the text and the attached files ahead of a task that is worked on on another host.
///
/// # Errors
/// When the bus does not take it.
pub(crate) async fn send_ahead(desk: &Desk, bus: &Bus, task: &Task) -> Result<(), BusError> {
    if crate::intake::hosts::other(desk, task).is_none() {
        return Ok(());
    }
    let text = match &task.way {
        Way::Playbook { sha256, .. } => sha256.as_ref(),
        _ => None,
    };
    let files = task.attachments.iter().map(|file| &file.sha256);
    for digest in text.into_iter().chain(files) {
        match std::fs::read(desk.home.blobs().join(digest)) {
            Ok(content) => bus.put_blob(&task.agent, digest, &content).await?,
            // The agent there says what is missing, where it does not have the same itself.
            Err(error) => {
                tracing::warn!(task = %task.short_id, digest, %error, "not sent ahead");
            }
        }
    }
    Ok(())
}

fn hex(bytes: &[u8]) -> String {
    let sum = Sha256::digest(bytes);
    sum.iter().map(|byte| format!("{byte:02x}")).collect()
}
