//! `monitor`: the team at a glance.

use crate::context::Context;
use crate::failure::Failure;
use crate::monitor;

/// Shows it until the person has seen enough; on a pipe, once.
pub async fn run(context: &Context) -> Result<u8, Failure> {
    Ok(monitor::run::run(&context.home, context.env.colour()).await)
}
