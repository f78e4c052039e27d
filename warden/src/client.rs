//! How the rest of the team reaches the warden. A warden that is just being started again is waited
//! for; one that stays away is an error, and whoever asked does nothing then.

use crate::audit::line::Entry;
use crate::audit::verify::Head;
use crate::operations::judge::is_duty;
use crate::tickets::ticket::{Ticket, Wanted, action_digest};
use crate::wire::{Ask, LINE_BYTES, Reply, Request, WIRE_VERSION};
use config::home::Home;
use protocol::approval::{Rule, TicketId};
use protocol::duty::order::Outcome;
use std::fmt;
use std::io;
use std::os::unix::net::UnixStream as StdStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::time::{sleep, timeout};

/// Longest wait for one answer, in seconds: a disk may take its time to make a line safe.
const ANSWER: Duration = Duration::from_secs(10);
/// The same where something is looked at first.
const LOOK: Duration = Duration::from_secs(200);
/// How often it may die over one question before whoever asked is told.
const LOST: u32 = 5;
/// Between two tries to reach it.
const PAUSE: Duration = Duration::from_millis(20);

/// Why there is no answer, or none that helps.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WardenError {
    /// Nobody answers.
    #[error("the warden does not answer at {} ({said}): see `ai-infra status`", .socket.display())]
    Away {
        /// Where.
        socket: PathBuf,
        /// What was seen.
        said: String,
    },
    /// It said no.
    #[error("{0}")]
    Refused(String),
    /// It speaks otherwise.
    #[error("the warden answered something else than it was asked: ai-infra restart")]
    Strange,
}

/// A ticket that was used up for an act. Only the warden's word makes one, and it cannot be copied.
#[derive(Debug)]
pub struct Burned {
    id: TicketId,
    action: String,
}

impl Burned {
    /// The ticket.
    pub fn id(&self) -> TicketId {
        self.id
    }

    /// Whether it was given for this action.
    pub fn is_for(&self, action: &serde_json::Value) -> bool {
        self.action == action_digest(action)
    }
}

/// How a connection comes about, for those who may not make it themselves.
type Dial = Arc<dyn Fn() -> io::Result<StdStream> + Send + Sync>;

/// A connection that is made when it is needed and made anew when it breaks.
pub struct Client {
    socket: PathBuf,
    patience: Duration,
    dial: Option<Dial>,
    open: Option<BufReader<UnixStream>>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("socket", &self.socket)
            .finish_non_exhaustive()
    }
}

impl Client {
    /// To the warden of a home. `patience` is how long one that is away is waited for.
    pub fn new(home: &Home, patience: Duration) -> Self {
        Self {
            socket: home.warden_sock(),
            patience,
            dial: None,
            open: None,
        }
    }

    /// The same, by connections that somebody else makes.
    pub fn through(
        home: &Home,
        patience: Duration,
        dial: impl Fn() -> io::Result<StdStream> + Send + Sync + 'static,
    ) -> Self {
        Self {
            dial: Some(Arc::new(dial)),
            ..Self::new(home, patience)
        }
    }

