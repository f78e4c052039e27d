//! The end of a held task: result, acknowledgement and lease in one step, for one task or
//! for several in one call.

use crate::connect::{Again, Bus, Call};
use crate::error::BusError;
use crate::keys::WORK_GROUP;
use crate::lease::Lease;
use crate::scripts;
use protocol::envelope::Envelope;

/// Most tasks of one call; more are sent as several.
const BATCH: usize = 64;

impl Bus {
    /// Ends a task. The same call again under the same epoch is fine; an older epoch is
    /// [`BusError::Fenced`].
    pub async fn finish(&self, lease: &Lease, envelope: &Envelope) -> Result<(), BusError> {
        let said = self.finish_many(&[(lease, envelope)]).await?;
        said.into_iter().next().unwrap_or_else(|| {
            Err(BusError::Redis(
                "the finish script did not answer".to_owned(),
            ))
        })
    }

    /// Ends several tasks, each as [`finish`](Self::finish) does; one answer for each. When the call
    /// fails as a whole, some may have ended: the same call again is fine.
    pub async fn finish_many(
        &self,
        ends: &[(&Lease, &Envelope)],
    ) -> Result<Vec<Result<(), BusError>>, BusError> {
        let mut said = Vec::with_capacity(ends.len());
        for ends in ends.chunks(BATCH) {
            let names = self.keys();
            let mut call = Call::default().arg(WORK_GROUP);
            for (lease, envelope) in ends {
                call = call
                    .key(names.task(&lease.role, lease.task))
                    .key(names.lease(&lease.lane))
                    .key(names.out(&lease.role))
                    .arg(lease.epoch.0)
                    .arg(lease.task)
                    .bytes(envelope.to_bytes()?);
            }
            let words: Vec<String> = self.run(&scripts::FINISH, &call, Again::Yes).await?;
            let ends = ends.iter().zip(&words);
            said.extend(ends.map(|((lease, _), word)| self.settled(lease, word)));
        }
        Ok(said)
    }
}
