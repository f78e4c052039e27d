//! A key that the model's server refused may have been replaced where secrets are kept: the daemon is asked once,
//! and where it has another one, this process is about to be started anew with it.

use crate::launcher::hatch::Hatch;
use crate::launcher::wish::Wish;
use crate::stop::{self, Signal, Stop, Watch};
use std::time::Duration;
use tokio::time::timeout;

/// Longest wait for the daemon, which itself waits for the service.
const ASKED: Duration = Duration::from_secs(30);
/// Longest wait to be let go.
const LET_GO: Duration = Duration::from_secs(15);

/// Ends with the reason to put the task down where there is another key; comes back where there is none.
///
/// # Errors
/// [`Stop::Yield`], or what else was said meanwhile.
pub async fn is_there_another_key(hatch: &Hatch, watch: &Watch) -> Result<(), Stop> {
    let asked = timeout(ASKED, hatch.slowly(Wish::AnotherKey)).await;
    if !matches!(asked, Ok(Ok(true))) {
        // It may have been found meanwhile.
        return stop::check(watch);
    }
    tracing::info!("the key was refused and another one is kept now: it goes on with that");
    let mut watch = watch.clone();
    let said = |now: &Signal| !matches!(now, Signal::Go | Signal::Cancel);
    let _waited = timeout(LET_GO, watch.wait_for(said)).await.is_ok();
    stop::check(&watch)
}
