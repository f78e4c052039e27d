//! What a model's replies say: its proposal, and how its work ended. Pure.

use engine::conversation::{ModelReply, StopReason};
use pai::algorithm::{Choice, Plan, WorkEnd, Worked};
use protocol::criterion::Criterion;
use protocol::task::Effort;
use serde::Deserialize;

/// The answer to THINK, PLAN and BUILD.
#[derive(Debug, Clone, Deserialize)]
pub struct Proposal {
    /// What could be done.
    pub options: Vec<Choice>,
    /// The name of the one that was chosen.
    pub choice: String,
    /// What will be done, in order.
    pub steps: Vec<String>,
    /// What will be true.
    pub criteria: Vec<Criterion>,
}

/// Its plan.
pub fn plan_of(proposal: &Proposal) -> Plan {
    Plan {
        choice: proposal.choice.clone(),
        steps: proposal.steps.clone(),
        complaint: None,
    }
}

/// Work that did not come to an end.
pub fn cut_off(why: String, added: &[Criterion]) -> Worked {
    Worked {
        text: String::new(),
        ended: WorkEnd::CutOff(why),
        added: added.to_vec(),
    }
}

/// Most turns of one EXECUTE.
pub fn turns(effort: Effort) -> u32 {
    match effort {
        Effort::Quick => 20,
        Effort::Standard => 60,
        Effort::Deep => 150,
    }
}

/// What a reply says of the work, where it ends it.
pub fn finished(reply: &ModelReply, added: &[Criterion]) -> Option<Worked> {
    let text = reply.text();
    let ended = match &reply.stop {
        StopReason::Refusal => WorkEnd::Refused("the model declined the request".to_owned()),
        StopReason::EndTurn | StopReason::StopSequence if !text.trim().is_empty() => {
            WorkEnd::Finished
        }
        _ => return None,
    };
    let added = added.to_vec();
    Some(Worked { text, ended, added })
}

/// The proposal of a reply, or what is wrong with it, for the model.
pub fn read_proposal(reply: &ModelReply) -> Result<Proposal, String> {
    let call = reply
        .calls()
        .into_iter()
        .find(|call| call.name == "propose")
        .ok_or("`propose` was not called")?;
    let proposal: Proposal = serde_json::from_value(call.input)
        .map_err(|e| format!("the proposal is not valid: {e}"))?;
    if proposal.criteria.is_empty() {
        return Err("there is no criterion".to_owned());
    }
    Ok(proposal)
}
