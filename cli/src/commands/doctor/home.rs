//! The home: whose it is, whether it can be written, what is in it that should not be, and the disk
//! below it.

use super::{Finding, How, finding};
use crate::render::text::{one_line, size};
use config::home::Home;
use config::settings::Settings;
use nix::sys::statfs;
use nix::sys::statvfs::{FsFlags, statvfs};
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use supervisor::ledger::inspect::{self, Seen};
use supervisor::ledger::place::Place;
use supervisor::ledger::server::Server;
use supervisor::ledger::whereabouts;
use supervisor::tmux::session::shell_word;

/// Below this much free space the disk is worth a word, in bytes.
const LOW_DISK: u64 = 1_000_000_000;
/// A file this much younger than the clock means that the clock is wrong.
const AHEAD: Duration = Duration::from_secs(120);

/// Where the home is, whose, on what.
pub fn place(home: &Home) -> Vec<Finding> {
    let place = home.root.display();
    if let Err(error) = home.inspect() {
        let path = shell_word(&home.root.to_string_lossy());
        let next = match home.root.is_dir() {
            true => format!("chown -R \"$(id -u)\" {path} && chmod 700 {path}"),
            false => "choose another folder: export AI_INFRA_HOME=DIR".to_owned(),
        };
        return vec![finding("home", How::Bad, error.to_string(), &next)];
    }
    if !home.root.exists() {
        // It is made below the nearest folder there is.
        let above = home.root.ancestors().find(|folder| folder.exists());
        let tried = above.map(tempfile::tempfile_in);
        if let (Some(above), Some(Err(error))) = (above, tried) {
            let seen = format!("{place} cannot be made in {}: {error}", above.display());
            let next = "choose another folder: export AI_INFRA_HOME=DIR";
            return vec![finding("home", How::Bad, seen, next)];
        }
        let seen = format!("{place} does not exist yet");
        return vec![finding("home", How::Good, seen, "ai-infra up")];
    }
    let mut findings = vec![match writable(home) {
        Ok(()) => finding("home", How::Good, place.to_string(), ""),
        Err((seen, next)) => finding("home", How::Bad, format!("{place} {seen}"), &next),
    }];
    findings.extend(file_system(home));
    findings
}

/// Whether a file can be made there; else what is seen, and what to do.
fn writable(home: &Home) -> Result<(), (String, String)> {
    let Err(error) = tempfile::tempfile_in(&home.root) else {
        return Ok(());
    };
    let path = shell_word(&home.root.to_string_lossy());
    let read_only = statvfs(&home.root).is_ok_and(|disk| disk.flags().contains(FsFlags::ST_RDONLY));
    Err(match error.kind() {
        _ if read_only => (
            "lies on a disk that is mounted read-only".to_owned(),
            format!(
                "see why: dmesg | tail -n 30, then: mount -o remount,rw \"$(findmnt -no TARGET -T {path})\""
            ),
        ),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => (
            format!("takes no file: {error}"),
            format!("free space, see: df -h {path}"),
        ),
        _ => (
            format!("cannot be written: {error}"),
            format!("chown -R \"$(id -u)\" {path} && chmod 700 {path}"),
        ),
    })
}

/// File systems a home should not lie on.
fn file_system(home: &Home) -> Option<Finding> {
    let kind = statfs::statfs(&home.root).ok()?.filesystem_type();
    let next = "move it: ai-infra down, then another folder as AI_INFRA_HOME";
    if kind == statfs::TMPFS_MAGIC {
        let seen = "it lies in memory (tmpfs): everything is gone at the next reboot";
        return Some(finding("home disk", How::Odd, seen, next));
    }
    if kind == statfs::NFS_SUPER_MAGIC {
        let seen = "it lies on NFS: its ledger and its sockets need a disk of this host";
        return Some(finding("home disk", How::Bad, seen, next));
    }
    None
}

/// The disk, secrets, sockets, and times of what is in the home.
pub fn contents(home: &Home, settings: Option<&Settings>) -> Vec<Finding> {
    let mut findings = vec![disk(home, settings)];
    findings.extend(settings.filter(|team| team.joined.is_none()).map(kept));
    findings.extend(secrets(home));
    findings.extend(
        [home.supervisor_sock(), home.daemon_sock()]
            .iter()
            .filter_map(|at| socket(at)),
    );
    findings.extend(clock(newest(home), SystemTime::now()));
    findings
}

