//! A key that the model's server refused may have been replaced where secrets are kept: the daemon is asked once,
//! and where it has another one, this process is about to be started anew with it.

use crate::stop::{self, Signal, Stop, Watch};
use protocol::control::{Answer, CONTROL_VERSION, Reply, Request, Verb};
use std::path::Path;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::time::timeout;

/// Longest wait for the daemon, which itself waits for the service.
const ASKED: Duration = Duration::from_secs(30);
/// Longest wait to be let go.
const LET_GO: Duration = Duration::from_secs(15);

/// Ends with the reason to put the task down where there is another key; comes back where there is none.
///
/// # Errors
/// [`Stop::Yield`], or what else was said meanwhile.
pub async fn is_there_another_key(daemon: &Path, watch: &Watch) -> Result<(), Stop> {
    if !timeout(ASKED, asked(daemon))
        .await
        .is_ok_and(|said| said == Some(true))
    {
        // It may have been found meanwhile.
        return stop::check(watch);
    }
    tracing::info!("the key was refused and another one is kept now: it goes on with that");
    let mut watch = watch.clone();
    let said = |now: &Signal| !matches!(now, Signal::Go | Signal::Cancel);
    let _waited = timeout(LET_GO, watch.wait_for(said)).await.is_ok();
    stop::check(&watch)
}

/// What the daemon says; `None` where it does not.
async fn asked(daemon: &Path) -> Option<bool> {
    let stream = UnixStream::connect(daemon).await.ok()?;
    let mut stream = BufReader::new(stream);
    let request = Request {
        v: CONTROL_VERSION,
        verb: Verb::SecretsAgain,
    };
    let mut line = serde_json::to_vec(&request).ok()?;
    line.push(b'\n');
    stream.write_all(&line).await.ok()?;
    let mut said = String::new();
    stream.read_line(&mut said).await.ok()?;
    match serde_json::from_str(&said).ok()? {
        Reply::Done { answer } => match *answer {
            Answer::SecretsAgain { changed } => Some(changed),
            _ => None,
        },
        _ => None,
    }
}
