//! The hands of the warden: a process that is started for one duty and ends with it. It knows no secret, no
//! Redis, no ledger and no ticket; it is told a duty in typed fields over its own pipe by the warden, which
//! has judged it, and answers what came of it. What it starts are the programs of `program`, by fixed
//! paths, with arguments built of parsed fields and without a shell, and (`run`) the one program that a person said yes to.
//!
//! `able` says what of it can be done here at all, `service` is systemd, `site` nginx, `acme` certbot, `file` other files, `place` the folder of each, `keep` the files kept before a change, `packages`
//! apt, `containers` the engine's API. `alone` lets one change happen at a time, `halt` hears the word to stop, `begun` tells
//! what failed in the middle from what was not done; `signature` says whose a signature is.

pub mod able;
mod acme;
mod alone;
mod begun;
mod certificate;
mod containers;
mod diff;
mod file;
mod halt;
mod keep;
mod packages;
mod place;
mod program;
mod run;
mod service;
mod signature;
mod site;

use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;
use protocol::duty::Duty;
use protocol::duty::order::{End, ORDER_BYTES, ORDER_VERSION, Order, Outcome, Signed, Wish};
use sha2::{Digest, Sha256};
use std::io::{Read, Write};

/// Why a duty is not done: one sentence. Nothing was changed, unless it was `begun`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refused(String);

impl From<String> for Refused {
    fn from(why: String) -> Self {
        Self(why)
    }
}

impl From<&str> for Refused {
    fn from(why: &str) -> Self {
        Self(why.to_owned())
    }
}

/// Reads one order from the standard input, carries it out, writes what came of it.
///
/// # Errors
/// When nobody can be answered.
pub async fn serve() -> std::io::Result<()> {
    // Whoever ordered it settles it when this process ends in the middle, also with its own end.
    halt::listen()?;
    let _not_without_it = set_pdeathsig(Signal::SIGTERM);
    let mut text = Vec::new();
    std::io::stdin()
        .take(ORDER_BYTES as u64)
        .read_to_end(&mut text)?;
    halt::hear().await;
    if let Ok(signed) = serde_json::from_slice::<Signed>(&text)
        && signed.v == ORDER_VERSION
    {
        return said(&signature::verified(&signed).await);
    }
    let outcome = match serde_json::from_slice::<Order>(&text) {
        Ok(order) if order.v == ORDER_VERSION => carry_out(&order).await,
        Ok(_) => Outcome::not("the order is of another version: ai-infra restart"),
        Err(error) => Outcome::not(format!("that is no order: {error}")),
    };
    said(&outcome)
}

fn said(outcome: &Outcome) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    serde_json::to_writer(&mut out, outcome)?;
    out.flush()
}

/// Carries an order out.
pub async fn carry_out(order: &Order) -> Outcome {
    // The warden asked the same; whoever reaches this process otherwise gets no more than is granted.
    if let Err(why) = order.terms.allow(&order.duty) {
        return Outcome::not(why);
    }
    let changes = order.wish != Wish::Look && order.duty.kind().is_some();
    let alone = match changes {
        false => None,
        true => {
            match alone::alone(&order.kept, !matches!(order.duty, Duty::HostRun { .. })).await {
                Ok(alone) => Some(alone),
                // What was begun before is not known to have ended.
                Err(why) => return begun::end(order.wish, false, why),
            }
        }
    };
    // What was begun is settled all the same, each step of it hears the word by itself.
    if changes
        && order.wish == Wish::Make
        && let Err(why) = halt::check()
    {
        return begun::end(order.wish, false, why);
    }
    let (done, far) = begun::noted(done(order)).await;
    if let Some(alone) = alone {
        alone::ended(alone, far.goes_on);
    }
    done.unwrap_or_else(|why| begun::end(order.wish, far.begun, why))
}

async fn done(order: &Order) -> Result<Outcome, Refused> {
    match &order.duty {
        Duty::Service { unit, verb } => service::change(order, unit, *verb).await,
        Duty::ServiceStatus { unit } => service::status(unit).await,
        Duty::PutSite { name, site, over } => site::put(order, name, site, *over).await,
        Duty::RemoveSite { name, over } => site::remove(order, name, *over).await,
        Duty::SiteStatus { name } => site::status(order, name).await,
        Duty::KeptFiles => keep::list(order),
        Duty::Certificates => site::certify::list(order).await,
        Duty::CertifySite { name } => site::certify::certify(order, name, false).await,
        Duty::RenewCertificate { name } => site::certify::certify(order, name, true).await,
        Duty::HostFile { path } => file::show(order, path),
        Duty::PutFile { path, text } => file::put(order, path, text),
        Duty::RestoreFile { kept, over } if file::is_granted(order, kept) => {
            file::restore(order, kept, *over)
        }
        Duty::RestoreFile { kept, over } => site::restore(order, kept, *over).await,
        Duty::SecurityUpdates => packages::waiting(order).await,
        Duty::InstalledPackages { packages } => packages::versions(order, packages).await,
        Duty::InstallUpdates { packages } => packages::install(order, packages).await,
        Duty::Containers => containers::list(order).await,
        Duty::ContainerLogs { name, lines } => containers::logs(order, name, *lines).await,
        Duty::Container { name, verb } => containers::change(order, name, *verb).await,
        Duty::PullImage { image } => containers::pull(order, image).await,
        Duty::HostRun { run } => run::run(order, run).await,
    }
}

/// Root, or the sentence that says who is.
fn needs_root(what: &str) -> Result<(), Refused> {
    match nix::unistd::geteuid().is_root() {
        true => Ok(()),
        false => Err(format!(
            "{what} is root's alone, and this install belongs to uid {}: nothing was done. An install of root's own does it (docs/operations.md)",
            nix::unistd::geteuid()
        )
        .into()),
    }
}

/// Lower-case hex SHA-256.
fn digest(bytes: &[u8]) -> String {
    let hash = Sha256::digest(bytes);
    hash.iter().map(|b| format!("{b:02x}")).collect()
}

/// Whether the world is still as it was when leave was asked for.
fn unchanged(order: &Order, now: &serde_json::Value) -> Result<(), Refused> {
    let then = &order.before["bound"];
    match order.wish {
        Wish::Look => Ok(()),
        _ if then == &now["bound"] => Ok(()),
        Wish::Make => Err(
            "what it is about changed since leave was asked for: nothing was done; ask again"
                .into(),
        ),
        Wish::Settle => Err("what it is about changed since it was begun".into()),
    }
}

/// An end that is not what was wanted, put in words.
fn failed(text: impl Into<String>, data: serde_json::Value) -> Outcome {
    Outcome::of(End::Failed, text, data)
}
