//! `backup drill`: the newest snapshot of the home is restored aside, compared with what it says and with
//! the home it came from, and its team is started. A backup that was never restored is a hope.

use super::aside::{Aside, Writing};
use super::leash::Leash;
use super::show::Line;
use super::{Placed, beside, jobs, key_file, opened};
use crate::context::Context;
use crate::failure::Failure;
use crate::interrupt::{Own, interrupted};
use crate::render::text::{count, one_line, safe, size, time};
use crate::terminal;
use backup::compare::{Compared, compare};
use backup::error::BackupError;
use backup::history::History;
use backup::key::RecoveryKey;
use backup::names::SnapshotName;
use backup::repository::Snapshot;
use backup::restore::{Wanted, restore};
use backup::room;
use config::settings::Settings;
use jiff::{SignedDuration, Timestamp};
use protocol::backup::Drilled;
use protocol::control::Verb;
use protocol::document::DOCUMENT_VERSION;
use protocol::exit;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::time::Instant;
use supervisor::client;
use supervisor::ledger::drilled as ledgers;
use supervisor::ledger::place::Place;
use supervisor::ledger::whereabouts;
use supervisor::restored::park;

/// Most differences that are shown.
const SHOWN: usize = 20;
/// A copy of a ledger is younger than what is in it by at most so much.
const COPYING: SignedDuration = SignedDuration::from_mins(5);

/// What a drill saw.
#[derive(Debug, Default)]
struct Saw {
    snapshot: String,
    files: u64,
    bytes: u64,
    ledger: ledgers::Compared,
    memories: Option<u64>,
    differences: Vec<String>,
}

/// Drills.
pub async fn run(context: &Context, json: bool, leash: &Leash) -> Result<u8, Failure> {
    let settings = context.settings()?;
    let Some((name, _)) = settings.backup.home_job() else {
        return Err(Failure::usage(
            "no job of the backups keeps the home, so there is nothing to drill",
        ));
    };
    let placed = jobs(context, &settings, Some(name))?.into_iter().next();
    let placed = placed.ok_or_else(super::nowhere)?;
    let folder = context.home.backup();
    let _alone = super::alone(context, leash).await?;
    let file = key_file(context, &settings)?;
    let Some(key) = RecoveryKey::read(&file)? else {
        return Err(Failure::usage(format!(
            "there is no recovery key at {}, and a drill reads the backup",
            file.display()
        ))
        .hint("put it there for the drill, or say on another machine: ai-infra backup restore"));
    };
    let began = Instant::now();
    let _own = Own::take();
    let aside = Aside::make(context).await?;
    let cut = || {
        Failure::new(
            exit::CANCELLED,
            "the drill was cut off: its copy of the home was taken away",
        )
    };
    let saw = tokio::select! {
        saw = drilled(context, &settings, &aside, (placed, key), json) => saw,
        () = leash.gone() => Err(cut()),
        () = interrupted() => Err(cut()),
    };
    aside.end().await?;
    let saw = saw?;
    let took = time(began.elapsed());
    let good = saw.differences.is_empty();
    let said = said(&saw, &took);
    let drilled = Drilled {
        at: Timestamp::now(),
        snapshot: saw.snapshot.clone(),
        good,
        said: said.clone(),
    };
    History::change(&folder, |history| history.drill = Some(drilled))?;
    if !leash.is_on() {
        let words = said.clone();
        // A team that is down has no window.
        let _heard = client::ask(&context.home, Verb::BackupSaid { words }).await;
    }
    let code = if good { exit::DONE } else { exit::FAILED };
    if json {
        super::super::json(&json!({
            "version": DOCUMENT_VERSION, "snapshot": saw.snapshot, "good": good, "said": said,
            "files": saw.files, "bytes": saw.bytes, "memories": saw.memories,
            "tasks": saw.ledger.tasks, "tasks_now": saw.ledger.tasks_now, "rows": saw.ledger.rows,
            "differences": saw.differences,
        }))?;
        return Ok(code);
    }
    let mark = if good { "✓" } else { "✗" };
    terminal::print(&format!("{mark} {}\n", safe(&said)));
    for difference in saw.differences.iter().take(SHOWN) {
        terminal::line(&format!("  {}", one_line(difference, 300)));
    }
    let more = saw.differences.len().saturating_sub(SHOWN) as u64;
    if more > 0 {
        terminal::line(&format!("  … and {more} more (--json has them all)"));
    }
    Ok(code)
}

fn said(saw: &Saw, took: &str) -> String {
    let snapshot = &saw.snapshot;
    let different = saw.differences.len() as u64;
    if let Some(first) = saw.differences.first() {
        let many = count(different, "thing differs", "things differ");
        return format!("drill of {snapshot}: {many}: {}", one_line(first, 200));
    }
    let memories = saw.memories.map_or(String::new(), |memories| {
        format!("{} and ", count(memories, "memory", "memories"))
    });
    format!(
        "drill of {snapshot}: restored in {took}, {} ({}) equal, its team starts, with {memories}{} ({} here now)",
        count(saw.files, "file", "files"),
        size(saw.bytes),
        count(saw.ledger.tasks, "task", "tasks"),
        saw.ledger.tasks_now,
    )
}

