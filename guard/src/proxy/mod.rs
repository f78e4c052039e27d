//! The way out of a sandbox of level 1: a proxy for each task, on the host's side of a socket that
//! is bound into it. It connects to hosts that were named, and to nothing else: [`request`] reads
//! what is asked, [`address`] says which addresses are the world's, [`greeting`] compares the name
//! in the TLS greeting, [`serve`] carries bytes, [`told`] says what was asked for to whoever keeps the
//! record. From registries that want a token ([`door`]) it fetches itself, so that no program ever has the
//! token: [`asked`] reads the question, `fetch` asks it, `hand` hands the answer on, [`mask`] looks through the answer, [`clients`] says
//! where clients find it. Pure but for `serve`, `fetch`, `hand` and [`registries`].

pub mod address;
pub mod asked;
#[cfg(debug_assertions)]
mod careless;
pub mod clients;
pub mod door;
mod fetch;
pub mod greeting;
mod hand;
pub mod mask;
pub mod registries;
pub mod request;
mod serve;
pub mod told;

use crate::launcher::channel::Line;
use crate::sandbox::spec::{Owner, WayOut};
use door::Doors;
use protocol::fault::Faults;
use serde::Serialize;
use std::collections::BTreeSet;
use std::fs::Permissions;
use std::io;
use std::os::unix::fs::{PermissionsExt, lchown};
use std::os::unix::net::UnixListener as StdListener;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tempfile::TempDir;
use tokio::net::UnixListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use told::Told;

/// Connections of one task that are remembered; all of them are logged.
const REMEMBERED: usize = 1000;
/// Longest wait for connections to end once their programs are gone.
const ENDING: Duration = Duration::from_secs(3);

/// Whose proxy it is.
pub struct Terms {
    /// Where its connections may lead.
    pub allowed: Allowed,
    /// What it fetches from with a token.
    pub doors: Doors,
    /// Who the programs run as.
    pub owner: Owner,
    /// Whether the team is frozen: then nothing is carried until the thaw.
    pub frozen: watch::Receiver<bool>,
    /// Who writes each connection down before it is made; one that cannot be written is not made.
    /// `None` = nobody, for tests of the proxy alone.
    pub record: Option<mpsc::Sender<Told>>,
    /// Walls that a test takes away.
    pub faults: Faults,
}

/// Hosts that may be reached. All names are lower-case.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Allowed {
    /// Exact names, on port 443, at public addresses.
    pub hosts: BTreeSet<String>,
    /// Exact name and port, wherever it is: a company's own registry has a private address.
    pub places: BTreeSet<(String, u16)>,
}

impl Allowed {
    /// What settings name: `host`, or `host:port`. Names that are none are told.
    pub fn of<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Allowed, String> {
        let mut allowed = Allowed::default();
        for name in names {
            let wrong =
                |why: &str| format!("`{name}` {why}: write shop.example, or shop.example:8443");
            match name.split_once(':') {
                None => {
                    let host = request::host(name).map_err(wrong)?;
                    allowed.hosts.insert(host);
                }
                Some((host, port)) => {
                    let host = request::host(host).map_err(wrong)?;
                    let port = request::port(port).map_err(wrong)?;
                    allowed.places.insert((host, port));
                }
            }
        }
        Ok(allowed)
    }

    /// Whether a place may be connected to, and whether a private address will do.
    pub fn judge(&self, host: &str, port: u16) -> Result<bool, String> {
        if self.places.contains(&(host.to_owned(), port)) {
            return Ok(true);
        }
        if !self.hosts.contains(host) {
            return Err(format!(
                "{host} is not among the hosts programs may reach (`permissions.programs.hosts`)"
            ));
        }
        match port {
            443 => Ok(false),
            _ => Err(format!("{host} may be reached on port 443, not on {port}")),
        }
    }
}

/// One connection, as it is told afterwards.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Connection {
    /// The host asked for, tamed; empty where the question could not be read.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// What was asked of a registry that wants a token, as `GET name/path`; empty for what is only carried.
    pub asked: String,
    /// Whether it was allowed and written down; whether the host was reached is another matter.
    pub begun: bool,
    /// `None` = it was carried; else why not, or why it was cut.
    pub refused: Option<String>,
    /// Bytes carried out.
    pub up: u64,
    /// Bytes carried in.
    pub down: u64,
    /// How long it stood, in milliseconds.
    pub took_ms: u64,
}

/// The way into a proxy from its sandboxes: a socket that only the owner of their programs may connect to.
/// It goes when this is dropped.
#[derive(Debug)]
pub struct Entrance {
    folder: TempDir,
    listener: StdListener,
}

