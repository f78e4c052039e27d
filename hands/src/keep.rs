//! Files as they were before they were changed: each change keeps the file under a number of its own, safe on
//! disk before anything is placed. Placing is by rename, so a reader sees the old file or the new one.

use crate::place::{Owner, Place};
use crate::{Refused, digest};
use jiff::Timestamp;
use protocol::duty::names::KeptId;
use protocol::duty::order::{End, Order, Outcome};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};

/// The version of a note.
const KEPT_VERSION: u32 = 1;
/// Most that are listed.
const LISTED: usize = 200;

/// What is noted of a kept file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// [`KEPT_VERSION`].
    pub v: u32,
    /// Its number.
    pub id: KeptId,
    /// When.
    pub at: Timestamp,
    /// The file.
    pub path: String,
    /// What the change was, for people.
    pub what: String,
    /// Digest of what was there; none: nothing was.
    pub before: Option<String>,
    /// Digest of what was placed; none: it was taken away.
    pub after: Option<String>,
    /// Whose the file was.
    #[serde(default)]
    pub owner: Option<Owner>,
}

fn folder_of(order: &Order, id: &KeptId) -> PathBuf {
    Path::new(&order.kept).join(id.as_str())
}

/// Reads a file that is an ordinary one, wherever links on its way lead; `None` where nothing is there.
///
/// # Errors
/// As [`Place::read`].
pub fn read(path: &Path) -> Result<Option<String>, Refused> {
    match path.parent().is_some_and(Path::exists) {
        true => Place::led(path)?.read(),
        false => Ok(None),
    }
}

/// Keeps what is there before it is changed to `after`.
///
/// # Errors
/// A sentence: then nothing may be changed.
pub fn keep(
    order: &Order,
    place: &Place,
    before: Option<&str>,
    after: Option<&str>,
    what: &str,
) -> Result<Note, Refused> {
    let id = order
        .id
        .clone()
        .ok_or("nothing is changed without a number to keep it under")?;
    let folder = folder_of(order, &id);
    let failed = |error: std::io::Error| {
        format!(
            "what is there cannot be kept in {}: {error}",
            folder.display()
        )
    };
    fs::create_dir_all(&folder).map_err(failed)?;
    let note = Note {
        v: KEPT_VERSION,
        id,
        at: Timestamp::now(),
        path: place.path().display().to_string(),
        what: what.to_owned(),
        before: before.map(|text| digest(text.as_bytes())),
        after: after.map(|text| digest(text.as_bytes())),
        owner: place.owner(),
    };
    if let Some(text) = before {
        Place::led(&folder.join("before"))?
            .write_own(text)
            .map_err(failed)?;
    }
    let json = serde_json::to_string(&note).map_err(|e| e.to_string())?;
    Place::led(&folder.join("note.json"))?
        .write_own(&json)
        .map_err(failed)?;
    Ok(note)
}

/// The note of a number, and what was kept.
///
/// # Errors
/// A sentence, where there is none, or it is not what the note says.
pub fn kept(order: &Order, id: &KeptId) -> Result<(Note, Option<String>), Refused> {
    let folder = folder_of(order, id);
    let none = || format!("nothing is kept under {id}: KeptFiles lists what is");
    let text = fs::read_to_string(folder.join("note.json")).map_err(|_| none())?;
    let note: Note = serde_json::from_str(&text)
        .map_err(|e| format!("the note of {id} is not readable: {e}"))?;
    if note.v > KEPT_VERSION {
        return Err(format!("a newer ai-infra kept {id}").into());
    }
    let before = match &note.before {
        None => None,
        Some(sum) => {
            let text = read(&folder.join("before"))?.ok_or_else(none)?;
            if digest(text.as_bytes()) != *sum {
                return Err(format!(
                    "what is kept under {id} is not what was kept: it was changed"
                )
                .into());
            }
            Some(text)
        }
    };
    Ok((note, before))
}

