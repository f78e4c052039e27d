//! Lets go of what is old: clones of tasks that are over, caches of projects nobody works on, and blobs that nothing
//! names, by age and by size (`team.keep_days`, `team.keep_mb`). Never what an open task, a patch that nobody applied or a
//! task of the ledger refers to. A task's folder and its patch stay: a number whose folder is there is never given again.
//! `decide` says what goes, `look` sees what is there.

mod decide;
mod look;

use crate::desk::Desk;
use crate::ledger::store::LedgerError;
use decide::{Bounds, Kind, Thing, decide};
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep};

/// First look, and the pause between two.
const FIRST: Duration = Duration::from_secs(300);
const PAUSE: Duration = Duration::from_secs(3600);
/// While somebody works it waits, looking so often.
const BUSY: Duration = Duration::from_secs(60);
/// After so long it does not wait for a quiet moment any more.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// What was let go, or would be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Gone {
    clones: u64,
    caches: u64,
    blobs: u64,
    bytes: u64,
}

/// Lets go again and again, while nobody works. Runs for ever.
pub(crate) async fn keep(desk: &Desk) {
    sleep(FIRST).await;
    loop {
        let since = Instant::now();
        while since.elapsed() < LONGEST && is_busy(desk).await {
            sleep(BUSY).await;
        }
        match sweep(desk, false).await {
            Ok(gone) if gone == Gone::default() => {}
            Ok(gone) => tracing::info!("{}", sentence(gone, false)),
            Err(error) => desk.note(&error),
        }
        sleep(PAUSE).await;
    }
}

async fn is_busy(desk: &Desk) -> bool {
    desk.ledger
        .counts()
        .await
        .map_or(true, |counts| counts.running > 0)
}

/// Lets go of what is old now; with `dry`, only says what that is. Answers a sentence.
///
/// # Errors
/// When the ledger does not answer.
pub(crate) async fn now(desk: &Desk, dry: bool) -> Result<String, LedgerError> {
    let gone = sweep(desk, dry).await?;
    Ok(sentence(gone, dry))
}

async fn sweep(desk: &Desk, dry: bool) -> Result<Gone, LedgerError> {
    let team = &desk.settings.team;
    let days = i64::try_from(team.keep_days).unwrap_or(i64::MAX / 24);
    let bounds = Bounds {
        age: (days > 0).then(|| SignedDuration::from_hours(24 * days)),
        bytes: (team.keep_mb > 0).then(|| team.keep_mb.saturating_mul(1_000_000)),
    };
    if bounds.age.is_none() && bounds.bytes.is_none() {
        return Ok(Gone::default());
    }
    let now = Timestamp::now();
    let things = look::all(desk, bounds, now).await?;
    let chosen = decide(things, bounds, now);
    let mut gone = Gone::default();
    for thing in chosen {
        if dry || remove(desk, thing.clone()).await {
            match thing.kind {
                Kind::Clone => gone.clones += 1,
                Kind::Cache => gone.caches += 1,
                Kind::Blob => gone.blobs += 1,
            }
            gone.bytes += thing.bytes;
        }
    }
    Ok(gone)
}

/// Removes one thing; `false` where it was not.
async fn remove(desk: &Desk, thing: Thing) -> bool {
    // Somebody may have begun to work since: his cache is left to him.
    if thing.kind == Kind::Cache && is_busy(desk).await {
        return false;
    }
    let path = thing.path.display().to_string();
    let removed = spawn_blocking(move || match thing.kind {
        Kind::Clone => guard::clone::remove_clone(&thing.path).map(|()| true),
        Kind::Cache => guard::clone::remove(&thing.path).map(|()| true),
        Kind::Blob => look::remove_blob(&thing),
    });
    match removed.await {
        Ok(Ok(removed)) => removed,
        Ok(Err(error)) => {
            tracing::warn!(path, %error, "an old thing cannot be removed");
            false
        }
        Err(_) => false,
    }
}

/// `let go of 3 clones and 1 cache (1.2 GB)`.
fn sentence(gone: Gone, dry: bool) -> String {
    let count = |many: u64, one: &str, more: &str| match many {
        0 => None,
        1 => Some(format!("1 {one}")),
        many => Some(format!("{many} {more}")),
    };
    let parts: Vec<String> = [
        count(
            gone.clones,
            "clone of an ended task",
            "clones of ended tasks",
        ),
        count(gone.caches, "cache", "caches"),
        count(gone.blobs, "blob", "blobs"),
    ]
    .into_iter()
    .flatten()
    .collect();
    let verb = if dry { "would let go of" } else { "let go of" };
    match parts.as_slice() {
        [] => "nothing is old enough to be let go (team.keep_days, team.keep_mb)".to_owned(),
        parts => {
            let megabytes = gone.bytes as f64 / 1e6;
            format!("{verb} {} ({megabytes:.1} MB)", parts.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_let_go_is_a_sentence() {
        let gone = Gone {
            clones: 2,
            caches: 1,
            blobs: 0,
            bytes: 3_400_000,
        };
        assert_eq!(
            sentence(gone, false),
            "let go of 2 clones of ended tasks, 1 cache (3.4 MB)"
        );
        assert_eq!(
            sentence(
                Gone {
                    clones: 1,
                    ..Gone::default()
                },
                true
            ),
            "would let go of 1 clone of an ended task (0.0 MB)"
        );
        assert!(sentence(Gone::default(), false).starts_with("nothing is old"));
    }
}
