//! The record around the door: no call is made, refused or found done without the warden's lines.

use super::Toolbox;
use crate::call_line::refusal;
use crate::steps::Steps;
use crate::stop::Stop;
use guard::gate::{Decision, judge};
use guard::plan::plan;
use protocol::tool::{ToolAnswer, ToolCall};
use std::time::Duration;

impl Toolbox {
    /// Makes a call between its two lines, or refuses it with one.
    pub(super) async fn witnessed(
        &mut self,
        steps: &mut Steps,
        step: &str,
        call: &ToolCall,
        timeout: Option<Duration>,
    ) -> Result<ToolAnswer, Stop> {
        let act = match plan(call, &self.view(step)) {
            Ok(act) => act,
            Err(error) => {
                let why = error.to_string();
                self.witness.refused(step, call, None, &why).await;
                return Ok(refusal(call, &why));
            }
        };
        if !matches!(judge(&act, &self.grant), Decision::Allow(_)) {
            let answer = self.admit(steps, step, call, timeout).await?;
            let why = &answer.text;
            self.witness.refused(step, call, Some(&act), why).await;
            return Ok(answer);
        }
        if let Err(why) = self.witness.before(step, call, &act).await {
            return Ok(refusal(call, &why));
        }
        let made = self.admit(steps, step, call, timeout).await;
        let outcome = outcome(&made);
        self.witness.after(step, call, &act, &outcome).await;
        made
    }
}

/// How a call ended, as the record says it: no contents.
fn outcome(made: &Result<ToolAnswer, Stop>) -> String {
    match made {
        Ok(answer) if !answer.is_error => format!("ok, {} ms", answer.took_ms),
        Ok(answer) => match answer.text.lines().next() {
            Some(first) if first.starts_with("refused") => first.to_owned(),
            _ => format!("error, {} ms", answer.took_ms),
        },
        Err(Stop::AskPerson(_)) => "nobody knows whether it happened: a person is asked".to_owned(),
        Err(stop) => format!("left: {stop}"),
    }
}
