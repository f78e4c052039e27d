//! `backup run`: every job, one after the other. One that fails does not keep the others from running.

use super::belongs::{Roots, roots};
use super::leash::Leash;
use super::show::Line;
use super::{Placed, beside, configuration, jobs, key_file};
use crate::context::Context;
use crate::failure::Failure;
use crate::interrupt;
use crate::render::text::{count, safe, size};
use crate::terminal;
use backup::error::BackupError;
use backup::history::History;
use backup::keep::{Keep, Size};
use backup::key::RecoveryKey;
use backup::names::SnapshotName;
use backup::prune::prune;
use backup::repository::Repository;
use backup::run::{Done, Job, run as back_up};
use backup::store::target::Keys;
use config::home::Home;
use config::settings::Settings;
use jiff::Timestamp;
use protocol::control::Verb;
use protocol::document::DOCUMENT_VERSION;
use protocol::fault::Faults;
use serde::Serialize;
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::Instant;
use supervisor::client::{self, ClientError};
use supervisor::ledger::copy;
use supervisor::ledger::place::Place;
use supervisor::ledger::whereabouts;

/// What is true after a Ctrl-C once a snapshot may be there.
const KEPT: &str = "a snapshot that was whole by then is kept, see ai-infra backup list; the rest: ai-infra backup run";
/// Most notes that are shown.
const NOTES: usize = 10;

/// What a job came to.
#[derive(Debug, Default, Serialize)]
struct Came {
    job: String,
    target: String,
    snapshot: Option<String>,
    files: u64,
    bytes: u64,
    sent: u64,
    took_ms: u64,
    removed: usize,
    notes: Vec<String>,
    alarm: Option<String>,
    error: Option<String>,
    #[serde(skip)]
    exit: u8,
}

/// Backs up.
pub async fn run(
    context: &Context,
    name: Option<&str>,
    json: bool,
    leash: &Leash,
) -> Result<u8, Failure> {
    let settings = context.settings()?;
    let both_ways = configuration::meant(&settings, name)?;
    let jobs = match (&both_ways, name) {
        (Some(_), Some(_)) => Vec::new(),
        _ => jobs(context, &settings, name)?,
    };
    let home = &context.home;
    started(home)?;
    let mut all = Vec::new();
    let in_step = match both_ways {
        Some((job, place)) => Some(configuration::job(context, job, place, json).await?),
        None => None,
    };
    let (_alone, key) = match jobs.is_empty() {
        true => (None, None),
        false => {
            let alone = super::alone(context, leash).await?;
            (Some(alone), key(context, &settings, leash)?)
        }
    };
    for placed in jobs {
        let what = placed.what;
        // Each job has the ledger as it is when the job begins.
        let ledger = ledger(home, &settings).await?;
        let roots = roots(home, &settings, what, ledger.as_deref()).await;
        let came = one(context, &settings, placed, roots, key.clone(), !json).await?;
        if !json {
            terminal::print(&said(&came));
        }
        all.push(came);
        if let Some(copied) = ledger {
            let _gone = std::fs::remove_file(copied);
        }
    }
    let exit = all.iter().map(|came| came.exit).max().unwrap_or_default();
    let (exit_of_it, report) = in_step.unwrap_or_default();
    if json {
        super::super::json(&serde_json::json!({
            "version": DOCUMENT_VERSION, "jobs": all, "configuration": report,
        }))?;
    }
    Ok(exit.max(exit_of_it))
}

/// A home gets its id when its team is started for the first time.
pub fn started(home: &Home) -> Result<(), Failure> {
    if home.root.join("id").exists() {
        return Ok(());
    }
    let why = format!(
        "no team was ever started in {}, so there is nothing to back up",
        home.root.display()
    );
    Err(Failure::usage(why).hint("start the team: ai-infra up"))
}

