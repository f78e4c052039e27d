//! The managed Redis: is it there and new enough, its files, its start. What it runs with is text
//! in `redis_conf`.

use super::certificates::Certificates;
use super::error::DaemonError;
use super::redis_conf::{self, Parts};
use crate::hosts::roll;
use bus::acl::RolePasswords;
use config::bus_access::{self, BusAccess, BusUser};
use config::home::Home;
use config::settings::Settings;
use protocol::ids::Role;
use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Oldest Redis whose ACL and stream commands the bus needs.
const OLDEST: u32 = 7;

/// The version line of the installed redis-server.
///
/// # Errors
/// When it is missing or too old; the sentence says what to install.
pub fn installed() -> Result<String, DaemonError> {
    let output = Command::new("redis-server")
        .arg("--version")
        .stdin(Stdio::null())
        .output()
        .map_err(missing)?;
    let printed = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    match redis_conf::major_version(&printed) {
        Some(major) if major < OLDEST => Err(DaemonError::RedisTooOld { found: printed }),
        _ => Ok(printed),
    }
}

fn missing(error: std::io::Error) -> DaemonError {
    match error.kind() {
        ErrorKind::NotFound => DaemonError::RedisMissing,
        _ => DaemonError::io("run", Path::new("redis-server"))(error),
    }
}

fn conf_path(home: &Home) -> PathBuf {
    home.redis().join("redis.conf")
}

/// Writes `redis.conf`, its users with new passwords, and `run/bus.json` for the team.
pub fn write_files(home: &Home, settings: &Settings) -> Result<(), DaemonError> {
    let roles: Vec<Role> = settings.agents.iter().map(|a| a.name.clone()).collect();
    let passwords = RolePasswords {
        supervisor: redis_conf::password(),
        daemon: redis_conf::password(),
        agents: roles
            .iter()
            .map(|role| (role.clone(), redis_conf::password()))
            .collect(),
    };
    let users = home.redis().join("users.acl");
    let mut lines = bus::acl::users(&settings.team.name, &passwords, &roles);
    for guest in roll::read(home)?.hosts {
        let (name, roles) = (&guest.name, &guest.roles);
        let team = &settings.team.name;
        lines.extend(bus::acl::host_lines(team, name, roles, &guest.digests));
    }
    write_private(&users, &(lines.join("\n") + "\n"))?;
    let mut text = redis_conf::text(&Parts {
        data: &home.redis(),
        socket: &home.redis_sock(),
        users: &users,
        log: &home.logs().join("redis.log"),
        loopback_port: 0,
        maxmemory_mb: settings.redis.maxmemory_mb,
    });
    if let Some(address) = settings.redis.listen.address {
        let certificates = Certificates::of(home);
        certificates.ensure(address)?;
        let port = settings.redis.listen.port;
        text.push_str(&redis_conf::listening(address, port, &certificates));
    }
    write_private(&conf_path(home), &text)?;
    let url = format!("redis+unix://{}", home.redis_sock().display());
    bus_access::write(home, &BusAccess::new(url, bus_users(&passwords)))?;
    Ok(())
}

fn bus_users(passwords: &RolePasswords) -> BTreeMap<String, BusUser> {
    let agents = passwords
        .agents
        .iter()
        .map(|(role, password)| (format!("agent-{role}"), password));
    [
        ("supervisor".to_owned(), &passwords.supervisor),
        ("daemon".to_owned(), &passwords.daemon),
    ]
    .into_iter()
    .chain(agents)
    .map(|(name, password)| {
        let user = BusUser {
            name: Some(name.clone()),
            password: Some(password.clone()),
        };
        (name, user)
    })
    .collect()
}

/// Puts the users of a host into the file that Redis reads at its next start, in place of those
/// that stood there under the host's name.
pub fn put_users(home: &Home, host: &str, lines: &[String]) -> Result<(), DaemonError> {
    let path = home.redis().join("users.acl");
    let Ok(text) = std::fs::read_to_string(&path) else {
        return Ok(()); // Written as a whole at the first start.
    };
    let its = |line: &&str| {
        let name = line.split(' ').nth(1).unwrap_or_default();
        name.split_once('@').is_some_and(|(_, of)| of == host)
    };
    let mut kept: Vec<&str> = text.lines().filter(|line| !its(line)).collect();
    kept.extend(lines.iter().map(String::as_str));
    write_private(&path, &(kept.join("\n") + "\n"))
}

/// The certificates that may sign the certificate of a Redis of the person's own.
pub fn authorities(settings: &Settings) -> Result<Option<String>, DaemonError> {
    let Some(path) = &settings.redis.ca else {
        return Ok(None);
    };
    std::fs::read_to_string(path)
        .map(Some)
        .map_err(DaemonError::io("read", path))
}

/// The one user of a Redis of the person's own.
pub fn own_user(settings: &Settings) -> BusUser {
    BusUser {
        name: settings.redis.username.clone(),
        password: settings
            .redis
            .password
            .as_ref()
            .map(|password| password.reveal().to_owned()),
    }
}

/// Writes `run/bus.json` for a Redis of the person's own: everybody is the same user there.
pub fn write_external(home: &Home, settings: &Settings, url: &str) -> Result<(), DaemonError> {
    let user = own_user(settings);
    let names = ["supervisor".to_owned(), "daemon".to_owned()].into_iter();
    let agents = settings
        .agents
        .iter()
        .map(|agent| format!("agent-{}", agent.name));
    let users = names
        .chain(agents)
        .map(|name| (name, user.clone()))
        .collect();
    let access = BusAccess::new(url, users).signed_by(authorities(settings)?);
    bus_access::write(home, &access)?;
    Ok(())
}

fn write_private(path: &Path, text: &str) -> Result<(), DaemonError> {
    let unfinished = path.with_extension("new");
    OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(&unfinished)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .and_then(|()| std::fs::rename(&unfinished, path))
        .map_err(DaemonError::io("write", path))
}

/// Starts it. The socket of one that was killed is removed first, so that seeing the socket means
/// seeing the new server.
pub fn spawn(home: &Home, environment: &[(String, String)]) -> Result<Child, DaemonError> {
    let _was_not_there = std::fs::remove_file(home.redis_sock());
    Command::new("redis-server")
        .arg(conf_path(home))
        .env_clear()
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .current_dir(home.redis())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(missing)
}
