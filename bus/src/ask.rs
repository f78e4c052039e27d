//! Questions with a deadline: the asker waits on a list of its own, the target reads one stream.

use crate::connect::{Again, Bus};
use crate::error::BusError;
use crate::group_reader::{GroupReader, Source};
use crate::outflow::parse;
use jiff::Timestamp;
use protocol::envelope::Envelope;
use protocol::ids::Role;
use std::collections::VecDeque;
use std::time::Duration;
use uuid::Uuid;

/// How long an answer lies before it is thrown away unread.
const REPLY_KEPT: Duration = Duration::from_secs(60);
/// Most questions that wait; the oldest give way, as their askers have long gone.
const WAITING: u64 = 10_000;

impl Bus {
    /// Asks `envelope.target` and waits for the answer, at most `timeout`. The wait has a
    /// connection of its own. Fails with [`BusError::NoAnswer`] when the time is over.
    pub async fn ask(&self, envelope: &Envelope, timeout: Duration) -> Result<Envelope, BusError> {
        let target = role(&envelope.target)?;
        let reply = Uuid::now_v7();
        let mut question = envelope.clone();
        question.reply_to = Some(reply.to_string());
        let latest = Timestamp::now() + timeout.min(Duration::from_secs(24 * 3600));
        question.deadline = Some(question.deadline.map_or(latest, |own| own.min(latest)));
        let mut put = redis::cmd("XADD");
        put.arg(self.keys().ask(&target))
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
        let mut pipeline = redis::pipe();
        pipeline.atomic();
        pipeline
            .cmd("RPUSH")
            .arg(&key)
            .arg(answer.to_bytes()?)
            .ignore();
        pipeline
            .cmd("PEXPIRE")
            .arg(&key)
            .arg(REPLY_KEPT.as_millis() as u64)
            .ignore();
        self.pipeline::<()>(&pipeline, Again::No).await
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

/// The questions to one role.
#[derive(Debug)]
pub struct Questions {
    bus: Bus,
    role: Role,
    stream: String,
    reader: GroupReader,
    waiting: VecDeque<Envelope>,
}

impl Questions {
    /// Opens the questions to `name`, a role such as `supervisor`.
    pub async fn open(bus: &Bus, name: &str) -> Result<Self, BusError> {
        let role = role(name)?;
        let stream = bus.keys().ask(&role);
        let reader = GroupReader::open(bus, role.as_str(), Source::One(stream.clone())).await?;
        Ok(Self {
            bus: bus.clone(),
            role,
            stream,
            reader,
            waiting: VecDeque::new(),
        })
    }

    /// The next question, or `None` after about a second. Those past their deadline are dropped;
    /// a question is read once, an asker whose answer does not come asks again.
    pub async fn next(&mut self) -> Result<Option<Envelope>, BusError> {
        if self.waiting.is_empty() {
            self.fetch().await?;
        }
        let now = Timestamp::now();
        while let Some(question) = self.waiting.pop_front() {
            if question.deadline.is_none_or(|deadline| deadline > now) {
                return Ok(Some(question));
            }
        }
        Ok(None)
    }

    async fn fetch(&mut self) -> Result<(), BusError> {
        let raws = self.reader.next().await?;
        let mut read = Vec::new();
        for raw in &raws {
            match parse(raw) {
                Ok(question) => {
                    self.waiting.push_back(question);
                    read.push((raw.stream.as_str(), raw.id.as_str()));
                }
                Err(reason) => {
                    let group = self.role.as_str();
                    self.bus
                        .refuse(&self.role, &self.stream, group, &raw.id, &reason)
                        .await?;
                    self.reader.let_go(&[(&raw.stream, &raw.id)]);
                }
            }
        }
        self.reader.done(&read).await
    }
}
