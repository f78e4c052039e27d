//! The word to stop: the team was frozen, or the warden that gave the order is gone. Nothing new is begun then; what can
//! be stopped in the middle is, and what was changed is put back, which nobody stops any more.

use crate::Refused;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;

static ASKED: AtomicBool = AtomicBool::new(false);
static FINISHING: AtomicBool = AtomicBool::new(false);
static TOLD: Notify = Notify::const_new();

/// Hears the word from now on.
///
/// # Errors
/// When signals cannot be heard.
pub fn listen() -> std::io::Result<()> {
    let mut term = signal(SignalKind::terminate())?;
    tokio::spawn(async move {
        while term.recv().await.is_some() {
            ASKED.store(true, Ordering::SeqCst);
            TOLD.notify_waiters();
        }
    });
    Ok(())
}

/// Whether it was said, and nothing is being put back.
pub fn asked() -> bool {
    ASKED.load(Ordering::SeqCst) && !FINISHING.load(Ordering::SeqCst)
}

/// Waits for it; for ever once something is being put back.
pub async fn wait() {
    loop {
        let told = TOLD.notified();
        if asked() {
            return;
        }
        told.await;
    }
}

/// From now on something is put back: that is brought to its end.
pub fn finishing() {
    FINISHING.store(true, Ordering::SeqCst);
}

/// Ends here, where it was said.
///
/// # Errors
/// The sentence.
pub fn check() -> Result<(), Refused> {
    match asked() {
        true => Err(stopped()),
        false => Ok(()),
    }
}

/// The sentence.
pub fn stopped() -> Refused {
    "it was told to stop (freeze)".into()
}
