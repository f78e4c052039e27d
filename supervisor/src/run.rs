//! The process: opens what it owns, starts its loops, and ends on a signal, on a hangup, or when
//! another supervisor took over. Every loop may be cut off anywhere; what was not finished is done
//! by the next supervisor.

use crate::anchor;
use crate::approvals;
use crate::backups::{self, drilled, jobs};
use crate::brakes;
use crate::bus_link::BusLink;
use crate::compare;
use crate::control::listen::{self, ListenError};
use crate::control::serve;
use crate::daemon::watch::keep_daemon;
use crate::deadlines;
use crate::desk::{Desk, Over, SharedDesk};
use crate::dispatch;
use crate::handoff;
use crate::hosts::watch as hosts;
use crate::hub::Hub;
use crate::ledger::place::Place;
use crate::ledger::store::{Ledger, LedgerError};
use crate::ledger::whereabouts;
use crate::ledger_watch;
use crate::memory_owner::MemoryOwner;
use crate::month;
use crate::plans;
use crate::retention;
use crate::route::shelf::Shelf;
use crate::schedules;
use crate::schedules::book::Book;
use crate::settle;
use crate::standing;
use crate::talk;
use bus::presence::Presence;
use config::error::ConfigError;
use config::home::Home;
use config::settings::Settings;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use protocol::ids::Role;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::UnixListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// Pause between two tries to reach a ledger that is away.
const AWAY: Duration = Duration::from_secs(1);