fn disk(home: &Home, settings: Option<&Settings>) -> Finding {
    // The home may not be there yet: the disk it will be on is its nearest existing folder's.
    let place = home.root.ancestors().find(|folder| folder.exists());
    let Some(about) = place.and_then(|place| statvfs(place).ok()) else {
        return finding("disk", How::Odd, "cannot be looked at", "");
    };
    let free = about
        .blocks_available()
        .saturating_mul(about.fragment_size());
    let least = settings.map_or(0, |s| s.team.min_free_mb.saturating_mul(1_000_000));
    space(free, least, &shell_word(&home.root.to_string_lossy()))
}

/// How long what is old is kept.
fn kept(settings: &Settings) -> Finding {
    let team = &settings.team;
    let parts: Vec<String> = [
        (team.keep_days > 0).then(|| format!("{} days", team.keep_days)),
        (team.keep_mb > 0).then(|| format!("{} at most", size(team.keep_mb * 1_000_000))),
    ]
    .into_iter()
    .flatten()
    .collect();
    match parts.is_empty() {
        true => finding(
            "kept",
            How::Odd,
            "clones of ended tasks and caches are never let go (team.keep_days, team.keep_mb are 0)",
            "ai-infra task discard TASK   removes one",
        ),
        false => finding(
            "kept",
            How::Good,
            format!("old clones and caches: {}", parts.join(", ")),
            "",
        ),
    }
}

fn space(free: u64, least: u64, home: &str) -> Finding {
    let seen = format!("{} free", size(free));
    let next = format!("du -xh --max-depth=2 {home} | sort -h | tail   shows what takes the space");
    if free < least {
        let seen = format!(
            "{seen}: no task is started below {} (team.min_free_mb)",
            size(least)
        );
        return finding("disk", How::Bad, seen, &next);
    }
    match free < LOW_DISK {
        true => finding("disk", How::Odd, seen, &next),
        false => finding("disk", How::Good, seen, ""),
    }
}

/// Secrets that others may read.
fn secrets(home: &Home) -> Vec<Finding> {
    let mut wide: Vec<PathBuf> = fs::read_dir(home.secrets())
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| {
            entry
                .metadata()
                .is_ok_and(|about| about.permissions().mode() & 0o077 != 0)
        })
        .map(|entry| entry.path())
        .collect();
    wide.sort();
    wide.iter()
        .map(|path| {
            let shown = path.to_string_lossy();
            let seen = format!("others may read {shown}");
            finding(
                "secrets",
                How::Bad,
                seen,
                &format!("chmod 600 {}", shell_word(&shown)),
            )
        })
        .collect()
}

/// A socket nobody listens at any more, or something else in its place.
fn socket(path: &Path) -> Option<Finding> {
    let about = fs::symlink_metadata(path).ok()?;
    let shown = path.display();
    if !about.file_type().is_socket() {
        let seen = format!("{shown} is no socket, so the team cannot listen there");
        let next = format!("rm -r {}", shell_word(&path.to_string_lossy()));
        return Some(finding("socket", How::Bad, seen, &next));
    }
    let refused = |error: &std::io::Error| error.kind() == ErrorKind::ConnectionRefused;
    UnixStream::connect(path).err().filter(refused)?;
    let seen = format!("{shown} is left from a team that ended without cleaning up");
    Some(finding("socket", How::Odd, seen, "ai-infra up"))
}

/// The youngest of the files that a running team writes.
fn newest(home: &Home) -> Option<(PathBuf, SystemTime)> {
    let folders = [home.root.clone(), home.logs(), home.redis(), home.run()];
    folders
        .iter()
        .filter_map(|folder| fs::read_dir(folder).ok())
        .flatten()
        .flatten()
        .filter_map(|entry| Some((entry.path(), entry.metadata().ok()?.modified().ok()?)))
        .max_by_key(|(_, at)| *at)
}

/// A clock that is behind what was written already.
fn clock(newest: Option<(PathBuf, SystemTime)>, now: SystemTime) -> Option<Finding> {
    let (path, at) = newest?;
    let ahead = at.duration_since(now).ok().filter(|ahead| *ahead > AHEAD)?;
    let seen = format!(
        "{} was written {} from now: the clock of this host is wrong, or was",
        path.display(),
        crate::render::text::time(ahead)
    );
    Some(finding(
        "clock",
        How::Bad,
        seen,
        "timedatectl set-ntp true && date",
    ))
}

