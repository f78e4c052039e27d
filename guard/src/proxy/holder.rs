//! The end of a task's proxy that whoever holds the task has: it says until when bytes are carried, has each connection
//! written down, and ends the proxy. What the proxy says is taken as words of a stranger.

use super::Connection;
use super::Terms;
use super::conduct::Conduct;
use super::start::Begun;
use super::told::{self, Stage, Told};
use super::words::{self, FromProxy, Pace, ToProxy};
use crate::executor::wire;
use crate::launcher::channel::Line;
use crate::sandbox::spec::Owner;
use std::io;
use std::os::unix::net::UnixStream as StdStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Connections of one task that are remembered; all of them are logged.
const REMEMBERED: usize = 1000;
/// Longest wait for connections to end once their programs are gone.
const ENDING: Duration = Duration::from_secs(3);
/// Longest wait for its walls to stand.
const STARTING: Duration = Duration::from_secs(10);
/// What waits to be said to it.
const WAITING: usize = 64;

/// What the proxy is there by.
#[derive(Debug)]
enum Keeps {
    Us(#[allow(dead_code)] Begun),
    Launcher(#[allow(dead_code)] Line),
}

type Kept = Arc<Mutex<Option<Keeps>>>;
type Seen = Arc<Mutex<Vec<Connection>>>;
/// Whether it serves; `None` = nothing is known yet.
type Serves = Option<Result<(), String>>;

/// Who writes each connection down before it is made; one that cannot be written is not made. `None` =
/// nobody, for tests of the proxy alone.
pub type Recorder = Option<mpsc::Sender<Told>>;

/// A running proxy; it ends, and its socket goes, when this is dropped.
#[derive(Debug)]
pub struct Proxy {
    socket: PathBuf,
    kept: Kept,
    says: mpsc::Sender<ToProxy>,
    serves: watch::Receiver<Serves>,
    hearing: tokio::sync::Mutex<JoinHandle<()>>,
    seen: Seen,
}

impl Proxy {
    /// Starts one from this process. Needs a tokio runtime on a thread that lives as long as the proxy shall.
    ///
    /// # Errors
    /// As [`Begun::start`].
    pub fn start(
        exe: &Path,
        owner: Owner,
        terms: &Terms,
        pace: watch::Receiver<Pace>,
        record: Recorder,
    ) -> io::Result<Proxy> {
        let (mut begun, control) = Begun::start(exe, std::process::id(), owner)?;
        begun.tell(terms)?;
        let socket = begun.socket();
        Proxy::kept_by(Keeps::Us(begun), socket, control, pace, record)
    }

    /// One that a launcher started, and keeps as long as the conversation.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn of_launcher(
        line: Line,
        socket: PathBuf,
        control: StdStream,
        pace: watch::Receiver<Pace>,
        record: Recorder,
    ) -> io::Result<Proxy> {
        Proxy::kept_by(Keeps::Launcher(line), socket, control, pace, record)
    }

    fn kept_by(
        keeps: Keeps,
        socket: PathBuf,
        control: StdStream,
        pace: watch::Receiver<Pace>,
        record: Recorder,
    ) -> io::Result<Proxy> {
        control.set_nonblocking(true)?;
        let (from, to) = UnixStream::from_std(control)?.into_split();
        let kept: Kept = Arc::new(Mutex::new(Some(keeps)));
        let seen = Seen::default();
        let (tell, serves) = watch::channel(None);
        let (says, answers) = mpsc::channel(WAITING);
        tokio::spawn(speak(to, answers, pace));
        let hears = Hears {
            record,
            says: says.downgrade(),
            serves: tell,
            seen: Arc::clone(&seen),
            kept: Arc::clone(&kept),
        };
        Ok(Proxy {
            socket,
            kept,
            says,
            serves,
            hearing: tokio::spawn(hears.all(from)).into(),
            seen,
        })
    }

    /// Waits until its walls stand and it serves.
    ///
    /// # Errors
    /// A sentence: it does not.
    pub async fn ready(&self) -> Result<(), String> {
        let mut serves = self.serves.clone();
        let said = timeout(STARTING, serves.wait_for(Option::is_some)).await;
        match said {
            Ok(Ok(said)) => said.clone().unwrap_or(Ok(())),
            Ok(Err(_)) => Err("it has ended".to_owned()),
            Err(_) => Err("it does not say that its walls stand".to_owned()),
        }
    }

    /// Whether it serves no more, or never did.
    pub fn has_ended(&self) -> bool {
        matches!(*self.serves.borrow(), Some(Err(_)))
    }

    /// Takes no more connections and ends those that are left, so that the record says of each how it
    /// ended. Called when the sandboxes are gone.
    pub async fn end(&self) {
        let _stuck = timeout(ENDING, self.says.send(ToProxy::End)).await;
        self.heard_out().await;
        // One that does not end by itself is ended, and the record says so of what it left open.
        drop(taken(&self.kept));
        self.heard_out().await;
    }

    async fn heard_out(&self) {
        let mut hearing = self.hearing.lock().await;
        if !hearing.is_finished() {
            let _abandoned = timeout(ENDING, &mut *hearing).await;
        }
    }

    /// The socket, to be bound into sandboxes.
    pub fn socket(&self) -> PathBuf {
        self.socket.clone()
    }

    /// The connections so far, those refused among them.
    pub fn seen(&self) -> Vec<Connection> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.clone()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.hearing.get_mut().abort();
        drop(taken(&self.kept));
    }
}

