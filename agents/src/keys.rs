//! What is pressed in an agent's window, and the window's size. Ctrl-C there must not kill an agent in
//! the middle of a task: the first one says what stops what, a second one soon after lets the agent
//! go as a hangup does, and the daemon starts it anew.

use crate::screen::Screen;
use std::io;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, timeout_at};

/// How soon the second Ctrl-C must come.
const SECOND: Duration = Duration::from_secs(3);

/// What the first Ctrl-C says.
const HINT: &str =
    "Ctrl-C again starts this agent anew; a task is stopped by: ai-infra task cancel";

/// Ends when the person wants the agent to go.
///
/// # Errors
/// When the kernel refuses a signal handler.
pub fn insisted(screen: Screen) -> io::Result<impl Future<Output = ()> + Send + 'static> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut quit = signal(SignalKind::quit())?;
    let mut resize = signal(SignalKind::window_change())?;
    // It may have changed before anybody listened.
    screen.resized();
    Ok(async move {
        let mut until: Option<Instant> = None;
        loop {
            let pressed = async {
                tokio::select! {
                    _ = interrupt.recv() => true,
                    _ = quit.recv() => true,
                    _ = resize.recv() => false,
                }
            };
            let pressed = match until {
                Some(until) => timeout_at(until, pressed).await,
                None => Ok(pressed.await),
            };
            match (pressed, until) {
                (Ok(true), Some(_)) => return,
                (Ok(true), None) => {
                    screen.hint(HINT);
                    until = Some(Instant::now() + SECOND);
                }
                (Ok(false), _) => screen.resized(),
                (Err(_), _) => until = None,
            }
        }
    })
}
