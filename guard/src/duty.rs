//! A duty carried out by the warden, for one leave: what the gate allowed is asked of the one who does it, who
//! judges again by its own rules.

use crate::act::{Act, Operation};
use crate::executor::Outcome;
use crate::gate::Leave;
use protocol::duty::order::End;
use serde_json::json;
use std::time::{Duration, Instant};
use warden::client::{Client, WardenError};
use warden::tickets::ticket::Wanted;

/// How much longer than its own limit a duty is waited for: others may come first.
const MARGIN: Duration = Duration::from_secs(3700);

/// Has a duty done under a claim. `Err` says why nothing was.
///
/// # Errors
/// A sentence: it was refused, or is no duty, or the leave is for something else.
pub async fn carry_out(
    warden: &mut Client,
    act: &Act,
    leave: Leave,
    wanted: &Wanted,
    epoch: u64,
) -> Result<Outcome, String> {
    let Operation::Duty { duty, .. } = &act.operation else {
        return Err("that is no duty of the warden".to_owned());
    };
    if !leave.is_for(act) || wanted.action != act.action() {
        return Err("the leave is for another act".to_owned());
    }
    let began = Instant::now();
    let patience = duty.patience() + MARGIN;
    let said = warden.operate(wanted, epoch, patience).await;
    let took = began.elapsed();
    match said {
        Ok(outcome) => Ok(Outcome {
            is_error: outcome.end != End::Done,
            text: outcome.text,
            data: outcome.data,
            took,
        }),
        Err(WardenError::Refused(why)) => Err(why),
        // It may have been heard: whoever asks again under the same key is told the end.
        Err(error) => Ok(Outcome {
            is_error: true,
            text: error.to_string(),
            data: json!({"unknown": true}),
            took,
        }),
    }
}
