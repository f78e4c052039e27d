//! `freeze` and `thaw`: stop all effects at once, and let them go on.

use crate::context::Context;
use crate::failure::Failure;
use crate::render::text::safe;
use crate::terminal;
use protocol::control::{Answer, Verb};
use supervisor::client;

/// Says it to the supervisor and prints its sentence.
pub async fn run(context: &Context, verb: Verb) -> Result<u8, Failure> {
    match client::ask(&context.home, verb).await? {
        Answer::Ok { message } => {
            terminal::line(&safe(&message));
            Ok(protocol::exit::DONE)
        }
        _ => Err(super::strange()),
    }
}
