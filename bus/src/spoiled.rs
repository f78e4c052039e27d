//! Keys that hold something of another kind than they should. A role's user may write its own keys,
//! so an agent that was taken over can make such ones. What cannot be read tells nothing: the
//! supervisor deletes it, and what hangs on it is as if Redis had forgotten it. All of this is the
//! supervisor's alone.

use crate::connect::{Again, Bus};
use crate::error::BusError;
use crate::keys::Keys;
use protocol::ids::TaskId;
use protocol::task::Class;
use redis::aio::ConnectionLike;
use redis::{Cmd, RedisError, Value};

/// What a key should hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A record.
    Hash,
    /// A sorted set.
    Sorted,
    /// A stream.
    Stream,
}

impl Kind {
    /// A look at a key that fails where it holds something else.
    fn look(self, key: &str) -> Cmd {
        let mut look = match self {
            Kind::Hash => redis::cmd("HGET"),
            Kind::Sorted => redis::cmd("ZCARD"),
            Kind::Stream => redis::cmd("XLEN"),
        };
        look.arg(key);
        if self == Kind::Hash {
            look.arg("");
        }
        look
    }
}

impl Bus {
    /// Deletes a key that holds something else than it should. Answers whether it did.
    pub(crate) async fn clear(&self, key: &str, kind: Kind) -> Result<bool, BusError> {
        match self.query::<Value>(&kind.look(key), Again::Yes).await {
            Ok(_) => return Ok(false),
            Err(error) if error.is_wrong_type() => {}
            Err(error) => return Err(error),
        }
        self.delete(&[key]).await?;
        tracing::warn!(
            key,
            "a key of redis held something else than it should, and was deleted"
        );
        Ok(true)
    }

    async fn delete(&self, keys: &[&str]) -> Result<(), BusError> {
        let delete = redis::cmd("DEL").arg(keys).to_owned();
        self.query::<i64>(&delete, Again::Yes).await.map(drop)
    }

    /// Puts right what is spoiled of a task's keys and of its lane's. A task whose record or journal
    /// was spoiled leaves the bus, as if it had never come. Answers whether there was anything.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn mend_task(&self, task: TaskId) -> Result<bool, BusError> {
        let Some(role) = self.role_of(task).await? else {
            return Ok(false);
        };
        let names = self.keys();
        let (record, journal) = (names.task(&role, task), names.journal(&role, task));
        let mut lost = self.clear(&record, Kind::Hash).await?;
        lost |= self.clear(&journal, Kind::Stream).await?;
        let lanes = self.lanes_of(task).await?.map(|(_, lanes)| lanes);
        let mut any = lost;
        for lane in lanes.unwrap_or_default() {
            for set in [names.lease(&lane), names.back(&lane), names.delay(&lane)] {
                any |= self.clear(&set, Kind::Sorted).await?;
            }
            for class in Class::ALL {
                any |= self.clear(&names.work(&lane, class), Kind::Stream).await?;
            }
        }
        any |= self.clear(&names.wake(&role), Kind::Stream).await?;
        if lost {
            // Without its record its entry is nobody's work any more.
            self.delete(&[&record]).await?;
            self.expel(task).await?;
        }
        Ok(any)
    }

    /// Puts right the values that every process of the team reads, where one of them is no value
    /// any more. Nothing is reclaimed for one lease then. Answers whether there was anything.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn mend_shared(&self) -> Result<bool, BusError> {
        let shared = shared(self.keys());
        let get = redis::cmd("MGET").arg(&shared).to_owned();
        let values: Vec<Option<Vec<u8>>> = self.query(&get, Again::Yes).await?;
        let mut any = false;
        for (key, _) in shared
            .iter()
            .zip(values)
            .filter(|(_, value)| value.is_none())
        {
            // There, and no value. One that came just now is taken for such a one: a grace too many.
            let exists = redis::cmd("EXISTS").arg(key).to_owned();
            if self.query::<i64>(&exists, Again::Yes).await? == 0 {
                continue;
            }
            any = true;
            tracing::warn!(key, "{ANEW}");
            for key in [&self.keys().pulse(), key] {
                let set = redis::cmd("SET").arg(key).arg("0").to_owned();
                self.query::<Value>(&set, Again::Yes).await?;
            }
        }
        if any {
            self.beat().await?;
        }
        Ok(any)
    }
}

const ANEW: &str = "a value that every process reads was none, and is set anew";

fn shared(names: &Keys) -> [String; 3] {
    [names.pulse(), names.grace(), names.incarnation()]
}

/// The same on a connection that has said nothing yet. Whoever arrives next, or speaks next, finds
/// a pulse of long ago and begins the grace.
pub(crate) async fn mend(
    names: &Keys,
    connection: &mut impl ConnectionLike,
) -> Result<bool, RedisError> {
    let mut any = false;
    for key in shared(names) {
        let read: Result<Option<Vec<u8>>, RedisError> =
            redis::cmd("GET").arg(&key).query_async(connection).await;
        match read.map_err(BusError::from) {
            Err(error) if error.is_wrong_type() => {}
            _ => continue,
        }
        any = true;
        tracing::warn!(key, "{ANEW}");
        for key in [names.pulse(), key] {
            let mut set = redis::cmd("SET");
            set.arg(key).arg("0");
            set.query_async::<Value>(connection).await?;
        }
    }
    Ok(any)
}
