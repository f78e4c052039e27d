//! `bus`: whether Redis is the one the ledger knows, and the decision when it is not.

use super::strange;
use crate::args::BusCommand;
use crate::context::Context;
use crate::failure::Failure;
use crate::render::text;
use crate::terminal;
use protocol::control::{Answer, Verb};
use supervisor::client;

/// Says it, or takes both as they are.
pub async fn run(context: &Context, command: BusCommand) -> Result<u8, Failure> {
    let verb = match command {
        BusCommand::Status => Verb::BusStatus,
        BusCommand::Accept => Verb::BusAccept,
    };
    match client::ask(&context.home, verb).await? {
        Answer::Ok { message } => terminal::line(&text::safe(&message)),
        _ => return Err(strange()),
    }
    Ok(protocol::exit::DONE)
}
