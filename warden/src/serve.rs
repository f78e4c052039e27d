//! The warden process: one loop over connections, one book, one store of tickets. Lines are written as they come; those that
//! must outlive a power cut wait for the disk together, one wait for all that came meanwhile.

mod hour;
mod leave;
mod look;
mod operate;
mod role;
mod run;
mod table;
mod trust;

use crate::audit::book::{Book, BookError};
use crate::audit::reader::AuditPlace;
use crate::hours::Hours;
use crate::operations::book::Deeds;
use crate::operations::planned::Plans;
use crate::operations::runs::{Runs, Word};
use crate::tickets::over::Over;
use crate::tickets::pin::Tries;
use crate::tickets::store::{Store, StoreError};
use crate::wire::{Ask, LINE_BYTES, Reply, Request, WIRE_VERSION};
use config::home::Home;
use jiff::Timestamp;
use look::LOOKS;
use nix::unistd::Uid;
use protocol::walls::Removed;
use role::Speaker;
use std::cell::RefCell;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::rc::Rc;
use std::time::Duration;
use table::{LIMITS, Seat, Table};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Mutex, Notify, Semaphore, watch};
use tokio::task::LocalSet;

/// How long a line that nobody waits for may lie unsafe.
const LAZY: Duration = Duration::from_millis(50);

