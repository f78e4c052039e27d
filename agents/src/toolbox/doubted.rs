//! Calls that the warden makes, and calls of which nobody knows what became.

use super::ended::InHand;
use super::{Toolbox, in_doubt};
use crate::call_line::refusal;
use crate::doubt;
use crate::steps::Steps;
use crate::stop::Stop;
use guard::act::Act;
use guard::executor::Outcome;
use guard::gate::Leave;
use protocol::question::Known;
use protocol::tool::{ToolAnswer, ToolCall};

impl Toolbox {
    /// Has the warden do a duty. It does a key once, so a task that is begun anew asks again and is told the end.
    pub(super) async fn by_the_warden(
        &mut self,
        steps: &mut Steps,
        step: &str,
        call: &ToolCall,
        act: &Act,
        leave: Leave,
    ) -> Result<ToolAnswer, Stop> {
        self.sandboxes.hold.surely().await?;
        self.in_hand = InHand::of(step, call, act);
        let made = self.witness.carry_out(step, act, leave).await;
        self.in_hand = None;
        match made {
            Ok(outcome) if in_doubt(act, &outcome) => self.doubted(steps, step, call, act, outcome),
            Ok(outcome) => Ok(self.answer(call, outcome)),
            Err(why) => Ok(refusal(call, &format!("refused: {why}"))),
        }
    }

    /// The question about a call that was made and of which nobody knows what became.
    pub(super) fn doubted(
        &self,
        steps: &mut Steps,
        step: &str,
        call: &ToolCall,
        act: &Act,
        outcome: Outcome,
    ) -> Result<ToolAnswer, Stop> {
        let Some(begun) = steps.interrupted(step)? else {
            return Ok(self.answer(call, outcome));
        };
        let holder = steps.holder(begun.epoch);
        let mut asked = doubt::question(step, act, &begun, holder, None, &self.redactor);
        asked.known.push(Known {
            what: "outcome".to_owned(),
            value: self.redactor.text(&outcome.text),
        });
        Err(Stop::AskPerson(Box::new(asked)))
    }
}