fn taken(kept: &Kept) -> Option<Keeps> {
    kept.lock().unwrap_or_else(PoisonError::into_inner).take()
}

/// Says what it must know, the pace first and at once.
async fn speak(
    mut to: OwnedWriteHalf,
    mut answers: mpsc::Receiver<ToProxy>,
    mut pace: watch::Receiver<Pace>,
) {
    let mut paced = true;
    pace.mark_changed();
    loop {
        let frame = tokio::select! {
            biased;
            changed = pace.changed(), if paced => match changed {
                Ok(()) => ToProxy::Pace(*pace.borrow_and_update()),
                // Nobody holds the task any more: it is carried until the lease is over.
                Err(_) => {
                    paced = false;
                    continue;
                }
            },
            answer = answers.recv() => match answer {
                Some(answer) => answer,
                None => return,
            },
        };
        let Ok(bytes) = words::encode(&frame) else {
            return;
        };
        if to.write_all(&bytes).await.is_err() {
            return;
        }
    }
}

/// Whoever hears what a proxy says.
struct Hears {
    record: Recorder,
    says: mpsc::WeakSender<ToProxy>,
    serves: watch::Sender<Serves>,
    seen: Seen,
    kept: Kept,
}

impl Hears {
    async fn all(self, mut from: OwnedReadHalf) {
        let mut conduct = Conduct::default();
        let why = loop {
            match self.next(&mut from, &mut conduct).await {
                Ok(true) => {}
                Ok(false) => break "it has ended".to_owned(),
                Err(error) => {
                    tracing::error!(%error, "the proxy of a task is ended for what it says");
                    break format!("it was ended: {error}");
                }
            }
        };
        // Whatever it still does is not told any more.
        drop(taken(&self.kept));
        for (number, mut connection) in conduct.left() {
            connection.refused = Some(format!("the proxy of the task is gone: {why}"));
            let _logged_by_who_writes = self.kept_down(number, Stage::Ended, connection).await;
        }
        self.serves.send_modify(|serves| {
            if !matches!(serves, Some(Err(_))) {
                *serves = Some(Err(why));
            }
        });
    }

    /// Takes one frame; whether it goes on.
    async fn next(&self, from: &mut OwnedReadHalf, conduct: &mut Conduct) -> io::Result<bool> {
        let Some(frame) = read(from).await? else {
            return Ok(false);
        };
        match frame {
            FromProxy::Ready => drop(self.serves.send_replace(Some(Ok(())))),
            FromProxy::Refused { why } => {
                drop(self.serves.send_replace(Some(Err(words::tame(&why)))));
            }
            FromProxy::Told {
                ask,
                number,
                stage,
                connection,
            } => {
                let connection = words::tamed(connection);
                let heard = conduct.hears(number, stage, &connection);
                heard.map_err(io::Error::other)?;
                let refused = self.kept_down(number, stage, connection).await.err();
                if let Some(says) = self.says.upgrade() {
                    let _gone_already = says.send(ToProxy::Written { ask, refused }).await;
                }
            }
        }
        Ok(true)
    }

    /// Has a line written, and remembers the connection once it is over.
    async fn kept_down(
        &self,
        number: u64,
        stage: Stage,
        connection: Connection,
    ) -> Result<(), String> {
        if stage != Stage::Begins {
            self.remember(&connection);
        }
        match &self.record {
            Some(record) => told::written(record, number, stage, connection).await,
            None => Ok(()),
        }
    }

    fn remember(&self, connection: &Connection) {
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
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() < REMEMBERED {
            seen.push(connection.clone());
        }
    }
}

/// The next frame; `None` at the end.
async fn read(from: &mut OwnedReadHalf) -> io::Result<Option<FromProxy>> {
    let mut prefix = [0; 4];
    if from.read_exact(&mut prefix).await.is_err() {
        return Ok(None);
    }
    let mut json = vec![0; words::length(prefix)?];
    from.read_exact(&mut json).await?;
    wire::decode(&json).map(Some)
}
