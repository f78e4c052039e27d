//! The consumer's side: an inbox hands out one claimed task at a time. Claims and blocking waits run
//! in a task of their own, so that a caller may drop `next` at any moment and lose nothing.

#[cfg(feature = "model")]
pub mod once;

use crate::connect::{Again, Bus, Call};
use crate::dead_letter::{CRASH_LIMIT, PREVIEW_BYTES};
use crate::error::BusError;
use crate::keys::{self, WORK_GROUP};
use crate::lease::Lease;
use crate::scripts;
use protocol::envelope::{ENVELOPE_VERSION, Envelope};
use protocol::ids::{Epoch, Role, TaskId};
use protocol::limits::ENVELOPE_BYTES;
use protocol::task::Class;
use redis::aio::MultiplexedConnection;
use redis::{FromRedisValue, Value};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;
use uuid::Uuid;

/// Longest wait of one round.
const ROUND: Duration = Duration::from_secs(1);
/// Pause after Redis did not answer.
const PAUSE: Duration = Duration::from_millis(100);
/// Unanswered claims remembered; older ones have long expired.
const LOST_TICKETS: usize = 64;

/// A claimed task.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// The work message.
    pub envelope: Envelope,
    /// The claim; renew it.
    pub lease: Lease,
    /// Which holder this is; 1 is the first.
    pub attempt: u64,
    /// The task was cancelled while an earlier holder had it: clean up, then finish.
    pub cancel: bool,
}

#[derive(Debug, Clone, Copy)]
enum Want {
    /// One round, waiting at most [`ROUND`].
    Round { choosy: bool },
    /// One claim, without waiting.
    Try,
}

type Round = Result<Option<Delivery>, BusError>;

/// Hands out the work of one role on one host.
#[derive(Debug)]
pub struct Inbox {
    bus: Bus,
    wants: mpsc::Sender<Want>,
    rounds: mpsc::Receiver<Round>,
    asked: bool,
}

impl Inbox {
    /// Opens an inbox for the agent `instance` of `role` on `host`, with its own connection for
    /// waiting. Fails when Redis does not answer or a name cannot be part of a key.
    pub async fn open(
        bus: &Bus,
        role: &Role,
        host: &str,
        instance: &str,
    ) -> Result<Self, BusError> {
        if !keys::is_host(host) {
            return Err(BusError::Refused(format!(
                "`{}` is not a host name",
                host.escape_debug()
            )));
        }
        let claimer = Claimer::new(bus, role, host, instance);
        let member = &claimer.lanes[1];
        bus.query::<i64>(
            redis::cmd("SADD").arg(bus.keys().lanes()).arg(member),
            Again::Yes,
        )
        .await?;
        let (wants, wanted) = mpsc::channel(1);
        let (found, rounds) = mpsc::channel(1);
        tokio::spawn(serve(claimer, wanted, found));
        Ok(Self {
            bus: bus.clone(),
            wants,
            rounds,
            asked: false,
        })
    }

    /// One bounded round (about a second at most): a claim, or `None`. Dropping the future loses
    /// nothing; the next call has the answer. What nobody can read goes to the dead letters.
    pub async fn next(&mut self) -> Round {
        self.ask(Want::Round { choosy: false }).await
    }

    /// The same, but of new tasks only urgent ones are begun; what was begun goes on.
    pub async fn next_urgent(&mut self) -> Round {
        self.ask(Want::Round { choosy: true }).await
    }

    /// One claim without waiting for work.
    pub async fn try_next(&mut self) -> Round {
        self.ask(Want::Try).await
    }

    async fn ask(&mut self, want: Want) -> Round {
        let gone = || BusError::Unreachable("the inbox has stopped".to_owned());
        if !self.asked {
            self.wants.send(want).await.map_err(|_| gone())?;
            self.asked = true;
        }
        let round = self.rounds.recv().await.ok_or_else(gone)?;
        self.asked = false;
        round
    }
}

impl Drop for Inbox {
    /// A claim that nobody fetched is given back.
    fn drop(&mut self) {
        self.rounds.close();
        if let Ok(Ok(Some(delivery))) = self.rounds.try_recv()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            let bus = self.bus.clone();
            runtime.spawn(async move { bus.give_back(&delivery.lease).await });
        }
    }
}