/// Why the supervisor ended.
#[derive(Debug, thiserror::Error)]
pub enum SupervisorError {
    /// The home cannot be used.
    #[error(transparent)]
    Home(#[from] ConfigError),
    /// Another one serves this home.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The ledger cannot be used.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The system said no.
    #[error("signals cannot be heard: {0}")]
    Signals(std::io::Error),
    /// A loop ended that runs for ever.
    #[error("a part of the supervisor broke, see its log; the daemon starts it again")]
    Broke,
}

impl SupervisorError {
    /// Exit code of the process.
    pub fn exit_code(&self) -> u8 {
        match self {
            SupervisorError::Home(error) => error.exit_code(),
            SupervisorError::Ledger(error) => error.exit_code(),
            SupervisorError::Listen(_) => protocol::exit::USAGE,
            SupervisorError::Signals(_) | SupervisorError::Broke => protocol::exit::FAILED,
        }
    }
}

/// Why the loop ends.
enum Event {
    /// A signal or a hangup.
    Signal(&'static str),
    /// This process may not write the ledger any more.
    Over(Over),
    /// A loop ended, which none should.
    LoopEnded,
}

/// Runs the supervisor of a home until it is told to stop.
///
/// # Errors
/// When it cannot start, or another supervisor took over.
pub async fn run(settings: Settings, home: Home) -> Result<(), SupervisorError> {
    home.ensure()?;
    let _lock = listen::lock(&home)?;
    let place = whereabouts::of(&settings, &home)?;
    let ledger = opened(&place).await?;
    whereabouts::note(&home, &place)?;
    let listener = listen::listen(&home).await?;
    let desk = desk(settings, home, ledger);
    // A ledger that went back to an older state does not know whose folders these are.
    let taken = compare::highest_folder(&desk);
    desk.ledger.skip_numbers(taken).await?;
    talk::lost(&desk, None).await;
    let mut loops = start(&desk, listener);
    loops.spawn(keep_daemon(desk.home.clone()));
    loops.spawn(standing::keep(desk.clone()));
    let event = until(&desk, &mut loops).await?;
    loops.shutdown().await;
    if !matches!(event, Event::Over(Over::Superseded)) {
        let _may_be_gone = std::fs::remove_file(desk.home.supervisor_sock());
    }
    desk.ledger.close().await;
    match event {
        Event::Signal(name) => {
            tracing::info!(name, "the supervisor ends");
            Ok(())
        }
        Event::LoopEnded => Err(SupervisorError::Broke),
        Event::Over(Over::Superseded) => Err(LedgerError::Superseded.into()),
        Event::Over(Over::PutBack) => Err(LedgerError::PutBack.into()),
    }
}

/// What the rooms share, over an open ledger.
pub fn desk(settings: Settings, home: Home, ledger: Ledger) -> SharedDesk {
    let own = match home.drill().exists() {
        // Nothing of a home that is only looked at begins.
        true => Default::default(),
        false => jobs::schedules(&settings.backup, &TimeZone::system()),
    };
    Arc::new(Desk {
        link: BusLink::new(&home, &settings, &ledger),
        memory: MemoryOwner::new(&home.memory(), &home.index()),
        shelf: Shelf::open(&home),
        schedules: Book::open(&home, own),
        backups: Notify::new(),
        hub: Hub::default(),
        outbox: Notify::new(),
        braked: Notify::new(),
        owed_to_warden: Notify::new(),
        ended: watch::Sender::new(None),
        ledger_trouble: watch::Sender::new(None),
        ledger,
        settings,
        home,
    })
}

/// Starts the loops that do the work. Each runs until it is cut off.
pub(crate) fn start(desk: &SharedDesk, listener: UnixListener) -> JoinSet<()> {
    let mut loops = JoinSet::new();
    loops.spawn(desk.link.clone().keep());
    loops.spawn(serve::serve(desk.clone(), listener));
    loops.spawn(desk.memory.clone().serve(desk.clone()));
    let shared = desk.clone();
    loops.spawn(async move { announce(&shared).await });
    if desk.home.drill().exists() {
        loops.spawn(drilled::end_with_it(desk.home.clone()));
        return loops;
    }
    let shared = desk.clone();
    loops.spawn(async move { settle::settle(&shared).await });
    let shared = desk.clone();
    loops.spawn(async move { dispatch::outbox(&shared).await });
    let shared = desk.clone();
    loops.spawn(async move { deadlines::deadlines(&shared).await });
    let shared = desk.clone();
    loops.spawn(async move { plans::keep_going(&shared).await });
    let shared = desk.clone();
    loops.spawn(async move { brakes::keep(&shared).await });
    let shared = desk.clone();
    loops.spawn(async move { handoff::keep_going(&shared).await });
    let shared = desk.clone();
    loops.spawn(async move { hosts::keep(&shared).await });
    let shared = desk.clone();
    loops.spawn(async move { schedules::keep_going(&shared).await });
    let shared = desk.clone();
    loops.spawn(async move { anchor::keep(&shared).await });
    let shared = desk.clone();
    loops.spawn(async move { approvals::keep(&shared).await });
    let shared = desk.clone();
    loops.spawn(async move { crate::notices::keep(&shared).await });
    let shared = desk.clone();
    loops.spawn(async move { backups::keep_going(&shared).await });
    let shared = desk.clone();
    loops.spawn(async move { month::keep(&shared).await });
    let shared = desk.clone();
    loops.spawn(async move { ledger_watch::keep(&shared).await });
    let shared = desk.clone();
    loops.spawn(async move { retention::keep(&shared).await });
    loops
}

async fn until(desk: &Desk, loops: &mut JoinSet<()>) -> Result<Event, SupervisorError> {
    let heard = |kind| signal(kind).map_err(SupervisorError::Signals);
    let mut term = heard(SignalKind::terminate())?;
    let mut hangup = heard(SignalKind::hangup())?;
    let mut interrupt = heard(SignalKind::interrupt())?;
    let mut over = desk.ended.subscribe();
    Ok(tokio::select! {
        _ = term.recv() => Event::Signal("SIGTERM"),
        _ = hangup.recv() => Event::Signal("SIGHUP"),
        _ = interrupt.recv() => Event::Signal("SIGINT"),
        why = ended(&mut over) => Event::Over(why),
        ended = loops.join_next() => {
            tracing::error!(?ended, "a loop of the supervisor ended");
            Event::LoopEnded
        }
    })
}

/// Waits until this process may write no more.
async fn ended(over: &mut watch::Receiver<Option<Over>>) -> Over {
    match over.wait_for(Option::is_some).await {
        Ok(over) => over.unwrap_or(Over::Superseded),
        Err(_) => std::future::pending().await,
    }
}

/// Opens the ledger; one on a server that is away, a standby or without room is waited for.
async fn opened(place: &Place) -> Result<Ledger, LedgerError> {
    loop {
        match Ledger::open(place).await {
            Err(
                error @ (LedgerError::Away(_) | LedgerError::OnlyRead | LedgerError::ServerFull),
            ) => {
                tracing::warn!(%error, "the supervisor waits for its ledger");
                sleep(AWAY).await;
            }
            other => return other,
        }
    }
}

/// Says on the bus that the supervisor lives. Runs for ever.
async fn announce(desk: &Desk) {
    let role = Role::supervisor();
    let instance = config::own::instance(&role, &desk.settings.host, std::process::id());
    let host = desk.settings.host.clone();
    let pause = Duration::from_millis(desk.settings.team.lease_ms).max(Duration::from_millis(200));
    loop {
        let (bus, _) = desk.link.up().await;
        let presence = Presence {
            instance: instance.clone(),
            role: role.clone(),
            pid: std::process::id(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            host: host.clone(),
            task: None,
            held_back: None,
            at: Timestamp::now(),
        };
        if let Ok(Err(error)) = timeout(pause, bus.announce(&presence)).await {
            tracing::debug!(%error, "presence");
        }
        sleep(pause).await;
    }
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use config::env::Env;
    use config::load::{Sources, load_from};
    use std::path::Path;

    /// A desk in a folder, of which nothing runs yet.
    pub(crate) async fn bare(folder: &Path) -> SharedDesk {
        let home = Home::at(folder.join("h"));
        home.ensure().unwrap();
        let env = Env::from_pairs(Vec::<(String, String)>::new());
        let sources = Sources {
            system: folder,
            home: &home,
            env: &env,
            flags: &[],
        };
        let settings = load_from(&sources).unwrap();
        let ledger = Ledger::open(&Place::file(home.ledger())).await.unwrap();
        desk(settings, home, ledger)
    }
}
