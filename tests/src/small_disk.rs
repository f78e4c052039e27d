//! A PostgreSQL server whose data lie on a disk of a few megabytes, in a mount namespace of its own: the disk can be
//! filled and emptied, the server stopped and started, and all of it is gone with whoever holds its keeper. Like a
//! service manager the keeper starts the server again when it dies.

use crate::postgres::{open_to, programs, server_ids};
use crate::processes;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const PORT: &str = "5432";
const PATIENCE: Duration = Duration::from_secs(30);

/// Programs, folder, uid, gid, where the log of writes lies.
const KEEPER: &str = r#"
trap '' INT TERM HUP
bin=$1 place=$2 uid=$3 gid=$4 wal=$5
run() { setpriv --reuid="$uid" --regid="$gid" --clear-groups "$@"; }
mount -t tmpfs -o "size=56m,uid=$uid,gid=$gid,mode=700" none "$place/data" || exit 3
run "$bin/initdb" --no-sync --auth=trust -E UTF8 --locale=C -U postgres --wal-segsize=1 $wal -D "$place/data" \
  >"$place/log" 2>&1 || exit 4
printf '%s\n' "listen_addresses = ''" 'fsync = off' 'shared_buffers = 8MB' 'min_wal_size = 2MB' 'max_wal_size = 4MB' \
  'autovacuum = off' 'max_connections = 20' >>"$place/data/postgresql.conf"
while [ ! -e "$place/end" ]; do
  if [ -e "$place/stop" ]; then sleep 0.05; continue; fi
  run "$bin/postgres" -D "$place/data" -k "$place" -p 5432 >>"$place/log" 2>&1
  sleep 0.1
done &
cat >/dev/null
touch "$place/end"
kill -QUIT "$(head -n 1 "$place/data/postmaster.pid")" 2>/dev/null
wait
rm -rf "$place"
"#;

/// The server and its disk.
pub struct SmallDisk {
    bin: PathBuf,
    folder: PathBuf,
    /// Its standard input keeps the server alive.
    keeper: Child,
}

/// Makes it, with an empty database `team`; with `wal_elsewhere` only tables and indexes lie on the small disk.
/// `None` where that cannot be had, which is said.
pub fn small_disk(wal_elsewhere: bool) -> Option<SmallDisk> {
    let Some(bin) = programs() else {
        eprintln!("skipped: no PostgreSQL server; `apt-get install postgresql` gets it");
        return None;
    };
    let may = Command::new("unshare")
        .args([
            "-m",
            "sh",
            "-c",
            "mount -t tmpfs none /mnt && setpriv --version",
        ])
        .output();
    if !may.is_ok_and(|out| out.status.success()) {
        eprintln!(
            "skipped: no disk of its own can be mounted here (root with CAP_SYS_ADMIN may, with util-linux)"
        );
        return None;
    }
    let folder = tempfile::Builder::new()
        .prefix("ai-infra-small-")
        .tempdir()
        .expect("a folder");
    open_to(folder.path());
    fs::create_dir(folder.path().join("data")).expect("a folder");
    // From here on the keeper removes it.
    let folder = folder.keep();
    let (uid, gid) = server_ids();
    let wal = match wal_elsewhere {
        true => format!("--waldir={}", folder.join("wal").display()),
        false => "--data-checksums".to_owned(),
    };
    let keeper = Command::new("unshare")
        .args(["-m", "/bin/sh", "-c", KEEPER, "keeper"])
        .args([&bin, &folder])
        .args([uid.to_string(), gid.to_string(), wal])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .expect("the server starts");
    let disk = SmallDisk {
        bin,
        folder,
        keeper,
    };
    disk.answers();
    disk.ask("postgres", "CREATE DATABASE team")
        .expect("a database");
    Some(disk)
}

impl SmallDisk {
    /// The address of the team's database.
    pub fn url(&self) -> String {
        let folder = self.folder.display();
        format!("postgres://postgres@/team?host={folder}&port={PORT}")
    }

    /// What the server says, of the team's database.
    pub fn sql(&self, sql: &str) -> Result<String, String> {
        self.ask("team", sql)
    }

    fn ask(&self, database: &str, sql: &str) -> Result<String, String> {
        let out = Command::new(self.bin.join("psql"))
            .args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"])
            .args(["-U", "postgres", "-d", database, "-p", PORT, "-h"])
            .arg(&self.folder)
            .args(["-c", sql])
            .output()
            .expect("psql runs");
        match out.status.success() {
            true => Ok(String::from_utf8_lossy(&out.stdout).trim_end().to_owned()),
            false => Err(String::from_utf8_lossy(&out.stderr).into_owned()),
        }
    }

    /// Waits until the server answers.
    pub fn answers(&self) {
        let up = processes::wait_until(PATIENCE, || self.ask("postgres", "SELECT 1").is_ok());
        let log = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        assert!(up, "PostgreSQL did not start:\n{log}");
    }

    /// The folder of its data, as its own namespace has it.
    fn inside(&self) -> PathBuf {
        let seen = Path::new("/proc")
            .join(self.keeper.id().to_string())
            .join("root");
        let folder = self.folder.strip_prefix("/").expect("an absolute path");
        seen.join(folder).join("data")
    }

    /// From here on nothing more fits on the disk.
    pub fn fill(&self) {
        let mut ballast = File::create(self.inside().join("ballast")).expect("a file");
        let zeros = [0u8; 64 * 1024];
        while ballast.write_all(&zeros).is_ok() {}
        while ballast.write_all(&zeros[..512]).is_ok() {}
    }

    /// There is room again.
    pub fn free(&self) {
        fs::remove_file(self.inside().join("ballast")).expect("removed");
    }

    /// The server is stopped, and stays so.
    pub fn stop(&self) {
        File::create(self.folder.join("stop")).expect("a file");
        let pid = fs::read_to_string(self.inside().join("postmaster.pid")).expect("a pid");
        let pid = pid.lines().next().and_then(|pid| pid.parse().ok());
        processes::send(pid.expect("a number"), nix::sys::signal::Signal::SIGINT);
        let gone = || self.ask("postgres", "SELECT 1").is_err();
        assert!(processes::wait_until(PATIENCE, gone), "it still answers");
    }

    /// The server is started again.
    pub fn start(&self) {
        fs::remove_file(self.folder.join("stop")).expect("removed");
        self.answers();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let _ended = self.keeper.wait();
    }
}
