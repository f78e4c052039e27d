//! The handle to the bus: one multiplexed command connection that is made again when it breaks,
//! and fresh connections for blocking reads, which never share one with commands.

mod call;
mod handed;
pub mod over;

pub use crate::address::BusAddress;
pub(crate) use call::Call;
pub use handed::Connector;

use crate::error::BusError;
use crate::fault::Faulty;
use crate::incarnation::Arrival;
use crate::keys::Keys;
use crate::scripts;
use crate::spoiled;
use call::invoke;
use over::Wire;
use protocol::fault::Faults;
use protocol::ids::{Role, TeamName};
use redis::aio::{MultiplexedConnection, PubSub};
use redis::{AsyncConnectionConfig, Client, FromRedisValue, Script};
use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Mutex as AsyncMutex;

/// How long a command may take.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a blocking read may take beyond the time it asked to block.
const READ_MARGIN: Duration = Duration::from_secs(5);
/// Most entries a stream takes before its producer is refused, unless set otherwise.
const QUEUE_LIMIT: u64 = 100_000;
/// Most idle connections kept for questions.
const SPARE_READERS: usize = 4;

/// The command connection in use, and how many there were.
#[derive(Default)]
struct Link {
    number: u64,
    connection: Option<Wire>,
}

struct Inner {
    client: Client,
    /// Who opens connections, where this process may not.
    connector: Option<Connector>,
    team: TeamName,
    arrival: Arrival,
    keys: Keys,
    lease: Duration,
    queue_limit: u64,
    /// The roles there are; without them those that were ever heard of.
    roles: Option<BTreeSet<Role>>,
    faults: Faulty,
    link: Mutex<Link>,
    connecting: AsyncMutex<()>,
    spare: Mutex<Vec<MultiplexedConnection>>,
}

/// A handle to the bus; cheap to clone. Every clone survives a restart of Redis: what is asked
/// meanwhile fails with [`BusError::Unreachable`].
#[derive(Clone)]
pub struct Bus {
    inner: Arc<Inner>,
}

impl fmt::Debug for Bus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bus")
            .field("team", &self.inner.team)
            .finish_non_exhaustive()
    }
}

/// Whether a call may be sent again when the connection broke under it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Again {
    /// Carrying it out twice is the same as once.
    Yes,
    /// It is not.
    No,
}

