//! Opening an inbox: whose work it hands out, and on which lanes.

use super::{Claimer, Inbox, serve};
use crate::connect::{Again, Bus};
use crate::error::BusError;
use crate::keys;
use protocol::ids::Role;
use std::collections::VecDeque;
use tokio::sync::mpsc;

impl Inbox {
    /// Opens an inbox for the agent `instance` of `role` on `host`, with its own connection for
    /// waiting. Fails when Redis does not answer or a name cannot be part of a key.
    pub async fn open(
        bus: &Bus,
        role: &Role,
        host: &str,
        instance: &str,
    ) -> Result<Self, BusError> {
        let any = keys::lane(role, None);
        Self::on(bus, role, host, instance, Some(any)).await
    }

    /// The same for an agent that does nothing but its own host's work.
    pub async fn open_here(
        bus: &Bus,
        role: &Role,
        host: &str,
        instance: &str,
    ) -> Result<Self, BusError> {
        Self::on(bus, role, host, instance, None).await
    }

    async fn on(
        bus: &Bus,
        role: &Role,
        host: &str,
        instance: &str,
        also: Option<String>,
    ) -> Result<Self, BusError> {
        if !keys::is_host(host) {
            return Err(BusError::Refused(format!(
                "`{}` is not a host name",
                host.escape_debug()
            )));
        }
        let own = std::iter::once(keys::lane(role, Some(host)));
        let lanes: Vec<String> = own.chain(also).collect();
        let mut known = redis::cmd("SADD");
        known.arg(bus.keys().lanes()).arg(&lanes);
        bus.query::<i64>(&known, Again::Yes).await?;
        let claimer = Claimer::new(bus, role, lanes, instance);
        let (wants, wanted) = mpsc::channel(1);
        let (found, rounds) = mpsc::channel(1);
        tokio::spawn(serve(claimer, wanted, found));
        Ok(Self {
            bus: bus.clone(),
            wants,
            rounds,
            asked: false,
            ready: VecDeque::new(),
        })
    }
}
