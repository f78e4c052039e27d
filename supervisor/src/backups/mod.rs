//! Backups and drills that begin by themselves. They are runs of the scheduler with their history in the
//! ledger, and no tasks: a task is done by an agent, which sees a clone of one folder, and a backup
//! reads the home with its secrets and every workspace. Each is a process of its own (`errand`); `jobs`
//! makes schedules of the settings, `standing` says what is alarming.
//!
//! A run is owed until it came to its end. It lives no longer than the supervisor that began it, and the
//! home's lock lets one at a time be at it, so whoever is killed: the next supervisor begins it once more,
//! what was sent is not sent again, and history has one line for it.

pub mod drilled;
mod errand;
pub mod jobs;
pub mod standing;
#[cfg(test)]
mod tests;

use crate::desk::Desk;
use crate::ledger::schedule_runs::{Came, OwedRun};
use crate::ledger::store::LedgerError;
use backup::history::History;
use errand::Ended;
use jiff::{SignedDuration, Timestamp};
use pai::schedule::grammar::Job;
use std::time::Duration;
use tokio::time::timeout;

/// Longest pause between two looks.
const LOOK: SignedDuration = SignedDuration::from_mins(10);
/// Shortest pause between two looks.
const PAUSE: SignedDuration = SignedDuration::from_millis(200);
/// A run that failed, or was cut off, is begun again after these pauses.
const AGAIN: [SignedDuration; 3] = [
    SignedDuration::from_mins(5),
    SignedDuration::from_mins(30),
    SignedDuration::from_hours(2),
];
/// While another process of this home backs up.
const BUSY: SignedDuration = SignedDuration::from_secs(20);

/// Begins what is owed, one after the other. Runs for ever.
pub async fn keep_going(desk: &Desk) {
    loop {
        let wait = match round(desk).await {
            Ok(wait) => wait.clamp(PAUSE, LOOK),
            Err(error) => {
                desk.note(&error);
                BUSY
            }
        };
        let wait = Duration::try_from(wait).unwrap_or_default();
        let _woken_or_not = timeout(wait, desk.backups.notified()).await;
    }
}

/// Begins everything that is owed now, and says when to look again.
async fn round(desk: &Desk) -> Result<SignedDuration, LedgerError> {
    first(desk).await?;
    let mut wait = LOOK;
    for run in desk.ledger.owed_runs().await? {
        let read = desk.schedules.now();
        let Some(schedule) = read.schedules.get(&run.schedule) else {
            continue;
        };
        let words = match &schedule.job {
            Job::Backup(job) => vec!["backup", "run", job],
            Job::Drill => vec!["backup", "drill"],
            _ => continue,
        };
        let left = run
            .again
            .map(|again| again.duration_since(Timestamp::now()));
        if let Some(left) = left.filter(|left| left.is_positive()) {
            wait = wait.min(left);
            continue;
        }
        let again = begin(desk, run, &words).await?;
        wait = again.map_or(wait, |again| wait.min(again));
    }
    Ok(wait)
}

/// A job that has a place now and was never tried is owed at once: nobody waits a week for the first one.
async fn first(desk: &Desk) -> Result<(), LedgerError> {
    let read = desk.schedules.now();
    let history = History::load(&desk.home.backup());
    let known = desk.ledger.schedules().await?;
    for schedule in read.schedules.values() {
        let Job::Backup(job) = &schedule.job else {
            continue;
        };
        let Some(known) = known.get(&schedule.name) else {
            continue;
        };
        let tried = history.jobs.get(job).is_some_and(|of| of.was_tried());
        if !tried && !known.standing.running && known.paused.is_none() {
            let run = OwedRun {
                schedule: schedule.name.clone(),
                due: Timestamp::now(),
                asked_by: None,
                request_id: None,
                attempts: 0,
                again: None,
            };
            desk.ledger.owe_run(&run).await?;
        }
    }
    Ok(())
}

/// Begins a run and waits for its end. Answers when it is to be begun again, where it is.
async fn begin(
    desk: &Desk,
    mut run: OwedRun,
    words: &[&str],
) -> Result<Option<SignedDuration>, LedgerError> {
    let name = &run.schedule;
    let most = AGAIN.len() as u32 + 1;
    if run.attempts >= most {
        let why = format!("it was cut off {most} times, the last time before it could say why");
        desk.hub.say(format!("schedule {name}: failed: {why}"));
        let came = desk
            .ledger
            .settle_run(&run, Came::Failed(&why), Timestamp::now());
        return came.await.map(|()| None);
    }
    run.attempts = desk.ledger.attempt_run(&run).await?;
    tracing::info!(schedule = %run.schedule, attempt = run.attempts, "begun");
    let ended = errand::run(&desk.home, words).await;
    let ended = ended.unwrap_or_else(|error| Ended::failed(format!("it cannot be begun: {error}")));
    settle(desk, &run, ended).await
}

/// Writes down what a run came to, or when it is begun again.
async fn settle(
    desk: &Desk,
    run: &OwedRun,
    ended: Ended,
) -> Result<Option<SignedDuration>, LedgerError> {
    let now = Timestamp::now();
    let name = &run.schedule;
    let off = |pause: SignedDuration| now.saturating_add(pause).unwrap_or(now);
    match ended {
        Ended::Done { said, loud } => {
            tracing::info!(schedule = %name, said, "done");
            if loud {
                desk.hub.say(format!("schedule {name}: {said}"));
            }
            desk.ledger.settle_run(run, Came::Done(&said), now).await?;
            Ok(None)
        }
        Ended::Busy => {
            let again = desk.ledger.put_off_run(run, off(BUSY), false);
            again.await.map(|()| Some(BUSY))
        }
        Ended::Failed { why, for_good } => {
            tracing::warn!(schedule = %name, why, attempt = run.attempts, "failed");
            let pause = AGAIN.get(run.attempts.saturating_sub(1) as usize);
            // What comes round sooner than that is not begun twice.
            let next = desk
                .schedules
                .now()
                .schedules
                .get(name)
                .and_then(|s| s.calendar.after(now));
            let sooner = |pause: &SignedDuration| next.is_some_and(|next| next <= off(*pause));
            match pause.filter(|pause| !for_good && !sooner(pause)) {
                Some(pause) => {
                    if run.attempts == 1 {
                        desk.hub.say(format!("schedule {name}: {why}; tried again"));
                    }
                    let again = desk.ledger.put_off_run(run, off(*pause), true);
                    again.await.map(|()| Some(*pause))
                }
                None => {
                    desk.hub.say(format!("schedule {name}: failed: {why}"));
                    desk.ledger.settle_run(run, Came::Failed(&why), now).await?;
                    Ok(None)
                }
            }
        }
    }
}
