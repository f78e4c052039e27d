//! Remembers how far the record of acts goes on this host and, as their daemons say, on the others, in the ledger and in Redis, away from the
//! record's own files: whoever cuts its tail off is found out. A record that is shorter than was seen
//! is told at once, and the longer one stays remembered.

use crate::desk::Desk;
use crate::ledger::store::LedgerError;
use jiff::Timestamp;
use protocol::audit::AnchorLine;
use protocol::envelope::micros;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::{sleep, timeout};
use warden::client::Client;

/// Between two looks.
const PAUSE: Duration = Duration::from_secs(2);
/// Longest wait for Redis.
const PATIENCE: Duration = Duration::from_millis(500);
/// The other memory, in the words of `audit verify`.
const REDIS: &str = "redis";

/// Looks again and again. Runs for ever.
pub async fn keep(desk: &Desk) {
    let mut warden = Client::new(&desk.home, Duration::ZERO);
    let mut kept = 0;
    let mut told = false;
    loop {
        if let Ok(head) = warden.head().await
            && head.seq != kept
        {
            let line = AnchorLine {
                host: desk.settings.host.clone(),
                by: REDIS.to_owned(),
                seq: head.seq,
                hash: head.hash,
                at: micros(Timestamp::now()),
            };
            match remember(desk, &line).await {
                Ok(None) => kept = line.seq,
                Ok(Some(seen)) if !told => {
                    told = true;
                    cut(desk, &line, seen);
                }
                Ok(Some(_)) => {}
                Err(error) => desk.note(&error),
            }
        }
        sleep(PAUSE).await;
    }
}

/// Remembers how far the record of another host goes, as its daemon says; `told` is what was said of each
/// already.
///
/// # Errors
/// When the ledger does not answer.
pub async fn seen(
    desk: &Desk,
    host: &str,
    seq: u64,
    hash: String,
    told: &mut BTreeMap<String, u64>,
) -> Result<(), LedgerError> {
    if told.get(host) == Some(&seq) {
        return Ok(());
    }
    let line = AnchorLine {
        host: host.to_owned(),
        by: REDIS.to_owned(),
        seq,
        hash,
        at: micros(Timestamp::now()),
    };
    if let Some(seen) = remember(desk, &line).await? {
        cut(desk, &line, seen);
    }
    told.insert(host.to_owned(), seq);
    Ok(())
}

/// Says that a record is shorter than it was.
fn cut(desk: &Desk, line: &AnchorLine, seen: u64) {
    let said = format!(
        "the record of acts on {} ends at line {}, and line {seen} was seen before: somebody cut it; ai-infra audit verify",
        line.host, line.seq
    );
    tracing::error!(said);
    desk.hub.say(said);
}

/// Remembers a line; answers how far it was seen to go where that is farther.
async fn remember(desk: &Desk, line: &AnchorLine) -> Result<Option<u64>, LedgerError> {
    let all = desk.ledger.anchors().await?;
    let before = all.iter().find(|one| one.host == line.host);
    if let Some(before) = before.filter(|one| one.seq > line.seq) {
        return Ok(Some(before.seq));
    }
    let (host, seq, hash) = (&line.host, line.seq, &line.hash);
    desk.ledger.anchor(host, seq, hash, line.at).await?;
    if let Ok(bus) = desk.link.now()
        && let Ok(Err(error)) = timeout(PATIENCE, bus.anchor(line)).await
    {
        tracing::debug!(%error, "the record's end was not told to redis");
    }
    Ok(None)
}

/// What is remembered of every host's record, by the ledger and by Redis where it answers.
///
/// # Errors
/// When the ledger does not answer.
pub async fn all(desk: &Desk) -> Result<Vec<AnchorLine>, LedgerError> {
    let mut all = desk.ledger.anchors().await?;
    if let Ok(bus) = desk.link.now()
        && let Ok(Ok(there)) = timeout(PATIENCE, bus.anchors()).await
    {
        all.extend(there);
    }
    Ok(all)
}
