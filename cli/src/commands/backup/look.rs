//! `backup list` and `backup verify`.

use super::show::Line;
use super::{Placed, beside, jobs, key_file, opened};
use crate::context::Context;
use crate::failure::Failure;
use crate::render::list::ago;
use crate::render::text::{columns, count, safe, size};
use crate::terminal;
use backup::error::BackupError;
use backup::history::History;
use backup::key::RecoveryKey;
use backup::names::SnapshotName;
use backup::store::target::Keys;
use backup::verify::{Verified, verify as verified};
use jiff::Timestamp;
use protocol::document::DOCUMENT_VERSION;
use serde_json::json;

/// The jobs of one place.
struct At {
    placed: Placed,
    jobs: Vec<String>,
}

/// The places that are meant, each once.
fn places(all: Vec<Placed>) -> Vec<At> {
    let mut places: Vec<At> = Vec::new();
    for placed in all {
        match places
            .iter_mut()
            .find(|at| at.placed.target == placed.target)
        {
            Some(at) => at.jobs.push(placed.name),
            None => places.push(At {
                jobs: vec![placed.name.clone()],
                placed,
            }),
        }
    }
    places
}

fn names(
    at: &At,
    keys: &Keys,
    key: Option<&RecoveryKey>,
    whole: bool,
) -> Result<(backup::repository::Repository, Vec<SnapshotName>), BackupError> {
    let mut repository = opened(&at.placed.target, keys, key)?;
    let mut all = repository.snapshots()?;
    // What jobs that are gone from the settings have kept is shown too, where nobody asked for one.
    all.retain(|name| whole || at.jobs.contains(&name.job));
    all.reverse();
    Ok((repository, all))
}

/// Every snapshot.
pub async fn list(context: &Context, name: Option<&str>, json: bool) -> Result<u8, Failure> {
    let settings = context.settings()?;
    let jobs = jobs(context, &settings, name)?;
    let key = RecoveryKey::read(&key_file(context, &settings)?)?;
    let history = History::load(&context.home.backup());
    let whole = name.is_none();
    let mut rows = Vec::new();
    for at in places(jobs) {
        let (keys, key) = (super::keys(&settings, &context.home.backup()), key.clone());
        let place = at.placed.target.to_string();
        let found = beside(move || names(&at, &keys, key.as_ref(), whole).map(|(_, all)| all));
        rows.extend(found.await?.into_iter().map(|name| (place.clone(), name)));
    }
    if json {
        let rows: Vec<_> = rows
            .iter()
            .map(|(place, name)| {
                let size = history.size(name);
                json!({"snapshot": name.to_string(), "job": name.job, "at": name.at, "target": place,
                       "files": size.map(|s| s.files), "bytes": size.map(|s| s.bytes)})
            })
            .collect();
        let jobs: Vec<_> = history
            .jobs
            .iter()
            .map(|(job, of)| json!({"job": job, "alarm": of.alarm, "failed": of.failed}))
            .collect();
        let version = DOCUMENT_VERSION;
        return super::super::json(&json!({"version": version, "snapshots": rows, "jobs": jobs}));
    }
    terminal::print(&table(&rows, &history, Timestamp::now()));
    Ok(protocol::exit::DONE)
}

fn table(rows: &[(String, SnapshotName)], history: &History, now: Timestamp) -> String {
    let mut text = String::new();
    if rows.is_empty() {
        text.push_str("no snapshot is kept yet: ai-infra backup run\n");
    } else {
        let head = ["snapshot", "job", "made", "files", "size", "kept at"];
        let mut lines = vec![head.map(str::to_owned).to_vec()];
        for (place, name) in rows {
            let was = history.size(name);
            let files = was.map_or("-".to_owned(), |was| was.files.to_string());
            let bytes = was.map_or("-".to_owned(), |was| size(was.bytes));
            let made = ago(name.at, now);
            lines.push(vec![
                name.to_string(),
                safe(&name.job),
                made,
                files,
                bytes,
                safe(place),
            ]);
        }
        text.push_str(&columns(&lines));
    }
    for (job, of) in &history.jobs {
        if let Some((at, why)) = &of.failed {
            let when = ago(*at, now);
            text.push_str(&format!("\n✗ {} failed {when}: {}\n", safe(job), safe(why)));
        }
        if let Some(alarm) = &of.alarm {
            text.push_str(&format!("\n! {}: {}\n", safe(job), safe(alarm)));
        }
    }
    text
}

/// Reads back what is kept.
pub async fn verify(
    context: &Context,
    name: Option<&str>,
    all: bool,
    json: bool,
) -> Result<u8, Failure> {
    let settings = context.settings()?;
    let jobs = jobs(context, &settings, name)?;
    let file = key_file(context, &settings)?;
    let key = RecoveryKey::read(&file)?;
    if key.is_none() {
        terminal::complain(&format!(
            "warning: there is no recovery key at {}: only that the objects are what was sent is looked at\n",
            file.display()
        ));
    }
    let mut documents = Vec::new();
    let mut exit = protocol::exit::DONE;
    for at in places(jobs) {
        let (keys, key) = (super::keys(&settings, &context.home.backup()), key.clone());
        let place = at.placed.target.to_string();
        let whole = name.is_none();
        let found = beside(move || {
            let (mut repository, mut names) = names(&at, &keys, key.as_ref(), whole)?;
            if !all {
                let mut seen = std::collections::BTreeSet::new();
                names.retain(|name| seen.insert(name.job.clone()));
            }
            let mut line = Line::new(!json);
            verified(&mut repository, &names, key.as_ref(), &mut |so_far| {
                line.say(|| format!("{} packs, {} read", so_far.packs, size(so_far.bytes)));
            })
        })
        .await?;
        if !found.broken.is_empty() {
            exit = protocol::exit::FAILED;
        }
        match json {
            true => documents.push(document(&place, &found)),
            false => terminal::print(&said(&place, &found)),
        }
    }
    if json {
        super::super::json(&json!({"version": DOCUMENT_VERSION, "targets": documents}))?;
    }
    Ok(exit)
}

fn document(place: &str, found: &Verified) -> serde_json::Value {
    let whole: Vec<String> = found.whole.iter().map(ToString::to_string).collect();
    let broken: Vec<_> = found
        .broken
        .iter()
        .map(|(name, why)| json!({"snapshot": name.to_string(), "why": why}))
        .collect();
    json!({"target": place, "whole": whole, "broken": broken, "packs": found.packs, "bytes": found.bytes})
}

fn said(place: &str, found: &Verified) -> String {
    let mut text = String::new();
    if found.whole.is_empty() && found.broken.is_empty() {
        return format!(
            "no snapshot is kept at {} yet: ai-infra backup run\n",
            safe(place)
        );
    }
    for name in &found.whole {
        text.push_str(&format!("✓ {name}\n"));
    }
    for (name, why) in &found.broken {
        text.push_str(&format!("✗ {name}\n"));
        for why in why.iter().take(10) {
            text.push_str(&format!("    {}\n", safe(why)));
        }
        if why.len() > 10 {
            text.push_str(&format!("    … and {} more\n", why.len() - 10));
        }
    }
    let packs = count(found.packs, "pack", "packs");
    text.push_str(&format!(
        "{packs}, {} read back from {}\n",
        size(found.bytes),
        safe(place)
    ));
    text
}