/// What can be sent.
#[derive(Clone, Copy)]
enum Request<'a> {
    Script(&'a Script, &'a Call),
    Command(&'a redis::Cmd),
    Pipeline(&'a redis::Pipeline),
}

impl Bus {
    /// Connects as one member of `team`; `lease` is how long a claim lasts without renewal.
    /// Fails when Redis does not answer, refuses the user, or the address is wrong.
    pub async fn connect(
        address: &BusAddress,
        team: &TeamName,
        lease: Duration,
    ) -> Result<Bus, BusError> {
        Self::join(address, team, lease, Arrival::Unchecked).await
    }

    /// The same, as a member of a home's team: see [`Arrival`].
    pub async fn join(
        address: &BusAddress,
        team: &TeamName,
        lease: Duration,
        arrival: Arrival,
    ) -> Result<Bus, BusError> {
        Self::enter(address, None, team, lease, arrival).await
    }

    /// The same for a process that may make no socket: every connection is handed over by `connector`, and the address
    /// only says what is spoken on it.
    ///
    /// # Errors
    /// As [`Bus::join`].
    pub async fn join_through(
        connector: Connector,
        address: &BusAddress,
        team: &TeamName,
        lease: Duration,
        arrival: Arrival,
    ) -> Result<Bus, BusError> {
        Self::enter(address, Some(connector), team, lease, arrival).await
    }

    async fn enter(
        address: &BusAddress,
        connector: Option<Connector>,
        team: &TeamName,
        lease: Duration,
        arrival: Arrival,
    ) -> Result<Bus, BusError> {
        let bus = Bus {
            inner: Arc::new(Inner {
                client: address.client()?,
                connector,
                team: team.clone(),
                arrival,
                keys: Keys::new(team),
                lease,
                queue_limit: QUEUE_LIMIT,
                roles: None,
                faults: Faulty::default(),
                link: Mutex::default(),
                connecting: AsyncMutex::default(),
                spare: Mutex::default(),
            }),
        };
        bus.connection().await?;
        Ok(bus)
    }

    /// The same bus with another bound on every queue. Call it before the handle is cloned;
    /// on a shared handle it changes nothing.
    pub fn with_queue_limit(mut self, limit: u64) -> Bus {
        if let Some(inner) = Arc::get_mut(&mut self.inner) {
            inner.queue_limit = limit;
        }
        self
    }

    /// The same bus, for whoever knows which roles there are: any agent may add names to those that
    /// were heard of. Call it before the handle is cloned.
    pub fn with_roles(mut self, roles: BTreeSet<Role>) -> Bus {
        if let Some(inner) = Arc::get_mut(&mut self.inner) {
            inner.roles = Some(roles);
        }
        self
    }

    /// The same bus with guarantees left out. Call it before the handle is cloned.
    pub fn with_faults(mut self, faults: Faults) -> Bus {
        if let Some(inner) = Arc::get_mut(&mut self.inner) {
            inner.faults = Faulty::new(faults);
        }
        self
    }

    /// Which guarantees it leaves out.
    pub fn faults(&self) -> Faults {
        self.inner.faults.faults
    }

    /// The team.
    pub fn team(&self) -> &TeamName {
        &self.inner.team
    }

    /// How long a claim lasts without renewal.
    pub fn lease_time(&self) -> Duration {
        self.inner.lease
    }

    /// Asks Redis for a sign of life.
    pub async fn ping(&self) -> Result<(), BusError> {
        self.query::<String>(&redis::cmd("PING"), Again::Yes)
            .await
            .map(drop)
    }

    pub(crate) fn keys(&self) -> &Keys {
        &self.inner.keys
    }

    pub(crate) fn queue_limit(&self) -> u64 {
        self.inner.queue_limit
    }

    pub(crate) fn known_roles(&self) -> Option<&BTreeSet<Role>> {
        self.inner.roles.as_ref()
    }

    pub(crate) fn lease_ms(&self) -> u128 {
        self.inner.lease.as_millis().max(1)
    }

    /// A call of a script that tends the pulse: its first keys and its first argument.
    pub(crate) fn pulsing(&self) -> Call {
        Call::on([self.keys().pulse(), self.keys().grace()]).arg(self.lease_ms())
    }

    /// Runs a script.
    pub(crate) async fn run<T: FromRedisValue>(
        &self,
        script: &Script,
        call: &Call,
        again: Again,
    ) -> Result<T, BusError> {
        let script = self.inner.faults.script(script);
        self.send(Request::Script(script, call), again).await
    }

    /// Runs a command.
    pub(crate) async fn query<T: FromRedisValue>(
        &self,
        command: &redis::Cmd,
        again: Again,
    ) -> Result<T, BusError> {
        self.send(Request::Command(command), again).await
    }

    /// Tends the pulse, for a process that only reads.
    pub(crate) async fn beat(&self) -> Result<(), BusError> {
        self.run::<i64>(&scripts::BEAT, &self.pulsing(), Again::Yes)
            .await
            .map(drop)
    }

    /// Runs a pipeline.
    pub(crate) async fn pipeline<T: FromRedisValue>(
        &self,
        pipeline: &redis::Pipeline,
        again: Again,
    ) -> Result<T, BusError> {
        self.send(Request::Pipeline(pipeline), again).await
    }

    async fn send<T: FromRedisValue>(
        &self,
        request: Request<'_>,
        again: Again,
    ) -> Result<T, BusError> {
        let mut tries = if again == Again::Yes { 2 } else { 1 };
        loop {
            let (number, mut connection) = self.connection().await?;
            tries -= 1;
            let answer = match request {
                Request::Script(script, call) => invoke(script, call, &mut connection).await,
                Request::Command(command) => command.query_async(&mut connection).await,
                Request::Pipeline(pipeline) => pipeline.query_async(&mut connection).await,
            };
            let error = match answer {
                Ok(value) => return Ok(value),
                Err(error) => error,
            };
            let dropped = error.is_connection_dropped();
            let error = BusError::from(error);
            if error.is_unreachable() {
                self.forget(number);
            }
            if tries == 0 || !dropped {
                return Err(error);
            }
        }
    }

    fn current(&self) -> Option<(u64, Wire)> {
        let link = self
            .inner
            .link
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        link.connection.clone().map(|c| (link.number, c))
    }

    /// Drops a connection that broke, unless it was replaced meanwhile.
    fn forget(&self, number: u64) {
        let mut link = self
            .inner
            .link
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if link.number == number {
            link.connection = link.connection.take().filter(over::lasts);
        }
    }

    async fn connection(&self) -> Result<(u64, Wire), BusError> {
        if let Some(found) = self.current() {
            return Ok(found);
        }
        let _one_at_a_time = self.inner.connecting.lock().await;
        if let Some(found) = self.current() {
            return Ok(found);
        }
        let mut connection = over::wire(self.open(Some(RESPONSE_TIMEOUT)).await?);
        self.arrive(&mut connection).await?;
        let mut link = self
            .inner
            .link
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        link.number += 1;
        link.connection = Some(connection.clone());
        Ok((link.number, connection))
    }

    /// Says which Redis answered; another one than last time starts the grace. Done before the
    /// connection carries anything else, so that no claim can run ahead of it.
    async fn arrive(&self, connection: &mut Wire) -> Result<(), BusError> {
        let info: String = redis::cmd("INFO")
            .arg("server")
            .query_async(connection)
            .await?;
        let run_id = info
            .lines()
            .find_map(|line| line.strip_prefix("run_id:"))
            .unwrap_or_default();
        let call = self.inner.arrival.call(self, run_id.trim());
        let mut said = invoke::<String>(&scripts::ARRIVE, &call, connection)
            .await
            .map_err(BusError::from);
        let spoiled = said.as_ref().is_err_and(BusError::is_wrong_type);
        if spoiled && matches!(self.inner.arrival, Arrival::Leader(_)) {
            spoiled::mend(self.keys(), connection).await?;
            said = Ok(invoke(&scripts::ARRIVE, &call, connection).await?);
        }
        let said = said?;
        self.inner.arrival.judge(self.team(), &said)
    }

    async fn open(&self, timeout: Option<Duration>) -> Result<MultiplexedConnection, BusError> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(RESPONSE_TIMEOUT))
            .set_response_timeout(timeout);
        let client = &self.inner.client;
        if let Some(connector) = &self.inner.connector {
            return handed::commands(connector, client, config, RESPONSE_TIMEOUT).await;
        }
        let opened = client
            .get_multiplexed_async_connection_with_config(&config)
            .await;
        opened.map_err(BusError::from)
    }

    /// A connection that can subscribe to channels.
    pub(crate) async fn messages(&self) -> Result<PubSub, BusError> {
        let client = &self.inner.client;
        match &self.inner.connector {
            Some(connector) => handed::messages(connector, client, RESPONSE_TIMEOUT).await,
            None => Ok(client.get_async_pubsub().await?),
        }
    }

    /// A connection for blocking reads of at most `block`. It must serve one reader at a time.
    pub(crate) async fn reader(&self, block: Duration) -> Result<MultiplexedConnection, BusError> {
        self.open(Some(block + READ_MARGIN)).await
    }

    /// A connection for blocking reads that carries claims behind them: it says which Redis it found
    /// before anything else, as the command connection does.
    pub(crate) async fn claiming_reader(
        &self,
        block: Duration,
    ) -> Result<MultiplexedConnection, BusError> {
        let connection = self.reader(block).await?;
        self.arrive(&mut over::wire(connection.clone())).await?;
        Ok(connection)
    }

    /// The command that runs a script which Redis has already.
    pub(crate) fn command(&self, script: &Script, call: &Call) -> redis::Cmd {
        call.command(self.inner.faults.script(script))
    }

    /// A spare connection for one blocking question, or a new one.
    pub(crate) async fn borrow_reader(
        &self,
        block: Duration,
    ) -> Result<MultiplexedConnection, BusError> {
        let spare = self.spare_readers().pop();
        match spare {
            Some(mut connection) => {
                connection.set_response_timeout(block + READ_MARGIN);
                Ok(connection)
            }
            None => self.reader(block).await,
        }
    }

    /// Keeps a connection on which nothing is under way for the next question.
    pub(crate) fn return_reader(&self, connection: MultiplexedConnection) {
        let mut spare = self.spare_readers();
        if spare.len() < SPARE_READERS {
            spare.push(connection);
        }
    }

    /// Closes the spare connections; after one broke, the others are suspect.
    pub(crate) fn drop_readers(&self) {
        self.spare_readers().clear();
    }

    fn spare_readers(&self) -> std::sync::MutexGuard<'_, Vec<MultiplexedConnection>> {
        self.inner
            .spare
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
