//! The daemon of a host that joined a team: where its processes find the team's Redis, a look at
//! whether it answers, and the word that this host is there. The link may be down for hours; the
//! agents stay and go on when it is up.

use super::error::DaemonError;
use super::process::Process;
use super::ready;
use super::team::team;
use crate::approvals;
use crate::hosts::carry_out;
use bus::connect::Bus;
use bus::error::BusError;
use bus::host::{HostWord, OPEN_TASKS};
use config::bus_access::{self, BusAccess};
use config::home::Home;
use config::invitation;
use config::settings::Settings;
use jiff::Timestamp;
use protocol::approval::TicketState;
use protocol::ids::{Role, TaskId};
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use warden::client::Client;
use warden::wire::Ask;

/// Between two looks.
const LOOK: Duration = Duration::from_secs(2);
/// Most tickets whose end is told, newest first, and most characters of a reason.
const TICKETS: usize = 100;
const BECAUSE: usize = 80;
/// Most tickets looked at for tasks that may be over.
const OPEN: usize = 500;
/// Longest look.
const PATIENCE: Duration = Duration::from_secs(3);

/// Writes `run/bus.json` from the invitation.
pub(super) fn write_access(home: &Home) -> Result<(), DaemonError> {
    if let Some(invited) = invitation::read(home)? {
        let access = BusAccess::new(invited.url, invited.users).signed_by(invited.ca);
        bus_access::write(home, &access)?;
    }
    Ok(())
}

/// What the last look saw.
#[derive(Clone, Default)]
struct Seen {
    bus: Option<Bus>,
    problem: Option<String>,
}

/// The look, for as long as this lives.
pub(super) struct Far {
    seen: watch::Receiver<Seen>,
    looking: JoinHandle<()>,
    ordered: JoinHandle<()>,
    sentence: String,
}

impl Drop for Far {
    fn drop(&mut self) {
        self.looking.abort();
        self.ordered.abort();
    }
}

impl Far {
    /// Begins to look, where this host joined a team.
    pub(super) fn look(home: &Home, settings: &Settings) -> Option<Self> {
        let joined = settings.joined.as_ref()?;
        let url = settings.redis.url.as_deref().unwrap_or_default();
        let sentence = format!(
            "this is host {} of team {}, whose first host is {} ({url})",
            settings.host, settings.team.name, joined.first
        );
        let (say, seen) = watch::channel(Seen::default());
        let ordered = tokio::spawn(take_orders(
            home.clone(),
            settings.host.clone(),
            seen.clone(),
        ));
        let (home, settings) = (home.clone(), settings.clone());
        // The word stands for three lease times.
        let pause = LOOK.min(Duration::from_millis(settings.team.lease_ms));
        let word = HostWord::new(&settings.host, env!("CARGO_PKG_VERSION"), roles(&settings));
        let looking = tokio::spawn(async move {
            let mut bus: Option<Bus> = None;
            loop {
                let looked = timeout(PATIENCE, once(&home, &settings, bus.as_ref(), &word)).await;
                let problem = match looked {
                    Ok(Ok(found)) => {
                        bus = Some(found);
                        None
                    }
                    Ok(Err(said)) => Some(said),
                    Err(_) => Some("it does not answer".to_owned()),
                };
                say.send_replace(Seen {
                    bus: bus.clone(),
                    problem,
                });
                sleep(pause).await;
            }
        });
        Some(Self {
            seen,
            looking,
            ordered,
            sentence,
        })
    }

    /// The way to the team, once there was one.
    pub(super) fn bus(&self) -> Option<Bus> {
        self.seen.borrow().bus.clone()
    }

    /// Where the team is.
    pub(super) fn sentence(&self) -> String {
        self.sentence.clone()
    }

    /// What is wrong with the way to it.
    pub(super) fn problem(&self) -> Option<String> {
        let problem = self.seen.borrow().problem.clone()?;
        Some(format!(
            "the team's redis: {problem}; tasks go on when it is back"
        ))
    }
}

