//! The blocking read of streams that every role writes and one process reads. It runs in a task of
//! its own and hands batches over by channel: a dropped read would leave entries delivered to
//! nobody. After any error the group's pending entries are read first.

use crate::connect::{Again, Bus, Call};
use crate::error::BusError;
use crate::scripts;
use protocol::ids::Role;
use redis::aio::MultiplexedConnection;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// Longest wait of one read, and of one answer to the caller.
const ROUND: Duration = Duration::from_secs(1);
/// Pause after Redis did not answer.
const PAUSE: Duration = Duration::from_millis(100);
/// How often pending entries that nobody was given are looked for.
const SWEEP: Duration = Duration::from_secs(5);
/// Entries a read takes from each stream.
const BATCH: usize = 64;

/// Which streams to read.
#[derive(Debug, Clone)]
pub(crate) enum Source {
    /// The out stream of every role.
    Out,
    /// The questions of every role to this one.
    Asked(Role),
    /// This stream.
    One(String),
}

/// An entry as it lies in its stream; `None` when it has no envelope field.
#[derive(Debug, Clone)]
pub(crate) struct Raw {
    pub(crate) stream: String,
    pub(crate) id: String,
    pub(crate) body: Option<Vec<u8>>,
}

type InHand = Arc<Mutex<HashSet<(String, String)>>>;

/// Reads streams as the one consumer of a group. Dropping it ends its task.
#[derive(Debug)]
pub(crate) struct GroupReader {
    bus: Bus,
    group: String,
    in_hand: InHand,
    batches: mpsc::Receiver<Result<Vec<Raw>, BusError>>,
    task: JoinHandle<()>,
}

impl GroupReader {
    /// Starts reading.
    pub(crate) async fn open(bus: &Bus, group: &str, source: Source) -> Result<Self, BusError> {
        let connection = bus.reader(ROUND).await?;
        let (sender, batches) = mpsc::channel(1);
        let in_hand = InHand::default();
        let mut pump = Pump {
            bus: bus.clone(),
            group: group.to_owned(),
            source,
            in_hand: Arc::clone(&in_hand),
            connection: Some(connection),
            streams: Vec::new(),
            looked: None,
            pending: HashMap::new(),
            swept: Instant::now(),
        };
        let task = tokio::spawn(async move {
            loop {
                let batch = pump.round().await;
                let failed = batch.is_err();
                if !matches!(&batch, Ok(entries) if entries.is_empty())
                    && sender.send(batch).await.is_err()
                {
                    return;
                }
                if failed {
                    pump.start_over();
                    tokio::time::sleep(PAUSE).await;
                }
            }
        });
        Ok(Self {
            bus: bus.clone(),
            group: group.to_owned(),
            in_hand,
            batches,
            task,
        })
    }

    /// The next entries; none when a second passed without any.
    pub(crate) async fn next(&mut self) -> Result<Vec<Raw>, BusError> {
        match tokio::time::timeout(ROUND, self.batches.recv()).await {
            Ok(Some(batch)) => batch,
            Ok(None) => Err(BusError::Unreachable("the reader has stopped".to_owned())),
            Err(_) => Ok(Vec::new()),
        }
    }

    /// Acknowledges and deletes entries. Saying it twice is fine.
    pub(crate) async fn done(&self, entries: &[(&str, &str)]) -> Result<(), BusError> {
        if entries.is_empty() {
            return Ok(());
        }
        let mut streams: Vec<&str> = Vec::new();
        let mut call = Call::default().arg(&self.group);
        for (stream, id) in entries {
            let place = match streams.iter().position(|known| known == stream) {
                Some(place) => place,
                None => {
                    streams.push(stream);
                    call = call.key((*stream).to_owned());
                    streams.len() - 1
                }
            };
            call = call.arg(place + 1).arg(id);
        }
        self.bus
            .run::<i64>(&scripts::DONE, &call, Again::Yes)
            .await?;
        self.let_go(entries);
        Ok(())
    }

    /// Forgets that the caller has these entries.
    pub(crate) fn let_go(&self, entries: &[(&str, &str)]) {
        let mut in_hand = self.in_hand.lock().unwrap_or_else(PoisonError::into_inner);
        for (stream, id) in entries {
            in_hand.remove(&((*stream).to_owned(), (*id).to_owned()));
        }
    }
}

impl Drop for GroupReader {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Pump {
    bus: Bus,
    group: String,
    source: Source,
    in_hand: InHand,
    connection: Option<MultiplexedConnection>,
    streams: Vec<String>,
    looked: Option<Instant>,
    /// Streams whose pending entries are still being read, and up to where they were.
    pending: HashMap<String, String>,
    swept: Instant,
}

impl Pump {
    fn start_over(&mut self) {
        self.connection = None;
        self.streams.clear();
        self.looked = None;
        self.pending.clear();
    }

