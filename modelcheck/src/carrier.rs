//! The bus' functions over the store: one call at a time, each with its fate. The call's own code
//! runs, from the making of its arguments to the reading of its answers.

use crate::lua;
use crate::store::{Answer, Bytes, Store};
use bus::connect::Bus;
use bus::connect::over::Carrier;
use bus::error::BusError;
use protocol::fault::Faults;
use protocol::ids::TeamName;
use redis::{ErrorKind, RedisError, RedisResult, ServerErrorKind, Value};
use std::io;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fate {
    /// It is carried out and answered.
    Answered,
    /// It is carried out; the connection breaks before the answer is there, and stays broken.
    Lost,
}

/// Looks on: every command that a call makes, and what the store said.
pub trait Witness: Send {
    /// The store's clock is at `now`.
    fn saw(&mut self, now: u64, command: &[Bytes], answer: &Answer);
}

#[derive(Default)]
struct Desk {
    store: Store,
    lost: bool,
    broken: bool,
    witness: Option<Arc<Mutex<dyn Witness>>>,
}

struct Line(Mutex<Desk>);

impl Carrier for Line {
    fn carry(&self, command: &[Bytes]) -> RedisResult<Value> {
        let mut desk = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if desk.broken {
            return Err(dropped());
        }
        let command: Vec<Bytes> = command.iter().map(|word| timeless(word)).collect();
        let answer = carry_out(&mut desk.store, &command);
        if let Some(witness) = &desk.witness {
            let mut witness = witness.lock().unwrap_or_else(PoisonError::into_inner);
            witness.saw(desk.store.now, &command, &answer);
        }
        // What is only read is read again; a script that was carried out unheard is what matters.
        let script = command[0].eq_ignore_ascii_case(b"EVALSHA");
        let unknown = matches!(&answer, Err(text) if text.starts_with("NOSCRIPT"));
        if desk.lost && script && !unknown {
            desk.broken = true;
            return Err(dropped());
        }
        answer.map_err(|text| {
            let kind = if unknown {
                ErrorKind::Server(ServerErrorKind::NoScript)
            } else {
                ErrorKind::Extension
            };
            RedisError::from((kind, "the model's store", text))
        })
    }
}

fn dropped() -> RedisError {
    io::Error::from(io::ErrorKind::ConnectionReset).into()
}

/// One command, or one script call.
pub fn carry_out(store: &mut Store, command: &[Bytes]) -> Answer {
    let named = |at: usize, name: &[u8]| {
        command
            .get(at)
            .is_some_and(|w| w.eq_ignore_ascii_case(name))
    };
    if named(0, b"SCRIPT") && named(1, b"LOAD") && command.len() == 3 {
        let digest = lua::load(&String::from_utf8_lossy(&command[2]));
        return Ok(Value::BulkString(digest.into_bytes()));
    }
    if named(0, b"EVALSHA") {
        let [_, digest, count, rest @ ..] = command else {
            return Err("ERR wrong number of arguments for 'evalsha' command".to_owned());
        };
        let count: usize = String::from_utf8_lossy(count).parse().unwrap_or(0);
        let (keys, arguments) = rest.split_at(count.min(rest.len()));
        let digest = String::from_utf8_lossy(digest);
        return lua::run(store, &digest, keys, arguments);
    }
    store.command(command)
}

/// A JSON argument without what differs on every run: times, and the id of a message that the bus
/// makes by itself.
fn timeless(word: &[u8]) -> Bytes {
    if word.first() != Some(&b'{') || !word.ends_with(b"}") {
        return word.to_vec();
    }
    let Ok(mut value) = serde_json::from_slice::<serde_json::Value>(word) else {
        return word.to_vec();
    };
    const THEN: &str = "2026-11-21T00:00:00Z";
    for name in ["at", "timestamp"] {
        if value.get(name).is_some() {
            value[name] = THEN.into();
        }
    }
    if value["payload"]["action"] == "dead" {
        let epoch = value["epoch"].as_u64().unwrap_or(0);
        value["id"] = uuid::Uuid::from_u128(u128::from(epoch)).to_string().into();
    }
    serde_json::to_vec(&value).unwrap_or_else(|_| word.to_vec())
}

/// How calls are made.
pub struct Calls {
    line: Arc<Line>,
    bus: Bus,
    one_at_a_time: Mutex<()>,
}

impl Calls {
    /// As a member of `team`, with this time for a lease and these guarantees left out.
    ///
    /// # Errors
    /// As [`Bus::over`].
    pub fn new(team: &TeamName, lease: Duration, faults: Faults) -> Result<Self, BusError> {
        let line = Arc::new(Line(Mutex::default()));
        Ok(Self {
            bus: Bus::over(line.clone(), team, lease)?.with_faults(faults),
            line,
            one_at_a_time: Mutex::default(),
        })
    }

    /// Lets somebody look on.
    pub fn watch(&self, witness: Arc<Mutex<dyn Witness>>) {
        self.desk().witness = Some(witness);
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.line.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes one call. With [`Fate::Lost`] the connection breaks after its first script.
    ///
    /// # Errors
    /// Those of the call.
    pub fn make<T>(
        &self,
        store: &mut Store,
        fate: Fate,
        call: impl AsyncFnOnce(&Bus) -> Result<T, BusError>,
    ) -> Result<T, BusError> {
        let alone = self.one_at_a_time.lock();
        let _alone = alone.unwrap_or_else(PoisonError::into_inner);
        let mut desk = self.desk();
        std::mem::swap(&mut desk.store, store);
        (desk.lost, desk.broken) = (fate == Fate::Lost, false);
        drop(desk);
        let said = at_once(call(&self.bus));
        std::mem::swap(&mut self.desk().store, store);
        said
    }
}

/// Runs a future that never has to wait, because the store answers at once.
fn at_once<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    match future
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
    {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("a call of the bus waited for something that is not the store"),
    }
}
