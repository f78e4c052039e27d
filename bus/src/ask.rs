//! Questions with a deadline: the asker waits on a list of its own, the target reads a stream of each role.
//! Redis lets a role write no other's, so who asks is what the stream says and not what the question says.

use crate::connect::{Again, Bus, Call};
use crate::error::BusError;
use crate::group_reader::{GroupReader, Source};
use crate::outflow::parse;
use crate::scripts;
use jiff::Timestamp;
use protocol::envelope::Envelope;
use protocol::ids::Role;
use redis::aio::MultiplexedConnection;
use std::collections::VecDeque;
use std::time::Duration;
use tokio::time::Instant;
use uuid::Uuid;

/// How long an answer lies before it is thrown away unread.
const REPLY_KEPT: Duration = Duration::from_secs(60);
/// Longest wait of one read of an agent's questions.
const PEER_ROUND: Duration = Duration::from_secs(5);
/// Most questions that wait; the oldest give way, as their askers have long gone.
const WAITING: u64 = 10_000;

/// A question, and whose it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    /// The role that asks; its user of Redis is the proof.
    pub by: Role,
    /// What it asks.
    pub question: Envelope,
}

impl Asked {
    /// Unless nobody waits for the answer any more.
    fn in_time(self) -> Option<Self> {
        let deadline = self.question.deadline;
        let late = deadline.is_some_and(|deadline| deadline <= Timestamp::now());
        (!late).then_some(self)
    }
}

impl Bus {
    /// Asks `envelope.target` as the role `asker` and waits for the answer, at most `timeout`. The wait has a
    /// connection of its own. Fails with [`BusError::NoAnswer`] when the time is over.
    pub async fn ask(
        &self,
        asker: &Role,
        envelope: &Envelope,
        timeout: Duration,
    ) -> Result<Envelope, BusError> {
        let target = role(&envelope.target)?;
        let reply = Uuid::now_v7();
        let mut question = envelope.clone();
        question.reply_to = Some(reply.to_string());
        let latest = Timestamp::now() + timeout.min(Duration::from_secs(24 * 3600));
        question.deadline = Some(question.deadline.map_or(latest, |own| own.min(latest)));
        let mut put = redis::cmd("XADD");
        put.arg(self.keys().ask(&target, asker))
            .arg("MAXLEN")
            .arg("~")
            .arg(WAITING)
            .arg("*");
        put.arg("e").arg(question.to_bytes()?);
        self.query::<String>(&put, Again::No).await?;
        match self.await_reply(reply, timeout).await? {
            Some(bytes) => Ok(Envelope::parse(&bytes)?),
            None => Err(BusError::NoAnswer {
                target: envelope.target.clone(),
                ms: timeout.as_millis(),
            }),
        }
    }

    pub(crate) async fn await_reply(
        &self,
        reply: Uuid,
        timeout: Duration,
    ) -> Result<Option<Vec<u8>>, BusError> {
        let timeout = timeout.max(Duration::from_millis(1));
        let mut connection = self.borrow_reader(timeout).await?;
        let mut wait = redis::cmd("BLPOP");
        wait.arg(self.keys().reply(reply))
            .arg(timeout.as_secs_f64());
        let mut popped = wait
            .query_async::<Option<(String, Vec<u8>)>>(&mut connection)
            .await;
        if popped
            .as_ref()
            .is_err_and(redis::RedisError::is_connection_dropped)
        {
            // A spare connection may have died while it lay idle.
            self.drop_readers();
            connection = self.reader(timeout).await?;
            popped = wait.query_async(&mut connection).await;
        }
        let answer = popped?;
        self.return_reader(connection);
        Ok(answer.map(|(_, bytes)| bytes))
    }

    /// Answers a question. Nobody waiting any more is no error.
    pub async fn answer(&self, question: &Envelope, answer: &Envelope) -> Result<(), BusError> {
        let reply: Uuid = question
            .reply_to
            .as_deref()
            .and_then(|id| id.parse().ok())
            .ok_or_else(|| BusError::Refused("the question does not say where to answer".into()))?;
        let key = self.keys().reply(reply);
        let call = Call::on([key])
            .bytes(answer.to_bytes()?)
            .arg(REPLY_KEPT.as_millis());
        self.run::<i64>(&scripts::ANSWER, &call, Again::No)
            .await
            .map(drop)
    }
}

fn role(name: &str) -> Result<Role, BusError> {
    name.parse().map_err(|_| {
        BusError::Refused(format!(
            "`{}` cannot be asked: name a role",
            name.escape_debug()
        ))
    })
}

/// The questions to an agent, for processes that answer them beside other work. Each is read by one
/// process of the role, once: one that is lost with its reader is not answered in time.
#[derive(Debug)]
pub struct PeerQuestions {
    bus: Bus,
    role: Role,
    reader: Option<MultiplexedConnection>,
    streams: Vec<String>,
    looked: Option<Instant>,
    waiting: VecDeque<Asked>,
}

/// Entries as a group reads them, by stream.
type Read = Vec<(String, Vec<(String, Vec<(String, Vec<u8>)>)>)>;

