//! Whether what an order is about was begun: marked where the host is touched for the first time. What fails before the mark
//! was not done; of what fails behind it nobody knows, and it is to be settled. Whether a program of it goes on when the order
//! has ended stands here too.

use crate::Refused;
use protocol::duty::order::{End, Outcome, Wish};
use serde_json::Value;
use std::cell::Cell;

/// How far an order came.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Begun {
    /// The host was touched.
    pub begun: bool,
    /// A program was left running.
    pub goes_on: bool,
}

tokio::task_local! {
    static BEGUN: Cell<Begun>;
}

fn note(change: impl FnOnce(Begun) -> Begun) {
    // Outside of an order nobody asks.
    let _nobody_asks = BEGUN.try_with(|begun| begun.set(change(begun.get())));
}

/// From here on it is begun.
pub fn mark() {
    note(|far| Begun { begun: true, ..far });
}

/// A program that was begun is not waited for any longer, and goes on.
pub fn goes_on() {
    note(|far| Begun {
        goes_on: true,
        ..far
    });
}

/// Whether it is.
pub fn is() -> bool {
    BEGUN.try_with(Cell::get).unwrap_or_default().begun
}

/// Carries something out, and says how far it came.
pub async fn noted<T>(work: impl Future<Output = T>) -> (T, Begun) {
    let work = async {
        let came_of_it = work.await;
        (came_of_it, BEGUN.get().get())
    };
    BEGUN.scope(Cell::default(), work).await
}

/// How it ends where an error is what came of it. What is settled was begun by somebody before.
pub fn end(wish: Wish, begun: bool, Refused(why): Refused) -> Outcome {
    match begun || wish == Wish::Settle {
        true => {
            let text = format!("it was begun, and nobody knows yet how it ended: {why}");
            Outcome::of(End::Unknown, text, Value::Null)
        }
        false => Outcome::not(why),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn what_was_begun_and_failed_is_not_told_as_not_done() {
        for (wish, begun, expected) in [
            (Wish::Look, false, End::Not),
            (Wish::Make, false, End::Not),
            (Wish::Make, true, End::Unknown),
            (Wish::Settle, false, End::Unknown),
            (Wish::Settle, true, End::Unknown),
        ] {
            let ended = end(wish, begun, "it is away".into());
            assert_eq!(ended.end, expected, "{wish:?} {begun}");
            assert!(ended.text.ends_with("it is away"), "{ended:?}");
        }
    }

    #[tokio::test]
    async fn each_order_has_a_mark_of_its_own() {
        mark();
        assert!(!is());
        let (one, other) = tokio::join!(
            noted(async {
                mark();
                tokio::task::yield_now().await;
            }),
            noted(tokio::task::yield_now())
        );
        assert_eq!((one.1.begun, other.1), (true, Begun::default()));
    }
}
