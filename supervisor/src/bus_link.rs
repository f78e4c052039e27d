//! The supervisor's way to the bus, which may be away at the start and at any time later. Whoever
//! needs it asks for it here and is told when it is back.

use crate::compare::compare;
use crate::ledger::store::Ledger;
use crate::month;
use bus::connect::{Bus, BusAddress};
use bus::error::BusError;
use bus::incarnation::Arrival;
use config::bus_access;
use config::home::Home;
use config::home_id::home_id;
use config::settings::Settings;
use jiff::Timestamp;
use protocol::ids::{Role, TeamName};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::time::{sleep, timeout};

/// Pause between two looks at Redis while it answers.
const LOOK: Duration = Duration::from_secs(2);
/// First and longest pause while it does not.
const AWAY_FIRST: Duration = Duration::from_millis(100);
const AWAY_LONGEST: Duration = Duration::from_secs(1);

/// How things stand with the bus.
#[derive(Clone)]
enum Link {
    /// Connected, for the so-many-th time.
    Up(Bus, u64),
    Away(String),
    /// It answers, and is not what the ledger knows: a person decides. The bus is for that alone.
    Stopped(Bus, String),
}

/// What connecting came to.
enum Met {
    Ours(Bus),
    Strange(Bus, String),
}

/// The link. Cheap to clone; one task runs [`BusLink::keep`].
#[derive(Clone)]
pub struct BusLink {
    home: Home,
    team: TeamName,
    lease: Duration,
    queue_limit: u64,
    link: watch::Sender<Link>,
    /// Whether Redis has too little room for new work.
    tight: Arc<AtomicBool>,
    ledger: Ledger,
    agents: Vec<Role>,
    /// Woken when the connection should be tried at once.
    again: Arc<Notify>,
}

impl BusLink {
    /// A link that is away until `keep` has found the bus.
    pub fn new(home: &Home, settings: &Settings, ledger: &Ledger) -> Self {
        let team = &settings.team;
        let agents = settings.agents.iter().map(|agent| agent.name.clone());
        Self {
            home: home.clone(),
            team: team.name.clone(),
            lease: Duration::from_millis(team.lease_ms),
            queue_limit: team.queue_limit,
            link: watch::Sender::new(Link::Away("not connected yet".to_owned())),
            tight: Arc::default(),
            ledger: ledger.clone(),
            agents: agents.collect(),
            again: Arc::default(),
        }
    }

    /// The bus, when it answered last time; else why it does not.
    pub fn now(&self) -> Result<Bus, String> {
        match &*self.link.borrow() {
            Link::Up(bus, _) => Ok(bus.clone()),
            Link::Away(why) | Link::Stopped(_, why) => Err(why.clone()),
        }
    }

    /// Where a person must decide: a bus to carry the decision out, and what was seen.
    pub fn stopped(&self) -> Option<(Bus, String)> {
        match &*self.link.borrow() {
            Link::Stopped(bus, why) => Some((bus.clone(), why.clone())),
            _ => None,
        }
    }

    /// Connects again at once.
    pub fn look_again(&self) {
        self.again.notify_one();
    }

