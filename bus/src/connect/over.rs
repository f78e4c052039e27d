//! What stands between a bus and its Redis. In a released binary that is a connection and nothing
//! else; with the feature `model` it may also be a store in memory, so that a model check runs
//! these very functions, from their arguments to the reading of the answers.

use redis::aio::MultiplexedConnection;

#[cfg(not(feature = "model"))]
pub(super) type Wire = MultiplexedConnection;

#[cfg(not(feature = "model"))]
pub(super) fn wire(connection: MultiplexedConnection) -> Wire {
    connection
}

/// Whether the wire is of use still after something on it failed.
#[cfg(not(feature = "model"))]
pub(super) fn lasts(_: &Wire) -> bool {
    false
}

#[cfg(feature = "model")]
pub use in_memory::Carrier;
#[cfg(feature = "model")]
pub(super) use in_memory::{Wire, lasts, wire};

#[cfg(feature = "model")]
mod in_memory {
    use super::MultiplexedConnection;
    use crate::connect::{Bus, Inner, Link, QUEUE_LIMIT};
    use crate::error::BusError;
    use crate::keys::Keys;
    use protocol::ids::TeamName;
    use redis::aio::ConnectionLike;
    use redis::{Arg, Client, Cmd, Pipeline, RedisFuture, RedisResult, Value};
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    /// Answers commands in the place of a Redis.
    pub trait Carrier: Send + Sync {
        /// Carries one command out. An IO error says that the connection broke: the caller cannot
        /// know whether the command was carried out.
        fn carry(&self, command: &[Vec<u8>]) -> RedisResult<Value>;
    }

    #[derive(Clone)]
    pub(in crate::connect) enum Wire {
        Redis(MultiplexedConnection),
        Memory(Arc<dyn Carrier>),
    }

    pub(in crate::connect) fn wire(connection: MultiplexedConnection) -> Wire {
        Wire::Redis(connection)
    }

    pub(in crate::connect) fn lasts(wire: &Wire) -> bool {
        matches!(wire, Wire::Memory(_))
    }

    fn words(command: &Cmd) -> Vec<Vec<u8>> {
        let word = |arg| match arg {
            Arg::Simple(bytes) => <[u8]>::to_vec(bytes),
            _ => b"0".to_vec(),
        };
        command.args_iter().map(word).collect()
    }

    impl ConnectionLike for Wire {
        fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
            match self {
                Wire::Redis(connection) => connection.req_packed_command(command),
                Wire::Memory(carrier) => {
                    let answer = carrier.carry(&words(command));
                    Box::pin(async move { answer })
                }
            }
        }

        fn req_packed_commands<'a>(
            &'a mut self,
            pipeline: &'a Pipeline,
            offset: usize,
            count: usize,
        ) -> RedisFuture<'a, Vec<Value>> {
            match self {
                Wire::Redis(connection) => connection.req_packed_commands(pipeline, offset, count),
                Wire::Memory(carrier) => {
                    let answers = pipeline
                        .cmd_iter()
                        .map(|command| carrier.carry(&words(command)))
                        .collect();
                    Box::pin(async move { answers })
                }
            }
        }

        fn get_db(&self) -> i64 {
            0
        }
    }

    impl Bus {
        /// A bus whose Redis is `carrier`. Nothing is said to it by this.
        ///
        /// # Errors
        /// Never: it opens no connection.
        pub fn over(
            carrier: Arc<dyn Carrier>,
            team: &TeamName,
            lease: Duration,
        ) -> Result<Bus, BusError> {
            let link = Link {
                number: 1,
                connection: Some(Wire::Memory(carrier)),
            };
            Ok(Bus {
                inner: Arc::new(Inner {
                    client: Client::open("redis://127.0.0.1:1")?,
                    connector: None,
                    team: team.clone(),
                    arrival: crate::incarnation::Arrival::Unchecked,
                    keys: Keys::new(team),
                    lease,
                    queue_limit: QUEUE_LIMIT,
                    roles: None,
                    faults: Default::default(),
                    link: Mutex::new(link),
                    connecting: Default::default(),
                    spare: Mutex::default(),
                }),
            })
        }

        /// What every process says on a new connection.
        ///
        /// # Errors
        /// When the carrier fails.
        pub async fn arrive_again(&self) -> Result<(), BusError> {
            let (_, mut connection) = self.connection().await?;
            self.arrive(&mut connection).await
        }

        /// Tends the pulse.
        ///
        /// # Errors
        /// When the carrier fails.
        pub async fn beat_once(&self) -> Result<(), BusError> {
            self.beat().await
        }
    }
}