/// The ledger: a file, or a database on a server.
pub async fn ledger(home: &Home, settings: Option<&Settings>) -> Finding {
    if settings.is_some_and(|settings| settings.joined.is_some()) {
        return finding("ledger", How::Good, "that of the team's first host", "");
    }
    let place = settings.map(|settings| whereabouts::of(settings, home));
    let place = match place.unwrap_or_else(|| Ok(Place::File(home.ledger()))) {
        Ok(place) => place,
        Err(error) => return finding("ledger", How::Bad, error.to_string(), ""),
    };
    if let Place::Server(server) = &place {
        let looked = tokio::time::timeout(super::PATIENCE, inspect::inspect(&place)).await;
        let silent = |_| Seen::Unreadable(format!("{} does not answer", server.address));
        return on_server(server, looked.unwrap_or_else(silent));
    }
    let path = home.ledger();
    let shown = path.to_string_lossy();
    match tokio::time::timeout(super::PATIENCE, inspect::inspect(&place)).await {
        Err(_) => finding("ledger", How::Odd, "too large to be checked in 2 s", ""),
        Ok(Seen::None) => finding("ledger", How::Good, "none yet", ""),
        Ok(Seen::Good(schema)) => {
            finding("ledger", How::Good, format!("whole, schema {schema}"), "")
        }
        Ok(Seen::Newer(schema)) => finding(
            "ledger",
            How::Bad,
            format!("written by a newer ai-infra (schema {schema}): this one does not touch it"),
            "start the newer ai-infra that wrote it",
        ),
        Ok(Seen::Damaged(said)) => finding(
            "ledger",
            How::Bad,
            format!("{shown} is damaged: {}", one_line(&said, 120)),
            &format!(
                "ai-infra down; put a backup in its place, or save what can be read: sqlite3 {} .recover",
                shell_word(&shown)
            ),
        ),
        Ok(Seen::Unreadable(said)) => finding(
            "ledger",
            How::Bad,
            format!("{shown} cannot be read: {}", one_line(&said, 120)),
            &format!("ls -l {}", shell_word(&shown)),
        ),
        Ok(Seen::Weak(schema, why)) => {
            finding("ledger", How::Odd, format!("schema {schema}; {why}"), "")
        }
    }
}

/// The ledger in a database.
fn on_server(server: &Server, seen: Seen) -> Finding {
    let said = |how, text: String, next: &str| finding("ledger", how, text, next);
    match seen {
        Seen::None => said(How::Good, format!("none yet in {server}"), ""),
        Seen::Good(schema) => said(How::Good, format!("in {server}, tables {schema}"), ""),
        Seen::Weak(schema, why) => said(
            How::Odd,
            format!(
                "in {server}, tables {schema}; {why} there: what was kept can be lost when that host fails"
            ),
            "ALTER SYSTEM SET fsync = on; ALTER SYSTEM SET full_page_writes = on; then restart that server",
        ),
        Seen::Newer(schema) => said(
            How::Bad,
            format!(
                "in {server}, written by a newer ai-infra (schema {schema}): this one does not touch it"
            ),
            "start the newer ai-infra that wrote it",
        ),
        Seen::Damaged(why) | Seen::Unreadable(why) => said(
            How::Bad,
            one_line(&why, 280),
            &format!(
                "psql -h {} -p {} -U {} -d {}",
                shell_word(&server.address.host),
                server.address.port,
                shell_word(&server.address.user),
                shell_word(&server.address.database)
            ),
        ),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn a_clock_behind_its_own_files_is_wrong() {
        let now = SystemTime::now();
        let at = |seconds: u64| Some((PathBuf::from("/h/x"), now + Duration::from_secs(seconds)));
        assert_eq!(clock(None, now), None);
        assert_eq!(clock(at(60), now), None);
        let found = clock(at(7200), now).unwrap();
        assert_eq!(found.how, How::Bad);
        assert!(
            found.seen.contains("2 h") || found.seen.contains("120 min"),
            "{}",
            found.seen
        );
    }

    #[test]
    fn space_is_judged_by_what_tasks_need() {
        for (free, least, how) in [
            (50_000_000_000, 200_000_000, How::Good),
            (900_000_000, 200_000_000, How::Odd),
            (100_000_000, 200_000_000, How::Bad),
            (50_000_000_000, 60_000_000_000, How::Bad),
        ] {
            assert_eq!(space(free, least, "/h").how, how, "{free} {least}");
        }
    }
}
