//! A dump of a PostgreSQL database by its own `pg_dump`, of the very snapshot that the tables are read in. The password
//! lies in a file of the sandbox's memory and in no environment.

use super::shelf::Shelf;
use super::{over, wait};
use crate::executor::inside::program::{Leash, Program};
use crate::outside::Credential;
use inspect::backup::Contents;
use inspect::backup::postgres::{self, Frame};
use inspect::postgres::{Server, close};
use protocol::postgres::{Address, Tls};
use protocol::text::cut;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Where the password lies while it is needed.
const PASSWORD: &str = "/tmp/pass";
/// Bundles of the authorities that a system trusts.
const AUTHORITIES: [&str; 3] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
];

/// Where PostgreSQL's programs lie, the newest version first.
pub(super) fn programs(needed: &[&str]) -> Option<PathBuf> {
    let version = |path: &PathBuf| path.file_name()?.to_str()?.parse::<u32>().ok();
    let list = |folder: &str| {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).collect::<Vec<_>>()
    };
    let mut by_version = list("/usr/lib/postgresql");
    by_version.sort_by_key(|path| std::cmp::Reverse(version(path)));
    let red_hat = list("/usr").into_iter().filter(|path| {
        let name = path
            .file_name()
            .map(|name| name.to_string_lossy().into_owned());
        name.is_some_and(|name| name.starts_with("pgsql-"))
    });
    let folders = by_version
        .into_iter()
        .chain(red_hat)
        .map(|path| path.join("bin"));
    let mut folders = folders.chain(["/usr/local/pgsql/bin".into(), "/usr/bin".into()]);
    folders.find(|folder| needed.iter().all(|program| folder.join(program).exists()))
}

/// Dumps the database to `to`; what it held at that moment.
pub(super) fn dump(
    address: &Address,
    password: Option<&Credential>,
    to: &Path,
    shelf: &Shelf<'_>,
    leash: Leash<'_>,
) -> Result<(Contents, Frame), String> {
    let bin = programs(&["pg_dump"]).ok_or(
        "PostgreSQL's `pg_dump` is not installed here: `apt-get install postgresql-client` gets it",
    )?;
    let server = Server {
        address,
        password: password.map(Credential::reveal),
    };
    let left = leash.until.saturating_duration_since(Instant::now());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| format!("no connection can be made: {e}"))?;
    let mut moment = runtime.block_on(server.read(left))?;
    let frame = runtime.block_on(postgres::frame(&mut moment))?;
    // A dump is compressed, and seldom larger than a third.
    shelf.room_for(frame.bytes / 3)?;
    if let Some(password) = password {
        keep_password(password.reveal()).map_err(|e| format!("the password has no place: {e}"))?;
    }
    let program = Program {
        argv: vec![
            bin.join("pg_dump").display().to_string(),
            "--format=custom".to_owned(),
            "--no-password".to_owned(),
            "--lock-wait-timeout=10s".to_owned(),
            format!("--snapshot={}", frame.snapshot),
            format!("--file={}", to.display()),
            format!("--dbname={}", connection(address)),
        ],
        cwd: "/tmp".into(),
        env: Vec::new(),
        keep: 16 * 1024,
    };
    let ended = program.run(leash);
    let _it_was_never_there = std::fs::remove_file(PASSWORD);
    let ended = ended.map_err(|e| format!("pg_dump cannot be started: {e}"))?;
    if over(leash) || ended.timed_out || ended.cancelled {
        return Err("it took too long and was stopped".to_owned());
    }
    if ended.exit != Some(0) {
        return Err(said(&ended.stderr));
    }
    let contents = runtime.block_on(postgres::contents(&mut moment))?;
    runtime.block_on(close(moment));
    Ok((contents, frame))
}

/// What a program of PostgreSQL's complained of, in a line or two.
pub(super) fn said(stderr: &str) -> String {
    let lines = stderr
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty());
    let told: Vec<&str> = lines.take(4).collect();
    let text = cut(&told.join("; "), 600);
    match text.contains("version mismatch") {
        true => format!("{text}; install PostgreSQL's programs of the server's version or newer"),
        false => text,
    }
}

fn keep_password(password: &str) -> std::io::Result<()> {
    let escaped = password.replace('\\', "\\\\").replace(':', "\\:");
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(PASSWORD)?;
    writeln!(file, "*:*:*:*:{escaped}")
}

/// The connection as libpq reads it, without the password.
fn connection(address: &Address) -> String {
    let mode = match address.tls {
        Tls::Off => "disable",
        Tls::Require => "require",
        Tls::VerifyCa => "verify-ca",
        Tls::VerifyFull => "verify-full",
    };
    let trusted = || {
        let known = AUTHORITIES.iter().find(|path| Path::new(path).exists());
        known.map(|path| (*path).to_owned())
    };
    let port = address.port.to_string();
    let mut parts = vec![
        ("host", address.host.as_str()),
        ("port", &port),
        ("dbname", &address.database),
        ("user", &address.user),
        ("sslmode", mode),
        ("gssencmode", "disable"),
        ("passfile", PASSWORD),
        ("application_name", "ai-infra"),
    ];
    let authority = address.authority.clone().or_else(trusted);
    if let Some(authority) = authority.as_deref().filter(|_| address.tls != Tls::Off) {
        parts.push(("sslrootcert", authority));
    }
    let quoted = |text: &str| text.replace('\\', "\\\\").replace('\'', "\\'");
    let parts = parts
        .iter()
        .map(|(key, value)| format!("{key}='{}'", quoted(value)));
    parts.collect::<Vec<_>>().join(" ")
}

/// Runs what waits; see [`wait`].
pub(super) fn block<T>(work: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    wait(work)?
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_connection_is_quoted() {
        let (mut address, _) = Address::parse("postgres://u%27x@127.0.0.1:7/d%20b").unwrap();
        address.tls = Tls::VerifyFull;
        address.authority = Some("/etc/own.pem".to_owned());
        assert_eq!(
            connection(&address),
            "host='127.0.0.1' port='7' dbname='d b' user='u\\'x' sslmode='verify-full' gssencmode='disable' passfile='/tmp/pass' \
             application_name='ai-infra' sslrootcert='/etc/own.pem'"
        );
        assert_eq!(said("\n pg_dump: error: x\n\n y\n"), "pg_dump: error: x; y");
    }
}
