//! `dead`: messages that nobody could read or finish.

use super::run::{hand_in, left};
use super::strange;
use crate::args::DeadCommand;
use crate::context::Context;
use crate::failure::Failure;
use crate::{render, terminal};
use jiff::Timestamp;
use protocol::control::{Answer, Verb};
use protocol::document::DOCUMENT_VERSION;
use serde_json::json;
use supervisor::client;

/// Does one of them.
pub async fn run(context: &Context, command: DeadCommand) -> Result<u8, Failure> {
    match command {
        DeadCommand::List { limit, json } => {
            let answer = client::ask(&context.home, Verb::DeadList { limit }).await?;
            let Answer::DeadLetters { letters } = answer else {
                return Err(strange());
            };
            if json {
                return super::json(&json!({"version": DOCUMENT_VERSION, "dead": letters}));
            }
            terminal::print(&render::dead::list(&letters, Timestamp::now()));
            Ok(protocol::exit::DONE)
        }
        DeadCommand::Show { id, json } => {
            let answer = client::ask(&context.home, Verb::DeadShow { id }).await?;
            let Answer::DeadLetter { letter } = answer else {
                return Err(strange());
            };
            if json {
                return super::json(&json!({"version": DOCUMENT_VERSION, "dead": letter}));
            }
            terminal::print(&render::dead::page(&letter));
            Ok(protocol::exit::DONE)
        }
        DeadCommand::Replay { id, json } => {
            let (line, again) = hand_in(context, Verb::DeadReplay { id }).await?;
            left(&line, again, json)
        }
    }
}
