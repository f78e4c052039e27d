//! Lets a host in and puts it out: the roll, the users of Redis (in its file, and in the one that
//! runs), and the invitation that carries the passwords to the host and nowhere else.

use super::roll::{self, Guest};
use crate::daemon::certificates::Certificates;
use crate::daemon::error::DaemonError;
use crate::daemon::{ready, redis_conf, redis_server};
use bus::acl;
use bus::connect::Bus;
use config::bus_access::{self, BusUser};
use config::home::Home;
use config::home_id::home_id;
use config::host_name;
use config::invitation::{INVITATION_VERSION, Invitation};
use config::settings::Settings;
use jiff::Timestamp;
use protocol::ids::Role;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::timeout;

/// Longest wait for the team's Redis.
const PATIENCE: Duration = Duration::from_secs(3);

/// Why a host is not let in or put out.
#[derive(Debug, thiserror::Error)]
pub enum InviteError {
    /// Not possible as things are; the sentence says what to do.
    #[error("{0}")]
    Refused(String),
    /// The home.
    #[error(transparent)]
    Home(#[from] config::error::ConfigError),
    /// Redis or its files.
    #[error(transparent)]
    Daemon(#[from] DaemonError),
    /// The team's Redis did not take the change.
    #[error("the team's redis did not take the change: {0}; it has it after: ai-infra restart")]
    Redis(String),
}

impl InviteError {
    /// Exit code of the command line.
    pub fn exit_code(&self) -> u8 {
        match self {
            InviteError::Refused(_) => protocol::exit::USAGE,
            InviteError::Home(error) => error.exit_code(),
            InviteError::Daemon(error) => error.exit_code(),
            InviteError::Redis(_) => protocol::exit::SERVICE,
        }
    }
}

/// Where the team's Redis is for other hosts, and who may sign its certificate.
fn place(home: &Home, settings: &Settings) -> Result<(String, Option<String>), InviteError> {
    if let Some(url) = &settings.redis.url {
        if url.starts_with("redis+unix") {
            return Err(InviteError::Refused(
                "the team's redis is a socket, which no other host can reach: give redis.url a host name".to_owned(),
            ));
        }
        return Ok((url.clone(), redis_server::authorities(settings)?));
    }
    let listen = &settings.redis.listen;
    let Some(address) = listen.address else {
        return Err(InviteError::Refused(
            "the team's redis listens on this host alone: set redis.listen.address in config/ai-infra.yaml of the home to an address of this host, then ai-infra restart".to_owned(),
        ));
    };
    let certificates = Certificates::of(home);
    certificates.ensure(address)?;
    let host = match address.is_ipv6() {
        true => format!("[{address}]"),
        false => address.to_string(),
    };
    let url = format!("rediss://{host}:{}", listen.port);
    Ok((url, certificates.authority()))
}

/// Invites a host for these roles (all, where none is named). An earlier invitation under the same
/// name is of no use any more.
pub async fn invite(
    home: &Home,
    settings: &Settings,
    host: &str,
    roles: &[Role],
) -> Result<Invitation, InviteError> {
    if settings.joined.is_some() {
        return Err(InviteError::Refused(
            "this host works for another host's team: invite there".to_owned(),
        ));
    }
    if !host_name::is_host(host) || host == settings.host {
        return Err(InviteError::Refused(format!(
            "`{}` cannot be another host's name here: use letters, digits, - and ., and not this host's own",
            host.escape_debug()
        )));
    }
    let known: Vec<Role> = settings.agents.iter().map(|a| a.name.clone()).collect();
    if let Some(strange) = roles.iter().find(|role| !known.contains(role)) {
        return Err(InviteError::Refused(format!(
            "there is no agent `{strange}`: see ai-infra agents list"
        )));
    }
    let roles = match roles {
        [] => known,
        named => named.to_vec(),
    };
    home.ensure()?;
    host_name::keep(home, &settings.host)?;
    let (url, ca) = place(home, settings)?;
    let own = settings.redis.url.is_some();
    let mut users = BTreeMap::new();
    let mut digests = BTreeMap::new();
    for (purpose, name) in acl::host_users(host, &roles) {
        if own {
            users.insert(purpose, redis_server::own_user(settings));
            continue;
        }
        let password = redis_conf::password();
        digests.insert(purpose.clone(), acl::digest(&password));
        let user = BusUser {
            name: Some(name),
            password: Some(password),
        };
        users.insert(purpose, user);
    }
    let mut list = roll::read(home)?;
    let before = list.find(host).cloned();
    list.put(Guest {
        name: host.to_owned(),
        roles: roles.clone(),
        invited: Timestamp::now(),
        digests: digests.clone(),
    });
    roll::write(home, &list)?;
    if !own {
        let lines = acl::host_lines(&settings.team.name, host, &roles, &digests);
        redis_server::put_users(home, host, &lines)?;
        // Who was let in by the last invitation is put out first.
        let gone = before.map_or(Vec::new(), |guest| names(&guest));
        tell(home, settings, &gone, &lines).await?;
    }
    Ok(Invitation {
        v: INVITATION_VERSION,
        team: settings.team.name.clone(),
        first: settings.host.clone(),
        home: home_id(home)?,
        host: host.to_owned(),
        roles,
        url,
        ca,
        lease_ms: settings.team.lease_ms,
        users,
    })
}

/// Puts a host out: its connections end, and it is not let in again.
pub async fn remove(home: &Home, settings: &Settings, host: &str) -> Result<(), InviteError> {
    let mut list = roll::read(home)?;
    let Some(guest) = list.remove(host) else {
        return Err(InviteError::Refused(format!(
            "no host `{}` was invited: see ai-infra host list",
            host.escape_debug()
        )));
    };
    roll::write(home, &list)?;
    if settings.redis.url.is_none() {
        redis_server::put_users(home, host, &[])?;
        tell(home, settings, &names(&guest), &[]).await?;
    }
    Ok(())
}

fn names(guest: &Guest) -> Vec<String> {
    let users = acl::host_users(&guest.name, &guest.roles);
    users.into_iter().map(|(_, name)| name).collect()
}

/// Tells the Redis that runs; one that does not reads its file when it starts.
async fn tell(
    home: &Home,
    settings: &Settings,
    gone: &[String],
    lines: &[String],
) -> Result<(), InviteError> {
    if bus_access::read(home).is_err() {
        return Ok(());
    }
    let told = async {
        let bus: Bus = ready::connect(home, settings).await?;
        let said = |error: bus::error::BusError| error.to_string();
        bus.remove_users(gone).await.map_err(said)?;
        bus.set_users(lines).await.map_err(said)
    };
    match timeout(PATIENCE, told).await {
        Ok(done) => done.map_err(InviteError::Redis),
        Err(_) => Err(InviteError::Redis("it does not answer".to_owned())),
    }
}
