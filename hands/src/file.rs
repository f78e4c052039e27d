//! Files of the host that are granted by name: read, changed as a whole, put back. As with a site the difference is shown
//! before, the file is kept before it is changed, and it is placed by a rename; who owns it and who may read it stays.

use crate::keep::{self, Note};
use crate::place::Place;
use crate::{Refused, diff, digest, unchanged};
use nix::unistd::{AccessFlags, access};
use protocol::duty::names::{HostFile, KeptId};
use protocol::duty::order::{End, Order, Outcome, Wish};
use serde_json::json;
use std::path::Path;

/// Whether what is kept under a number is a granted file, and no site's.
pub fn is_granted(order: &Order, id: &KeptId) -> bool {
    let path = keep::kept(order, id).map(|(note, _)| note.path);
    path.is_ok_and(|path| order.terms.files.iter().any(|file| file.as_str() == path))
}

/// The place of a granted file: really where it was granted, and none of the install's own.
fn there(order: &Order, path: &Path) -> Result<Place, Refused> {
    let place = Place::granted(path)?;
    // HOME/warden/kept
    let home = Path::new(&order.kept).ancestors().nth(2);
    let home = home.unwrap_or(Path::new("/"));
    let real = std::fs::canonicalize(home).unwrap_or_else(|_| home.to_owned());
    let is_in = |home: &Path| home != Path::new("/") && path.starts_with(home);
    match is_in(home) || is_in(&real) {
        true => Err(format!("{} is the install's own: it is left alone", path.display()).into()),
        false => Ok(place),
    }
}

/// Whether this process may put it there.
///
/// # Errors
/// A sentence.
pub fn may_write(path: &Path) -> Result<(), Refused> {
    let above = path.parent().unwrap_or(Path::new("/"));
    match access(above, AccessFlags::W_OK) {
        Ok(()) => Ok(()),
        Err(_) => {
            crate::needs_root(&format!("changing {}", path.display()))?;
            Err(format!("{} cannot be written to", above.display()).into())
        }
    }
}

/// Says what one holds.
pub fn show(order: &Order, path: &HostFile) -> Result<Outcome, Refused> {
    let at = Path::new(path.as_str());
    let now = there(order, at)?.read()?;
    let text = match &now {
        None => format!("{path} is not there"),
        Some(text) => format!("{path} holds {} bytes", text.len()),
    };
    let data = json!({"path": path, "there": now.is_some(), "text": now, "sha256": now.as_ref().map(|text| digest(text.as_bytes()))});
    Ok(Outcome::of(End::Done, text, data))
}

/// Puts a text in place of what it holds.
pub fn put(order: &Order, path: &HostFile, text: &str) -> Result<Outcome, Refused> {
    let at = there(order, Path::new(path.as_str()))?;
    changed(order, &at, Some(text), order.duty.title())
}

/// Puts a kept one back.
pub fn restore(order: &Order, id: &KeptId, over: bool) -> Result<Outcome, Refused> {
    let (note, kept) = keep::kept(order, id)?;
    let at = there(order, Path::new(&note.path))?;
    let now = at.read()?;
    let now = now.map(|text| digest(text.as_bytes()));
    if now != note.after && !over && order.wish == Wish::Look {
        let path = &note.path;
        return Err(format!("{path} was changed since {id} was kept: say `over` to put it back all the same, and the change is kept too").into());
    }
    let what = format!("{}, kept at {}", order.duty.title(), note.at);
    changed(order, &at, kept.as_deref(), what)
}

fn changed(
    order: &Order,
    place: &Place,
    new: Option<&str>,
    what: String,
) -> Result<Outcome, Refused> {
    let path = place.path();
    let sum = |text: Option<&str>| text.map(|text| digest(text.as_bytes()));
    let old = place.read()?;
    let seen = json!({"bound": {"path": path, "old": sum(old.as_deref()), "new": sum(new)}});
    if order.wish == Wish::Settle {
        return settled(order, place, sum(old.as_deref()), sum(new), &what);
    }
    may_write(path)?;
    if order.wish == Wish::Look {
        let mut lines = vec![
            ("do".to_owned(), what),
            ("file".to_owned(), path.display().to_string()),
        ];
        let (diff, unshown) = diff::lines(old.as_deref().unwrap_or(""), new.unwrap_or(""));
        for (at, line) in diff.into_iter().enumerate() {
            let label = if at == 0 { "diff" } else { "" };
            lines.push((label.to_owned(), line));
        }
        let note = match (&old, new) {
            (Some(old), Some(new)) if old == new => "it is so already: the file would not change",
            (None, _) => "there is no such file yet",
            (_, None) => "the file would be taken away: there was none before the change",
            _ => "the file is placed whole; whoever reads it is not told",
        };
        lines.push(("note".to_owned(), note.to_owned()));
        let mut seen = seen;
        seen["unshown"] = unshown.into();
        return Ok(Outcome::look(lines, seen));
    }
    unchanged(order, &seen)?;
    let note = keep::keep(order, place, old.as_deref(), new, &what)?;
    place.put(new, note.owner.as_ref())?;
    told(place, &note, &what)
}

/// What is so now.
fn told(place: &Place, note: &Note, what: &str) -> Result<Outcome, Refused> {
    let path = place.path();
    let now = place.read()?.map(|text| digest(text.as_bytes()));
    let data =
        json!({"path": path, "kept": note.id, "sha256": now, "was_there": note.before.is_some()});
    match now == note.after {
        true => Ok(Outcome::of(
            End::Done,
            format!("{what}: done; as it was before it is kept as {}", note.id),
            data,
        )),
        false => Ok(Outcome::of(
            End::Failed,
            format!(
                "{what}: somebody changed {} at the same moment",
                path.display()
            ),
            data,
        )),
    }
}

fn settled(
    order: &Order,
    place: &Place,
    now: Option<String>,
    new: Option<String>,
    what: &str,
) -> Result<Outcome, Refused> {
    let id = order.id.clone().ok_or("it has no number")?;
    let Ok((note, _)) = keep::kept(order, &id) else {
        return Ok(Outcome::not(
            "it was interrupted before anything was changed",
        ));
    };
    if now == new {
        return told(place, &note, what);
    }
    if now == note.before {
        return Ok(Outcome::not(
            "it was interrupted before the file was placed: nothing was changed",
        ));
    }
    let text = format!(
        "{} is neither as it was before nor as it was to be: somebody changed it",
        place.path().display()
    );
    Ok(Outcome::of(End::Unknown, text, json!({"kept": id})))
}
