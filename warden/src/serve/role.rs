//! What an agent may say. Its launcher makes the connection, names the role and hands it over: from then on
//! only lines of that role's own acts are taken, and no answer of a person. Pure.

use crate::wire::Ask;

/// Whether an agent of this role may ask this.
///
/// # Errors
/// Why not, for the record's reader and for the agent.
pub(super) fn may(role: &str, ask: &Ask) -> Result<(), String> {
    let as_whom = match ask {
        // Who writes is `role@host#process`.
        Ask::Note { entry, .. } => entry.agent.split('@').next().unwrap_or_default(),
        Ask::Request { wanted }
        | Ask::Known { wanted }
        | Ask::Grown { wanted, .. }
        | Ask::Burn { wanted, .. }
        | Ask::Operate { wanted, .. }
        | Ask::Hour { wanted, .. } => wanted.agent.as_str(),
        Ask::EndRun { agent, .. } => agent.as_str(),
        // Whoever hears of a freeze may say so; that the team goes on is not theirs to say.
        Ask::Head | Ask::Trusted { .. } | Ask::Freeze { frozen: true } => return Ok(()),
        Ask::For { .. } => return Err("whoever speaks here was named already".to_owned()),
        Ask::Freeze { frozen: false }
        | Ask::Cancel { .. }
        | Ask::Runs
        | Ask::Tickets { .. }
        | Ask::Ticket { .. }
        | Ask::Answer { .. }
        | Ask::Pin { .. }
        | Ask::Trust { .. }
        | Ask::Distrust { .. }
        | Ask::TrustToSign { .. }
        | Ask::Proof => {
            return Err(format!("that is for people, and this is the agent {role}"));
        }
    };
    match as_whom == role {
        true => Ok(()),
        false => Err(format!("the agent {role} cannot speak as {as_whom}")),
    }
}