    /// Waits until the bus answers. The number tells connections apart, for [`BusLink::lost`].
    pub async fn up(&self) -> (Bus, u64) {
        let mut link = self.link.subscribe();
        loop {
            if let Link::Up(bus, number) = &*link.borrow_and_update() {
                return (bus.clone(), *number);
            }
            if link.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Waits until this connection is no longer the one that is up.
    pub async fn lost(&self, number: u64) {
        let mut link = self.link.subscribe();
        let lost = |link: &Link| !matches!(link, Link::Up(_, now) if *now == number);
        let _closed = link.wait_for(lost).await;
    }

    /// Somebody got an error: when it means that Redis is away, nobody else need find out.
    pub fn noticed(&self, error: &BusError) {
        if error.is_unreachable() {
            self.failed(&error.to_string());
        }
    }

    /// Somebody saw the bus fail: nobody else need find out the slow way.
    pub fn failed(&self, why: &str) {
        self.link.send_if_modified(|link| match link {
            Link::Up(..) => {
                tracing::warn!(why, "redis does not answer");
                *link = Link::Away(why.to_owned());
                true
            }
            Link::Away(_) | Link::Stopped(..) => false,
        });
    }

    /// Connects, looks whether the bus answers, connects again. Runs for ever; cancel-safe.
    pub async fn keep(self) {
        let mut pause = AWAY_FIRST;
        let mut number = 0;
        loop {
            match self.now() {
                Ok(bus) => {
                    sleep(LOOK).await;
                    if let Err(error) = self.look(&bus).await {
                        self.failed(&error.to_string());
                    }
                }
                Err(_) => match self.connect().await {
                    Ok(Met::Ours(bus)) => {
                        tracing::info!("redis answers");
                        number += 1;
                        self.link.send_replace(Link::Up(bus, number));
                        pause = AWAY_FIRST;
                    }
                    Ok(Met::Strange(bus, why)) => {
                        if self.stopped().is_none_or(|(_, before)| before != why) {
                            tracing::error!(why, "a person must decide");
                        }
                        self.link.send_replace(Link::Stopped(bus, why));
                        let _again_or_later = timeout(AWAY_LONGEST, self.again.notified()).await;
                    }
                    Err(why) => {
                        self.link.send_replace(Link::Away(why));
                        sleep(pause).await;
                        pause = (pause * 2).min(AWAY_LONGEST);
                    }
                },
            }
        }
    }

    /// Whether it answers, and whether it has room.
    async fn look(&self, bus: &Bus) -> Result<(), BusError> {
        bus.ping().await?;
        if bus.mend_shared().await? {
            tracing::warn!("what every agent reads of redis was spoiled, and is put right");
        }
        if !bus.is_owned().await? {
            let why = "redis has forgotten this team";
            return Err(BusError::Unsettled(why.to_owned()));
        }
        let tight = bus.room().await?.is_tight();
        if self.tight.swap(tight, Ordering::Relaxed) != tight {
            tracing::warn!(tight, "the memory of redis");
        }
        Ok(())
    }

    /// Whether new work should wait, because the memory of Redis is nearly used up. As of the
    /// last look.
    pub fn is_tight(&self) -> bool {
        self.tight.load(Ordering::Relaxed)
    }

    /// Whose words count: the agents of the settings, and roles that were heard before. Which lanes
    /// there are any agent may say.
    async fn roles(&self) -> Result<BTreeSet<Role>, String> {
        let known = self.ledger.known_of_bus().await;
        let heard = known.map_err(|e| e.to_string())?.marks;
        let heard = heard.into_iter().map(|mark| mark.role);
        Ok(self.agents.iter().cloned().chain(heard).collect())
    }

    /// Connects, compares, and connects again as one who works: that connection fails when Redis is
    /// ever another one, so that nothing is sent before it was compared too.
    async fn connect(&self) -> Result<Met, String> {
        let access = bus_access::read(&self.home).map_err(|e| e.to_string())?;
        let user = access.users.get("supervisor").cloned().unwrap_or_default();
        let address = BusAddress {
            url: access.url,
            username: user.name,
            password: user.password,
            ca: access.ca,
        };
        let id = home_id(&self.home).map_err(|e| e.to_string())?;
        let join = async |arrival| Bus::join(&address, &self.team, self.lease, arrival).await;
        let leader = join(Arrival::Leader(id.clone()))
            .await
            .map_err(|e| e.to_string())?;
        let compared = compare(&leader, &self.ledger, &id).await;
        if let Some(why) = compared.map_err(|e| e.to_string())? {
            return Ok(Met::Strange(leader, why));
        }
        month::tell_first(&leader, &self.ledger, Timestamp::now())
            .await
            .map_err(|e| e.to_string())?;
        let bus = join(Arrival::Worker(id))
            .await
            .map_err(|e| e.to_string())?
            .with_queue_limit(self.queue_limit)
            .with_roles(self.roles().await?);
        self.look(&bus).await.map_err(|e| e.to_string())?;
        Ok(Met::Ours(bus))
    }
}
