//! The consumer's side: an inbox hands out claimed tasks, one at a time or several. Claims and
//! blocking waits run in a task of their own, so that a caller may drop `next` at any moment and
//! lose nothing.

mod answer;
#[cfg(feature = "model")]
pub mod once;
mod open;

use crate::connect::{Again, Bus, Call};
use crate::dead_letter::{CRASH_LIMIT, PREVIEW_BYTES};
use crate::error::BusError;
use crate::keys::WORK_GROUP;
use crate::lease::{Known, Lease};
use crate::scripts;
use answer::{Answer, Claimed, Idle};
use protocol::envelope::{ENVELOPE_VERSION, Envelope};
use protocol::ids::Role;
use protocol::limits::ENVELOPE_BYTES;
use protocol::task::Class;
use redis::{ErrorKind, ServerErrorKind, Value, aio::MultiplexedConnection};
use std::collections::VecDeque;
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
/// Most tasks of one claim.
const MOST: usize = 64;

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
struct Want {
    /// Most tasks.
    most: usize,
    /// Whether to wait for one, at most [`ROUND`].
    wait: bool,
    /// Of new tasks only urgent ones.
    choosy: bool,
}

type Round = Result<Vec<Delivery>, BusError>;

/// Hands out the work of one role on one host.
#[derive(Debug)]
pub struct Inbox {
    bus: Bus,
    wants: mpsc::Sender<Want>,
    rounds: mpsc::Receiver<Round>,
    asked: bool,
    /// Claimed and not fetched: a late answer may hold more than this call asked for.
    ready: VecDeque<Delivery>,
}

impl Inbox {
    /// One bounded round (about a second at most): a claim, or `None`. Dropping the future loses
    /// nothing; the next call has the answer. What nobody can read goes to the dead letters.
    pub async fn next(&mut self) -> Result<Option<Delivery>, BusError> {
        self.one(true, false).await
    }

    /// The same, but of new tasks only urgent ones are begun; what was begun goes on.
    pub async fn next_urgent(&mut self) -> Result<Option<Delivery>, BusError> {
        self.one(true, true).await
    }

    /// One claim without waiting for work.
    pub async fn try_next(&mut self) -> Result<Option<Delivery>, BusError> {
        self.one(false, false).await
    }

    /// As [`next`](Self::next), with up to `most` tasks (at most 64) in one call; empty where none
    /// came. Every one of them is held from now on and wants to be renewed.
    pub async fn next_many(&mut self, most: usize) -> Round {
        if self.ready.is_empty() {
            self.ready = self
                .ask(Want {
                    most,
                    wait: true,
                    choosy: false,
                })
                .await?
                .into();
        }
        let most = most.min(self.ready.len());
        Ok(self.ready.drain(..most).collect())
    }

    async fn one(&mut self, wait: bool, choosy: bool) -> Result<Option<Delivery>, BusError> {
        if self.ready.is_empty() {
            self.ready = self
                .ask(Want {
                    most: 1,
                    wait,
                    choosy,
                })
                .await?
                .into();
        }
        Ok(self.ready.pop_front())
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
    /// What nobody fetched is given back.
    fn drop(&mut self) {
        self.rounds.close();
        let mut unfetched: Vec<Delivery> = self.ready.drain(..).collect();
        if let Ok(Ok(deliveries)) = self.rounds.try_recv() {
            unfetched.extend(deliveries);
        }
        if !unfetched.is_empty()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            let bus = self.bus.clone();
            runtime.spawn(async move { give_back(&bus, &unfetched).await });
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
            give_back(&claimer.bus, &unsent.0.unwrap_or_default()).await;
            return;
        }
    }
}

async fn give_back(bus: &Bus, unfetched: &[Delivery]) {
    for delivery in unfetched {
        if let Err(error) = bus.give_back(&delivery.lease).await {
            tracing::warn!(task = %delivery.lease.task, %error, "an unfetched claim was not given back");
        }
    }
}

struct Claimer {
    bus: Bus,
    role: Role,
    instance: String,
    /// This host's lane, then any host's where it does that too.
    lanes: Vec<String>,
    id: Uuid,
    tickets: u64,
    /// Tickets of claims whose answers did not arrive or were not judged to the end.
    lost: Vec<String>,
    idle: Option<Idle>,
    reader: Option<MultiplexedConnection>,
    /// Begin only urgent tasks.
    choosy: bool,
}

impl Claimer {
    fn new(bus: &Bus, role: &Role, lanes: Vec<String>, instance: &str) -> Self {
        Self {
            bus: bus.clone(),
            role: role.clone(),
            instance: instance.to_owned(),
            lanes,
            id: Uuid::now_v7(),
            tickets: 0,
            lost: Vec::new(),
            idle: None,
            reader: None,
            choosy: false,
        }
    }

    async fn round(&mut self, want: Want) -> Round {
        self.choosy = want.choosy;
        if self.idle.is_none() || !want.wait {
            let found = self.claim(want.most).await?;
            if !found.is_empty() || !want.wait {
                return Ok(found);
            }
        }
        let answer = self.wait(want.most).await?;
        self.work_off(answer, want.most).await
    }

