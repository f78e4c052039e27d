//! Whether a person can be told apart from an agent where a rule asks for leave.

use super::{Finding, How, finding};
use crate::commands::approvals::{self, Needs};
use crate::context::Context;
use config::operations::principals;
use config::settings::Settings;
use protocol::approval::Rule;

/// Looks, where any rule asks. Nothing where the warden does not answer: that is said of the team.
pub(super) async fn look(settings: Option<&Settings>, context: &Context) -> Option<Finding> {
    let asks = asks(settings?);
    let needs = approvals::needs(&mut approvals::warden(context))
        .await
        .ok()?;
    if !asks {
        return None;
    }
    // Settings that cannot be read are said elsewhere.
    let principals = principals(&context.home).ok();
    let signers = principals.and_then(|p| p.allowed_signers);
    Some(judged(&needs, signers.as_deref()))
}

/// What is seen, as a finding. Pure.
fn judged(needs: &Needs, signers: Option<&str>) -> Finding {
    match (needs.pin, needs.taken, needs.kept, signers) {
        (false, ..) => finding("leave", How::Good, "you are told apart by your user", ""),
        (true, false, _, Some(signers)) => finding(
            "leave",
            How::Good,
            format!("answers are signed by those whom {signers} names, no PIN is taken"),
            "",
        ),
        (true, false, _, None) => finding(
            "leave",
            How::Odd,
            "the rules take no PIN and name nobody whose signature counts: nobody can answer",
            "say `principals: {allowed_signers: FILE}` in permissions.yaml",
        ),
        (true, true, true, _) => finding("leave", How::Good, "a PIN is kept", ""),
        (true, true, false, Some(_)) => finding(
            "leave",
            How::Odd,
            "signatures answer what asks for leave, and so does a PIN, which nobody has kept: whoever is first sets it",
            "ai-infra approvals pin   (or `principals: {pin: false}` in permissions.yaml)",
        ),
        (true, true, false, None) => finding(
            "leave",
            How::Odd,
            "what asks for leave needs a PIN, and none is kept: whoever is first sets it",
            "ai-infra approvals pin",
        ),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_a_person_is_told_apart_is_said_with_what_is_missing() {
        for ((pin, taken, kept), signers, how, words) in [
            ((false, true, false), None, How::Good, "by your user"),
            ((true, true, true), None, How::Good, "a PIN is kept"),
            ((true, true, true), Some("/e/s"), How::Good, "a PIN is kept"),
            ((true, true, false), None, How::Odd, "needs a PIN, and none"),
            (
                (true, true, false),
                Some("/e/s"),
                How::Odd,
                "signatures answer",
            ),
            (
                (true, false, false),
                Some("/e/s"),
                How::Good,
                "whom /e/s names",
            ),
            ((true, false, true), None, How::Odd, "nobody can answer"),
        ] {
            let needs = Needs { pin, kept, taken };
            let found = judged(&needs, signers);
            assert_eq!(found.how, how, "{words}");
            assert!(found.seen.contains(words), "{}", found.seen);
        }
    }
}
