//! A PostgreSQL server of the tests' own: one cluster for all stories of a process, made where first wanted, without
//! fsync, on a free port and a socket of its own. It ends with the process that wanted it, however that ends.

use crate::processes;
use std::ffi::OsString;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// Who runs the server where the tests run as root, which it refuses to; it must be somebody the system knows.
const SERVERS: [&str; 2] = ["postgres", "nobody"];
/// The password of the users `writer` and `reader`.
pub const PASSWORD: &str = "hunter2-of-the-stories";

/// Waits for the end of its standard input, which is the end of whoever started it; then the server ends and its
/// folder goes.
pub(crate) const KEEPER: &str = r#"
trap '' INT TERM HUP
"$1/postgres" -D "$2/data" -k "$2" -p "$3" >"$2/log" 2>&1 &
server=$!
cat >/dev/null
kill -QUIT $server 2>/dev/null
wait $server 2>/dev/null
rm -rf "$2"
"#;

/// A running server.
pub struct Cluster {
    folder: PathBuf,
    port: u16,
    bin: PathBuf,
    made: AtomicU32,
    /// Its standard input keeps the server alive.
    _keeper: Child,
}

/// A database of one story.
pub struct Database {
    cluster: &'static Cluster,
    /// Its name.
    pub name: String,
}

/// The server of this process; `None` where PostgreSQL is not installed, which is said.
pub fn cluster() -> Option<&'static Cluster> {
    static CLUSTER: OnceLock<Option<Cluster>> = OnceLock::new();
    CLUSTER.get_or_init(start).as_ref()
}

/// A new empty database.
pub fn database() -> Option<Database> {
    let cluster = cluster()?;
    let number = cluster.made.fetch_add(1, Ordering::Relaxed);
    let name = format!("story_{number}");
    cluster.run("postgres", &format!("CREATE DATABASE {name}"));
    Some(Database { cluster, name })
}

/// The folder of the server's programs, the newest where there are several.
pub fn programs() -> Option<PathBuf> {
    let version = |path: &PathBuf| path.file_name()?.to_str()?.parse::<u32>().ok();
    let installed = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten();
    let mut all: Vec<PathBuf> = installed.map(|entry| entry.path()).collect();
    all.sort_by_key(version);
    let asked = Command::new("pg_config").arg("--bindir").output().ok();
    let asked = asked.map(|out| PathBuf::from(String::from_utf8_lossy(&out.stdout).trim()));
    let mut folders = all
        .into_iter()
        .rev()
        .map(|path| path.join("bin"))
        .chain(asked);
    folders.find(|bin| bin.join("initdb").exists() && bin.join("psql").exists())
}

