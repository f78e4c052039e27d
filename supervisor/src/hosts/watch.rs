//! Looks for the signs of life of other hosts. Once one is lost, its tasks wait for it and say so;
//! once it is seen, they go on from where they stood. Cut off anywhere, the next look does the rest.

use super::fate::{self, Fate};
use super::roll;
use crate::anchor;
use crate::approvals;
use crate::desk::Desk;
use crate::ledger::away::KnownHost;
use crate::ledger::store::LedgerError;
use crate::spoiled;
use bus::connect::Bus;
use bus::error::BusError;
use bus::host::HostWord;
use jiff::{SignedDuration, Timestamp};
use protocol::task::Task;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Between two looks.
const LOOK: Duration = Duration::from_secs(1);
/// How old the time in the ledger may be while a host is there.
const STALE: SignedDuration = SignedDuration::from_secs(60);

#[derive(Debug, thiserror::Error)]
enum LookError {
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error(transparent)]
    Bus(#[from] BusError),
}

/// What this process saw of other hosts: when last, and how far the record of each went.
#[derive(Default)]
struct Sights {
    hosts: BTreeMap<String, Timestamp>,
    records: BTreeMap<String, u64>,
}

/// Watches for ever.
pub async fn keep(desk: &Desk) {
    let mut sights = Sights::default();
    loop {
        let (bus, number) = desk.link.up().await;
        let began = Instant::now();
        loop {
            match look(desk, &bus, began.elapsed(), &mut sights).await {
                Ok(()) => {}
                Err(LookError::Ledger(error)) => desk.note(&error),
                Err(LookError::Bus(error)) => desk.link.noticed(&error),
            }
            tokio::select! {
                () = sleep(LOOK) => {}
                () = desk.link.lost(number) => break,
            }
        }
    }
}

async fn look(
    desk: &Desk,
    bus: &Bus,
    looked: Duration,
    sights: &mut Sights,
) -> Result<(), LookError> {
    let known = desk.ledger.hosts().await?;
    let invited = match roll::read(&desk.home) {
        Ok(roll) => roll.names(),
        Err(error) => {
            tracing::warn!(%error, "the other hosts are not known");
            return Ok(());
        }
    };
    let own = &desk.settings.host;
    let names: BTreeSet<String> = known.iter().map(|host| host.name.clone()).collect();
    let names: BTreeSet<String> = names.into_iter().chain(invited.iter().cloned()).collect();
    let names: Vec<String> = names.into_iter().filter(|name| name != own).collect();
    if names.is_empty() {
        return Ok(());
    }
    let words = bus.host_words(&names).await?;
    let present = bus.present().await?;
    let now = Timestamp::now();
    for (name, word) in names.into_iter().zip(words) {
        let seen = word.is_some() || present.iter().any(|seen| seen.host == name);
        let known = known.iter().find(|known| known.name == name).cloned();
        let mut host = known.unwrap_or_else(|| KnownHost {
            name: name.clone(),
            ..KnownHost::default()
        });
        let lease = Duration::from_millis(desk.settings.team.lease_ms);
        match fate::decide(seen, looked, lease) {
            Fate::Here => {
                let word = word.flatten();
                let record = word.as_ref().and_then(|word| word.record.clone());
                if let Some((seq, hash)) = record {
                    anchor::seen(desk, &name, seq, hash, &mut sights.records).await?;
                }
                let open = word.as_ref().map(|word| word.open.as_slice());
                let over = approvals::over_there(desk, &name, open.unwrap_or_default()).await?;
                if !over.is_empty() {
                    spoiled::spared(bus.say_over(&name, &over).await)?;
                }
                sights.hosts.insert(name, now);
                here(desk, host, word, now).await?;
            }
            Fate::Unsure => {}
            Fate::Lost => {
                host.seen = sights.hosts.get(&name).copied().or(host.seen);
                lost(desk, host, invited.contains(&name), now).await?;
            }
        }
    }
    Ok(())
}

/// A host is there: its tasks wait no more.
async fn here(
    desk: &Desk,
    host: KnownHost,
    word: Option<HostWord>,
    now: Timestamp,
) -> Result<(), LedgerError> {
    let said = fate::back(&host);
    loop {
        let told = desk.ledger.host_is_back(&host.name, &said, now).await?;
        if told.is_empty() {
            break;
        }
        desk.hub.tell(told);
    }
    let roles = word.map(|word| word.roles).or_else(|| host.roles.clone());
    let fresh = host
        .seen
        .is_some_and(|seen| now.duration_since(seen) < STALE);
    if fresh && host.lost.is_none() && host.roles == roles {
        return Ok(());
    }
    if host.lost.is_some() || host.seen.is_none() {
        tracing::info!(host = host.name, "{said}");
        desk.hub.say(said);
    }
    let host = KnownHost {
        seen: Some(now),
        lost: None,
        roles,
        ..host
    };
    desk.ledger.keep_host(&host).await
}

/// A host is lost: its tasks wait for it.
async fn lost(
    desk: &Desk,
    mut host: KnownHost,
    invited: bool,
    now: Timestamp,
) -> Result<(), LedgerError> {
    let said = fate::sentence(&host, invited, now);
    if host.lost.is_none() {
        host.lost = Some(now);
        desk.ledger.keep_host(&host).await?;
        tracing::warn!(host = host.name, "{said}");
        // One that never joined is no news.
        if host.seen.is_some() {
            desk.hub.say(said.clone());
        }
    }
    loop {
        let told = desk.ledger.wait_for_host(&host.name, &said, now).await?;
        if told.is_empty() {
            return Ok(());
        }
        desk.hub.tell(told);
    }
}

/// Whether the host of a task was put out of the team.
pub fn is_out(desk: &Desk, task: &Task) -> bool {
    let other = crate::intake::hosts::other(desk, task);
    other.is_some_and(|name| roll::read(&desk.home).is_ok_and(|roll| roll.find(name).is_none()))
}

/// What is said about the host of a task, where that is lost.
///
/// # Errors
/// When the ledger does not answer.
pub async fn about(desk: &Desk, task: &Task) -> Result<Option<String>, LedgerError> {
    let lost = lost_host(desk, task).await?;
    let said = |host| fate::sentence(&host, !is_out(desk, task), Timestamp::now());
    Ok(lost.map(said))
}

/// The same in a few words, to stand behind the host's name.
///
/// # Errors
/// When the ledger does not answer.
pub async fn absence(desk: &Desk, task: &Task) -> Result<Option<String>, LedgerError> {
    let lost = lost_host(desk, task).await?;
    let said = |host| fate::absence(&host, !is_out(desk, task), Timestamp::now());
    Ok(lost.map(said))
}

async fn lost_host(desk: &Desk, task: &Task) -> Result<Option<KnownHost>, LedgerError> {
    let Some(name) = crate::intake::hosts::other(desk, task) else {
        return Ok(None);
    };
    let host = desk.ledger.host(name).await?;
    Ok(host.lost.is_some().then_some(host))
}
