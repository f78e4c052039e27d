//! `status`: how the team is. A team that is down is said, not an error.

use super::team;
use crate::context::Context;
use crate::failure::Failure;
use crate::{render, terminal};

/// Prints it.
pub async fn run(context: &Context, json: bool) -> Result<u8, Failure> {
    let mut status = team::status(context).await;
    if let Some(seen) = team::outdated(context, &status) {
        let problem = format!("{seen}: ai-infra restart");
        status.problems.push(problem);
    }
    if json {
        return super::json(&status);
    }
    terminal::print(&render::status::text(&status));
    Ok(protocol::exit::DONE)
}
