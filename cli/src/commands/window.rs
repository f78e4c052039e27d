//! `window chat|monitor|logs`: what those tmux windows run.

use crate::args::{ChatArgs, WindowName};
use crate::chat;
use crate::context::Context;
use crate::failure::Failure;
use crate::{logs, monitor};

/// Shows one until the window is closed.
pub async fn run(context: Context, which: WindowName) -> Result<u8, Failure> {
    Ok(match which {
        WindowName::Chat => {
            let context = context.in_team().await?;
            return chat::run(context, ChatArgs::default(), chat::Where::Window).await;
        }
        WindowName::Monitor => monitor::run::run(&context.home, context.env.colour()).await,
        WindowName::Logs => logs::window::run(&context.home, context.env.colour()).await,
    })
}
