//! `window monitor|logs`: what those tmux windows run.

use crate::args::WindowName;
use crate::context::Context;
use crate::failure::Failure;
use crate::{logs, monitor};

/// Shows one until the window is closed.
pub async fn run(context: Context, which: WindowName) -> Result<u8, Failure> {
    Ok(match which {
        WindowName::Monitor => monitor::run::run(&context.home, context.env.colour()).await,
        WindowName::Logs => logs::window::run(&context.home, context.env.colour()).await,
    })
}