    /// Blocks until something may have come, a lease may have expired, or the round is over. The
    /// read starts at the id the last claim saw, so nothing that came since is missed, and takes
    /// nothing away. A claim is sent right behind it: Redis carries it out the moment the read is
    /// over, before it writes to its disk what ended it. Answers what that claim says, if it ran.
    async fn wait(&mut self, most: usize) -> Result<Option<Answer>, BusError> {
        let Some(idle) = self.idle.take() else {
            return Ok(None);
        };
        let block = idle
            .due
            .saturating_duration_since(Instant::now())
            .min(ROUND);
        if block.is_zero() {
            return Ok(None);
        }
        let mut reader = match self.reader.take() {
            Some(reader) => reader,
            None => self.bus.claiming_reader(ROUND).await?,
        };
        let mut read = redis::cmd("XREAD");
        read.arg("COUNT")
            .arg(1)
            .arg("BLOCK")
            .arg(block.as_millis().max(1) as u64);
        read.arg("STREAMS")
            .arg(self.bus.keys().wake(&self.role))
            .arg(&idle.wake);
        let (ticket, call) = self.draw(most);
        let mut both = redis::pipe();
        both.add_command(read);
        both.add_command(self.bus.command(&scripts::CLAIM, &call));
        match both.query_async::<(Value, Value)>(&mut reader).await {
            Ok((_, said)) => {
                self.reader = Some(reader);
                self.heard(ticket, Ok(said)).map(Some)
            }
            // The read is over and nothing was claimed: as if there had been no claim behind it.
            Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => Ok(None),
            Err(error) => self.heard(ticket, Err(error.into())).map(Some),
        }
    }

    async fn claim(&mut self, most: usize) -> Round {
        self.work_off(None, most).await
    }

    /// Claims until there is work or nothing, beginning with an answer that is there already.
    async fn work_off(&mut self, mut answer: Option<Answer>, most: usize) -> Round {
        self.idle = None;
        loop {
            let said = match answer.take() {
                Some(said) => said,
                None => self.claim_once(most).await?,
            };
            match said {
                Answer::Work(claimed) => {
                    let deliveries = self.judge_all(claimed).await?;
                    #[cfg(debug_assertions)]
                    for delivery in &deliveries {
                        self.bus.acknowledge_early(&delivery.lease).await?;
                    }
                    if !deliveries.is_empty() {
                        return Ok(deliveries);
                    }
                }
                Answer::Again => {}
                Answer::None(idle) => {
                    self.idle = Some(idle);
                    return Ok(Vec::new());
                }
            }
        }
    }

    async fn claim_once(&mut self, most: usize) -> Result<Answer, BusError> {
        let (ticket, call) = self.draw(most);
        let said = self.bus.run(&scripts::CLAIM, &call, Again::No).await;
        self.heard(ticket, said)
    }

    /// The next claim under a ticket of its own.
    fn draw(&mut self, most: usize) -> (String, Call) {
        self.tickets += 1;
        let ticket = self.ticket();
        let call = self.call(&ticket, most.clamp(1, MOST));
        (ticket, call)
    }

    /// Reads what a claim said. A ticket is kept as long as nobody knows whether it took a task.
    fn heard(&mut self, ticket: String, said: Result<Value, BusError>) -> Result<Answer, BusError> {
        match said {
            Ok(value) => {
                self.lost.clear();
                answer::read(value)
            }
            Err(error) => {
                if error.is_unreachable() {
                    self.lose(ticket);
                }
                Err(error)
            }
        }
    }

    fn call(&self, ticket: &str, most: usize) -> Call {
        let names = self.bus.keys();
        let mut call = self
            .bus
            .pulsing()
            .key(names.turn(&self.role))
            .key(names.idle(&self.role))
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
            .arg(CRASH_LIMIT)
            .arg(most);
        for lane in &self.lanes {
            call = call.key(names.back(lane)).key(names.lease(lane)).arg(lane);
            for class in Class::ALL {
                call = call.key(names.work(lane, class));
            }
            call = call.key(names.delay(lane));
        }
        call
    }

    /// The ticket of the newest claim.
    fn ticket(&self) -> String {
        format!("{}-{}", self.id, self.tickets)
    }

    fn lose(&mut self, ticket: String) {
        self.lost.push(ticket);
        let old = self.lost.len().saturating_sub(LOST_TICKETS);
        self.lost.drain(..old);
    }

    fn lost_tickets(&self) -> String {
        match self.lost.as_slice() {
            [] => String::new(),
            lost => format!(",{},", lost.join(",")),
        }
    }

    /// Those that can be worked on. When the bus goes away in the middle, the next claim is
    /// answered with the same tasks again.
    async fn judge_all(&mut self, claimed: Vec<Claimed>) -> Round {
        let mut deliveries = Vec::with_capacity(claimed.len());
        for one in claimed {
            match self.judge(one).await {
                Ok(found) => deliveries.extend(found),
                Err(error) => {
                    self.lose(self.ticket());
                    return Err(error);
                }
            }
        }
        Ok(deliveries)
    }

    /// A claimed entry that can be worked on, or `None` after it was buried with its reason.
    async fn judge(&self, claimed: Claimed) -> Result<Option<Delivery>, BusError> {
        let lease = Lease {
            task: claimed.task,
            epoch: claimed.epoch,
            role: self.role.clone(),
            instance: self.instance.clone(),
            lane: claimed.lane,
            journal: Known::default(),
        };
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
