//! The right end of tmux's status line: what was spent this month, what runs, what waits for a person.
//! Woken by what happens, and written only where the words are other ones; an idle team starts nothing.

use crate::board;
use crate::daemon::stop::remembered_session;
use crate::desk::SharedDesk;
use config::env::Env;
use protocol::board::Board;
use protocol::money::MicroUsd;
use std::time::{Duration, Instant};
use tokio::sync::broadcast::error::RecvError;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

/// Shortest time between two looks.
const PAUSE: Duration = Duration::from_secs(1);
/// After this long the words are written again: the session may have been made anew.
const AGAIN: Duration = Duration::from_secs(300);

/// Keeps the line, for ever.
pub(crate) async fn keep(desk: SharedDesk) {
    let env = Env::from_process();
    let mut heard = desk.hub.listen();
    let mut said = desk.hub.listen_to_words();
    let mut written: Option<(String, Instant)> = None;
    loop {
        // One that cannot be told now is told at the next happening.
        if let Ok(board) = board::board(&desk).await {
            let words = words(&board);
            let stands = |(said, at): &(String, Instant)| *said == words && at.elapsed() < AGAIN;
            if !written.as_ref().is_some_and(stands) {
                let session = remembered_session(&desk.home, &env);
                let told = words.clone();
                let done = spawn_blocking(move || session.is_some_and(|s| s.say(&told).is_ok()));
                written = done
                    .await
                    .is_ok_and(|done| done)
                    .then(|| (words, Instant::now()));
            }
        }
        sleep(PAUSE).await;
        // What becomes of tasks, and what is said of the team as a whole: that it is frozen.
        let over = tokio::select! {
            happened = heard.recv() => matches!(happened, Err(RecvError::Closed)),
            word = said.recv() => matches!(word, Err(RecvError::Closed)),
        };
        if over {
            return std::future::pending().await;
        }
        // What came meanwhile is seen by the same look.
        heard = desk.hub.listen();
        said = desk.hub.listen_to_words();
    }
}

/// `$0.14 of $20 · 2 running`.
fn words(board: &Board) -> String {
    let status = &board.status;
    let mut parts = vec![format!(
        "{} of {}",
        dollars(board.spent),
        dollars(board.budget)
    )];
    if status.frozen.is_some() {
        parts.push("frozen".to_owned());
    } else if status.running > 0 {
        parts.push(format!("{} running", status.running));
    }
    match status.questions.len() {
        0 => {}
        1 => parts.push("1 waits for you".to_owned()),
        many => parts.push(format!("{many} wait for you")),
    }
    parts.join(" · ")
}

/// Whole dollars without cents.
fn dollars(amount: MicroUsd) -> String {
    let cents = (amount.dollars() * 100.0).round();
    match cents % 100.0 == 0.0 && cents > 0.0 {
        true => format!("${:.0}", cents / 100.0),
        false => format!("${:.2}", cents / 100.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_short() {
        for (amount, expected) in [
            (0.0, "$0.00"),
            (0.14, "$0.14"),
            (20.0, "$20"),
            (2.5, "$2.50"),
            (0.0004, "$0.00"),
        ] {
            assert_eq!(dollars(MicroUsd::from_dollars(amount)), expected);
        }
    }
}