/// Does what the supervisor orders, whenever the bus is there. An order that was cut off is read
/// again.
async fn take_orders(home: Home, host: String, mut seen: watch::Receiver<Seen>) {
    loop {
        let there = seen.wait_for(|seen| seen.problem.is_none() && seen.bus.is_some());
        let Ok(bus) = there.await.map(|seen| seen.bus.clone()) else {
            return;
        };
        if let Some(bus) = bus
            && let Err(error) = carry_out::serve(&home, &bus, &host).await
        {
            tracing::warn!(%error, "orders cannot be read");
            // A first host of an older version lets nobody read any, and will not in a moment.
            sleep(if is_older(&error) {
                PATIENCE * 20
            } else {
                LOOK
            })
            .await;
        }
    }
}

/// The agents that run here.
fn roles(settings: &Settings) -> Vec<Role> {
    let agent = |process| match process {
        Process::Agent(role) => Some(role),
        _ => None,
    };
    team(settings).into_iter().filter_map(agent).collect()
}

async fn once(
    home: &Home,
    settings: &Settings,
    bus: Option<&Bus>,
    word: &HostWord,
) -> Result<Bus, String> {
    let bus = match bus {
        Some(bus) => bus.clone(),
        None => ready::connect(home, settings).await?,
    };
    let mut word = word.clone();
    word.at = Timestamp::now();
    of_the_warden(home, &mut word).await;
    match bus.say_host(&word).await {
        Err(error) if is_older(&error) => bus.ping().await,
        said => said,
    }
    .map_err(|error| ready::explained(&error.to_string()))?;
    take_back(home, &bus, &word).await;
    // Its agents say the same sooner; where none of them lives the warden hears it here.
    if let Ok(frozen) = bus.is_frozen().await {
        let _told_again = Client::new(home, Duration::ZERO).freeze(frozen).await;
    }
    Ok(bus)
}

/// What the warden here says that the team must hear. One that is away says nothing, and later again.
async fn of_the_warden(home: &Home, word: &mut HostWord) {
    let mut warden = Client::new(home, Duration::ZERO);
    if let Ok(all) = warden.tickets(false, TICKETS).await {
        let settled = all.iter().map(|(ticket, _)| approvals::word(ticket));
        let settled = settled.filter(|ticket| ticket.state != TicketState::Requested);
        word.tickets = settled.collect();
        for ticket in &mut word.tickets {
            ticket.because = ticket.because.chars().take(BECAUSE).collect();
        }
    }
    let runs = warden.runs().await.unwrap_or_default();
    for task in runs.iter().filter(|task| task.parse::<TaskId>().is_err()) {
        // No first host knows it, so none would say that it is over.
        let task = task.clone();
        let _next_look = warden.ask(Ask::Cancel { task }).await;
    }
    let open = warden.tickets(true, OPEN).await.unwrap_or_default();
    let asks = open.into_iter().map(|(ticket, _)| ticket.wanted.task);
    // What runs is named first: it is to end at once where its task is over.
    let mut named = BTreeSet::new();
    let leaves = warden.leaves().await.unwrap_or_default();
    let tasks = runs.into_iter().chain(asks).chain(leaves);
    let tasks = tasks.filter_map(|task| task.parse::<TaskId>().ok());
    let tasks = tasks.filter(|task| named.insert(*task));
    word.open = tasks.take(OPEN_TASKS).collect();
    if let Ok(head) = warden.head().await {
        word.record = Some((head.seq, head.hash));
    }
}

/// Has the warden take the tickets back of tasks that are over, and end their programs, as the first host says of those this
/// word named: nobody is to be asked for what nobody waits for. Whatever was away is named again, so the next look does what is left.
async fn take_back(home: &Home, bus: &Bus, word: &HostWord) {
    if word.open.is_empty() {
        return;
    }
    // A first host of an older version lets nobody read it: its tickets expire.
    let over = bus.over_on(&word.host).await.unwrap_or_default();
    let mut warden = Client::new(home, Duration::ZERO);
    for task in over.iter().filter(|task| word.open.contains(task)) {
        let task = task.to_string();
        let _next_look = warden.ask(Ask::Cancel { task }).await;
    }
}

/// The first host let this one in before hosts gave their word; its agents are seen all the same.
fn is_older(error: &BusError) -> bool {
    error.to_string().contains("NOPERM")
}
