//! Whether what an order is about was begun: marked where the host is touched for the first time. What fails before the mark
//! was not done; of what fails behind it nobody knows, and it is to be settled.

use crate::Refused;
use protocol::duty::order::{End, Outcome, Wish};
use serde_json::Value;
use std::cell::Cell;

tokio::task_local! {
    static BEGUN: Cell<bool>;
}

/// From here on it is begun.
pub fn mark() {
    // Outside of an order nobody asks.
    let _nobody_asks = BEGUN.try_with(|begun| begun.set(true));
}

/// Whether it is.
pub fn is() -> bool {
    BEGUN.try_with(Cell::get).unwrap_or(false)
}

/// Carries something out, and says whether it was begun.
pub async fn noted<T>(work: impl Future<Output = T>) -> (T, bool) {
    let work = async {
        let came_of_it = work.await;
        (came_of_it, is())
    };
    BEGUN.scope(Cell::new(false), work).await
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
        assert_eq!((one.1, other.1), (true, false));
    }
}