/// Makes snapshots at places of their own, which the history of the jobs does not know; answers their names.
pub async fn apart(
    context: &Context,
    settings: &Settings,
    placed: Vec<Placed>,
    cache: &Path,
    draw: bool,
) -> Result<Vec<String>, Failure> {
    let home = &context.home;
    let key = key(context, settings, &Leash::new(false))?;
    let ledger = ledger(home, settings).await?;
    let mut names = Vec::new();
    for placed in placed {
        let Roots { all, gone, .. } = roots(home, settings, placed.what, ledger.as_deref()).await?;
        for gone in gone {
            let (path, name) = (safe(&gone.path), safe(&gone.name));
            terminal::complain(&format!("warning: {path} ({name}) is gone and not in it\n"));
        }
        let job = Job {
            name: placed.name.clone(),
            what: placed.what.as_str().to_owned(),
            host: settings.host.clone(),
            faults: Faults::default(),
            roots: all,
        };
        if job.roots.is_empty() {
            continue;
        }
        let keep = Keep {
            last: 1,
            daily: 0,
            weekly: 0,
            monthly: 0,
        };
        let (keys, key) = (super::keys(settings, cache), key.clone());
        let made = beside(move || {
            made(
                &placed,
                &job,
                &keys,
                key.as_ref(),
                (keep, &HashSet::new()),
                draw,
            )
        })
        .await?;
        for note in made.0.notes.iter().take(NOTES) {
            terminal::complain(&format!("warning: {}\n", safe(note)));
        }
        names.push(made.0.name.to_string());
    }
    if let Some(copied) = ledger {
        let _gone = std::fs::remove_file(copied);
    }
    Ok(names)
}

/// The recovery key; made where there is none, and then shown this once.
fn key(
    context: &Context,
    settings: &Settings,
    leash: &Leash,
) -> Result<Option<RecoveryKey>, Failure> {
    let file = key_file(context, settings)?;
    if let Some(key) = RecoveryKey::read(&file)? {
        return Ok(Some(key));
    }
    // A machine that has backed up before goes on with the public half: the key may be kept elsewhere.
    let known = std::fs::read_dir(context.home.backup())
        .into_iter()
        .flatten();
    if known
        .flatten()
        .any(|entry| entry.path().join("naming").exists())
    {
        return Ok(None);
    }
    let key = RecoveryKey::generate();
    key.write(&file)?;
    if leash.is_on() {
        // Nobody reads this: status says it until somebody has looked.
        let folder = context.home.backup();
        History::change(&folder, |history| history.key_unseen = true)?;
        return Ok(Some(key));
    }
    terminal::complain(&format!(
        "a recovery key was made: {}\n  {}\n  keep a copy where this machine is not: whoever has it and the backups has everything back,\n  without it nobody can read them\n\n",
        file.display(),
        key.reveal()
    ));
    Ok(Some(key))
}

/// A copy of the ledger as it is now, in a file of its own: the supervisor makes it, or we do where none
/// is up. `None` where nothing was ever kept.
async fn ledger(home: &Home, settings: &Settings) -> Result<Option<PathBuf>, Failure> {
    let place = whereabouts::of(settings, home);
    let place = place.map_err(|error| Failure::new(error.exit_code(), error))?;
    if matches!(place, Place::File(_)) && !home.ledger().exists() {
        return Ok(None);
    }
    let to = home.backup().join("ledger-copy.db");
    // What an earlier run that was killed has left.
    for end in ["", "-wal", "-shm"] {
        let _earlier = std::fs::remove_file(home.backup().join(format!("ledger-copy.db{end}")));
    }
    match client::ask(home, Verb::LedgerCopy { to: to.clone() }).await {
        Ok(_) => {}
        Err(ClientError::Down { .. }) => copy::copy(&place, &to)
            .await
            .map_err(|error| Failure::new(error.exit_code(), error))?,
        Err(error) => return Err(error.into()),
    }
    Ok(Some(to))
}