    async fn round(&mut self) -> Result<Vec<Raw>, BusError> {
        self.look().await?;
        if self.streams.is_empty() {
            tokio::time::sleep(PAUSE).await;
            return Ok(Vec::new());
        }
        if self.pending.is_empty() && self.swept.elapsed() > SWEEP {
            self.sweep();
        }
        if self.pending.is_empty() {
            self.read_new().await
        } else {
            self.read_pending().await
        }
    }

    /// Goes through the pending entries of every stream once more.
    fn sweep(&mut self) {
        self.swept = Instant::now();
        self.pending = self
            .streams
            .iter()
            .map(|s| (s.clone(), "0".to_owned()))
            .collect();
    }

    /// Finds streams of roles that appeared, and makes their groups.
    async fn look(&mut self) -> Result<(), BusError> {
        if self.looked.is_some_and(|at| at.elapsed() < ROUND) {
            return Ok(());
        }
        self.bus.beat().await?;
        let keys = self.bus.keys();
        let of_roles = |roles: BTreeSet<Role>, of: &dyn Fn(&Role) -> String| {
            roles.iter().map(of).collect::<Vec<String>>()
        };
        let streams = match &self.source {
            Source::Out => of_roles(self.bus.roles().await?, &|role| keys.out(role)),
            Source::Asked(target) => {
                of_roles(self.bus.roles().await?, &|role| keys.ask(target, role))
            }
            Source::One(stream) => vec![stream.clone()],
        };
        for stream in streams {
            if !self.streams.contains(&stream) {
                match make_group(&self.bus, &stream, &self.group).await {
                    Ok(()) => {}
                    Err(error) if error.is_unreachable() => return Err(error),
                    Err(error) => {
                        // One spoilt key must not silence the others.
                        tracing::warn!(stream, %error, "stream not read");
                        continue;
                    }
                }
                self.pending.insert(stream.clone(), "0".to_owned());
                self.streams.push(stream);
            }
        }
        if !self.streams.is_empty() {
            self.looked = Some(Instant::now());
        }
        Ok(())
    }

    async fn read_pending(&mut self) -> Result<Vec<Raw>, BusError> {
        let from: Vec<(String, String)> = self.pending.clone().into_iter().collect();
        let entries = self.read(&from, None).await?;
        let mut last: HashMap<String, String> = HashMap::new();
        for entry in &entries {
            last.insert(entry.stream.clone(), entry.id.clone());
        }
        self.pending = last;
        Ok(self.not_in_hand(entries))
    }

    async fn read_new(&mut self) -> Result<Vec<Raw>, BusError> {
        let from: Vec<(String, String)> = self
            .streams
            .iter()
            .map(|s| (s.clone(), ">".to_owned()))
            .collect();
        let entries = self.read(&from, Some(ROUND)).await?;
        Ok(self.not_in_hand(entries))
    }

    fn not_in_hand(&self, mut entries: Vec<Raw>) -> Vec<Raw> {
        let mut in_hand = self.in_hand.lock().unwrap_or_else(PoisonError::into_inner);
        entries.retain(|entry| in_hand.insert((entry.stream.clone(), entry.id.clone())));
        entries
    }

    async fn read(
        &mut self,
        from: &[(String, String)],
        block: Option<Duration>,
    ) -> Result<Vec<Raw>, BusError> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.bus.reader(ROUND).await?,
        };
        let mut command = redis::cmd("XREADGROUP");
        command
            .arg("GROUP")
            .arg(&self.group)
            .arg(&self.group)
            .arg("COUNT")
            .arg(BATCH);
        if let Some(block) = block {
            command.arg("BLOCK").arg(block.as_millis() as u64);
        }
        command.arg("STREAMS");
        for (stream, _) in from {
            command.arg(stream);
        }
        for (_, id) in from {
            command.arg(id);
        }
        let reply: Option<Vec<Row>> = command.query_async(&mut connection).await?;
        self.connection = Some(connection);
        Ok(reply.map(raws).unwrap_or_default())
    }
}

/// A stream and its entries, as bytes: a writer may put anything into an entry. One that was
/// deleted while it was pending has no fields.
type Row = (String, Vec<(String, Option<Vec<Vec<u8>>>)>);

fn raws(rows: Vec<Row>) -> Vec<Raw> {
    let mut entries = Vec::new();
    for (stream, row) in rows {
        for (id, fields) in row {
            let fields = fields.unwrap_or_default();
            let body = fields.chunks_exact(2).find(|pair| pair[0] == b"e");
            entries.push(Raw {
                stream: stream.clone(),
                body: body.map(|pair| pair[1].clone()),
                id,
            });
        }
    }
    entries
}

/// Makes a group that starts at the first entry, unless it is there.
async fn make_group(bus: &Bus, stream: &str, group: &str) -> Result<(), BusError> {
    let call = Call::on([stream.to_owned()]).arg(group);
    bus.run::<String>(&scripts::MAKE_GROUP, &call, Again::Yes)
        .await
        .map(drop)
}
