//! `costs`: what models cost, beside the month's budget.

use super::strange;
use crate::args::CostsArgs;
use crate::context::Context;
use crate::failure::Failure;
use crate::{render, terminal};
use protocol::control::{Answer, Verb};
use supervisor::client;

/// Prints it.
pub async fn run(context: &Context, args: CostsArgs) -> Result<u8, Failure> {
    let verb = Verb::Costs {
        since: args.since,
        by: args.by.into(),
    };
    let Answer::Costs { costs } = client::ask(&context.home, verb).await? else {
        return Err(strange());
    };
    if args.json {
        return super::json(&costs);
    }
    terminal::print(&render::costs::text(&costs));
    Ok(protocol::exit::DONE)
}
