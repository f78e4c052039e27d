//! `backup restore`: a snapshot into a folder, or a lost home into its empty place. A home that is only
//! half there is marked and does not start; the same command goes on with it.

use super::show::Line;
use super::{beside, key_file, nowhere, opened};
use crate::context::Context;
use crate::failure::Failure;
use crate::render::text::{count, safe, size};
use crate::terminal;
use backup::key::RecoveryKey;
use backup::names::SnapshotName;
use backup::repository::{Repository, Snapshot};
use backup::restore::{Progress, Wanted, restore as put_back};
use config::backup::BackupWhat;
use config::private_file;
use config::settings::Settings;
use jiff::Timestamp;
use protocol::document::DOCUMENT_VERSION;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use supervisor::ledger::place::Place;
use supervisor::restored::{Parked, park};

/// Version of the marker.
const VERSION: u64 = 1;

/// What was asked for.
#[derive(Debug, Clone, Default)]
pub struct Wish {
    /// The job.
    pub name: Option<String>,
    /// The snapshot, or the beginning of its name.
    pub at: Option<String>,
    /// The folder.
    pub to: Option<PathBuf>,
    /// The place.
    pub from: Option<String>,
    /// The file of the recovery key.
    pub key: Option<PathBuf>,
}

/// The marker of a home that is being put back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Marker {
    v: u64,
    from: String,
    snapshot: String,
    began: Timestamp,
}

/// Puts back.
pub async fn restore(context: &Context, wish: Wish, json: bool) -> Result<u8, Failure> {
    let home = &context.home;
    let marker = read_marker(&home.restoring())?;
    let settings = match marker {
        // Half of its settings may be there.
        Some(_) => config::load::load(&elsewhere(home), &context.env, &[])?,
        None => context.settings()?,
    };
    let into_home = wish.to.is_none();
    let marker = marker.filter(|_| into_home);
    if into_home && marker.is_none() {
        empty(&home.root, "home")?;
    }
    let from = wish
        .from
        .clone()
        .or(marker.as_ref().map(|m| m.from.clone()));
    let from = from
        .or(settings.backup.remote.clone())
        .ok_or_else(nowhere)?;
    super::github::could_be(context, &settings, &from)?;
    // What is remembered of a repository would make the home one that is not empty.
    let scratch = tempfile::tempdir().map_err(|e| Failure::new(protocol::exit::FAILED, e))?;
    let file = match &wish.key {
        Some(file) => file.clone(),
        None => key_file(context, &settings)?,
    };
    let Some(key) = RecoveryKey::read(&file)? else {
        return Err(Failure::usage(format!(
            "there is no recovery key at {}: nothing can be read without it",
            file.display()
        ))
        .hint("put your copy of it there (one line, mode 0600), or name its file: --key FILE"));
    };
    let target = super::github::place(context, &settings, &from, scratch.path()).await?;
    let keys = super::keys(&settings, scratch.path());
    let wanted = marker
        .as_ref()
        .map(|m| m.snapshot.clone())
        .or(wish.at.clone());
    let job = wish.name.clone();
    let shipped = shipped_home_job(&settings);
    let own = key.clone();
    let (mut repository, name, snapshot) = beside(move || {
        let mut repository = opened(&target, &keys, Some(&own))?;
        let all = repository.snapshots()?;
        let name = chosen(&all, job.as_deref().unwrap_or(&shipped), wanted.as_deref())
            .map_err(backup::error::BackupError::Refused)?;
        let (_, snapshot) = repository.snapshot(&name, &own)?;
        Ok((repository, name, snapshot))
    })
    .await?;
    let is_home = snapshot.what == BackupWhat::Home.as_str();
    let to =
        match &wish.to {
            Some(to) => {
                empty(to, "folder")?;
                to.clone()
            }
            None if is_home => home.root.clone(),
            None => {
                return Err(Failure::usage(format!(
                "{} keeps workspaces, and those you have are not written over: say where it goes",
                safe(&name.job)
            ))
            .hint(format!("ai-infra backup restore {} --to /a/new/folder", safe(&name.job))));
            }
        };
    if into_home {
        mark(&home.root, &home.restoring(), &from, &name)?;
    }
    let below = is_home.then(|| PathBuf::from("home"));
    let goal = to.clone();
    let wanted = name.clone();
    let progress = beside(move || {
        let mut line = Line::new(!json);
        written(
            &mut repository,
            &key,
            &wanted,
            below.as_deref(),
            &goal,
            &mut line,
        )
    })
    .await?;
    let (parked, ledger) = match into_home {
        true => (
            Some(finish(context, &snapshot).await?),
            super::settled::ledger(context, snapshot.began).await,
        ),
        false => (None, None),
    };
    if json {
        return super::super::json(&json!({
            "version": DOCUMENT_VERSION, "snapshot": name.to_string(), "to": to, "files": progress.files,
            "bytes": progress.bytes, "parked": parked.map(|p| p.tasks), "left_out": snapshot.notes,
            "ledger": ledger,
        }));
    }
    terminal::print(&said(&name, &snapshot, &to, &progress, parked, ledger));
    Ok(protocol::exit::DONE)
}

