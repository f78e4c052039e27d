//! Whether another host is there, and what is said about one that is not. Pure.

use crate::ledger::away::KnownHost;
use jiff::Timestamp;
use std::time::Duration;

/// Shortest time that must have been looked before a host is lost, however short the lease is.
const SHORTEST: Duration = Duration::from_secs(5);

/// What is to be thought of a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It gave a sign of life.
    Here,
    /// It gave none, and was not looked for long enough: the bus was away itself, or the supervisor.
    Unsure,
    /// It gave none for so long that whatever ran there has lost its lease.
    Lost,
}

/// Decides it. A sign of life stands for three lease times, and so long must have been looked
/// without a break: after an outage everybody needs a moment to be heard again.
pub fn decide(seen: bool, looked: Duration, lease: Duration) -> Fate {
    match seen {
        true => Fate::Here,
        false if looked >= (lease * 3).max(SHORTEST) => Fate::Lost,
        false => Fate::Unsure,
    }
}

/// What a lost host has done, to stand behind its name.
pub fn absence(host: &KnownHost, invited: bool, now: Timestamp) -> String {
    match host.seen {
        _ if !invited => "was put out of the team".to_owned(),
        Some(seen) => format!("has not been seen since {}", clock(seen, now)),
        None => "has not joined yet".to_owned(),
    }
}

/// What is said about a host that is lost.
pub fn sentence(host: &KnownHost, invited: bool, now: Timestamp) -> String {
    let name = &host.name;
    let tail = match host.seen {
        _ if !invited => ": invite it again, or cancel them".to_owned(),
        Some(_) => ", nothing is moved".to_owned(),
        None => format!(" (there: ai-infra up --join {name}.invitation)"),
    };
    let absence = absence(host, invited, now);
    format!("host {name} {absence}; its tasks wait for it{tail}")
}

/// What is said once it is there again.
pub fn back(host: &KnownHost) -> String {
    match host.seen {
        Some(_) => format!("host {} is back", host.name),
        None => format!("host {} has joined", host.name),
    }
}

/// `12:03 UTC`, with the day where it is another one.
fn clock(at: Timestamp, now: Timestamp) -> String {
    let day = |at: Timestamp| at.strftime("%Y-%m-%d").to_string();
    match day(at) == day(now) {
        true => at.strftime("%H:%M UTC").to_string(),
        false => at.strftime("%Y-%m-%d %H:%M UTC").to_string(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_host_is_lost_only_after_a_long_look() {
        let lease = Duration::from_secs(10);
        for (seen, looked, lease, expected) in [
            (true, 0, lease, Fate::Here),
            (true, 999, lease, Fate::Here),
            (false, 0, lease, Fate::Unsure),
            (false, 29, lease, Fate::Unsure),
            (false, 30, lease, Fate::Lost),
            (false, 4, Duration::from_millis(300), Fate::Unsure),
            (false, 5, Duration::from_millis(300), Fate::Lost),
        ] {
            let looked = Duration::from_secs(looked);
            assert_eq!(decide(seen, looked, lease), expected, "{seen} {looked:?}");
        }
    }

    #[test]
    fn what_is_said_names_the_host_the_time_and_the_next_step() {
        let now = "2026-11-21T13:00:00Z".parse().unwrap();
        let said = |seen: Option<&str>, invited| {
            let host = KnownHost {
                name: "web2".to_owned(),
                seen: seen.map(|at| at.parse().unwrap()),
                ..KnownHost::default()
            };
            sentence(&host, invited, now)
        };
        for (seen, invited, part) in [
            (
                Some("2026-11-21T12:03:59Z"),
                true,
                "not been seen since 12:03 UTC;",
            ),
            (
                Some("2026-11-20T12:03:59Z"),
                true,
                "since 2026-11-20 12:03 UTC;",
            ),
            (None, true, "has not joined yet"),
            (None, false, "put out"),
            (
                Some("2026-11-21T12:03:59Z"),
                false,
                "invite it again, or cancel",
            ),
        ] {
            let said = said(seen, invited);
            assert!(
                said.starts_with("host web2 ") && said.contains(part),
                "{said}"
            );
        }
    }
}
