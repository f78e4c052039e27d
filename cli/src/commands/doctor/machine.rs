//! The machine around the team: limits of its processes, language and time zone, the port for other
//! hosts.

use super::members::Members;
use super::{Finding, How, finding};
use config::env::Env;
use config::settings::Settings;
use guard::sandbox::cgroup::{self, Place};
use nix::sys::resource::{Resource, getrlimit};
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};

/// Fewest files a process of the team must be able to open, and fewest that are plenty.
const FILES: (u64, u64) = (256, 1024);

/// Everything about the machine.
pub fn look(env: &Env, settings: Option<&Settings>, members: &Members) -> Vec<Finding> {
    let mut findings = Vec::new();
    let soft = getrlimit(Resource::RLIMIT_NOFILE).map(|(soft, _)| soft);
    findings.extend(soft.ok().and_then(files));
    findings.push(bounds(&cgroup::place_of(
        members.daemon.unwrap_or_else(std::process::id),
    )));
    findings.push(agents(
        nix::unistd::geteuid().is_root(),
        guard::executor::landlock::available().is_ok(),
    ));
    findings.extend(locale(env));
    findings.extend(time_zone(env));
    let listen = settings.map(|settings| &settings.redis.listen);
    if let Some((address, port)) = listen.and_then(|l| Some((l.address?, l.port)))
        && !members.redis
    {
        let at = SocketAddr::new(address, port);
        findings.extend(
            TcpListener::bind(at)
                .err()
                .map(|error| port_taken(at, &error)),
        );
    }
    findings
}

fn files(soft: u64) -> Option<Finding> {
    let how = match soft {
        _ if soft < FILES.0 => How::Bad,
        _ if soft < FILES.1 => How::Odd,
        _ => return None,
    };
    let seen = format!(
        "a process may open {soft} files; the team wants {}",
        FILES.1
    );
    Some(finding(
        "limits",
        how,
        seen,
        &format!("ulimit -n {}", FILES.1),
    ))
}

/// What the bounds of a sandbox hold over.
fn bounds(place: &Place) -> Finding {
    let how = match place {
        Place::Nowhere(_) => How::Odd,
        _ => How::Good,
    };
    finding("bounds", how, format!("hold over {}", place.said()), "")
}

/// What stands around an agent's own process.
fn agents(root: bool, landlock: bool) -> Finding {
    let (how, seen) = match (landlock, root) {
        (false, _) => (
            How::Bad,
            "cannot start: without Landlock they are not walled in",
        ),
        (true, true) => (
            How::Good,
            "each is a user of its own without rights; it opens no file of the home and runs no program",
        ),
        (true, false) => (
            How::Good,
            "share your user; Landlock keeps each from your files, your programs and your processes, not from your sockets",
        ),
    };
    finding("agents", how, seen, "")
}

/// The language that programs take their letters from.
fn locale(env: &Env) -> Option<Finding> {
    let set = ["LC_ALL", "LC_CTYPE", "LANG"]
        .into_iter()
        .find_map(|name| Some((name, env.get(name)?)));
    let (name, value) = set.unwrap_or(("LANG", ""));
    let plain = value.to_ascii_lowercase().replace('-', "");
    if plain.contains("utf8") {
        return None;
    }
    let seen = match value {
        "" => "no language is set, so tmux and other programs show ✓ and … wrong".to_owned(),
        value => format!("{name}={value} is not UTF-8: tmux and other programs show ✓ and … wrong"),
    };
    let next = format!("export {name}=C.UTF-8");
    Some(finding("locale", How::Odd, seen, &next))
}

/// The time zone that times are shown in and `--at` is read in.
fn time_zone(env: &Env) -> Option<Finding> {
    if let Some(name) = env.get("TZ") {
        let bare = name.trim_start_matches(':');
        let known = bare.starts_with('/')
            || jiff::tz::TimeZone::get(bare).is_ok()
            || jiff::tz::TimeZone::posix(bare).is_ok();
        return (!known).then(|| {
            let seen = format!("TZ={name} is no time zone: times would be read and shown as UTC");
            finding(
                "time zone",
                How::Bad,
                seen,
                "unset TZ   (or: export TZ=UTC)",
            )
        });
    }
    let error = jiff::tz::TimeZone::try_system().err()?;
    let seen = format!("it cannot be read, so times are shown as UTC: {error}");
    let next = "timedatectl set-timezone UTC   (or the name of yours: timedatectl list-timezones)";
    Some(finding("time zone", How::Odd, seen, next))
}

fn port_taken(at: SocketAddr, error: &std::io::Error) -> Finding {
    let (seen, next) = match error.kind() {
        ErrorKind::AddrInUse => (
            format!("{at} (redis.listen) is taken by another program"),
            format!(
                "ss -ltnp 'sport = :{}'   shows which; or set another redis.listen.port",
                at.port()
            ),
        ),
        ErrorKind::AddrNotAvailable => (
            format!(
                "{} (redis.listen.address) is no address of this host",
                at.ip()
            ),
            "ip -brief address   shows those there are".to_owned(),
        ),
        _ => (
            format!("{at} (redis.listen) cannot be used: {error}"),
            String::new(),
        ),
    };
    finding("port", How::Bad, seen, &next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_languages_and_zones() {
        for (soft, expected) in [(64, Some(How::Bad)), (512, Some(How::Odd)), (1024, None)] {
            assert_eq!(files(soft).map(|f| f.how), expected, "{soft}");
        }
        for (pairs, odd) in [
            (vec![("LANG", "C.UTF-8")], false),
            (vec![("LANG", "de_DE.utf8")], false),
            (vec![("LANG", "C.UTF-8"), ("LC_ALL", "C")], true),
            (vec![("LANG", "POSIX")], true),
            (vec![], true),
        ] {
            assert_eq!(
                locale(&Env::from_pairs(pairs.clone())).is_some(),
                odd,
                "{pairs:?}"
            );
        }
        for (zone, bad) in [
            ("Europe/Berlin", false),
            ("UTC", false),
            (":Europe/Berlin", false),
            ("CET-1CEST,M3.5.0,M10.5.0/3", false),
            ("Nowhere/Nothing", true),
        ] {
            let env = Env::from_pairs([("TZ", zone)]);
            assert_eq!(time_zone(&env).is_some(), bad, "{zone}");
        }
    }
}
