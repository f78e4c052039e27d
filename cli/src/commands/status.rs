//! `status`: how the team is. A team that is down is said, not an error.

use super::team;
use crate::context::Context;
use crate::failure::Failure;
use crate::{render, terminal};

/// Prints it.
pub async fn run(context: &Context, json: bool) -> Result<u8, Failure> {
    let status = team::status(context).await;
    if json {
        return super::json(&status);
    }
    terminal::print(&render::status::text(&status));
    Ok(protocol::exit::DONE)
}
