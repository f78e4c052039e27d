//! The text of a playbook as it was when a task was accepted: kept under its digest, so that whoever
//! works on the task, here or on another host, now or after the file was changed, works by it.

use crate::desk::Desk;
use bus::connect::Bus;
use bus::error::BusError;
use config::error::ConfigError;
use config::private_file;
use protocol::task::{Task, Way};
use sha2::{Digest, Sha256};

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
    let digest = hex(text.as_bytes());
    let folder = desk.home.blobs();
    let path = folder.join(&digest);
    let kept = std::fs::read(&path).is_ok_and(|kept| hex(&kept) == digest);
    if !kept {
        std::fs::create_dir_all(&folder).map_err(|e| ConfigError::file("make", &folder, e))?;
        private_file::write(&path, text.as_bytes())?;
    }
    *sha256 = Some(digest);
    Ok(())
}

/// Sends the text ahead of a task that is worked on on another host.
///
/// # Errors
/// When the bus does not take it.
pub(crate) async fn send_ahead(desk: &Desk, bus: &Bus, task: &Task) -> Result<(), BusError> {
    let elsewhere = crate::intake::hosts::other(desk, task).is_some();
    let (Way::Playbook { sha256, .. }, true) = (&task.way, elsewhere) else {
        return Ok(());
    };
    let Some(digest) = sha256 else {
        return Ok(());
    };
    match std::fs::read(desk.home.blobs().join(digest)) {
        Ok(text) => bus.put_blob(&task.agent, digest, &text).await,
        Err(error) => {
            // The agent there says what is missing, where it does not have the same text itself.
            tracing::warn!(task = %task.short_id, %error, "the text of its playbook");
            Ok(())
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    let sum = Sha256::digest(bytes);
    sum.iter().map(|byte| format!("{byte:02x}")).collect()
}