/// Puts a text in place of whatever is there, or takes that away, wherever links on its way lead.
///
/// # Errors
/// As [`Place::put`].
pub fn put(path: &Path, text: Option<&str>) -> Result<(), Refused> {
    Place::led(path)?.put(text, None)
}

/// Lists what is kept, newest first.
pub fn list(order: &Order) -> Result<Outcome, Refused> {
    let entries = fs::read_dir(&order.kept).into_iter().flatten().flatten();
    let mut ids: Vec<KeptId> = entries
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect();
    ids.sort_by_key(|id| std::cmp::Reverse(id.number()));
    let mut rows = Vec::new();
    for id in ids.iter().take(LISTED) {
        let Ok((note, _)) = kept(order, id) else {
            continue;
        };
        let now = read(Path::new(&note.path))
            .ok()
            .flatten()
            .map(|t| digest(t.as_bytes()));
        rows.push(json!({
            "id": note.id, "at": note.at, "path": note.path, "what": note.what,
            "was_there": note.before.is_some(), "changed_since": now != note.after,
        }));
    }
    let text = match rows.len() {
        0 => "nothing is kept: nothing was changed yet".to_owned(),
        1 => "1 file is kept as it was before it was changed".to_owned(),
        many => format!("{many} files are kept as they were before they were changed"),
    };
    Ok(Outcome::of(End::Done, text, json!({"kept": rows})))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use protocol::duty::Duty;
    use protocol::duty::order::{ORDER_VERSION, Wish};
    use std::os::unix::fs::{MetadataExt, PermissionsExt};

    fn order(folder: &Path, id: u32) -> Order {
        Order {
            v: ORDER_VERSION,
            wish: Wish::Make,
            duty: Duty::KeptFiles,
            terms: Default::default(),
            kept: folder.display().to_string(),
            id: Some(KeptId::of(id)),
            before: json!(null),
            copies: None,
            walls: Default::default(),
        }
    }

    #[test]
    fn a_file_is_kept_and_comes_back() {
        let dir = tempfile::tempdir().unwrap();
        let (file, kept_in) = (dir.path().join("a.conf"), dir.path().join("kept"));
        let order = order(&kept_in, 3);
        put(&file, Some("old\n")).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        let place = Place::led(&file).unwrap();
        keep(&order, &place, Some("old\n"), Some("new\n"), "a test").unwrap();
        put(&file, Some("new\n")).unwrap();
        let (note, before) = kept(&order, &KeptId::of(3)).unwrap();
        place.put(Some("new\n"), note.owner.as_ref()).unwrap();
        assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, 0o640);
        assert_eq!(
            (before.as_deref(), note.path.ends_with("a.conf")),
            (Some("old\n"), true)
        );
        assert_eq!(
            list(&order).unwrap().data["kept"][0]["changed_since"],
            false
        );
        put(&file, None).unwrap();
        assert_eq!(list(&order).unwrap().data["kept"][0]["changed_since"], true);
        assert_eq!(read(&file).unwrap(), None);
        // Whoever changes what is kept is found out.
        fs::write(kept_in.join("k3/before"), "evil\n").unwrap();
        assert!(
            kept(&order, &KeptId::of(3))
                .unwrap_err()
                .to_string()
                .contains("was changed")
        );
        assert!(kept(&order, &KeptId::of(4)).is_err());
    }

    #[test]
    fn links_and_folders_are_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let (secret, link) = (dir.path().join("secret"), dir.path().join("link.conf"));
        fs::write(&secret, "s").unwrap();
        std::os::unix::fs::symlink(&secret, &link).unwrap();
        assert!(read(&link).unwrap_err().to_string().contains("left alone"));
        assert!(read(dir.path()).is_err());
        // Placing over a link replaces the link and never what it leads to.
        put(&link, Some("x")).unwrap();
        assert_eq!(fs::read_to_string(&secret).unwrap(), "s");
        assert!(!fs::symlink_metadata(&link).unwrap().is_symlink());
    }
}