impl Entrance {
    /// Makes one.
    ///
    /// # Errors
    /// When the system's folder for temporary files does not take it.
    pub fn make(owner: Owner) -> io::Result<Entrance> {
        // Not below the task's folder: the name of a socket holds a hundred bytes at most.
        let folder = tempfile::Builder::new()
            .prefix("ai-infra-proxy-")
            .tempdir()?;
        let path = folder.path().join("s");
        let listener = StdListener::bind(&path)?;
        if nix::unistd::geteuid().is_root() {
            lchown(&path, Some(owner.uid), Some(owner.gid))?;
        }
        std::fs::set_permissions(&path, Permissions::from_mode(0o600))?;
        std::fs::set_permissions(folder.path(), Permissions::from_mode(0o711))?;
        Ok(Entrance { folder, listener })
    }

    /// Where it is, to be bound into sandboxes.
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("s")
    }

    /// Where connections come in.
    pub fn listener(&self) -> &StdListener {
        &self.listener
    }
}

/// What keeps the entrance there.
#[derive(Debug)]
enum Keeps {
    Us(#[allow(dead_code)] Entrance),
    Launcher(#[allow(dead_code)] Line),
}

/// A running proxy; it ends, and its socket goes, when this is dropped.
#[derive(Debug)]
pub struct Proxy {
    told: clients::Told,
    socket: PathBuf,
    _entrance: Keeps,
    serving: tokio::sync::Mutex<JoinHandle<()>>,
    closing: watch::Sender<bool>,
    seen: Arc<Mutex<Vec<Connection>>>,
}

impl Proxy {
    /// Starts one for the sandboxes of one task. Needs a tokio runtime.
    pub fn start(terms: Terms) -> io::Result<Proxy> {
        let entrance = Entrance::make(terms.owner)?;
        let listener = entrance.listener().try_clone()?;
        let socket = entrance.socket();
        Proxy::at(listener, socket, Keeps::Us(entrance), terms)
    }

    /// The same behind an entrance that a launcher made, and keeps as long as the conversation.
    pub fn behind(
        listener: StdListener,
        socket: PathBuf,
        line: Line,
        terms: Terms,
    ) -> io::Result<Proxy> {
        Proxy::at(listener, socket, Keeps::Launcher(line), terms)
    }

    fn at(
        listener: StdListener,
        socket: PathBuf,
        entrance: Keeps,
        terms: Terms,
    ) -> io::Result<Proxy> {
        listener.set_nonblocking(true)?;
        let listener = UnixListener::from_std(listener)?;
        let seen = Arc::new(Mutex::new(Vec::new()));
        let told = Arc::clone(&seen);
        let closing = watch::Sender::new(false);
        let tell = move |connection: &Connection| {
            tracing::info!(
                host = connection.host,
                port = connection.port,
                asked = connection.asked,
                refused = connection.refused,
                up = connection.up,
                down = connection.down,
                took_ms = connection.took_ms,
                "a program asked for a connection"
            );
            let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
            if told.len() < REMEMBERED {
                told.push(connection.clone());
            }
        };
        Ok(Proxy {
            told: clients::told(&terms.doors),
            socket,
            _entrance: entrance,
            serving: tokio::spawn(serve::serve(listener, terms, closing.subscribe(), tell)).into(),
            closing,
            seen,
        })
    }

    /// Takes no more connections and ends those that are left, so that the record says of each how it
    /// ended. Called when the sandboxes are gone.
    pub async fn end(&self) {
        self.closing.send_replace(true);
        let mut serving = self.serving.lock().await;
        let _abandoned = tokio::time::timeout(ENDING, &mut *serving).await;
    }

    /// The socket, to be bound into sandboxes.
    pub fn socket(&self) -> PathBuf {
        self.socket.clone()
    }

    /// The way to it, for a sandbox.
    pub fn way(&self) -> WayOut {
        WayOut {
            socket: self.socket(),
            clients: self.told.clone(),
        }
    }

    /// The connections so far, those refused among them.
    pub fn seen(&self) -> Vec<Connection> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.clone()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.serving.get_mut().abort();
    }
}

/// The file of certificates the system trusts, where it is in its usual place. Clients bring their
/// own, which know nothing of a company's.
pub(crate) fn authorities() -> Option<&'static str> {
    const BUNDLE: &str = "/etc/ssl/certs/ca-certificates.crt";
    Path::new(BUNDLE).exists().then_some(BUNDLE)
}
