//! `backup restore`: a snapshot into a folder, or a lost home into its empty place. A home that is only
//! half there is marked and does not start; the same command goes on with it.

use super::marker::{self, Marker};
use super::show::Line;
use super::{beside, key_file, nowhere, opened};
use crate::context::Context;
use crate::failure::Failure;
use crate::render::text::{count, safe, size};
use crate::terminal;
use backup::error::BackupError;
use backup::key::RecoveryKey;
use backup::names::SnapshotName;
use backup::repository::{Repository, Snapshot};
use backup::restore::{Progress, Wanted, restore as put_back};
use config::backup::BackupWhat;
use config::settings::Settings;
use protocol::document::DOCUMENT_VERSION;
use serde_json::json;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use supervisor::ledger::place::Place;
use supervisor::restored::{Parked, park};

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

/// Puts back.
pub async fn restore(context: &Context, wish: Wish, json: bool) -> Result<u8, Failure> {
    let home = &context.home;
    let mark = marker::place(home, wish.to.as_deref());
    let marker = marker::read(&mark)?;
    let settings = match marker::read(&home.restoring())? {
        // Half of its settings may be there.
        Some(_) => config::load::load(&elsewhere(home), &context.env, &[])?,
        None => context.settings()?,
    };
    match (&marker, &wish.to) {
        (Some(marker), _) => same(marker, &wish, &mark)?,
        (None, Some(to)) => empty(to, "folder")?,
        (None, None) => empty(&home.root, "home")?,
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
    let (repository, name, snapshot) = beside(move || {
        let mut repository = opened(&target, &keys, Some(&own))?;
        let all = repository.snapshots()?;
        let name = chosen(&all, job.as_deref().unwrap_or(&shipped), wanted.as_deref())
            .map_err(BackupError::Refused)?;
        let (_, snapshot) = repository
            .snapshot(&name, &own)
            .map_err(|error| with_others(error, &name, &all))?;
        Ok((repository, name, snapshot))
    })
    .await?;
    let is_home = snapshot.what == BackupWhat::Home.as_str();
    let to = match &wish.to {
        Some(to) => to.clone(),
        None if is_home => home.root.clone(),
        None => return Err(elsewhere_only(&name.job)),
    };
    backup::room::look(&snapshot, &to, 0)?;
    let into_home = wish.to.is_none();
    if !context.env.faults().unwrap_or_default().no_restoring_mark() {
        marker::write(&mark, &from, &name)?;
    }
    let wanted = (name.clone(), is_home.then(|| PathBuf::from("home")));
    let filled = async {
        let progress = filled(repository, key, wanted, to.clone(), !json).await?;
        let parked = match into_home {
            true => Some(finish(context, &snapshot).await?),
            false => None,
        };
        marker::away(&mark)?;
        Ok((progress, parked))
    };
    let filled: Result<_, Failure> = filled.await;
    let (progress, parked) = filled.map_err(|failure| going_on(failure, &to, into_home))?;
    let ledger = match into_home {
        true => super::settled::ledger(context, snapshot.began).await,
        false => None,
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

/// Puts the files back.
async fn filled(
    mut repository: Repository,
    key: RecoveryKey,
    (name, below): (SnapshotName, Option<PathBuf>),
    to: PathBuf,
    draw: bool,
) -> Result<Progress, Failure> {
    beside(move || {
        let mut line = Line::new(draw);
        let wanted = Wanted {
            name: &name,
            below: below.as_deref(),
            to: &to,
        };
        let (_, progress) = put_back(&mut repository, &key, &wanted, &mut |progress| {
            line.say(|| {
                let (written, all) = (size(progress.written), size(progress.bytes));
                format!("{} files, {written} of {all}", progress.files)
            });
            Ok(())
        })?;
        Ok(progress)
    })
    .await
}

/// What is half there is gone on with, and nothing else is put over it.
fn same(marker: &Marker, wish: &Wish, mark: &Path) -> Result<(), Failure> {
    match &wish.at {
        Some(at) if !marker.snapshot.starts_with(at.as_str()) => Err(Failure::usage(format!(
            "{} is half filled with {}: go on with that one (without --at), or empty the folder first",
            mark.parent().unwrap_or(mark).display(),
            safe(&marker.snapshot)
        ))),
        _ => Ok(()),
    }
}

/// What a person does after a restore that did not come to its end.
fn going_on(failure: Failure, to: &Path, into_home: bool) -> Failure {
    let to = safe(&to.to_string_lossy());
    failure.hint(match into_home {
        true => format!(
            "the home {to} is only half there and does not start; `ai-infra backup restore` goes on with it"
        ),
        false => format!("{to} is only half there; the same command goes on with it"),
    })
}

/// Workspaces are never put over workspaces.
fn elsewhere_only(job: &str) -> Failure {
    let job = safe(job);
    Failure::usage(format!(
        "{job} keeps workspaces, and those you have are not written over: say where it goes"
    ))
    .hint(format!("ai-infra backup restore {job} --to /a/new/folder"))
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

/// One that is damaged is not the end while there are others.
fn with_others(error: BackupError, name: &SnapshotName, all: &[SnapshotName]) -> BackupError {
    let others = all.iter().rev().filter(|o| o.job == name.job && *o != name);
    let others: Vec<String> = others.take(3).map(ToString::to_string).collect();
    match error {
        BackupError::Damaged { what, why } if !others.is_empty() => BackupError::Damaged {
            what,
            why: format!(
                "{why}; another one may be whole: --at {}",
                others.join(", or ")
            ),
        },
        error => error,
    }
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

/// Parks what was open: now the home may start.
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