    /// The same, that waits so long for a warden that is away.
    pub fn waiting(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// Another connection to the same warden.
    pub fn another(&self) -> Self {
        Self {
            socket: self.socket.clone(),
            patience: self.patience,
            dial: self.dial.clone(),
            open: None,
        }
    }

    /// Writes a line; answers its number. With `safe` it outlives a power cut when this returns.
    ///
    /// # Errors
    /// When the warden is away or has no room: then whatever the line is about must not be begun.
    pub async fn note(&mut self, entry: &Entry, safe: bool) -> Result<u64, WardenError> {
        let entry = Box::new(entry.clone());
        match self.ask(Ask::Note { entry, safe }).await? {
            Reply::Written { seq } => Ok(seq),
            _ => Err(WardenError::Strange),
        }
    }

    /// How far the chain goes.
    ///
    /// # Errors
    /// When the warden is away.
    pub async fn head(&mut self) -> Result<Head, WardenError> {
        match self.ask(Ask::Head).await? {
            Reply::Head { head } => Ok(head),
            _ => Err(WardenError::Strange),
        }
    }

    /// Asks for leave; answers the ticket, whatever became of it, and its four characters.
    ///
    /// # Errors
    /// When the warden is away, or leave for this cannot be asked.
    pub async fn leave(&mut self, wanted: &Wanted) -> Result<(Ticket, String), WardenError> {
        let wanted = Box::new(wanted.clone());
        // What a duty would do is looked at before a person is asked.
        let patience = match is_duty(&wanted.action) {
            true => LOOK,
            false => ANSWER,
        };
        match self.ask_within(Ask::Request { wanted }, patience).await? {
            Reply::Ticket { ticket, mark, .. } => Ok((*ticket, mark)),
            _ => Err(WardenError::Strange),
        }
    }

    /// The ticket a step has for exactly this, where it has one.
    ///
    /// # Errors
    /// When the warden is away.
    pub async fn known(&mut self, wanted: &Wanted) -> Result<bool, WardenError> {
        let wanted = Box::new(wanted.clone());
        match self.ask(Ask::Known { wanted }).await? {
            Reply::Ticket { .. } => Ok(true),
            Reply::Done => Ok(false),
            _ => Err(WardenError::Strange),
        }
    }

    /// Says that nothing was done under a used ticket: `wanted` says what it would have been.
    ///
    /// # Errors
    /// When the warden is away, or the ticket was not used for this.
    pub async fn grown(&mut self, id: TicketId, wanted: &Wanted) -> Result<(), WardenError> {
        let wanted = Box::new(wanted.clone());
        match self.ask(Ask::Grown { id, wanted }).await? {
            Reply::Ticket { .. } => Ok(()),
            _ => Err(WardenError::Strange),
        }
    }

    /// Whether an act is within its kind's bound of the hour; with `count` it is done next.
    ///
    /// # Errors
    /// When the warden is away: then nothing may be done.
    pub async fn hour(
        &mut self,
        wanted: &Wanted,
        count: bool,
    ) -> Result<Option<(Rule, String)>, WardenError> {
        let wanted = Box::new(wanted.clone());
        match self.ask(Ask::Hour { wanted, count }).await? {
            Reply::Hour { above } => Ok(above),
            _ => Err(WardenError::Strange),
        }
    }

    /// Uses a ticket up for exactly this.
    ///
    /// # Errors
    /// When the warden is away or says no: then there is no leave.
    pub async fn burn(&mut self, id: TicketId, wanted: &Wanted) -> Result<Burned, WardenError> {
        let action = action_digest(&wanted.action);
        let wanted = Box::new(wanted.clone());
        match self.ask(Ask::Burn { id, wanted }).await? {
            Reply::Ticket { .. } => Ok(Burned { id, action }),
            _ => Err(WardenError::Strange),
        }
    }

    /// Whether a workspace that says this to agents is trusted. Asking it of one that said something else
    /// when it was trusted ends that trust.
    ///
    /// # Errors
    /// When the warden is away.
    pub async fn trusted(&mut self, path: &str, digest: &str) -> Result<bool, WardenError> {
        let (path, digest) = (path.to_owned(), digest.to_owned());
        match self.ask(Ask::Trusted { path, digest }).await? {
            Reply::Trusted { trust } => Ok(trust.is_some()),
            _ => Err(WardenError::Strange),
        }
    }

    /// Has a duty done, under a claim. Asked again under the same key, the same end is answered.
    ///
    /// # Errors
    /// When the warden is away, or says no: then nothing was done.
    pub async fn operate(
        &mut self,
        wanted: &Wanted,
        epoch: u64,
        patience: Duration,
    ) -> Result<Outcome, WardenError> {
        let wanted = Box::new(wanted.clone());
        let ask = Ask::Operate { wanted, epoch };
        match self.ask_within(ask, patience).await? {
            Reply::Operated { outcome } => Ok(*outcome),
            _ => Err(WardenError::Strange),
        }
    }

    /// Says that a task was cancelled, by whoever holds it: how its program of level 3 ended; `None` where none was begun.
    ///
    /// # Errors
    /// When the warden is away, or an older one.
    pub async fn end_run(
        &mut self,
        task: &str,
        agent: &str,
        epoch: u64,
        key: Option<String>,
    ) -> Result<Option<Outcome>, WardenError> {
        let (task, agent) = (task.to_owned(), agent.to_owned());
        let ask = Ask::EndRun {
            task,
            agent,
            epoch,
            key,
        };
        match self.ask(ask).await? {
            Reply::Operated { outcome } => Ok(Some(*outcome)),
            Reply::Done => Ok(None),
            _ => Err(WardenError::Strange),
        }
    }

    /// The tasks whose programs of level 3 run now.
    ///
    /// # Errors
    /// When the warden is away, or an older one.
    pub async fn runs(&mut self) -> Result<Vec<String>, WardenError> {
        match self.ask(Ask::Runs).await? {
            Reply::Runs { tasks } => Ok(tasks),
            _ => Err(WardenError::Strange),
        }
    }

    /// The tasks with leave that counts while they go on, and that the warden does not know to be over.
    ///
    /// # Errors
    /// When the warden is away, or an older one.
    pub async fn leaves(&mut self) -> Result<Vec<String>, WardenError> {
        match self.ask(Ask::Leaves).await? {
            Reply::Runs { tasks } => Ok(tasks),
            _ => Err(WardenError::Strange),
        }
    }

    /// Says that the team is frozen, or goes on.
    ///
    /// # Errors
    /// When the warden is away.
    pub async fn freeze(&mut self, frozen: bool) -> Result<(), WardenError> {
        self.ask(Ask::Freeze { frozen }).await.map(drop)
    }

    /// Tickets with their four characters, newest first.
    ///
    /// # Errors
    /// When the warden is away.
    pub async fn tickets(
        &mut self,
        open: bool,
        limit: usize,
    ) -> Result<Vec<(Ticket, String)>, WardenError> {
        let mut all: Vec<(Ticket, String)> = Vec::new();
        loop {
            let before = all.last().map(|(last, _)| last.id);
            let limit = limit.saturating_sub(all.len());
            let ask = Ask::Tickets {
                open,
                limit,
                before,
            };
            let Reply::Tickets { mut tickets } = self.ask(ask).await? else {
                return Err(WardenError::Strange);
            };
            // A warden of an older version knows no pages and says the same again.
            tickets.retain(|(one, _)| before.is_none_or(|id| one.id < id));
            if tickets.is_empty() {
                return Ok(all);
            }
            all.extend(tickets);
        }
    }

    /// Asks something. What was asked of a warden that died may have been heard: a line may stand in
    /// the chain twice, which hides nothing.
    ///
    /// # Errors
    /// As it says.
    pub async fn ask(&mut self, ask: Ask) -> Result<Reply, WardenError> {
        self.ask_within(ask, ANSWER).await
    }

    async fn ask_within(&mut self, ask: Ask, answer: Duration) -> Result<Reply, WardenError> {
        let request = Request {
            v: WIRE_VERSION,
            ask,
        };
        let mut line = serde_json::to_vec(&request).map_err(|_| WardenError::Strange)?;
        line.push(b'\n');
        let (mut away, mut lost) = (None, 0);
        loop {
            let tried = Instant::now();
            let said = match timeout(answer, self.once(&line)).await {
                Ok(Ok(Reply::Refused { why })) => return Err(WardenError::Refused(why)),
                Ok(Ok(reply)) => return Ok(reply),
                Ok(Err(error)) if error.kind() == io::ErrorKind::InvalidData => {
                    return Err(WardenError::Strange);
                }
                Ok(Err(error)) => error.to_string(),
                Err(_) => {
                    lost = LOST;
                    "no answer in time".to_owned()
                }
            };
            self.open = None;
            // One that was at work on this when it died is waited for from then on.
            if lost < LOST && tried.elapsed() > self.patience {
                (away, lost) = (None, lost + 1);
            }
            let since: &Instant = away.get_or_insert(Instant::now());
            if lost == LOST || since.elapsed() >= self.patience {
                let socket = self.socket.clone();
                return Err(WardenError::Away { socket, said });
            }
            sleep(PAUSE).await;
        }
    }

    async fn connected(&self) -> io::Result<UnixStream> {
        let Some(dial) = &self.dial else {
            return UnixStream::connect(&self.socket).await;
        };
        // Whoever makes it may have to wait for the warden.
        let dial = dial.clone();
        let dialled = tokio::task::spawn_blocking(move || dial()).await;
        let stream = dialled.map_err(io::Error::other)??;
        stream.set_nonblocking(true)?;
        UnixStream::from_std(stream)
    }

    async fn once(&mut self, line: &[u8]) -> io::Result<Reply> {
        let mut stream = match self.open.take() {
            Some(stream) => stream,
            None => BufReader::new(self.connected().await?),
        };
        stream.get_mut().write_all(line).await?;
        let mut answer = Vec::new();
        let mut part = (&mut stream).take(LINE_BYTES as u64);
        if part.read_until(b'\n', &mut answer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let reply = serde_json::from_slice(&answer)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        // Only a connection whose answer was taken whole is used again.
        self.open = Some(stream);
        Ok(reply)
    }
}
