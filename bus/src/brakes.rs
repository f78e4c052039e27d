//! The brakes: a frozen team claims nothing and stops what runs, a paused role begins nothing. The
//! keys here are what claims and renewals look at; the truth is the ledger's, and the supervisor
//! sets them again whenever Redis may have forgotten them.

use crate::connect::{Again, Bus, Call};
use crate::error::BusError;
use crate::keys::WORK_GROUP;
use crate::place::SPOILT;
use crate::scripts;
use crate::spoiled::Kind;
use protocol::envelope::{Envelope, MessageType};
use protocol::ids::{Epoch, Role, TaskId};

/// The action of the hint that the brakes changed.
pub const BRAKES: &str = "brakes";

/// What pausing a task met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paused {
    /// Nobody held it; it is out of its queue, parked under this epoch.
    Parked(Epoch),
    /// Its holder hears of it and parks it.
    Told,
    /// It is not in a queue and nobody holds it.
    Unknown,
}

impl Bus {
    /// Makes the brakes what the ledger says: `frozen` tells who froze the team and when, `roles`
    /// is every role of the team and whether it is paused. Idle agents of what is let go wake.
    pub async fn set_brakes(
        &self,
        frozen: Option<&str>,
        roles: &[(Role, bool)],
    ) -> Result<(), BusError> {
        match self.brakes(frozen, roles).await {
            Err(error) if error.is_wrong_type() => {}
            said => return said,
        }
        // The keys of one role must not keep the others from stopping.
        for one in roles {
            let role = &one.0;
            match self.brake(frozen, one).await {
                // The brake is set by then.
                Err(error) if error.is_wrong_type() => {
                    tracing::warn!(%role, %error, "its agents are not woken");
                }
                said => said?,
            }
        }
        Ok(())
    }

    /// The brakes of one role, and its idle agents woken where it is not paused.
    async fn brake(&self, frozen: Option<&str>, one: &(Role, bool)) -> Result<(), BusError> {
        let wake = self.keys().wake(&one.0);
        self.clear(&wake, Kind::Stream).await?;
        self.brakes(frozen, std::slice::from_ref(one)).await?;
        if one.1 {
            return Ok(());
        }
        let mut rouse = redis::cmd("XADD");
        rouse.arg(&wake).arg("MAXLEN").arg(1).arg("*");
        rouse.arg("w").arg("1");
        self.query::<String>(&rouse, Again::Yes).await.map(drop)
    }

    async fn brakes(&self, frozen: Option<&str>, roles: &[(Role, bool)]) -> Result<(), BusError> {
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

    /// Pauses one task, or (`paused` false) no longer tells its holder to. Saying it twice is fine.
    pub async fn pause(&self, task: TaskId, paused: bool) -> Result<Paused, BusError> {
        let Some((role, places)) = self.places_of(task).await? else {
            return Ok(Paused::Unknown);
        };
        let call = Call::on([self.keys().task(&role, task)])
            .arg(task)
            .arg(WORK_GROUP)
            .arg(u8::from(paused))
            .and(places);
        let said: Vec<String> = self.run(&scripts::PAUSE, &call, Again::Yes).await?;
        if said.get(2).is_some_and(|word| word == SPOILT) {
            self.was_spoilt(&role, task);
        }
        let epoch = said.get(1).and_then(|epoch| epoch.parse().ok());
        Ok(match (said.first().map(String::as_str), epoch) {
            (Some("parked"), Some(epoch)) => Paused::Parked(Epoch(epoch)),
            (Some("told"), _) => Paused::Told,
            _ => Paused::Unknown,
        })
    }

    /// Whether the team is frozen.
    pub async fn is_frozen(&self) -> Result<bool, BusError> {
        let key = self.keys().frozen();
        self.query(redis::cmd("EXISTS").arg(key), Again::Yes).await
    }

    /// Makes every holder look at its lease now. A hint that is lost costs the time to the next
    /// renewal.
    pub async fn hint_brakes(&self) -> Result<(), BusError> {
        let mut hint = Envelope::new(self.team(), MessageType::Control, "supervisor", "*");
        hint.payload.action = BRAKES.to_owned();
        self.broadcast(&hint).await
    }
}
