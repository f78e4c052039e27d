//! A PostgreSQL server and a standby that follows it, as their own programs make one; and a failover: the link between
//! them is cut, the first one is killed, the second one takes its place under the same address.

use crate::postgres::{KEEPER, as_server, open_to, programs};
use crate::processes;
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Both have the same one, each in a folder of its own, and neither listens on the network.
const PORT: &str = "5432";
const PATIENCE: Duration = Duration::from_secs(30);

/// Two servers, the second one a copy of the first.
pub struct Pair {
    bin: PathBuf,
    /// Leads to the folder of the server in charge.
    address: PathBuf,
    second: PathBuf,
    first_keeper: Option<Child>,
    _second_keeper: Child,
    folder: tempfile::TempDir,
}

/// Makes both; `None` where PostgreSQL is not installed, which is said.
pub fn pair() -> Option<Pair> {
    let Some(bin) = programs() else {
        eprintln!("skipped: no PostgreSQL server; `apt-get install postgresql` gets it");
        return None;
    };
    let folder = tempfile::Builder::new()
        .prefix("ai-infra-pair-")
        .tempdir()
        .expect("a folder");
    open_to(folder.path());
    let place = |name: &str| {
        let path = folder.path().join(name);
        std::fs::create_dir(&path).expect("a folder");
        open_to(&path);
        path
    };
    let (first, second) = (place("first"), place("second"));
    let address = folder.path().join("address");
    symlink(&first, &address).expect("a link");
    let data = |server: &Path| server.join("data");
    finished(
        as_server(&bin.join("initdb"))
            .args(["--no-sync", "--auth=trust", "-E", "UTF8", "--locale=C"])
            .args(["-U", "postgres", "-D"])
            .arg(data(&first)),
    );
    let settings = "shared_buffers = 16MB\nlisten_addresses = ''\nfsync = off\n";
    let file = data(&first).join("postgresql.auto.conf");
    std::fs::write(&file, settings).expect("settings");
    open_to(&file);
    let first_keeper = serve(&bin, &first);
    answers(&bin, &first);
    finished(
        as_server(&bin.join("pg_basebackup"))
            .arg("-h")
            .arg(&first)
            .args(["-p", PORT, "-U", "postgres", "-R", "-X", "stream"])
            .args(["-c", "fast", "-D"])
            .arg(data(&second)),
    );
    let second_keeper = serve(&bin, &second);
    answers(&bin, &second);
    let pair = Pair {
        bin,
        address,
        second,
        first_keeper: Some(first_keeper),
        _second_keeper: second_keeper,
        folder,
    };
    pair.sql(&pair.address, "CREATE DATABASE team");
    Some(pair)
}

/// A server that ends, folder and all, with whoever holds its keeper.
fn serve(bin: &Path, folder: &Path) -> Child {
    as_server(Path::new("/bin/sh"))
        .args(["-c", KEEPER, "keeper"])
        .args([bin, folder])
        .arg(PORT)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .expect("the server starts")
}

fn finished(command: &mut Command) {
    let out = command.output().expect("it runs");
    let said = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "{command:?}: {said}");
}

fn ask(bin: &Path, server: &Path, database: &str, sql: &str) -> Result<String, String> {
    let out = as_server(&bin.join("psql"))
        .args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"])
        .args(["-U", "postgres", "-d", database, "-p", PORT, "-h"])
        .arg(server)
        .args(["-c", sql])
        .output()
        .expect("psql runs");
    match out.status.success() {
        true => Ok(String::from_utf8_lossy(&out.stdout).trim_end().to_owned()),
        false => Err(String::from_utf8_lossy(&out.stderr).into_owned()),
    }
}

fn answers(bin: &Path, server: &Path) {
    let up = processes::wait_until(PATIENCE, || {
        ask(bin, server, "postgres", "SELECT 1").is_ok()
    });
    let log = std::fs::read_to_string(server.join("log")).unwrap_or_default();
    assert!(up, "PostgreSQL did not start:\n{log}");
}

impl Pair {
    fn sql(&self, server: &Path, sql: &str) -> String {
        ask(&self.bin, server, "postgres", sql).unwrap_or_else(|e| panic!("{sql}: {e}"))
    }

    /// The address of the team's database, whoever is in charge.
    pub fn url(&self) -> String {
        let address = self.address.display();
        format!("postgres://postgres@/team?host={address}&port={PORT}")
    }

    /// What the second server says of the team's database.
    pub fn second(&self, sql: &str) -> Result<String, String> {
        ask(&self.bin, &self.second, "team", sql)
    }

    /// Waits until the second has all that the first one has.
    pub fn caught_up(&self) {
        let at = self.sql(&self.address, "SELECT pg_current_wal_lsn()");
        let there = format!("SELECT pg_last_wal_replay_lsn() >= '{at}'::pg_lsn");
        let same = || self.sql(&self.second, &there) == "t";
        assert!(processes::wait_until(PATIENCE, same), "it lags behind {at}");
    }

    /// From here on the second one hears nothing of the first.
    pub fn cut(&self) {
        self.sql(&self.second, "ALTER SYSTEM SET primary_conninfo = ''");
        self.sql(&self.second, "SELECT pg_reload_conf()");
        let alone = || self.sql(&self.second, "SELECT COUNT(*) FROM pg_stat_wal_receiver") == "0";
        assert!(processes::wait_until(PATIENCE, alone), "it still listens");
    }

    /// The first one dies and the address leads to the second, which takes no writes yet.
    pub fn first_dies(&mut self) {
        let mut keeper = self.first_keeper.take().expect("it lives");
        drop(keeper.stdin.take());
        keeper.wait().expect("it ends");
        let next = self.folder.path().join("next");
        symlink(&self.second, &next).expect("a link");
        std::fs::rename(&next, &self.address).expect("the address is moved");
    }

    /// The second one is put in charge.
    pub fn promote(&self) {
        assert_eq!(self.sql(&self.second, "SELECT pg_promote()"), "t");
    }
}
