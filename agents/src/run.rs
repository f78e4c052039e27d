//! The agent process: one loop over one closed set of events. It holds at most one task; reading
//! the queue, renewing the lease and working are futures of their own that report here.

use crate::disk::Disk;
use crate::launcher::hatch::Hatch;
use crate::pressure::Gate;
use crate::screen::Screen;
use crate::stop::{Signal, raise};
use crate::{held, keys, peer_desk};
use bus::broadcast::Listener;
use bus::claim::{Delivery, Inbox};
use bus::connect::{Bus, Connector};
use bus::error::BusError;
use bus::incarnation::Arrival;
use bus::presence::Presence;
use config::env::Env;
use config::home::Home;
use config::settings::{AgentSettings, Settings};
use guard::redact::Redactor;
use jiff::Timestamp;
use protocol::ids::{Role, TaskId};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Mutex, Notify, mpsc, watch};
use tracing::Instrument;

/// How long an effect in hand may still run once the process was told to go.
const GRACE: Duration = Duration::from_secs(8);

/// Why an agent process cannot work.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// No text for this role.
    #[error("there is no agent `{0}`: see `ai-infra agents list`")]
    Unknown(Role),
    /// The team's bus file is missing or wrong.
    #[error("{0}")]
    Access(String),
    /// Redis does not answer or refuses.
    #[error(transparent)]
    Bus(#[from] BusError),
    /// The kernel refused a signal handler.
    #[error("cannot listen for signals: {0}")]
    Signals(std::io::Error),
}

/// What every task of this process shares.
pub struct Shared {
    /// The home, by its name alone: nothing of it can be opened here.
    pub home: Home,
    /// Its disk.
    pub disk: Disk,
    /// The way to the launcher.
    pub hatch: Hatch,
    /// The team's settings.
    pub settings: Arc<Settings>,
    /// The agent's text and grants.
    pub agent: AgentSettings,
    /// The bus.
    pub bus: Bus,
    /// This process's name on the bus.
    pub instance: String,
    /// Hides secrets.
    pub redactor: Redactor,
    /// Its window.
    pub screen: Screen,
    /// Somebody said that a task was cancelled: look at the lease now.
    pub look: Arc<Notify>,
    /// The process was told to go.
    pub leaving: AtomicBool,
    /// One copy of a workspace at a time: a thread that copies cannot be cut off, and the next
    /// holder of the same task may be this process again.
    pub copying: Arc<Mutex<()>>,
    /// Whether this host has room for another task.
    pub gate: std::sync::Mutex<Gate>,
}

impl Shared {
    /// Why only urgent tasks are to be begun here; `None` while there is room.
    fn held_back(&self) -> Option<String> {
        let mut gate = self.gate.lock().unwrap_or_else(PoisonError::into_inner);
        gate.look(&self.settings.pressure)
    }
}

/// Everything that can happen to the process.
enum Event {
    /// A task was claimed.
    Delivery(Box<Delivery>),
    /// The work on the held task ended.
    Ended,
    /// Told to go: hangup or termination.
    Leave,
    /// Time to say that it is alive.
    Beat,
}

