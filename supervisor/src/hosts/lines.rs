//! The other hosts as people read them.

use super::roll::{self, Guest};
use crate::desk::Desk;
use crate::ledger::away::KnownHost;
use crate::ledger::store::LedgerError;
use bus::presence::Presence;
use protocol::document::HostLine;

/// Those that were invited, and those that were put out while tasks wait for them, by name.
///
/// # Errors
/// When the ledger does not answer.
pub async fn all(desk: &Desk, present: &[Presence]) -> Result<Vec<HostLine>, LedgerError> {
    let roll = roll::read(&desk.home).unwrap_or_default();
    let known = desk.ledger.hosts().await?;
    let mut lines = Vec::new();
    for host in &known {
        let waiting = desk.ledger.waiting_for(&host.name).await?;
        let out = roll.find(&host.name).is_none() && host.name != desk.settings.host;
        if out && waiting > 0 {
            lines.push(HostLine {
                name: host.name.clone(),
                state: "out".to_owned(),
                since: host.seen,
                waiting,
                ..HostLine::default()
            });
        }
    }
    for guest in &roll.hosts {
        let known = known.iter().find(|host| host.name == guest.name);
        let waiting = desk.ledger.waiting_for(&guest.name).await?;
        lines.push(line(guest, known, waiting, present));
    }
    lines.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(lines)
}

/// One that was invited, and who was seen there.
fn line(guest: &Guest, known: Option<&KnownHost>, waiting: u64, present: &[Presence]) -> HostLine {
    let there = present.iter().filter(|seen| seen.host == guest.name);
    let mut seen: Vec<_> = there.map(|seen| seen.role.clone()).collect();
    seen.dedup();
    let since = known.filter(|host| host.lost.is_some());
    let since = since.and_then(|host| host.seen);
    let state = match (seen.is_empty(), since) {
        (false, _) => "up",
        (true, Some(_)) => "lost",
        (true, None) => "not seen",
    };
    HostLine {
        name: guest.name.clone(),
        state: state.to_owned(),
        roles: guest.roles.clone(),
        since: since.filter(|_| state == "lost"),
        seen,
        waiting,
    }
}