/// Why the warden cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum WardenDown {
    /// The home cannot be used.
    #[error(transparent)]
    Home(#[from] config::error::ConfigError),
    /// The chain cannot be written.
    #[error(transparent)]
    Book(#[from] BookError),
    /// The tickets cannot be used.
    #[error(transparent)]
    Tickets(#[from] StoreError),
    /// What was done on the host is not known.
    #[error("what was done on the host cannot be read from {folder}: {source}")]
    Operations {
        /// Where.
        folder: String,
        /// What the system said.
        source: io::Error,
    },
    /// The disk did not take what was written: nothing may be begun on it.
    #[error("lines cannot be made safe: {0}")]
    Unsafe(String),
    /// The socket cannot be made, or signals not heard.
    #[error("the warden cannot listen on {socket}: {source}")]
    Listen {
        /// Where.
        socket: String,
        /// What the system said.
        source: io::Error,
    },
}

/// What every connection shares.
struct Office {
    host: String,
    home: Home,
    book: RefCell<Book>,
    tickets: RefCell<Store>,
    /// Whose leave counts no more.
    over: RefCell<Over>,
    tries: RefCell<Tries>,
    /// Walls that are taken away; none but in a test.
    walls: Removed,
    /// How often what was done lately.
    hours: RefCell<Hours>,
    /// What was done on the host.
    deeds: RefCell<Deeds>,
    /// What a person was shown of it.
    plans: Plans,
    /// The programs of level 3 among it that run now or wait for their turn.
    runs: RefCell<Runs>,
    /// Whoever changes the host has it alone.
    turn: Mutex<()>,
    /// Looks that may be made now.
    looks: Semaphore,
    /// Whether the team is frozen; a file says the same to the next warden.
    frozen: watch::Sender<bool>,
    /// Up to which line everything is safe; an error ends all trust in the disk.
    safe: watch::Sender<Result<u64, String>>,
    /// Something is to be made safe.
    wanted: Notify,
    /// Somebody waits for it.
    urgent: Notify,
}

/// Runs the warden of a home until it is told to end.
///
/// # Errors
/// When it cannot start.
pub async fn run(home: Home, host: String) -> Result<(), WardenDown> {
    run_without(home, host, Removed::default()).await
}

/// The same with walls taken away, so that a test sees what they hold. A release takes none away.
///
/// # Errors
/// As [`run`].
pub async fn run_without(home: Home, host: String, walls: Removed) -> Result<(), WardenDown> {
    home.ensure()?;
    let book = Book::open(AuditPlace::of(&home), &host, Timestamp::now())?;
    let safe = book.head().seq;
    let mut tickets = Store::open(&home.warden().join("tickets.jsonl"), &host)?;
    tickets.compact(Timestamp::now())?;
    let tickets = tickets.without(walls);
    let own = |source| WardenDown::Operations {
        folder: home.warden().display().to_string(),
        source,
    };
    let deeds = Deeds::open(&home.warden().join("operations.jsonl")).map_err(own)?;
    let hours = Hours::open(&home.warden().join("hours.jsonl"), Timestamp::now()).map_err(own)?;
    let over = Over::open(&home.warden().join("over.jsonl")).map_err(own)?;
    let plans = Plans::open(&home.warden().join("planned"), Timestamp::now()).map_err(own)?;
    let office = Rc::new(Office {
        host,
        home: home.clone(),
        tickets: RefCell::new(tickets),
        over: RefCell::new(over),
        tries: RefCell::default(),
        walls,
        hours: RefCell::new(hours),
        deeds: RefCell::new(deeds),
        plans,
        runs: RefCell::default(),
        turn: Mutex::new(()),
        looks: Semaphore::new(LOOKS),
        frozen: watch::Sender::new(home.warden().join(operate::FROZEN).exists()),
        book: RefCell::new(book),
        safe: watch::Sender::new(Ok(safe)),
        wanted: Notify::new(),
        urgent: Notify::new(),
    });
    office.let_copies_go(Timestamp::now());
    let socket = home.warden_sock();
    let failed = |source| WardenDown::Listen {
        socket: socket.display().to_string(),
        source,
    };
    // The chain's lock is held: whoever listened here is dead.
    let _was_not_there = std::fs::remove_file(&socket);
    let listener = UnixListener::bind(&socket).map_err(failed)?;
    let private = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(&socket, private).map_err(failed)?;
    let mut term = signal(SignalKind::terminate()).map_err(failed)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    let mut hangup = signal(SignalKind::hangup()).map_err(failed)?;
    let table = Table::of(LIMITS);
    let local = LocalSet::new();
    let ended = local
        .run_until(async {
            let mut safe = std::pin::pin!(keep_safe(office.clone()));
            tokio::task::spawn_local(operate::settle_open(office.clone()));
            loop {
                tokio::select! {
                    _ = term.recv() => break None,
                    _ = interrupt.recv() => break None,
                    why = &mut safe => break Some(why),
                    // The terminal it was started from is gone.
                    _ = hangup.recv() => {}
                    taken = listener.accept() => match taken {
                        Ok((stream, _)) => match Seat::at(&table) {
                            Some(seat) => {
                                tokio::task::spawn_local(serve(stream, seat, office.clone()));
                            }
                            None => tracing::warn!("too many connections"),
                        },
                        Err(error) => {
                            tracing::warn!(%error, "a connection could not be taken");
                            tokio::time::sleep(Duration::from_millis(50)).await;
                        }
                    }
                }
            }
        })
        .await;
    let _may_be_gone = std::fs::remove_file(&socket);
    if let Some(why) = ended {
        return Err(WardenDown::Unsafe(why));
    }
    let last = office.book.borrow().sync_handle()?;
    last.sync()?;
    Ok(())
}

/// Makes lines safe in groups, until the disk fails: what it says after a failure is not to be
/// believed, so this process ends then and the next one reads what is really there.
async fn keep_safe(office: Rc<Office>) -> String {
    loop {
        office.wanted.notified().await;
        tokio::select! {
            () = office.urgent.notified() => {}
            () = tokio::time::sleep(LAZY) => {}
        }
        let handle = office.book.borrow().sync_handle();
        let synced = match handle {
            Ok(handle) => tokio::task::spawn_blocking(move || {
                let seq = handle.seq;
                handle.sync().map(|()| seq).map_err(|e| e.to_string())
            })
            .await
            .unwrap_or_else(|error| Err(error.to_string())),
            Err(error) => Err(error.to_string()),
        };
        let failed = synced.as_ref().err().cloned();
        let _before = office.safe.send_replace(synced);
        if let Some(why) = failed {
            return why;
        }
    }
}

impl Office {
    async fn make_safe(&self, seq: u64) -> Result<(), String> {
        let mut safe = self.safe.subscribe();
        self.wanted.notify_one();
        self.urgent.notify_one();
        loop {
            match &*safe.borrow_and_update() {
                Ok(done) if *done >= seq => return Ok(()),
                Ok(_) => {}
                Err(why) => return Err(why.clone()),
            }
            // The loop may have looked just before the line was written.
            self.wanted.notify_one();
            self.urgent.notify_one();
            if safe.changed().await.is_err() {
                return Err("the warden ends".to_owned());
            }
        }
    }

    async fn answer(
        &self,
        ask: Ask,
        peer: u32,
        speaker: Option<&Speaker>,
    ) -> Result<Reply, String> {
        if let Ask::Request { wanted } | Ask::Burn { wanted, .. } | Ask::Hour { wanted, .. } = &ask
        {
            self.goes_on(wanted)?;
        }
        match ask {
            Ask::Note { entry, safe } => {
                let written = self.book.borrow_mut().append(*entry, Timestamp::now());
                let seq = written.map_err(|error| error.to_string())?;
                match safe {
                    true => self.make_safe(seq).await?,
                    false => self.wanted.notify_one(),
                }
                Ok(Reply::Written { seq })
            }
            Ask::Head => {
                let head = self.book.borrow().head().clone();
                self.make_safe(head.seq).await?;
                Ok(Reply::Head { head })
            }
            Ask::Trust {
                path,
                digest,
                pin,
                signature,
            } => self.trusts(&path, digest, pin, signature, peer).await,
            Ask::Distrust { path, signature } => self.distrusts(&path, signature, peer).await,
            Ask::TrustToSign { path, digest } => self.trust_to_sign(&path, digest),
            Ask::Trusted { path, digest } => self.trusted(&path, &digest, speaker),
            Ask::Operate { wanted, epoch } => self.operate(&wanted, epoch).await,
            Ask::EndRun {
                task,
                agent,
                epoch,
                key,
            } => {
                let word = Word::of_holder(task, agent.clone(), epoch);
                Ok(self.end_run(word, &agent, key.as_deref()).await)
            }
            Ask::Runs => Ok(self.running()),
            Ask::Leaves => Ok(self.leaves()),
            Ask::Hour { wanted, count } => self.hour(&wanted, count),
            Ask::Freeze { frozen } => self.freeze(frozen),
            mut other => {
                let looked = self.look_first(&mut other).await;
                let wanted = match &other {
                    Ask::Request { wanted } => Some(wanted.clone()),
                    _ => None,
                };
                let answered = match looked {
                    Ok(()) => self.of_tickets(other, peer).await,
                    Err(why) => Err(why),
                };
                if let (Err(_), Some(wanted)) = (&answered, wanted) {
                    self.forget_look(&wanted);
                }
                self.let_copies_go(Timestamp::now());
                answered
            }
        }
    }
}

/// Serves one connection, if the kernel says it is the home's owner or root.
async fn serve(stream: UnixStream, mut seat: Seat, office: Rc<Office>) {
    let me = Uid::effective().as_raw();
    let peer = stream.peer_cred().map(|peer| peer.uid());
    let known = peer.ok().filter(|uid| *uid == 0 || *uid == me);
    let mut stream = BufReader::new(stream);
    let mut speaker = None;
    loop {
        let mut line = Vec::new();
        let mut part = (&mut stream).take(LINE_BYTES as u64);
        let read = tokio::select! {
            read = part.read_until(b'\n', &mut line) => read,
            () = seat.wanted() => return,
        };
        if !matches!(read, Ok(1..)) {
            return;
        }
        seat.heard();
        let heard = match known {
            Some(_) => understood(&line),
            None => Err("only the owner of this home may talk to its warden".to_owned()),
        };
        let mut broken = !line.ends_with(b"\n") || known.is_none();
        let reply = match (heard, &speaker) {
            (Ok(Ask::For { role, task }), None) => {
                let named = Speaker { role, task };
                let taken = seat.speaks(&named);
                // Whoever was to speak as an agent does not speak as somebody else instead.
                broken |= taken.is_err();
                speaker = taken.is_ok().then_some(named);
                taken.map(|()| Reply::Done)
            }
            (Ok(ask), _) => {
                seat.pace().await;
                let may = speaker.as_ref().map_or(Ok(()), |speaker| speaker.may(&ask));
                match may {
                    Ok(()) => {
                        let peer = known.unwrap_or(me);
                        office.answer(ask, peer, speaker.as_ref()).await
                    }
                    Err(why) => Err(why),
                }
            }
            (Err(why), _) => Err(why),
        };
        let mut reply = reply.unwrap_or_else(|why| Reply::Refused { why });
        if let (Some(_), Reply::Ticket { shown, .. }) = (&speaker, &mut reply) {
            // What the hands saw is for whoever answers: an agent would read files of the host by asking leave for them.
            shown.clear();
        }
        let Ok(mut bytes) = serde_json::to_vec(&reply) else {
            return;
        };
        bytes.push(b'\n');
        if stream.get_mut().write_all(&bytes).await.is_err() || broken {
            return;
        }
    }
}

fn understood(line: &[u8]) -> Result<Ask, String> {
    if !line.ends_with(b"\n") {
        return Err(format!("a request has at most {LINE_BYTES} bytes"));
    }
    let request: Request = serde_json::from_slice(line)
        .map_err(|_| "that is no request the warden understands".to_owned())?;
    match request.v > WIRE_VERSION {
        true => Err("the running warden is older than this program: ai-infra restart".to_owned()),
        false => Ok(request.ask),
    }
}

#[cfg(test)]
#[path = "serve_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "serve/agent_tests.rs"]
mod agent_tests;