/// Runs one agent until it is told to go.
pub async fn run(
    settings: Settings,
    home: Home,
    role: Role,
    hatch: Hatch,
) -> Result<(), AgentError> {
    let shared = Arc::new(connect(settings, home, role, hatch).await?);
    let (events, mut inbox) = mpsc::channel(8);
    let free = Arc::new(tokio::sync::Semaphore::new(1));
    tokio::spawn(read_queue(shared.clone(), free.clone(), events.clone()));
    tokio::spawn(listen_for_signals(events.clone())?);
    let insisted = keys::insisted(shared.screen.clone()).map_err(AgentError::Signals)?;
    let leave = events.clone();
    tokio::spawn(async move {
        insisted.await;
        let _ended = leave.send(Event::Leave).await;
    });
    tokio::spawn(beat(shared.settings.team.lease_ms, events.clone()));
    tokio::spawn(hear(shared.clone()));
    tokio::spawn(peer_desk::serve(shared.clone()));
    let mut held: Option<(TaskId, watch::Sender<Signal>)> = None;
    announce(&shared, None).await;
    let mut leaving = false;
    while let Some(event) = inbox.recv().await {
        match event {
            Event::Delivery(delivery) => {
                let (tell, watch) = watch::channel(Signal::Go);
                let task = delivery.lease.task;
                if leaving {
                    raise(&tell, Signal::Yield);
                }
                held = Some((task, tell.clone()));
                announce(&shared, Some(task)).await;
                let (shared, events) = (shared.clone(), events.clone());
                let span = held::span(&delivery);
                let held = held::hold(shared, *delivery, tell, watch).instrument(span);
                let held = tokio::spawn(held);
                tokio::spawn(async move {
                    // Also when the work broke: its lease runs out then and counts as a crash.
                    if let Err(error) = held.await {
                        tracing::error!(%task, %error, "the work on a task broke");
                    }
                    let _ = events.send(Event::Ended).await;
                });
            }
            Event::Ended => {
                held = None;
                if leaving {
                    break;
                }
                announce(&shared, None).await;
                free.add_permits(1);
            }
            Event::Leave => {
                leaving = true;
                shared.leaving.store(true, Ordering::Relaxed);
                match &held {
                    Some((_, tell)) => {
                        raise(tell, Signal::Yield);
                        tokio::spawn(hurry(tell.clone()));
                    }
                    None => break,
                }
            }
            Event::Beat => announce(&shared, held.as_ref().map(|(task, _)| *task)).await,
        }
    }
    shared.screen.close();
    Ok(())
}

