//! What the warden does about bounds of the hour, and of the size of duties: it reads the rules itself, now.

use super::Office;
use crate::operations::judge::{duty_of, is_duty};
use crate::tickets::ticket::Wanted;
use crate::wire::Reply;
use config::operations::{Rules, rules};
use jiff::Timestamp;
use protocol::approval::Rule;

impl Office {
    /// Whether an act is within its kind's bound; counts it where it is and is done next.
    pub(super) fn hour(&self, wanted: &Wanted, count: bool) -> Result<Reply, String> {
        if is_duty(&wanted.action) {
            duty_of(wanted, self.walls)?;
        }
        let above = self.above_hour(wanted, Timestamp::now())?;
        if count && above.is_none() {
            self.counted(wanted)?;
        }
        Ok(Reply::Hour { above })
    }

    /// Why one more act of this kind is more than the hour's bound, and what is done about it.
    pub(super) fn above_hour(
        &self,
        wanted: &Wanted,
        now: Timestamp,
    ) -> Result<Option<(Rule, String)>, String> {
        let kind = &wanted.kind;
        let Some(most) = self.rules(wanted)?.acts.at_most(kind) else {
            return Ok(None);
        };
        let Some(bound) = most.per_hour else {
            return Ok(None);
        };
        let digest = wanted.digest(&self.host);
        let others = self.hours.borrow().others(kind, &digest, now);
        Ok((others >= bound).then(|| {
            let why = format!(
                "{others} within the hour already, and `permissions.at_most.{kind}.per_hour` says {bound}"
            );
            (most.above, why)
        }))
    }

    /// Why leave is asked for an act although its kind is allowed, or a person said yes to the kind for the task: its size, or
    /// how many there were. Looked at here: a yes to a kind must hold within the rules whatever whoever asks says.
    ///
    /// # Errors
    /// Where the rules deny it for that, or cannot be read.
    pub(super) fn above(&self, wanted: &Wanted, now: Timestamp) -> Result<Option<String>, String> {
        let by_size = match is_duty(&wanted.action) {
            false => None,
            true => {
                let (duty, _) = duty_of(wanted, self.walls)?;
                let acts = self.rules(wanted)?.acts;
                duty.kind().and_then(|kind| acts.above(kind, duty.count()))
            }
        };
        let above = match by_size {
            Some(above) => Some(above),
            None => self.above_hour(wanted, now)?,
        };
        match above {
            Some((Rule::Deny, why)) => Err(why),
            above => Ok(above.map(|(_, why)| why)),
        }
    }

    /// What the rules say now about whoever asks.
    pub(super) fn rules(&self, wanted: &Wanted) -> Result<Rules, String> {
        let role = wanted.agent.parse();
        let role = role.map_err(|_| "that is no agent".to_owned())?;
        rules(&self.home, &role).map_err(|error| error.to_string())
    }

    /// Counts an act that is done next, where the rules bound its kind by the hour: what nobody counts fills no file. Where the
    /// rules cannot be read now, it may be one.
    pub(super) fn counted(&self, wanted: &Wanted) -> Result<(), String> {
        let bound = self.rules(wanted).map(|rules| {
            let most = rules.acts.at_most(&wanted.kind);
            most.and_then(|most| most.per_hour)
        });
        if bound == Ok(None) {
            return Ok(());
        }
        let bound = bound.ok().flatten();
        let digest = wanted.digest(&self.host);
        let mut hours = self.hours.borrow_mut();
        let now = Timestamp::now();
        hours.count(&wanted.kind, &digest, &wanted.task, bound, now)
    }
}
