//! `up --join`: takes an invitation, tries it, and keeps it in the home. Nothing is kept that does
//! not work; what is wrong is said in words.

use crate::context::Context;
use crate::failure::Failure;
use crate::render::text::safe;
use crate::terminal;
use bus::acl;
use bus::connect::{Bus, BusAddress};
use bus::error::BusError;
use config::bus_access::BusUser;
use config::invitation::{self, INVITATION_BYTES, Invitation};
use config::redis_url;
use protocol::ids::Role;
use std::io::{self, IsTerminal, Read};
use std::path::Path;
use std::time::Duration;
use supervisor::client;
use tokio::time::timeout;

/// Longest wait for the team's Redis.
const PATIENCE: Duration = Duration::from_secs(8);

/// Takes the invitation.
pub async fn take(context: &Context, what: &str, agents: &[Role]) -> Result<(), Failure> {
    let invited = read(what)?.only(agents).map_err(Failure::usage)?;
    let home = &context.home;
    home.inspect()?;
    if home.ledger().exists() {
        return Err(Failure::usage(format!(
            "the home {} is that of a team of its own, which cannot join another",
            home.root.display()
        ))
        .hint("give this host a home for that team: ai-infra --home DIR up --join …"));
    }
    let before = invitation::read(home)?;
    if before.as_ref() == Some(&invited) {
        return Ok(());
    }
    if let Some(before) = &before {
        if before.team != invited.team || before.first != invited.first {
            return Err(Failure::usage(format!(
                "this home works for team {} of host {} already",
                before.team, before.first
            ))
            .hint("leave it first: ai-infra down && ai-infra host leave"));
        }
        if client::Client::connect_daemon(home).await.is_ok() {
            return Err(Failure::usage(
                "this is another invitation than the one the agents here run with",
            )
            .hint("ai-infra down, then up --join again"));
        }
    }
    check(context, &invited)?;
    try_it(&invited).await?;
    home.ensure()?;
    invitation::keep(home, &invited)?;
    Ok(())
}

/// The invitation from a private file, or from standard input.
fn read(what: &str) -> Result<Invitation, Failure> {
    let address = what.contains("://");
    if !address && what != "-" {
        let found = invitation::read_file(Path::new(what))?;
        return found.ok_or_else(|| {
            Failure::usage(format!("there is no invitation {}", safe(what)))
                .hint("it is made on the team's first host: ai-infra host invite NAME")
        });
    }
    if io::stdin().is_terminal() {
        terminal::complain("paste the invitation, then Ctrl-D:\n");
    }
    let mut text = Vec::new();
    io::stdin()
        .lock()
        .take(INVITATION_BYTES)
        .read_to_end(&mut text)
        .map_err(|e| Failure::usage(format!("no invitation was read: {e}")))?;
    let mut invited =
        Invitation::parse(&text).map_err(|e| Failure::usage(format!("standard input {e}")))?;
    if address {
        let parts = redis_url::split(what).map_err(|e| Failure::usage(format!("--join {e}")))?;
        if parts.username.is_some() || parts.password.is_some() {
            return Err(Failure::usage(
                "the address holds credentials, which have no place in a command line: they come with the invitation",
            ));
        }
        invited.url = parts.url;
    }
    Ok(invited)
}

/// What this host must have for it.
fn check(context: &Context, invited: &Invitation) -> Result<(), Failure> {
    let settings = context.settings()?;
    let missing: Vec<&str> = invited
        .roles
        .iter()
        .filter(|role| settings.agent(role).is_none())
        .map(Role::as_str)
        .collect();
    match missing.is_empty() {
        true => Ok(()),
        false => Err(Failure::usage(format!(
            "the invitation is for agents that this host does not have: {}",
            missing.join(", ")
        ))
        .hint("put their AGENT.md below agents/ of this home, or name others with --agents")),
    }
}

/// Every user of the invitation is let in.
async fn try_it(invited: &Invitation) -> Result<(), Failure> {
    let agents = invited.roles.iter().map(acl::agent_user);
    for purpose in std::iter::once(acl::DAEMON.to_owned()).chain(agents) {
        let user = invited.users.get(&purpose).cloned().unwrap_or_default();
        let tried = timeout(PATIENCE, login(invited, user)).await;
        let said = match tried {
            Ok(Ok(())) => continue,
            Ok(Err(error)) => refusal(&error, invited),
            Err(_) => format!("{} does not answer", invited.url),
        };
        return Err(Failure::new(protocol::exit::SERVICE, said).hint(format!(
            "on {}: is the team up? ai-infra status; a new invitation: ai-infra host invite {}",
            invited.first, invited.host
        )));
    }
    Ok(())
}

/// Connects as one of the invitation's users.
pub(super) async fn login(invited: &Invitation, user: BusUser) -> Result<(), BusError> {
    let address = BusAddress {
        url: invited.url.clone(),
        username: user.name,
        password: user.password,
        ca: invited.ca.clone(),
    };
    let lease = Duration::from_millis(invited.lease_ms);
    let bus = Bus::connect(&address, &invited.team, lease).await?;
    bus.ping().await
}

/// What a refusal means, in words.
pub(super) fn refusal(error: &BusError, invited: &Invitation) -> String {
    let said = error.to_string();
    let small = said.to_ascii_lowercase();
    let holds = |words: &[&str]| words.iter().any(|word| small.contains(word));
    let (url, team) = (&invited.url, &invited.team);
    if holds(&["certificate", "unknownissuer", "notvalidforname", "tls"]) {
        format!(
            "{url} does not show a certificate of this invitation's team ({said}): it is another server, or the invitation is of another team"
        )
    } else if holds(&["wrongpass", "noauth", "authentication"]) {
        format!(
            "{url} does not let this host in: the invitation was replaced by a newer one or taken back"
        )
    } else if holds(&["noperm", "permission"]) {
        format!("{url} does not let this host into team {team}: it is the redis of another team")
    } else {
        format!("{url}: {said}")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn refusals_are_said_in_words() {
        let invited = Invitation {
            v: 1,
            team: "main".parse().unwrap(),
            first: "one".into(),
            home: "0".repeat(36),
            host: "two".into(),
            roles: vec!["code".parse().unwrap()],
            url: "rediss://10.0.0.1:6380".into(),
            ca: None,
            lease_ms: 10_000,
            users: Default::default(),
        };
        for (said, expected) in [
            ("invalid peer certificate: UnknownIssuer", "certificate"),
            ("WRONGPASS invalid username-password pair", "taken back"),
            ("NOPERM this user has no permissions", "another team"),
            ("Connection refused", "Connection refused"),
        ] {
            let error = BusError::Unreachable(said.to_owned());
            let told = refusal(&error, &invited);
            assert!(told.contains(expected), "{told}");
        }
    }
}