fn written(
    repository: &mut Repository,
    key: &RecoveryKey,
    name: &SnapshotName,
    below: Option<&Path>,
    to: &Path,
    line: &mut Line,
) -> Result<Progress, backup::error::BackupError> {
    let wanted = Wanted { name, below, to };
    let (_, progress) = put_back(repository, key, &wanted, &mut |progress| {
        line.say(|| {
            let (written, all) = (size(progress.written), size(progress.bytes));
            format!("{} files, {written} of {all}", progress.files)
        });
    })?;
    Ok(progress)
}

/// The job that keeps the home.
fn shipped_home_job(settings: &Settings) -> String {
    let jobs = &settings.backup.jobs;
    let home = jobs.iter().find(|(_, job)| job.what == BackupWhat::Home);
    home.map_or("memory", |(name, _)| name.as_str()).to_owned()
}

/// The snapshot that is meant, or why there is none. A name or its beginning says which.
fn chosen(all: &[SnapshotName], job: &str, at: Option<&str>) -> Result<SnapshotName, String> {
    let newest = match at {
        Some(at) => {
            let fits = |name: &&SnapshotName| name.to_string().starts_with(at);
            let exact = all.iter().find(|name| name.to_string() == at);
            exact.or(all.iter().filter(|name| name.job == job).rfind(fits))
        }
        None => all.iter().rfind(|name| name.job == job),
    };
    newest.cloned().ok_or_else(|| {
        let mut jobs: Vec<&str> = all.iter().map(|name| name.job.as_str()).collect();
        jobs.sort_unstable();
        jobs.dedup();
        let there = match jobs.is_empty() {
            true => "no snapshot at all is there".to_owned(),
            false => format!("there are snapshots of: {}", jobs.join(", ")),
        };
        match at {
            Some(at) => format!(
                "no snapshot of {job} is called `{}`: see `ai-infra backup list`",
                config::error::quoted(at)
            ),
            None => format!("there is no snapshot of {job}; {there}"),
        }
    })
}

/// A folder that something can be put into: not there, or empty.
fn empty(folder: &Path, what: &str) -> Result<(), Failure> {
    let refused = |why: &str| {
        let said = format!(
            "the {what} {} {why}: nothing is written over",
            folder.display()
        );
        Err(Failure::usage(said)
            .hint("put it elsewhere: ai-infra backup restore --to /a/new/folder"))
    };
    match fs::read_dir(folder) {
        Ok(mut entries) => match entries.next() {
            None => Ok(()),
            Some(_) => refused("is not empty"),
        },
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => refused(&format!("cannot be looked into ({error})")),
    }
}

fn read_marker(path: &Path) -> Result<Option<Marker>, Failure> {
    let Some(bytes) = private_file::read(path, 64 * 1024)? else {
        return Ok(None);
    };
    let marker = serde_json::from_slice::<Marker>(&bytes);
    match marker {
        Ok(marker) if marker.v == VERSION => Ok(Some(marker)),
        _ => Err(Failure::usage(format!(
            "{} is of another version of ai-infra, or damaged: empty the home and restore anew",
            path.display()
        ))),
    }
}