/// Serves one inbox until it is dropped.
async fn serve(mut claimer: Claimer, mut wanted: mpsc::Receiver<Want>, found: mpsc::Sender<Round>) {
    while let Some(want) = wanted.recv().await {
        let round = claimer.round(want).await;
        if round.is_err() {
            tokio::time::sleep(PAUSE).await;
        }
        if let Err(unsent) = found.send(round).await {
            if let Ok(Some(delivery)) = unsent.0
                && let Err(error) = claimer.bus.give_back(&delivery.lease).await
            {
                tracing::warn!(task = %delivery.lease.task, %error, "an unfetched claim was not given back");
            }
            return;
        }
    }
}

/// What one run of the claim script says.
enum Answer {
    Work(Box<Claimed>),
    Again,
    None {
        wait: Option<Duration>,
        wake: String,
    },
}

struct Claimed {
    lease: Lease,
    attempts: u64,
    crashes: u64,
    cancel: bool,
    body: Vec<u8>,
}

/// What is known since the last claim that found nothing.
struct Idle {
    wake: String,
    due: Instant,
}

struct Claimer {
    bus: Bus,
    role: Role,
    instance: String,
    /// This host's lane, then any host's.
    lanes: [String; 2],
    id: Uuid,
    tickets: u64,
    /// Tickets of claims whose answers did not arrive; at most one of them took a task.
    lost: Vec<String>,
    idle: Option<Idle>,
    reader: Option<MultiplexedConnection>,
    /// Begin only urgent tasks.
    choosy: bool,
}

impl Claimer {
    fn new(bus: &Bus, role: &Role, host: &str, instance: &str) -> Self {
        Self {
            bus: bus.clone(),
            role: role.clone(),
            instance: instance.to_owned(),
            lanes: [keys::lane(role, Some(host)), keys::lane(role, None)],
            id: Uuid::now_v7(),
            tickets: 0,
            lost: Vec::new(),
            idle: None,
            reader: None,
            choosy: false,
        }
    }

    async fn round(&mut self, want: Want) -> Round {
        self.choosy = matches!(want, Want::Round { choosy: true });
        if self.idle.is_none() || matches!(want, Want::Try) {
            let found = self.claim().await?;
            if found.is_some() || matches!(want, Want::Try) {
                return Ok(found);
            }
        }
        self.wait().await?;
        self.claim().await
    }

    /// Blocks until something may have come, a lease may have expired, or the round is over. The
    /// read starts at the id the last claim saw, so nothing that came since is missed, and it
    /// takes nothing away.
    async fn wait(&mut self) -> Result<(), BusError> {
        let Some(idle) = self.idle.take() else {
            return Ok(());
        };
        let block = idle
            .due
            .saturating_duration_since(Instant::now())
            .min(ROUND);
        if block.is_zero() {
            return Ok(());
        }
        let mut reader = match self.reader.take() {
            Some(reader) => reader,
            None => self.bus.reader(ROUND).await?,
        };
        let mut read = redis::cmd("XREAD");
        read.arg("COUNT")
            .arg(1)
            .arg("BLOCK")
            .arg(block.as_millis().max(1) as u64);
        read.arg("STREAMS")
            .arg(self.bus.keys().wake(&self.role))
            .arg(&idle.wake);
        read.query_async::<Value>(&mut reader).await?;
        self.reader = Some(reader);
        Ok(())
    }

    async fn claim(&mut self) -> Round {
        self.idle = None;
        loop {
            match self.claim_once().await? {
                Answer::Work(claimed) => {
                    if let Some(delivery) = self.judge(*claimed).await? {
                        #[cfg(debug_assertions)]
                        self.bus.acknowledge_early(&delivery.lease).await?;
                        return Ok(Some(delivery));
                    }
                }
                Answer::Again => {}
                Answer::None { wait, wake } => {
                    let due = Instant::now() + wait.unwrap_or(ROUND).min(ROUND);
                    self.idle = Some(Idle { wake, due });
                    return Ok(None);
                }
            }
        }
    }

