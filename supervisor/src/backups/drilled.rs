//! A home that a drill has restored aside: it is only looked at. Nothing is begun in it, and its team ends
//! with the drill that started it, whatever ended that.

use crate::client;
use backup::history;
use config::home::Home;
use config::private_file;
use protocol::control::Verb;
use std::path::PathBuf;
use std::time::Duration;
use tokio::time::sleep;

/// Pause between two looks.
const LOOK: Duration = Duration::from_millis(500);
/// Largest marker, in bytes.
const MARKER_BYTES: u64 = 8 * 1024;

/// Marks a home as one of a drill of another.
///
/// # Errors
/// When it cannot be written.
pub fn mark(scratch: &Home, of: &Home) -> Result<(), config::error::ConfigError> {
    let text = serde_json::json!({"v": 1, "of": of.root});
    private_file::write(&scratch.drill(), text.to_string().as_bytes())
}

/// The home whose drill this is.
fn of(scratch: &Home) -> Option<Home> {
    let bytes = private_file::read(&scratch.drill(), MARKER_BYTES).ok()??;
    let marker: serde_json::Value = serde_json::from_slice(&bytes).ok()?;
    Some(Home::at(PathBuf::from(marker["of"].as_str()?)))
}

/// Stops the team once nobody drills any more. Runs for ever.
pub async fn end_with_it(scratch: Home) {
    let of = of(&scratch);
    loop {
        sleep(LOOK).await;
        // Who drills holds the lock of the backups.
        let over = of
            .as_ref()
            .is_none_or(|home| !home.backup().is_dir() || history::alone(&home.backup()).is_ok());
        if over {
            tracing::warn!("the drill is gone: its team ends");
            let _asked = client::ask_daemon(&scratch, Verb::Down).await;
        }
    }
}
