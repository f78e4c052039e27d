//! What the supervisor wants done on another host, where only that host's daemon can do it. An order
//! stands for a minute by the clock of Redis: one that was not read by then is not carried out when
//! the host is back hours later. Whoever carries one out remembers it, since it can be given again.

use crate::connect::{Again, Bus};
use crate::error::BusError;
use crate::group_reader::{GroupReader, Source};
use crate::keys::is_host;
use crate::outflow::parse;
use protocol::envelope::Envelope;
use std::collections::VecDeque;
use std::time::Duration;
use uuid::Uuid;

/// The consumer group of a host's daemon.
const GROUP: &str = "daemon";
/// How long an order stands.
const STANDS_MS: u64 = 60_000;
/// Most orders that lie there; the oldest have run out long ago.
const WAITING: u64 = 1_000;

impl Bus {
    /// Has a host do something and waits for what it says, at most `patience`. Fails with
    /// [`BusError::NoAnswer`] when the time is over: what the host had not begun by then it does not
    /// begin, what it had begun it finishes.
    pub async fn order(
        &self,
        host: &str,
        envelope: &Envelope,
        patience: Duration,
    ) -> Result<Envelope, BusError> {
        if !is_host(host) {
            return Err(BusError::Refused("that is no name of a host".to_owned()));
        }
        let reply = Uuid::now_v7();
        let mut order = envelope.clone();
        order.reply_to = Some(reply.to_string());
        let stream = self.keys().orders(host);
        let mut put = redis::cmd("XADD");
        put.arg(&stream).arg("MAXLEN").arg("~").arg(WAITING);
        put.arg("*").arg("e").arg(order.to_bytes()?);
        let id: String = self.query(&put, Again::No).await?;
        if let Some(bytes) = self.await_reply(reply, patience).await? {
            return Ok(Envelope::parse(&bytes)?);
        }
        let withdraw = redis::cmd("XDEL").arg(&stream).arg(id).clone();
        self.query::<i64>(&withdraw, Again::Yes).await?;
        Err(BusError::NoAnswer {
            target: host.to_owned(),
            ms: patience.as_millis(),
        })
    }
}

/// An order as the host reads it.
#[derive(Debug)]
pub struct Order {
    /// What is to be done, and where to answer.
    pub envelope: Envelope,
    id: String,
}

/// The orders to one host.
#[derive(Debug)]
pub struct Orders {
    bus: Bus,
    stream: String,
    reader: GroupReader,
    waiting: VecDeque<Order>,
}

impl Orders {
    /// Opens the orders to a host.
    pub async fn open(bus: &Bus, host: &str) -> Result<Self, BusError> {
        let stream = bus.keys().orders(host);
        let reader = GroupReader::open(bus, GROUP, Source::One(stream.clone())).await?;
        Ok(Self {
            bus: bus.clone(),
            stream,
            reader,
            waiting: VecDeque::new(),
        })
    }

    /// The next order that stands, or `None` after about a second. It is read again by the next
    /// daemon unless [`done`](Self::done) is said.
    pub async fn next(&mut self) -> Result<Option<Order>, BusError> {
        if self.waiting.is_empty() {
            for raw in self.reader.next().await? {
                match parse(&raw) {
                    Ok(envelope) => self.waiting.push_back(Order {
                        envelope,
                        id: raw.id,
                    }),
                    Err(why) => {
                        tracing::warn!(why, "an order cannot be read");
                        self.reader.done(&[(&self.stream, &raw.id)]).await?;
                    }
                }
            }
        }
        while let Some(order) = self.waiting.pop_front() {
            if self.stands(&order).await? {
                return Ok(Some(order));
            }
            tracing::info!(id = order.id, "an order ran out before it was read");
            self.done(&order).await?;
        }
        Ok(None)
    }

    /// Lets go of an order. Saying it twice is fine.
    pub async fn done(&self, order: &Order) -> Result<(), BusError> {
        self.reader.done(&[(&self.stream, &order.id)]).await
    }

    /// Both times are of Redis, so no clock of another host matters.
    async fn stands(&self, order: &Order) -> Result<bool, BusError> {
        let (seconds, micros): (u64, u64) = self.bus.query(&redis::cmd("TIME"), Again::Yes).await?;
        let now = seconds.saturating_mul(1000) + micros / 1000;
        let given = order.id.split('-').next().and_then(|ms| ms.parse().ok());
        Ok(given.is_some_and(|given: u64| now < given.saturating_add(STANDS_MS)))
    }
}
