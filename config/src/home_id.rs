//! The name of a home that no other home has. It is made once and lies in the home, so that a
//! Redis that several teams use can tell them apart whatever they are called.

use crate::error::ConfigError;
use crate::home::Home;
use crate::invitation;
use crate::private_file;
use std::io::Write;

/// Largest file read, in bytes.
const FILE_BYTES: u64 = 256;

/// Reads the home's id, and makes it where there is none.
///
/// # Errors
/// When the file cannot be written or read, or holds something else.
pub fn home_id(home: &Home) -> Result<String, ConfigError> {
    let path = home.root.join("id");
    let failed = |problem: String| ConfigError::file("use", &path, problem);
    if let Some(bytes) = private_file::read(&path, FILE_BYTES)? {
        let id = String::from_utf8_lossy(&bytes).trim().to_owned();
        let good = id.len() == 36 && id.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
        return match good {
            true => Ok(id),
            false => Err(failed(
                "it does not hold the id of a home: bring it back from a backup".to_owned(),
            )),
        };
    }
    let id = protocol::ids::TaskId::new().to_string();
    let mut file =
        tempfile::NamedTempFile::new_in(&home.root).map_err(|e| failed(e.to_string()))?;
    writeln!(file, "{id}")
        .and_then(|()| file.as_file().sync_all())
        .map_err(|e| failed(e.to_string()))?;
    match file.persist_noclobber(&path) {
        Ok(_) => Ok(id),
        // Another process of the team made it in this very moment.
        Err(error) if error.error.kind() == std::io::ErrorKind::AlreadyExists => home_id(home),
        Err(error) => Err(failed(error.error.to_string())),
    }
}

/// The id of the home whose team the processes here belong to: another host's where this one joined
/// its team.
///
/// # Errors
/// As [`home_id`], and when the invitation cannot be read.
pub fn team_id(home: &Home) -> Result<String, ConfigError> {
    match invitation::read(home)? {
        Some(invited) => Ok(invited.home),
        None => home_id(home),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_home_has_one_id_for_ever() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path());
        home.ensure().unwrap();
        let ids: Vec<String> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| home_id(&home))).collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap().unwrap())
                .collect()
        });
        assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
        let other = tempfile::tempdir().unwrap();
        let other = Home::at(other.path());
        other.ensure().unwrap();
        assert_ne!(home_id(&other).unwrap(), ids[0]);
        std::fs::write(home.root.join("id"), "something").unwrap();
        assert!(home_id(&home).unwrap_err().to_string().contains("backup"));
    }
}
