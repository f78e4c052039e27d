//! The word to stop: the team was frozen, the warden that gave the order is gone, or (of a program of level 3) the task is over. Nothing new
//! is begun then; what can be stopped in the middle is, and what was changed is put back, which nobody stops any more.

use crate::Refused;
use nix::sys::signal::{SigSet, Signal};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;

/// Why it is to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// The team was frozen, or the warden is gone.
    Freeze,
    /// Its task was cancelled or is over.
    Over,
}

impl Why {
    /// The sentence.
    pub fn sentence(self) -> String {
        let why = match self {
            Why::Freeze => "freeze",
            Why::Over => "its task was cancelled or is over",
        };
        format!("it was told to stop ({why})")
    }
}

/// The first word holds: what it stopped is told under it.
static TOLD: OnceLock<Why> = OnceLock::new();
static FINISHING: AtomicBool = AtomicBool::new(false);
static WOKEN: Notify = Notify::const_new();

/// Hears the word from now on, and one that was held back until now.
///
/// # Errors
/// When signals cannot be heard.
pub fn listen() -> std::io::Result<()> {
    for (kind, why) in [
        (SignalKind::terminate(), Why::Freeze),
        (SignalKind::user_defined1(), Why::Over),
    ] {
        let mut heard = signal(kind)?;
        tokio::spawn(async move {
            while heard.recv().await.is_some() {
                TOLD.get_or_init(|| why);
                WOKEN.notify_waiters();
            }
        });
    }
    // The warden starts the hands with both held back: nobody is killed by a word before there is somebody to hear it.
    let mut words = SigSet::empty();
    words.add(Signal::SIGTERM);
    words.add(Signal::SIGUSR1);
    words.thread_unblock()?;
    Ok(())
}

/// Lets a word be heard that came while nothing else was: what is begun next is begun after it.
pub async fn hear() {
    // The first time the signal is taken, the second time it is told.
    for _ in 0..2 {
        tokio::task::yield_now().await;
    }
}

/// Whether it was said, and nothing is being put back.
pub fn asked() -> bool {
    why().is_some()
}

fn why() -> Option<Why> {
    let told = TOLD.get().copied();
    told.filter(|_| !FINISHING.load(Ordering::SeqCst))
}

/// Waits for it; for ever once something is being put back.
pub async fn wait() -> Why {
    loop {
        let woken = WOKEN.notified();
        if let Some(why) = why() {
            return why;
        }
        woken.await;
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
    let why = TOLD.get().copied().unwrap_or(Why::Freeze);
    why.sentence().into()
}
