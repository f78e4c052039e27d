//! Whether a person can be told apart from an agent where a rule asks for leave.

use super::{Finding, How, finding};
use crate::commands::approvals;
use crate::context::Context;
use config::settings::Settings;
use protocol::approval::Rule;

/// Looks, where any rule asks. Nothing where the warden does not answer: that is said of the team.
pub(super) async fn look(settings: Option<&Settings>, context: &Context) -> Option<Finding> {
    let asks = asks(settings?);
    let (wanted, kept) = approvals::proof(&mut approvals::warden(context))
        .await
        .ok()?;
    if !asks {
        return None;
    }
    Some(match (wanted, kept) {
        (true, false) => finding(
            "leave",
            How::Odd,
            "what asks for leave needs a PIN, and none is kept: whoever is first sets it",
            "ai-infra approvals pin",
        ),
        (true, true) => finding("leave", How::Good, "a PIN is kept", ""),
        (false, _) => finding("leave", How::Good, "you are told apart by your user", ""),
    })
}

/// The same for whoever starts a team: what is missing, with what to do.
pub async fn missing(settings: Option<&Settings>, context: &Context) -> Option<String> {
    let found = look(settings, context).await?;
    found.next.map(|next| format!("{}: {next}", found.seen))
}

/// Whether any rule asks a person.
fn asks(settings: &Settings) -> bool {
    let mut agents = settings.agents.iter();
    agents.any(|agent| agent.acts.rules().any(|rule| rule == Rule::Ask))
}