async fn drilled(
    context: &Context,
    settings: &Settings,
    aside: &Aside,
    (placed, key): (Placed, RecoveryKey),
    json: bool,
) -> Result<Saw, Failure> {
    let mut saw = Saw::default();
    let keys = super::keys(settings, &context.home.backup());
    let (target, job, own) = (placed.target.clone(), placed.name.clone(), key.clone());
    // The living team needs what it always does.
    let spare = settings.team.min_free_mb.saturating_mul(1_000_000);
    let to = aside.home.root.clone();
    let (mut repository, name) = beside(move || {
        let mut repository = opened(&target, &keys, Some(&own))?;
        let all = repository.snapshots()?;
        let newest = all.into_iter().rfind(|name| name.job == job);
        let newest = newest.ok_or_else(|| {
            BackupError::Refused(format!(
                "there is no snapshot of {job} yet: ai-infra backup run {job}"
            ))
        })?;
        // One that cannot be read is what a drill is to find.
        if let Ok((_, snapshot)) = repository.snapshot(&newest, &own) {
            room::look(&snapshot, &to, spare)?;
        }
        Ok((repository, newest))
    })
    .await?;
    saw.snapshot = name.to_string();
    let (to, writing) = (aside.home.root.clone(), aside.writing().await);
    let came = beside(
        move || match back(&mut repository, &key, (&name, &to), writing, !json) {
            Ok(came) => Ok(Ok(came)),
            // What is looked for.
            Err(error @ BackupError::Damaged { .. }) => Ok(Err(error.to_string())),
            Err(error) => Err(error),
        },
    )
    .await?;
    let (snapshot, compared) = match came {
        Ok(came) => came,
        Err(damage) => {
            saw.differences.push(damage);
            return Ok(saw);
        }
    };
    (saw.files, saw.bytes) = (compared.files, compared.bytes);
    saw.differences.extend(compared.differences);
    let (memory, copy) = (context.home.memory(), aside.home.memory());
    let living = beside(move || Ok(memories(&memory, &copy, snapshot.began)));
    saw.differences.extend(living.await?);
    ledgers(context, settings, aside, &snapshot, &mut saw).await?;
    // One that does not open would only be said twice.
    if saw.differences.is_empty() {
        team(aside, &mut saw).await;
    }
    Ok(saw)
}

/// Puts the snapshot into the folder, and compares what came to lie there.
fn back(
    repository: &mut backup::repository::Repository,
    key: &RecoveryKey,
    (name, to): (&SnapshotName, &Path),
    writing: Writing,
    draw: bool,
) -> Result<(Snapshot, Compared), BackupError> {
    let mut line = Line::new(draw);
    let below = Some(Path::new("home"));
    let wanted = Wanted { name, below, to };
    let (snapshot, _) = restore(repository, key, &wanted, &mut |progress| {
        let (written, all) = (size(progress.written), size(progress.bytes));
        line.say(|| format!("drill: {written} of {all}"));
        writing.goes_on()
    })?;
    drop(writing);
    let compared = compare(repository, key, &wanted)?;
    Ok((snapshot, compared))
}

/// Memories of the living home that were not changed since the backup was begun are the same in it.
fn memories(live: &Path, copy: &Path, began: Timestamp) -> Vec<String> {
    let mut differences = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(below) = folders.pop() {
        let entries = std::fs::read_dir(live.join(&below)).into_iter().flatten();
        for entry in entries.flatten() {
            let own = below.join(entry.file_name());
            let Ok(about) = entry.metadata() else {
                continue;
            };
            if about.is_dir() {
                folders.push(own);
                continue;
            }
            let modified = about.modified().ok().map(Timestamp::try_from);
            let before = matches!(modified, Some(Ok(at)) if at < began);
            if !before || own == Path::new(".owner") {
                continue;
            }
            let why = match (std::fs::read(entry.path()), std::fs::read(copy.join(&own))) {
                (Err(_), _) => continue,
                (_, Err(_)) => "is not in the backup",
                (Ok(here), Ok(there)) if here != there => "is another one in the backup",
                _ => continue,
            };
            let own = safe(&own.to_string_lossy());
            differences.push(format!(
                "MEMORY/{own} {why}, though it was not changed since"
            ));
        }
    }
    differences
}

/// The restored ledger beside the living one; then what was open is parked, as after a real loss.
async fn ledgers(
    context: &Context,
    settings: &Settings,
    aside: &Aside,
    snapshot: &Snapshot,
    saw: &mut Saw,
) -> Result<(), Failure> {
    let failed =
        |error: supervisor::ledger::error::LedgerError| Failure::new(error.exit_code(), error);
    let live = whereabouts::of(settings, &context.home).map_err(failed)?;
    let copied = aside.home.ledger();
    let about = match std::fs::metadata(&copied) {
        Ok(about) => about,
        Err(_) => {
            let said = "the ledger is not in the backup".to_owned();
            saw.differences.push(said);
            return Ok(());
        }
    };
    let made = about
        .modified()
        .ok()
        .and_then(|at| Timestamp::try_from(at).ok());
    let made = made.unwrap_or(snapshot.began);
    let made = made.checked_sub(COPYING).unwrap_or(made);
    let restored = Place::file(&copied);
    saw.ledger = ledgers::compare(&restored, &live, made)
        .await
        .map_err(failed)?;
    saw.differences.append(&mut saw.ledger.differences.clone());
    if saw.ledger.differences.is_empty()
        && let Err(error) = park(&restored, snapshot.began).await
    {
        saw.differences.push(format!("the ledger: {error}"));
    }
    Ok(())
}

/// Starts the team of the restored home and asks it what it has.
async fn team(aside: &Aside, saw: &mut Saw) {
    match aside.start().await {
        Ok(memories) => saw.memories = Some(memories),
        Err(why) => saw.differences.push(format!("its team: {why}")),
    }
}
