//! Frees at once what an agent held that was seen dead, also by a daemon that came after its death.
//! What cannot be freed runs out with its lease.

use super::instance_name;
use super::process::Process;
use bus::connect::Bus;
use config::env::Env;
use config::settings::Settings;
use guard::executor::orphans;
use protocol::ids::Role;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Longest wait for one release.
const PATIENCE: Duration = Duration::from_secs(3);

/// Releases that are owed or on their way.
#[derive(Default)]
pub struct Releases {
    owed: Vec<(Role, u32)>,
    /// What the team calls this host.
    host: String,
    /// The team is another host's: only this host's lanes may be touched.
    guest: bool,
    going: Vec<JoinHandle<()>>,
}

impl Releases {
    /// For the agents of this host.
    pub fn of(settings: &Settings) -> Self {
        Self {
            host: settings.host.clone(),
            guest: settings.joined.is_some(),
            ..Self::default()
        }
    }

    /// An agent is dead.
    pub fn owe(&mut self, role: &Role, pid: u32) {
        self.owed.push((role.clone(), pid));
    }

    /// Sends what is owed, where there is a bus.
    pub fn turn(&mut self, bus: Option<&Bus>) {
        self.going.retain(|release| !release.is_finished());
        if let Some(bus) = bus {
            let owed = self.owed.drain(..);
            let sent = owed.map(|(role, pid)| {
                let instance = instance_name(&role, &self.host, pid);
                let lane = self.guest.then(|| (role, self.host.clone()));
                tokio::spawn(release(bus.clone(), instance, pid, lane))
            });
            self.going.extend(sent);
        }
    }

    /// Some are on their way; nobody is started before they are through.
    pub fn on_their_way(&self) -> bool {
        !self.going.is_empty()
    }

    /// Whether this process has to wait for one: a new one might get the dead one's number, and with
    /// it its name.
    pub fn owes(&self, process: &Process) -> bool {
        matches!(process, Process::Agent(role) if self.owed.iter().any(|(owed, _)| owed == role))
    }

    /// Drops them all.
    pub fn stop(&mut self) {
        self.owed.clear();
        for release in self.going.drain(..) {
            release.abort();
        }
    }
}

/// What it left of its sandboxes is ended first: whoever takes its tasks finds nothing at work.
async fn release(bus: Bus, instance: String, pid: u32, lane: Option<(Role, String)>) {
    let ended = tokio::task::spawn_blocking(move || match orphans_stay() {
        true => 0,
        false => orphans::end(pid),
    });
    let ended = ended.await;
    if let Ok(sandboxes @ 1..) = ended {
        tracing::warn!(
            instance,
            sandboxes,
            "its sandboxes outlived it and were ended"
        );
    }
    let freed = async {
        match lane {
            Some((role, host)) => bus.release_on(&instance, &role, &host).await,
            None => bus.release_holder(&instance).await,
        }
    };
    match timeout(PATIENCE, freed).await {
        Ok(Ok(tasks)) => tracing::info!(instance, tasks = tasks.len(), "its leases were released"),
        Ok(Err(error)) => tracing::warn!(instance, %error, "its leases have to run out"),
        Err(_) => tracing::warn!(instance, "redis is slow; its leases have to run out"),
    }
}

/// A test leaves this guarantee out and must see it missing.
fn orphans_stay() -> bool {
    Env::from_process()
        .faults()
        .is_ok_and(|faults| faults.orphaned_child())
}
