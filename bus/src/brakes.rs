//! The brakes: a frozen team claims nothing and stops what runs, a paused role begins nothing. The
//! keys here are what claims and renewals look at; the truth is the ledger's, and the supervisor
//! sets them again whenever Redis may have forgotten them.

use crate::connect::{Again, Bus, Call};
use crate::error::BusError;
use crate::scripts;
use protocol::envelope::{Envelope, MessageType};
use protocol::ids::Role;

/// The action of the hint that the brakes changed.
pub const BRAKES: &str = "brakes";

impl Bus {
    /// Makes the brakes what the ledger says: `frozen` tells who froze the team and when, `roles`
    /// is every role of the team and whether it is paused. Idle agents of what is let go wake.
    pub async fn set_brakes(
        &self,
        frozen: Option<&str>,
        roles: &[(Role, bool)],
    ) -> Result<(), BusError> {
        let names = self.keys();
        let mut call = Call::on([names.frozen()]).arg(frozen.unwrap_or_default());
        for (role, paused) in roles {
            call = call
                .arg(names.paused(role))
                .arg(names.wake(role))
                .arg(u8::from(*paused));
        }
        self.run::<i64>(&scripts::BRAKES, &call, Again::Yes)
            .await
            .map(drop)
    }

    /// Makes every holder look at its lease now. A hint that is lost costs the time to the next
    /// renewal.
    pub async fn hint_brakes(&self) -> Result<(), BusError> {
        let mut hint = Envelope::new(self.team(), MessageType::Control, "supervisor", "*");
        hint.payload.action = BRAKES.to_owned();
        self.broadcast(&hint).await
    }
}
