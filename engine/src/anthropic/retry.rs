//! Whether and when a failed call is tried again. Pure: the caller waits.

use crate::engine::EngineError;
use std::time::Duration;

/// Most retries of one call.
pub const RETRIES: u32 = 4;
/// A longer wait than this is not sat out; the caller parks the task instead.
pub const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// How long to wait before the next try, or `None` to give up. `failed` counts the failures so
/// far, this one included; `jitter` is any number and spreads callers that failed together.
pub fn pause(failed: u32, error: &EngineError, first: Duration, jitter: u8) -> Option<Duration> {
    if failed > allowed(error) {
        return None;
    }
    let grown = first.saturating_mul(1 << failed.clamp(1, 16).saturating_sub(1));
    let spread = |wait: Duration, from: f64| {
        wait.mul_f64(from + f64::from(jitter) / f64::from(u8::MAX) / 2.0)
    };
    match error {
        EngineError::Overloaded {
            retry_after: Some(wait),
            ..
        } => (*wait <= LONGEST_WAIT).then(|| *wait + spread(first, 0.0)),
        _ => Some(spread(grown.min(LONGEST_WAIT), 0.75)),
    }
}

/// A 429 that names no time is what an account at its spending limit gets: once more, no more.
fn allowed(error: &EngineError) -> u32 {
    match error {
        EngineError::Overloaded {
            status: 429,
            retry_after: None,
        } => 1,
        EngineError::Overloaded { .. }
        | EngineError::CutOff { .. }
        | EngineError::Server { .. }
        | EngineError::Garbled(_)
        | EngineError::Unreachable(_) => RETRIES,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Duration = Duration::from_millis(500);

    fn overloaded(status: u16, after: Option<u64>) -> EngineError {
        EngineError::Overloaded {
            status,
            retry_after: after.map(Duration::from_secs),
        }
    }

    #[test]
    fn retries_are_bounded_and_grow() {
        let waits = |error: &EngineError, jitter| -> Vec<u128> {
            (1..)
                .map_while(|n| pause(n, error, FIRST, jitter))
                .map(|wait| wait.as_millis())
                .collect()
        };
        assert_eq!(waits(&overloaded(529, None), 0), [375, 750, 1500, 3000]);
        assert_eq!(waits(&overloaded(529, None), 255), [625, 1250, 2500, 5000]);
        assert_eq!(waits(&overloaded(429, None), 0), [375]);
        assert_eq!(waits(&overloaded(429, Some(7)), 0), [7000; 4]);
        assert_eq!(waits(&overloaded(429, Some(3600)), 0), [0; 0]);
        assert_eq!(waits(&EngineError::Unreachable(String::new()), 0).len(), 4);
        assert_eq!(waits(&EngineError::Unauthorized(String::new()), 0), [0; 0]);
        assert_eq!(waits(&EngineError::BadRequest(String::new()), 0), [0; 0]);
    }
}