/// The first thing that is written: from now on the home does not start.
fn mark(root: &Path, path: &Path, from: &str, name: &SnapshotName) -> Result<(), Failure> {
    use std::os::unix::fs::DirBuilderExt;
    let made = fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(root);
    made.map_err(|error| Failure::usage(format!("cannot make {}: {error}", root.display())))?;
    let marker = Marker {
        v: VERSION,
        from: from.to_owned(),
        snapshot: name.to_string(),
        began: Timestamp::now(),
    };
    let text = serde_json::to_vec_pretty(&marker)
        .map_err(|error| Failure::new(protocol::exit::FAILED, error))?;
    Ok(private_file::write(path, &text)?)
}

/// Parks what was open, then takes the marker away: now the home may start.
async fn finish(context: &Context, snapshot: &Snapshot) -> Result<Parked, Failure> {
    let home = &context.home;
    let parked = match home.ledger().exists() {
        true => park(&Place::file(home.ledger()), snapshot.began)
            .await
            .map_err(|error| Failure::new(error.exit_code(), error))?,
        false => Parked::default(),
    };
    if home.ledger().exists() {
        // It may have been on a server when the backup was made; it is a file now.
        super::settled::is_a_file(home)?;
    }
    let gone = fs::remove_file(home.restoring()).and_then(|()| File::open(&home.root)?.sync_all());
    gone.map_err(|error| Failure::new(protocol::exit::FAILED, error))?;
    Ok(parked)
}

/// A home with nothing in it.
fn elsewhere(home: &config::home::Home) -> config::home::Home {
    config::home::Home::at(home.run().join("no-home"))
}

fn said(
    name: &SnapshotName,
    snapshot: &Snapshot,
    to: &Path,
    progress: &Progress,
    parked: Option<Parked>,
    ledger: Option<String>,
) -> String {
    let mut text = format!(
        "✓ {name} of host {} is back: {}, {} in {}\n",
        safe(&snapshot.host),
        count(progress.files, "file", "files"),
        size(progress.bytes),
        safe(&to.to_string_lossy()),
    );
    for note in snapshot.notes.iter().take(10) {
        text.push_str(&format!("  not in it: {}\n", safe(note)));
    }
    let Some(parked) = parked else {
        return text;
    };
    if parked.tasks > 0 {
        let tasks = count(
            parked.tasks,
            "task that was open waits",
            "tasks that were open wait",
        );
        text.push_str(&format!("  {tasks} for your answer: ai-infra task list\n"));
    }
    if parked.parts > 0 {
        let parts = count(parked.parts, "part of a plan is", "parts of plans are");
        text.push_str(&format!("  {parts} not begun: ai-infra task retry\n"));
    }
    if let Some(ledger) = ledger {
        text.push_str(&format!("  {}\n", safe(&ledger)));
    }
    text.push_str("\nnext:  ai-infra up     the team goes on\n       ai-infra backup list     what else is kept, such as workspaces\n");
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_newest_unless_one_is_named() {
        let name = |at: &str, job: &str| SnapshotName::new(at.parse().unwrap(), job);
        let all = [
            name("2026-11-19T03:00:00Z", "memory"),
            name("2026-11-20T03:00:00Z", "memory"),
            name("2026-11-20T04:00:00Z", "code"),
        ];
        let of = |job: &str, at: Option<&str>| chosen(&all, job, at);
        assert_eq!(of("memory", None).unwrap(), all[1]);
        assert_eq!(of("memory", Some("20261119")).unwrap(), all[0]);
        assert_eq!(of("memory", Some(&all[2].to_string())).unwrap(), all[2]);
        assert!(
            of("memory", Some("2025"))
                .unwrap_err()
                .contains("backup list")
        );
        assert!(
            of("x", None)
                .unwrap_err()
                .contains("snapshots of: code, memory")
        );
        assert!(
            chosen(&[], "memory", None)
                .unwrap_err()
                .contains("no snapshot at all")
        );
    }
}