async fn connect(
    settings: Settings,
    home: Home,
    role: Role,
    hatch: Hatch,
) -> Result<Shared, AgentError> {
    let agent = settings
        .agents
        .iter()
        .find(|agent| agent.name == role)
        .cloned()
        .ok_or_else(|| AgentError::Unknown(role.clone()))?;
    let arrival = hatch
        .arrive()
        .map_err(|e| AgentError::Access(e.to_string()))?;
    let address = bus::connect::BusAddress {
        url: arrival.url,
        username: arrival.user.name,
        password: arrival.user.password,
        ca: arrival.ca,
    };
    let env = Env::from_process();
    let faults = env.faults().map_err(AgentError::Access)?;
    let lease = Duration::from_millis(settings.team.lease_ms);
    let team = &settings.team.name;
    let bus = loop {
        let worker = Arrival::Worker(arrival.team.clone());
        let joined = match arrival.is_socket {
            false => Bus::join(&address, team, lease, worker).await,
            true => {
                let hatch = hatch.clone();
                let connector: Connector = Arc::new(move || hatch.redis());
                Bus::join_through(connector, &address, team, lease, worker).await
            }
        };
        match joined {
            Ok(bus) => break bus.with_faults(faults),
            // The supervisor is about to compare Redis with its ledger, as at every start.
            Err(error @ BusError::Unsettled(_)) => {
                tracing::debug!(%error, "trying again");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            Err(error) if error.is_unreachable() => {
                tracing::warn!(%error, "trying again");
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            Err(error) => return Err(error.into()),
        }
    };
    Ok(Shared {
        redactor: Redactor::new(arrival.secrets).under(faults),
        screen: Screen::open(&agent, env.colour()),
        instance: config::own::instance(&role, &settings.host, std::process::id()),
        look: Arc::new(Notify::new()),
        leaving: AtomicBool::new(false),
        copying: Arc::new(Mutex::new(())),
        gate: std::sync::Mutex::default(),
        settings: Arc::new(settings),
        disk: Disk::through(home.clone(), hatch.clone()),
        hatch,
        home,
        agent,
        bus,
    })
}

/// Claims a task whenever one is free to be worked on. A blocking read is never dropped halfway:
/// it lives in this future alone.
async fn read_queue(
    shared: Arc<Shared>,
    free: Arc<tokio::sync::Semaphore>,
    events: mpsc::Sender<Event>,
) {
    let mut inbox: Option<Inbox> = None;
    let (mut was_low, mut was_held) = (false, false);
    loop {
        let Ok(permit) = free.acquire().await else {
            return;
        };
        let low = shared.disk.is_low(shared.settings.team.min_free_mb);
        if low != was_low {
            tracing::warn!(low, "space on the disk of the home");
        }
        was_low = low;
        if low {
            // Whatever it was just handed is given back.
            inbox = None;
            tokio::time::sleep(Duration::from_secs(1)).await;
            continue;
        }
        let held = shared.held_back();
        if held.is_some() != was_held {
            was_held = held.is_some();
            shared.screen.held_back(held.as_deref());
            // At once, for people who ask why nothing starts.
            announce(&shared, None).await;
        }
        match next(&shared, &mut inbox, was_held).await {
            Ok(Some(delivery)) => {
                permit.forget();
                if events
                    .send(Event::Delivery(Box::new(delivery)))
                    .await
                    .is_err()
                {
                    return;
                }
            }
            Ok(None) => {}
            Err(error) => {
                match &error {
                    BusError::Unsettled(_) => tracing::debug!(%error, "waiting outside"),
                    _ => tracing::warn!(%error, "the queue cannot be read; trying again"),
                }
                inbox = None;
                // Room in Redis does not come back in a moment.
                let pause = if error == BusError::Full { 2000 } else { 200 };
                tokio::time::sleep(Duration::from_millis(pause)).await;
            }
        }
    }
}

/// One round of the queue; of new tasks only urgent ones where the host is under pressure.
async fn next(
    shared: &Shared,
    inbox: &mut Option<Inbox>,
    held_back: bool,
) -> Result<Option<Delivery>, BusError> {
    let open = match inbox.take() {
        Some(open) => open,
        None => {
            let (bus, role) = (&shared.bus, &shared.agent.name);
            let (host, instance) = (&shared.settings.host, &shared.instance);
            match shared.settings.joined {
                // What any host may do is the first host's: there are its blobs and its caches.
                Some(_) => Inbox::open_here(bus, role, host, instance).await?,
                None => Inbox::open(bus, role, host, instance).await?,
            }
        }
    };
    let inbox = inbox.insert(open);
    match held_back {
        true => inbox.next_urgent().await,
        false => inbox.next().await,
    }
}

fn listen_for_signals(
    events: mpsc::Sender<Event>,
) -> Result<impl Future<Output = ()> + Send + 'static, AgentError> {
    let mut hangup = signal(SignalKind::hangup()).map_err(AgentError::Signals)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(AgentError::Signals)?;
    Ok(async move {
        loop {
            tokio::select! {
                _ = hangup.recv() => {}
                _ = terminate.recv() => {}
            }
            if events.send(Event::Leave).await.is_err() {
                return;
            }
        }
    })
}

async fn beat(lease_ms: u64, events: mpsc::Sender<Event>) {
    loop {
        tokio::time::sleep(Duration::from_millis(lease_ms.max(1000))).await;
        if events.send(Event::Beat).await.is_err() {
            return;
        }
    }
}

/// An effect in hand gets its time; after that the work is dropped where it stands and the next
/// holder recovers it by its effect class.
async fn hurry(tell: watch::Sender<Signal>) {
    tokio::time::sleep(GRACE).await;
    raise(&tell, Signal::Lost);
}

/// Hears that a task was cancelled or that the brakes changed. Only a hint: the flag in the lease is what counts, and the
/// next renewal sees it in any case.
async fn hear(shared: Arc<Shared>) {
    let mut listener = loop {
        match Listener::open(&shared.bus).await {
            Ok(listener) => break listener,
            Err(error) => tracing::debug!(%error, "hints are not heard"),
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    };
    loop {
        let action = listener.next().await.payload.action;
        if action == "cancel" || action == bus::brakes::BRAKES {
            shared.look.notify_waiters();
        }
    }
}

async fn announce(shared: &Shared, task: Option<TaskId>) {
    let presence = Presence {
        instance: shared.instance.clone(),
        role: shared.agent.name.clone(),
        pid: std::process::id(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        host: shared.settings.host.clone(),
        task,
        held_back: shared.held_back(),
        at: Timestamp::now(),
    };
    if let Err(error) = shared.bus.announce(&presence).await
        && !matches!(error, BusError::Unsettled(_))
    {
        tracing::warn!(%error, "presence was not announced");
    }
}
