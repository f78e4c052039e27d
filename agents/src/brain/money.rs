//! Money of model calls: what a call cost by the settings' price table, and what the supervisor is
//! told of it.

use engine::conversation::ModelRequest;
use jiff::Timestamp;
use protocol::envelope::micros;
use protocol::report::{Progress, Usage};

/// What the supervisor is told of a call that ended.
pub(super) fn spent(step: &str, request: &ModelRequest, usage: &Usage, failed: bool) -> Progress {
    spent_by(step, &request.model, usage, failed)
}

/// The same, of a call that was made elsewhere for this task.
pub(crate) fn spent_by(step: &str, model: &str, usage: &Usage, failed: bool) -> Progress {
    Progress::Spent {
        step: step.to_owned(),
        model: model.to_owned(),
        usage: usage.clone(),
        at: micros(Timestamp::now()),
        failed,
    }
}