    async fn claim_once(&mut self) -> Result<Answer, BusError> {
        self.tickets += 1;
        let ticket = format!("{}-{}", self.id, self.tickets);
        let call = self.call(&ticket);
        match self
            .bus
            .run::<Value>(&scripts::CLAIM, &call, Again::No)
            .await
        {
            Ok(value) => {
                self.lost.clear();
                self.read(value)
            }
            Err(error) => {
                if error.is_unreachable() {
                    self.lost.push(ticket);
                    let old = self.lost.len().saturating_sub(LOST_TICKETS);
                    self.lost.drain(..old);
                }
                Err(error)
            }
        }
    }

    fn call(&self, ticket: &str) -> Call {
        let names = self.bus.keys();
        let mut call = self
            .bus
            .pulsing()
            .key(names.turn(&self.role))
            .key(names.wake(&self.role))
            .key(names.dead(&self.role))
            .arg(WORK_GROUP)
            .arg(&self.instance)
            .arg(ticket)
            .arg(self.lost_tickets())
            .arg(names.role_task_prefix(&self.role))
            .arg(names.lanes())
            .arg(ENVELOPE_BYTES)
            .arg(PREVIEW_BYTES)
            .arg(ENVELOPE_VERSION)
            .arg(names.frozen())
            .arg(names.paused(&self.role))
            .arg(u8::from(self.choosy))
            .arg(CRASH_LIMIT);
        for lane in &self.lanes {
            call = call.key(names.back(lane)).key(names.lease(lane)).arg(lane);
            for class in Class::ALL {
                call = call.key(names.work(lane, class));
            }
            call = call.key(names.delay(lane));
        }
        call
    }

    fn lost_tickets(&self) -> String {
        if self.lost.is_empty() {
            return String::new();
        }
        format!(",{},", self.lost.join(","))
    }

    fn read(&self, value: Value) -> Result<Answer, BusError> {
        let odd = || BusError::Redis("the claim script answered in an unknown form".to_owned());
        let row: Vec<Value> = take(value)?;
        let mut row = row.into_iter();
        let mut next = || row.next().ok_or_else(odd);
        match take::<String>(next()?)?.as_str() {
            "again" => Ok(Answer::Again),
            "none" => {
                let wait: i64 = take(next()?)?;
                let wait = u64::try_from(wait).ok().map(Duration::from_millis);
                Ok(Answer::None {
                    wait,
                    wake: take(next()?)?,
                })
            }
            "work" => {
                let task: TaskId = take::<String>(next()?)?.parse().map_err(|_| odd())?;
                let epoch = Epoch(take(next()?)?);
                let lane: String = take(next()?)?;
                let _stream = next()?;
                let attempts: u64 = take(next()?)?;
                let crashes: u64 = take(next()?)?;
                let cancel: i64 = take(next()?)?;
                Ok(Answer::Work(Box::new(Claimed {
                    lease: Lease {
                        task,
                        epoch,
                        role: self.role.clone(),
                        instance: self.instance.clone(),
                        lane,
                    },
                    attempts,
                    crashes,
                    cancel: cancel != 0,
                    body: take(next()?)?,
                })))
            }
            _ => Err(odd()),
        }
    }

    /// A claimed entry that can be worked on, or `None` after it was buried with its reason.
    async fn judge(&self, claimed: Claimed) -> Round {
        let lease = claimed.lease;
        let reason = if claimed.crashes >= CRASH_LIMIT {
            format!("{} holders died with it", claimed.crashes)
        } else {
            match Envelope::parse(&claimed.body) {
                Ok(envelope) if envelope.payload.task_id == Some(lease.task) => {
                    return Ok(Some(Delivery {
                        envelope,
                        lease,
                        attempt: claimed.attempts,
                        cancel: claimed.cancel,
                    }));
                }
                Ok(_) => "the message names another task than its record".to_owned(),
                Err(error) => error.to_string(),
            }
        };
        tracing::warn!(task = %lease.task, reason, "task given up for dead");
        match self.bus.bury(&lease, &reason).await {
            Ok(()) | Err(BusError::Fenced { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

fn take<T: FromRedisValue>(value: Value) -> Result<T, BusError> {
    redis::from_redis_value(value).map_err(|e| BusError::Redis(e.to_string()))
}