fn start() -> Option<Cluster> {
    let Some(bin) = programs() else {
        eprintln!("skipped: no PostgreSQL server; `apt-get install postgresql` gets it");
        return None;
    };
    let folder = tempfile::Builder::new()
        .prefix("ai-infra-pg-")
        .tempdir()
        .expect("a folder");
    let kept = folder;
    let folder = kept.path().to_path_buf();
    open_to(&folder);
    let initdb = as_server(&bin.join("initdb"))
        .args([
            "--no-sync",
            "--auth-local=trust",
            "--auth-host=scram-sha-256",
            "-E",
            "UTF8",
            "--locale=C",
            "-U",
            "postgres",
            "-D",
        ])
        .arg(folder.join("data"))
        .output()
        .expect("initdb runs");
    assert!(
        initdb.status.success(),
        "{}",
        String::from_utf8_lossy(&initdb.stderr)
    );
    certify(&folder);
    let settings = "fsync = off\nfull_page_writes = off\nsynchronous_commit = off\nshared_buffers = 16MB\nmax_connections = 60\n\
                    listen_addresses = '127.0.0.1'\nssl = on\nssl_cert_file = 'server.crt'\nssl_key_file = 'server.key'\nautovacuum = off\n";
    let file = folder.join("data/postgresql.auto.conf");
    std::fs::write(&file, settings).expect("settings");
    open_to(&file);
    let port = crate::port::free();
    let keeper = as_server(Path::new("/bin/sh"))
        .args(["-c", KEEPER, "keeper"])
        .args([
            bin.as_os_str(),
            folder.as_os_str(),
            &OsString::from(port.to_string()),
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .expect("the server starts");
    // From here on the keeper removes it.
    let _ = kept.keep();
    let made = AtomicU32::new(0);
    let cluster = Cluster {
        folder,
        port,
        bin,
        made,
        _keeper: keeper,
    };
    let ready = processes::wait_until(Duration::from_secs(20), || {
        cluster.try_run("postgres", "SELECT 1").is_ok()
    });
    let log = std::fs::read_to_string(cluster.folder.join("log")).unwrap_or_default();
    assert!(ready, "PostgreSQL did not start:\n{log}");
    cluster.run(
        "postgres",
        &format!("CREATE ROLE writer LOGIN SUPERUSER PASSWORD '{PASSWORD}'; CREATE ROLE reader LOGIN PASSWORD '{PASSWORD}'; GRANT pg_read_all_data TO reader"),
    );
    Some(cluster)
}

/// Gives a path to whoever runs the server; everybody may look.
pub(crate) fn open_to(path: &Path) {
    let mode = if path.is_dir() { 0o755 } else { 0o600 };
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("permissions");
    if nix::unistd::geteuid().is_root() {
        let (uid, gid) = server_ids();
        chown(path, Some(uid), Some(gid)).expect("chown");
    }
}

/// Uid and gid of whoever runs the server.
pub(crate) fn server_ids() -> (u32, u32) {
    let known = |name: &&str| nix::unistd::User::from_name(name).ok().flatten();
    let user = SERVERS
        .iter()
        .find_map(known)
        .expect("a user for the server");
    (user.uid.as_raw(), user.gid.as_raw())
}

pub(crate) fn as_server(program: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .env_clear()
        .env("LANG", "C.UTF-8")
        .env("PATH", "/usr/bin:/bin")
        .current_dir("/");
    if nix::unistd::geteuid().is_root() {
        let (uid, gid) = server_ids();
        command.uid(uid).gid(gid);
    }
    command
}

/// A certificate for localhost by an authority of its own.
fn certify(folder: &Path) {
    let (authority, certificate, key) = certificates();
    std::fs::write(folder.join("authority.crt"), authority).expect("a file");
    for (name, text) in [("server.crt", certificate), ("server.key", key)] {
        let path = folder.join("data").join(name);
        std::fs::write(&path, text).expect("a file");
        open_to(&path);
    }
}

fn certificates() -> (String, String, String) {
    let key = rcgen::KeyPair::generate().expect("a key");
    let mut of_authority = rcgen::CertificateParams::default();
    of_authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority = of_authority.self_signed(&key).expect("a certificate").pem();
    let issuer = rcgen::Issuer::new(of_authority, key);
    let key = rcgen::KeyPair::generate().expect("a key");
    let of_server = rcgen::CertificateParams::new(["localhost".to_owned()]).expect("names");
    let certificate = of_server
        .signed_by(&key, &issuer)
        .expect("a certificate")
        .pem();
    (authority, certificate, key.serialize_pem())
}

impl Cluster {
    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The certificate of the authority that vouches for `localhost`.
    pub fn authority(&self) -> PathBuf {
        self.folder.join("authority.crt")
    }

    /// Runs statements as its owner, outside every story's database.
    pub fn sql(&self, sql: &str) -> String {
        self.run("postgres", sql)
    }

    fn try_run(&self, database: &str, sql: &str) -> Result<String, String> {
        let out = as_server(&self.bin.join("psql"))
            .args([
                "-X",
                "-q",
                "-A",
                "-t",
                "-v",
                "ON_ERROR_STOP=1",
                "-U",
                "postgres",
                "-d",
                database,
                "-h",
            ])
            .arg(&self.folder)
            .args(["-p", &self.port.to_string(), "-c", sql])
            .output()
            .expect("psql runs");
        match out.status.success() {
            true => Ok(String::from_utf8_lossy(&out.stdout).trim_end().to_owned()),
            false => Err(String::from_utf8_lossy(&out.stderr).into_owned()),
        }
    }

    fn run(&self, database: &str, sql: &str) -> String {
        self.try_run(database, sql)
            .unwrap_or_else(|e| panic!("{sql}: {e}"))
    }
}

impl Database {
    /// Its server.
    pub fn cluster(&self) -> &'static Cluster {
        self.cluster
    }

    /// Runs statements as the server's owner; what they print, without decoration.
    pub fn sql(&self, sql: &str) -> String {
        self.cluster.run(&self.name, sql)
    }

    /// The address over its socket, where nobody asks for a password.
    pub fn socket_url(&self, user: &str) -> String {
        let Cluster { folder, port, .. } = self.cluster;
        format!(
            "postgres://{user}@/{}?host={}&port={port}",
            self.name,
            folder.display()
        )
    }

    /// The address over the network, where the password is asked for.
    pub fn url(&self, user: &str) -> String {
        format!(
            "postgres://{user}@localhost:{}/{}",
            self.cluster.port, self.name
        )
    }

    /// A psql of somebody else's that works off its standard input, not started.
    pub fn session(&self) -> Command {
        let mut command = as_server(&self.cluster.bin.join("psql"));
        command
            .args([
                "-X", "-q", "-A", "-t", "-U", "postgres", "-d", &self.name, "-h",
            ])
            .arg(&self.cluster.folder)
            .args(["-p", &self.cluster.port.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        command
    }
}
