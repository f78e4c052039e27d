//! Freezing the team and pausing roles. The wish is kept in the ledger first; then the bus is told,
//! now or as soon as it is back, and holders are made to look again and again, so that a lost hint
//! costs a fraction of a second.

use crate::desk::Desk;
use crate::ledger::brakes::Brakes;
use crate::ledger::store::LedgerError;
use bus::connect::Bus;
use bus::error::BusError;
use bus::presence::Presence;
use jiff::Timestamp;
use protocol::document::BrakeLine;
use protocol::ids::Role;
use protocol::task::{Class, Principal, Task};
use std::time::Duration;
use tokio::time::{sleep, timeout};
use warden::client::Client;

/// Longest wait for the bus before the person is told that it is away.
const PATIENCE: Duration = Duration::from_millis(1500);
/// Pauses between two hints: right after a change, while the team is frozen, else.
const EAGER: Duration = Duration::from_millis(200);
const FROZEN: Duration = Duration::from_secs(1);
const CALM: Duration = Duration::from_secs(30);
/// How many eager hints follow a change.
const HINTS: u32 = 5;

/// Why the bus could not be told.
#[derive(Debug, thiserror::Error)]
pub enum BrakeError {
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The bus.
    #[error(transparent)]
    Bus(#[from] BusError),
}

/// A moment for people, in the time zone of this machine.
pub(crate) fn moment(at: Timestamp) -> String {
    at.to_zoned(jiff::tz::TimeZone::system())
        .strftime("%Y-%m-%d %H:%M:%S %Z")
        .to_string()
}

/// `the team is frozen since … by …: ai-infra thaw`.
pub(crate) fn sentence(line: &BrakeLine) -> String {
    let (since, by) = (moment(line.since), &line.by);
    match &line.role {
        None => format!("the team is frozen since {since} by {by}; let it go on: ai-infra thaw"),
        Some(role) => format!(
            "{role} is paused since {since} by {by}; let it go on: ai-infra agents resume {role}"
        ),
    }
}

/// What holds a new task of this role back, as a sentence. Where something does, the bus is made to
/// know it before the task is sent.
pub async fn holding(desk: &Desk, role: &Role) -> Result<Option<String>, LedgerError> {
    let brakes = desk.ledger.brakes().await?;
    let Some(line) = brakes.on(None).or(brakes.on(Some(role))) else {
        return Ok(None);
    };
    if let Ok(bus) = desk.link.now()
        && let Ok(Err(BrakeError::Bus(error))) = timeout(PATIENCE, set(desk, &bus)).await
    {
        desk.link.noticed(&error);
    }
    Ok(Some(sentence(line)))
}

/// That a new task waits because every agent that could begin it is held back by pressure on its
/// host, as a sentence. Only a word for the person: nothing hangs on it.
pub async fn pressed(desk: &Desk, task: &Task) -> Option<String> {
    let urgent = Class::of_priority(task.priority) == Class::Urgent;
    if urgent || !desk.settings.pressure.enabled {
        return None;
    }
    let bus = desk.link.now().ok()?;
    let present = timeout(PATIENCE, bus.present()).await.ok()?.ok()?;
    let host = task.host.as_deref().unwrap_or(&desk.settings.host);
    let could = |seen: &&Presence| seen.role == task.agent && seen.host == host;
    let newest = present.iter().filter(could).max_by_key(|seen| seen.at)?;
    let why = newest.held_back.as_deref()?;
    Some(format!(
        "held back: {why}; it begins when there is room, or at once with --priority 8"
    ))
}

/// Pulls the brake of a role, or freezes the team. Answers a sentence.
///
/// # Errors
/// When the ledger does not take it.
pub async fn pull(
    desk: &Desk,
    who: &Principal,
    role: Option<&Role>,
) -> Result<String, LedgerError> {
    let new = desk
        .ledger
        .pull_brake(role, &who.name, Timestamp::now())
        .await?;
    let away = tell(desk).await;
    let brakes = desk.ledger.brakes().await?;
    let said = brakes.on(role).map(sentence).unwrap_or_default();
    if new {
        desk.hub.say(said.clone());
    }
    Ok(said + &away)
}

/// Lets go of the brake of a role, or thaws the team. Answers a sentence.
///
/// # Errors
/// When the ledger does not take it.
pub async fn release(
    desk: &Desk,
    who: &Principal,
    role: Option<&Role>,
) -> Result<String, LedgerError> {
    let was = desk.ledger.release_brake(role).await?;
    let away = tell(desk).await;
    let said = match (role, was) {
        (None, true) => "the team goes on".to_owned(),
        (None, false) => "the team was not frozen".to_owned(),
        (Some(role), true) => format!("{role} takes work again"),
        (Some(role), false) => format!("{role} was not paused"),
    };
    if was {
        desk.hub.say(format!("{said} ({})", who.name));
    }
    Ok(said + &away)
}

/// Tells the bus now; answers what the person should know when it is away.
async fn tell(desk: &Desk) -> String {
    desk.braked.notify_one();
    // One that does not answer keeps nobody else from stopping.
    let bus = async {
        let bus = desk.link.now().ok()?;
        Some(timeout(PATIENCE, set(desk, &bus)).await)
    };
    let (told, ()) = tokio::join!(bus, tell_warden(desk));
    let Some(told) = told else {
        return AWAY.to_owned();
    };
    match told {
        Ok(Ok(_)) => String::new(),
        Ok(Err(error)) => {
            if let BrakeError::Bus(error) = &error {
                desk.link.noticed(error);
            }
            AWAY.to_owned()
        }
        Err(_) => AWAY.to_owned(),
    }
}

const AWAY: &str =
    " (redis does not answer: agents stop by themselves, and hear of this when it is back)";

/// Makes the bus know the brakes, and hints at them. Answers what they are.
///
/// # Errors
/// When ledger or bus do not answer.
pub async fn set(desk: &Desk, bus: &Bus) -> Result<Brakes, BrakeError> {
    let brakes = desk.ledger.brakes().await?;
    let frozen = brakes
        .frozen
        .as_ref()
        .map(|line| format!("{} {}", line.since, line.by));
    let roles: Vec<(Role, bool)> = desk
        .settings
        .agents
        .iter()
        .map(|agent| (agent.name.clone(), brakes.on(Some(&agent.name)).is_some()))
        .collect();
    bus.set_brakes(frozen.as_deref(), &roles).await?;
    Ok(brakes)
}

/// Makes the warden of this host know whether the team is frozen: it stops what it does on the host itself. One
/// that is away begins nothing either, and is told again.
async fn tell_warden(desk: &Desk) {
    let Ok(brakes) = desk.ledger.brakes().await else {
        return;
    };
    let mut warden = Client::new(&desk.home, Duration::ZERO);
    let told = timeout(PATIENCE, warden.freeze(brakes.frozen.is_some())).await;
    if !matches!(told, Ok(Ok(()))) {
        tracing::debug!(?told, "the warden does not hear of the brakes");
    }
}

/// Keeps the bus knowing the brakes. Runs for ever.
pub async fn keep(desk: &Desk) {
    loop {
        let (bus, number) = desk.link.up().await;
        let mut eager = 0_u32;
        loop {
            let set = async {
                let brakes = set(desk, &bus).await?;
                if eager > 0 || brakes.frozen.is_some() {
                    bus.hint_brakes().await?;
                }
                Ok::<_, BrakeError>(brakes)
            };
            let (set, ()) = tokio::join!(set, tell_warden(desk));
            let pause = match set {
                Ok(_) if eager > 0 => EAGER,
                Ok(brakes) if brakes.frozen.is_some() => FROZEN,
                Ok(_) => CALM,
                Err(error) => {
                    match &error {
                        BrakeError::Ledger(error) => desk.note(error),
                        BrakeError::Bus(error) => desk.link.noticed(error),
                    }
                    FROZEN
                }
            };
            eager = eager.saturating_sub(1);
            tokio::select! {
                () = sleep(pause) => {}
                () = desk.braked.notified() => eager = HINTS,
                () = desk.link.lost(number) => break,
            }
        }
    }
}