impl PeerQuestions {
    /// The questions to `role`; nothing is asked of Redis yet.
    pub fn new(bus: &Bus, role: &Role) -> Self {
        Self {
            bus: bus.clone(),
            role: role.clone(),
            reader: None,
            streams: Vec::new(),
            looked: None,
            waiting: VecDeque::new(),
        }
    }

    /// The next question whose asker still waits, or `None` after a few seconds.
    pub async fn next(&mut self) -> Result<Option<Asked>, BusError> {
        if self.waiting.is_empty() {
            let fetched = self.fetch().await;
            if fetched.is_err() {
                // A stream may be gone, and its group with it.
                self.looked = None;
                self.streams.clear();
            }
            fetched?;
        }
        Ok(self.waiting.pop_front().and_then(Asked::in_time))
    }

    /// Finds the streams of roles that appeared, and makes their groups.
    async fn look(&mut self) -> Result<(), BusError> {
        if self.looked.is_some_and(|at| at.elapsed() < PEER_ROUND) {
            return Ok(());
        }
        for by in self.bus.roles().await? {
            let stream = self.bus.keys().ask(&self.role, &by);
            if !self.streams.contains(&stream) {
                let group = Call::on([stream.clone()]).arg(self.role.as_str());
                self.bus
                    .run::<String>(&scripts::MAKE_GROUP, &group, Again::Yes)
                    .await?;
                self.streams.push(stream);
            }
        }
        self.looked = Some(Instant::now());
        Ok(())
    }

    async fn fetch(&mut self) -> Result<(), BusError> {
        self.look().await?;
        let mut reader = match self.reader.take() {
            Some(reader) => reader,
            None => self.bus.reader(PEER_ROUND).await?,
        };
        let mut read = redis::cmd("XREADGROUP");
        read.arg("GROUP")
            .arg(self.role.as_str())
            .arg(self.role.as_str());
        read.arg("COUNT").arg(1);
        read.arg("BLOCK").arg(PEER_ROUND.as_millis() as u64);
        read.arg("NOACK").arg("STREAMS").arg(&self.streams);
        read.arg(vec![">"; self.streams.len()]);
        let found: Option<Read> = read.query_async(&mut reader).await?;
        self.reader = Some(reader);
        for (stream, entries) in found.unwrap_or_default() {
            for (id, fields) in entries {
                let gone = redis::cmd("XDEL").arg(&stream).arg(&id).to_owned();
                self.bus.query::<i64>(&gone, Again::Yes).await?;
                let body = fields.iter().find(|(name, _)| name == "e");
                let question = Envelope::parse(body.map_or(&[][..], |(_, bytes)| bytes));
                match (question, asker(&self.bus, &self.role, &stream)) {
                    (Ok(question), Some(by)) => self.waiting.push_back(Asked { by, question }),
                    (Err(error), _) => {
                        tracing::warn!(stream, %error, "a question cannot be read");
                    }
                    (Ok(_), None) => {}
                }
            }
        }
        Ok(())
    }
}

/// Whose questions to `target` a stream holds.
fn asker(bus: &Bus, target: &Role, stream: &str) -> Option<Role> {
    let prefix = bus.keys().ask_prefix(target);
    stream.strip_prefix(&prefix)?.parse().ok()
}

/// The questions to one role.
#[derive(Debug)]
pub struct Questions {
    bus: Bus,
    role: Role,
    reader: GroupReader,
    waiting: VecDeque<Asked>,
}

impl Questions {
    /// Opens the questions to `name`, a role such as `supervisor`.
    pub async fn open(bus: &Bus, name: &str) -> Result<Self, BusError> {
        let role = role(name)?;
        let source = Source::Asked(role.clone());
        let reader = GroupReader::open(bus, role.as_str(), source).await?;
        Ok(Self {
            bus: bus.clone(),
            role,
            reader,
            waiting: VecDeque::new(),
        })
    }

    /// The next question, or `None` after about a second. Those past their deadline are dropped;
    /// a question is read once, an asker whose answer does not come asks again.
    pub async fn next(&mut self) -> Result<Option<Asked>, BusError> {
        if self.waiting.is_empty() {
            self.fetch().await?;
        }
        while let Some(asked) = self.waiting.pop_front() {
            if let Some(asked) = asked.in_time() {
                return Ok(Some(asked));
            }
        }
        Ok(None)
    }

    async fn fetch(&mut self) -> Result<(), BusError> {
        let raws = self.reader.next().await?;
        let mut read = Vec::new();
        for raw in &raws {
            let by = asker(&self.bus, &self.role, &raw.stream)
                .ok_or_else(|| "its stream names no role".to_owned());
            match by.and_then(|by| Ok((by, parse(raw)?))) {
                Ok((by, question)) => {
                    self.waiting.push_back(Asked { by, question });
                    read.push((raw.stream.as_str(), raw.id.as_str()));
                }
                Err(reason) => {
                    let group = self.role.as_str();
                    self.bus
                        .refuse(&self.role, &raw.stream, group, &raw.id, &reason)
                        .await?;
                    self.reader.let_go(&[(&raw.stream, &raw.id)]);
                }
            }
        }
        self.reader.done(&read).await
    }
}
