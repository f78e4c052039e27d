//! Freezing the team and pausing roles. The wish is kept in the ledger first; then the bus is told,
//! now or as soon as it is back, and holders are made to look again and again, so that a lost hint
//! costs a fraction of a second. The warden of this host is told on its own way, whether the bus is there or not, and whoever
//! asked for the freeze hears where it did not take it.

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
use protocol::text::one_line;
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
    let why = one_line(newest.held_back.as_deref()?, 200);
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
    let away = tell(desk, role).await;
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
    let away = tell(desk, role).await;
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

/// Tells bus and warden now; answers what the person should know where one of them did not hear it.
async fn tell(desk: &Desk, role: Option<&Role>) -> String {
    desk.braked.notify_one();
    desk.owed_to_warden.notify_one();
    // One that does not answer keeps nobody else from stopping.
    let bus = async {
        let bus = desk.link.now().ok()?;
        Some(timeout(PATIENCE, set(desk, &bus)).await)
    };
    let (told, warden) = tokio::join!(bus, tell_warden(desk));
    let away = match told {
        Some(Ok(Ok(_))) => "",
        Some(Ok(Err(BrakeError::Bus(error)))) => {
            desk.link.noticed(&error);
            AWAY
        }
        Some(Ok(Err(BrakeError::Ledger(_))) | Err(_)) | None => AWAY,
    };
    // A role that is paused is nothing to the warden.
    let unheard = match role {
        None => unheard(&warden),
        Some(_) => "",
    };
    format!("{away}{unheard}")
}

const AWAY: &str =
    " (redis does not answer: agents stop by themselves, and hear of this when it is back)";

/// What a person should know of what the warden heard. Pure.
fn unheard(warden: &Told) -> &'static str {
    match warden {
        Told { heard: true, .. } => "",
        Told { frozen: true, .. } => {
            " (but the warden of this host did not take it: what it does on the host itself may go on. It is told again every second until it hears: ai-infra status)"
        }
        Told { frozen: false, .. } => {
            " (the warden of this host did not hear it: it does nothing on the host itself until it does, and is told again every second)"
        }
    }
}

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

/// What the warden was told, and whether it took it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Told {
    frozen: bool,
    heard: bool,
}

/// Makes the warden of this host know whether the team is frozen: it stops what it does on the host itself.
async fn tell_warden(desk: &Desk) -> Told {
    let brakes = match desk.ledger.brakes().await {
        Ok(brakes) => brakes,
        Err(error) => {
            desk.note(&error);
            // Whether it is to stop is not known now: it is not told to go on.
            return Told {
                frozen: true,
                heard: false,
            };
        }
    };
    let frozen = brakes.frozen.is_some();
    let mut warden = Client::new(&desk.home, Duration::ZERO);
    let told = timeout(PATIENCE, warden.freeze(frozen)).await;
    let heard = matches!(told, Ok(Ok(())));
    if !heard {
        tracing::debug!(?told, frozen, "the warden does not hear of the brakes");
    }
    Told { frozen, heard }
}

/// Keeps bus and warden knowing the brakes. Runs for ever.
pub async fn keep(desk: &Desk) {
    tokio::join!(keep_bus(desk), keep_warden(desk));
}

/// The warden: whether the bus is there or not, and again and again until it took it.
async fn keep_warden(desk: &Desk) {
    let (mut eager, mut owed) = (0_u32, false);
    loop {
        let told = tell_warden(desk).await;
        match told {
            Told {
                frozen: true,
                heard: false,
            } if !owed => {
                owed = true;
                tracing::warn!("the warden of this host does not hear that the team is frozen");
            }
            Told {
                heard: true,
                frozen,
            } if owed => {
                owed = false;
                if frozen {
                    let said = "the warden of this host has heard that the team is frozen";
                    desk.hub.say(said.to_owned());
                }
            }
            Told { .. } => {}
        }
        let pause = match told {
            _ if eager > 0 => EAGER,
            Told {
                heard: true,
                frozen: false,
            } => CALM,
            Told { .. } => FROZEN,
        };
        eager = eager.saturating_sub(1);
        tokio::select! {
            () = sleep(pause) => {}
            () = desk.owed_to_warden.notified() => eager = HINTS,
        }
    }
}

/// The bus, and by its hints the holders.
async fn keep_bus(desk: &Desk) {
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
            let pause = match set.await {
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

#[cfg(test)]
#[path = "brakes_tests.rs"]
mod tests;
