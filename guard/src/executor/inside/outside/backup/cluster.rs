//! A throwaway PostgreSQL, for one restore: made in a scratch folder, answering on a socket there alone, in a sandbox
//! without a network. Nothing of it is safe from a crash, and nothing of it is meant to last.

use super::dump::{block, programs, said};
use super::over;
use crate::executor::inside::program::{Companion, Ended, Leash, Program};
use inspect::backup::Contents;
use inspect::backup::postgres::{self, Frame};
use inspect::postgres::{Server, quoted};
use protocol::postgres::{Address, Tls};
use sqlx::AssertSqlSafe;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Whose the throwaway server is.
const OWNER: &str = "postgres";
/// The database that is restored into.
const DATABASE: &str = "restored";
/// Folder of its socket: its path must be short.
const SOCKET: &str = "/tmp/pg";
/// Settings of a server that may lose everything.
const SETTINGS: &str = "listen_addresses = ''\nunix_socket_directories = '/tmp/pg'\nfsync = off\nfull_page_writes = off\n\
    synchronous_commit = off\nautovacuum = off\nwal_level = minimal\nmax_wal_senders = 0\nshared_memory_type = mmap\n\
    dynamic_shared_memory_type = mmap\nmax_connections = 10\nshared_buffers = 64MB\nmaintenance_work_mem = 256MB\nmax_wal_size = 2GB\n";

/// Restores a dump; what the restored database holds.
pub(super) fn restore(
    dump: &Path,
    frame: Option<&Frame>,
    place: &Path,
    leash: Leash<'_>,
) -> Result<Contents, String> {
    let bin = programs(&["initdb", "postgres", "pg_restore"]).ok_or(
        "PostgreSQL's server is not installed here, so the dump cannot be tried: `apt-get install postgresql` gets it",
    )?;
    let data = place.join("data");
    initialise(&bin, &data, frame, leash)?;
    let settings = std::fs::write(data.join("postgresql.auto.conf"), SETTINGS);
    let socket = settings.and_then(|()| std::fs::create_dir_all(SOCKET));
    socket.map_err(|e| format!("the throwaway server has no place: {e}"))?;
    let log = place.join("log");
    let program = program(&bin, "postgres", &["-D", &data.display().to_string()]);
    let mut server = program
        .accompany(&log, leash)
        .map_err(|e| format!("the throwaway server does not start: {e}"))?;
    ready(&mut server, &log, leash)?;
    let roles = frame.map_or(&[][..], |frame| &frame.roles);
    block(async {
        let mut db = connect("postgres", leash).await?;
        let made = roles.iter().filter(|role| *role != OWNER);
        let mut statements: Vec<String> = made
            .map(|role| format!("CREATE ROLE {}", quoted(role)))
            .collect();
        statements.push(format!("CREATE DATABASE {DATABASE} TEMPLATE template0"));
        for statement in statements {
            sqlx::raw_sql(AssertSqlSafe(statement))
                .execute(&mut db)
                .await
                .map_err(|e| inspect::postgres::told(&e))?;
        }
        Ok(())
    })?;
    let target = format!("--dbname=host={SOCKET} user={OWNER} dbname={DATABASE}");
    let file = dump.display().to_string();
    let options = [
        "--exit-on-error",
        "--no-tablespaces",
        "--no-password",
        &target,
        &file,
    ];
    let run = self::program(&bin, "pg_restore", &options).run_beside(leash);
    good(run, "pg_restore", leash)?;
    block(async {
        let mut db = connect(DATABASE, leash).await?;
        postgres::contents(&mut db).await
    })
}

fn program(bin: &Path, name: &str, options: &[&str]) -> Program {
    let mut argv = vec![bin.join(name).display().to_string()];
    argv.extend(options.iter().map(|option| (*option).to_owned()));
    Program {
        argv,
        cwd: "/tmp".into(),
        env: vec![("LC_ALL".to_owned(), "C".to_owned())],
        keep: 16 * 1024,
    }
}

/// Makes the cluster with the encoding and, where this host has it, the order of texts of the source.
fn initialise(
    bin: &Path,
    data: &Path,
    frame: Option<&Frame>,
    leash: Leash<'_>,
) -> Result<(), String> {
    let encoding = frame.map_or("UTF8", |frame| frame.encoding.as_str());
    let own = frame
        .map(|frame| frame.collation.as_str())
        .filter(|own| *own != "C");
    let mut why = String::new();
    for locale in own.into_iter().chain(["C"]) {
        let _half_made = std::fs::remove_dir_all(data);
        let options = [
            "--no-sync".to_owned(),
            "--auth=trust".to_owned(),
            format!("--username={OWNER}"),
            format!("--encoding={encoding}"),
            format!("--locale={locale}"),
            format!("--pgdata={}", data.display()),
        ];
        let options: Vec<&str> = options.iter().map(String::as_str).collect();
        match good(program(bin, "initdb", &options).run(leash), "initdb", leash) {
            Ok(()) => return Ok(()),
            Err(said) => why = said,
        }
    }
    Err(why)
}

fn good(run: std::io::Result<Ended>, name: &str, leash: Leash<'_>) -> Result<(), String> {
    match run {
        Err(e) => Err(format!("{name} cannot be started: {e}")),
        Ok(_) if over(leash) => Err("it took too long and was stopped".to_owned()),
        Ok(ended) if ended.exit == Some(0) => Ok(()),
        Ok(ended) => Err(said(&ended.stderr)),
    }
}

async fn connect(database: &str, leash: Leash<'_>) -> Result<sqlx::PgConnection, String> {
    let address = Address {
        host: SOCKET.to_owned(),
        port: protocol::postgres::PORT,
        database: database.to_owned(),
        user: OWNER.to_owned(),
        tls: Tls::Off,
        authority: None,
    };
    let server = Server {
        address: &address,
        password: None,
    };
    let left = leash.until.saturating_duration_since(Instant::now());
    server.connect(left.max(Duration::from_secs(1))).await
}

/// Waits until the server answers.
fn ready(server: &mut Companion, log: &Path, leash: Leash<'_>) -> Result<(), String> {
    let socket = PathBuf::from(SOCKET).join(format!(".s.PGSQL.{}", protocol::postgres::PORT));
    loop {
        if socket.exists() && block(connect("postgres", leash)).is_ok() {
            return Ok(());
        }
        if !server.runs() || over(leash) {
            let log = std::fs::read_to_string(log).unwrap_or_default();
            return Err(format!(
                "the throwaway server does not come up: {}",
                said(&log)
            ));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}