/// One job, whatever it comes to.
async fn one(
    context: &Context,
    settings: &Settings,
    placed: Placed,
    roots: Result<Roots, Failure>,
    key: Option<RecoveryKey>,
    draw: bool,
) -> Result<Came, Failure> {
    let home = &context.home;
    let keep = Keep {
        last: settings.backup.keep.last,
        daily: settings.backup.keep.daily,
        weekly: settings.backup.keep.weekly,
        monthly: settings.backup.keep.monthly,
    };
    let began = Instant::now();
    let mut came = Came {
        job: placed.name.clone(),
        target: placed.target.to_string(),
        ..Came::default()
    };
    let (mut kept, mut gone) = (Vec::new(), Vec::new());
    let job = roots.map(|roots| {
        (kept, gone) = (roots.kept, roots.gone);
        roots.all
    });
    let job = job.map(|roots| Job {
        name: placed.name.clone(),
        what: placed.what.as_str().to_owned(),
        host: settings.host.clone(),
        roots,
        faults: context.env.faults().unwrap_or_default(),
    });
    let keys = super::keys(settings, &home.backup());
    let result = match job {
        Ok(job) if job.roots.is_empty() => {
            let none = match gone.is_empty() {
                true => "no task was about a folder yet: nothing to back up",
                false => "no folder of the list is there: nothing to back up",
            };
            came.notes.push(none.to_owned());
            let well = |history: &mut History| {
                history.well(&came.job, Timestamp::now());
                history.folders(&came.job, None, &kept, &gone)
            };
            came.alarm = History::change(&home.backup(), well)?;
            if came.alarm.is_some() {
                came.exit = protocol::exit::FAILED;
            }
            return Ok(came);
        }
        Ok(job) => {
            let stay = History::load(&home.backup()).stay(&came.job, &gone);
            let made = move || made(&placed, &job, &keys, key.as_ref(), (keep, &stay), draw);
            beside(made).await
        }
        Err(failure) => Err(failure),
    };
    came.took_ms = began.elapsed().as_millis() as u64;
    let noted = |history: &mut History| match result {
        Ok((done, removed)) => {
            let progress = &done.progress;
            (came.files, came.bytes, came.sent) = (progress.files, progress.bytes, progress.sent);
            let was = Size {
                files: progress.files,
                bytes: progress.bytes,
            };
            history.made(&done.name, was);
            came.alarm = history.folders(&came.job, Some(&done.name), &kept, &gone);
            came.snapshot = Some(done.name.to_string());
            came.exit = match done.notes.is_empty() && came.alarm.is_none() {
                true => protocol::exit::DONE,
                false => protocol::exit::FAILED,
            };
            came.notes = done.notes;
            came.removed = removed;
        }
        Err(failure) => {
            history.failed(&came.job, Timestamp::now(), failure.message.clone());
            came.exit = failure.exit;
            came.error = Some(failure.message);
        }
    };
    History::change(&home.backup(), noted)?;
    Ok(came)
}

/// Makes the snapshot, then lets go of old ones.
fn made(
    placed: &Placed,
    job: &Job,
    keys: &Keys,
    key: Option<&RecoveryKey>,
    (keep, stay): (Keep, &HashSet<SnapshotName>),
    draw: bool,
) -> Result<(Done, usize), BackupError> {
    let mut repository = Repository::open_or_make(placed.target.store(keys)?, &keys.cache, key)?;
    let mut line = Line::new(draw);
    let done = back_up(&mut repository, job, key, Timestamp::now, &mut |progress| {
        if progress.closing {
            interrupt::says_from_now_on(KEPT);
        }
        line.say(|| {
            let (files, bytes) = (progress.files, size(progress.bytes));
            format!(
                "{}: {files} files, {bytes}, {} sent",
                job.name,
                size(progress.sent)
            )
        });
    })?;
    drop(line);
    let removed = match prune(&mut repository, keep, stay, &job.host, Timestamp::now) {
        Ok(pruned) => pruned.snapshots.len(),
        // The snapshot is there; the next run lets go.
        Err(BackupError::Busy(_)) => 0,
        Err(error) => return Err(error),
    };
    Ok((done, removed))
}

/// What a person reads.
fn said(came: &Came) -> String {
    let job = safe(&came.job);
    let Some(snapshot) = &came.snapshot else {
        return match &came.error {
            Some(error) => format!("✗ {job}: {}\n", safe(error)),
            None => {
                let alarm = came
                    .alarm
                    .iter()
                    .map(|alarm| format!("  warning: {}\n", safe(alarm)));
                let alarm: String = alarm.collect();
                format!("- {job}: {}\n{alarm}", safe(&came.notes.join("; ")))
            }
        };
    };
    let seconds = came.took_ms as f64 / 1000.0;
    let mut text = format!(
        "{} {job}: {}, {}, {} sent in {seconds:.1} s to {}\n  {}\n",
        if came.exit == protocol::exit::DONE {
            "✓"
        } else {
            "!"
        },
        count(came.files, "file", "files"),
        size(came.bytes),
        size(came.sent),
        safe(&came.target),
        safe(snapshot),
    );
    if came.removed > 0 {
        let many = count(came.removed as u64, "older snapshot", "older snapshots");
        text.push_str(&format!("  {many} let go of\n"));
    }
    if let Some(alarm) = &came.alarm {
        text.push_str(&format!("  warning: {}\n", safe(alarm)));
    }
    for note in came.notes.iter().take(NOTES) {
        text.push_str(&format!("  warning: {}\n", safe(note)));
    }
    if came.notes.len() > NOTES {
        text.push_str(&format!("  … and {} more\n", came.notes.len() - NOTES));
    }
    text
}
