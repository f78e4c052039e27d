//! One claim without an inbox, for the model check: what a claimer remembers between two claims is
//! handed in and out, so that it can be part of a state.

use super::{Claimer, Delivery};
use crate::connect::Bus;
use crate::error::BusError;
use crate::keys;
use protocol::ids::Role;
use uuid::Uuid;

/// What a claimer remembers between two claims.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Memory {
    /// Whose tickets they are.
    pub id: Uuid,
    /// How many tickets were drawn.
    pub tickets: u64,
    /// Tickets of claims whose answers did not arrive.
    pub lost: Vec<String>,
}

/// Claims once, without waiting.
///
/// # Errors
/// As [`super::Inbox::try_next`].
pub async fn claim_once(
    bus: &Bus,
    role: &Role,
    host: &str,
    instance: &str,
    memory: &mut Memory,
) -> Result<Option<Delivery>, BusError> {
    let lanes = vec![keys::lane(role, Some(host)), keys::lane(role, None)];
    let mut claimer = Claimer::new(bus, role, lanes, instance);
    claimer.id = memory.id;
    claimer.tickets = memory.tickets;
    claimer.lost = std::mem::take(&mut memory.lost);
    let round = claimer.claim(1).await;
    memory.tickets = claimer.tickets;
    memory.lost = claimer.lost;
    Ok(round?.pop())
}
