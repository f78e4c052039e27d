//! How a process is seen to be at work, rather than only alive: Redis answers, warden and
//! supervisor answer on their sockets, an agent has announced itself under its own pid.

use super::instance_name;
use super::process::Process;
use super::roster::Member;
use crate::client::Client;
use bus::connect::{Bus, BusAddress};
use config::bus_access;
use config::home::Home;
use config::settings::Settings;
use protocol::control::Verb;
use std::time::Duration;
use tokio::time::timeout;

/// Longest single look, so that a process that hangs cannot hang the daemon.
const LOOK: Duration = Duration::from_millis(300);

/// Connects to the bus as the daemon.
///
/// # Errors
/// A sentence about what was seen.
pub async fn connect(home: &Home, settings: &Settings) -> Result<Bus, String> {
    let access = bus_access::read(home).map_err(|error| error.to_string())?;
    let user = access.users.get("daemon").cloned().unwrap_or_default();
    let address = BusAddress {
        url: access.url,
        username: user.name,
        password: user.password,
        ca: access.ca,
    };
    let lease = Duration::from_millis(settings.team.lease_ms);
    let bus = Bus::connect(&address, &settings.team.name, lease)
        .await
        .map_err(|error| explained(&error.to_string()))?;
    bus.ping()
        .await
        .map_err(|error| explained(&error.to_string()))?;
    Ok(bus)
}

/// What Redis said, or the next step where it wants a password.
pub fn explained(said: &str) -> String {
    let small = said.to_ascii_lowercase();
    let locked = ["noauth", "wrongpass", "authentication"];
    match locked.iter().any(|word| small.contains(word)) {
        true => "redis wants another user or password: ai-infra secret set redis-password, or set REDIS_PASSWORD".to_owned(),
        false => said.to_owned(),
    }
}

/// Marks every member that is seen at work.
pub async fn look(members: &mut [Member], home: &Home, host: &str, bus: Option<&Bus>) {
    if waits(members, |process| *process == Process::Warden) && warden_answers(home).await {
        mark(members, |member| member.process == Process::Warden);
    }
    let Some(bus) = bus else { return };
    if waits(members, |process| *process == Process::Redis)
        && matches!(timeout(LOOK, bus.ping()).await, Ok(Ok(_)))
    {
        mark(members, |member| member.process == Process::Redis);
    }
    if waits(members, |process| *process == Process::Supervisor) && supervisor_answers(home).await {
        mark(members, |member| member.process == Process::Supervisor);
    }
    if waits(members, |process| matches!(process, Process::Agent(_)))
        && let Ok(Ok(present)) = timeout(LOOK, bus.present()).await
    {
        mark(members, |member| match (&member.process, member.who()) {
            (Process::Agent(role), Some(who)) => {
                let instance = instance_name(role, host, who.pid);
                present.iter().any(|seen| seen.instance == instance)
            }
            _ => false,
        });
    }
}

fn waits(members: &[Member], which: impl Fn(&Process) -> bool) -> bool {
    members
        .iter()
        .any(|member| which(&member.process) && member.who().is_some() && !member.is_ready())
}

fn mark(members: &mut [Member], which: impl Fn(&Member) -> bool) {
    for member in members {
        if which(member) {
            member.seen_ready();
        }
    }
}

async fn warden_answers(home: &Home) -> bool {
    let mut warden = warden::client::Client::new(home, Duration::ZERO);
    matches!(timeout(LOOK, warden.head()).await, Ok(Ok(_)))
}

async fn supervisor_answers(home: &Home) -> bool {
    let ask = async {
        Client::connect(home)
            .await
            .ok()?
            .ask(Verb::Status)
            .await
            .ok()
    };
    matches!(timeout(LOOK, ask).await, Ok(Some(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_locked_redis_is_said_with_the_next_step() {
        for (said, locked) in [
            (
                "redis refused a command: \"NOAUTH\": Authentication required.",
                true,
            ),
            (
                "Password authentication failed - AuthenticationFailed",
                true,
            ),
            ("redis does not answer (timed out)", false),
        ] {
            assert_eq!(
                explained(said).contains("secret set redis-password"),
                locked,
                "{said}"
            );
            assert!(locked || explained(said) == said);
        }
    }
}
