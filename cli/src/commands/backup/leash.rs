//! A backup that the supervisor began ends with it: standing on a leash, it watches its standard input,
//! whose other end the supervisor holds open as long as it lives.

use std::io::Read;
use std::sync::Arc;
use tokio::sync::Notify;

/// The leash.
#[derive(Debug, Clone)]
pub struct Leash {
    gone: Arc<Notify>,
    on: bool,
}

impl Leash {
    /// Watches, where it is wanted.
    pub fn new(on: bool) -> Self {
        let gone = Arc::new(Notify::new());
        if on {
            let gone = gone.clone();
            // A thread of its own: a read cannot be called back, and must not keep the runtime from ending.
            std::thread::spawn(move || {
                let mut rest = [0; 64];
                while matches!(std::io::stdin().read(&mut rest), Ok(1..)) {}
                gone.notify_one();
            });
        }
        Self { gone, on }
    }

    /// Whether the supervisor began this.
    pub fn is_on(&self) -> bool {
        self.on
    }

    /// Waits until whoever holds it is gone.
    pub async fn gone(&self) {
        self.gone.notified().await;
    }
}
