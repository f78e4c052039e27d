//! When a notice that was not taken is tried again. Pure.

use std::time::Duration;

/// Most tries of one notice on one way.
pub const TRIES: u32 = 6;
/// Most notices of one way in a minute: a hundred tasks that ask are not a hundred mails at once.
pub const A_MINUTE: usize = 10;

/// The pause after so many tries that failed; `None` where it is given up.
pub fn pause(failed: u32) -> Option<Duration> {
    (failed < TRIES).then(|| Duration::from_secs(5_u64.pow(failed.max(1) - 1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_end() {
        let seconds: Vec<Option<u64>> = (1..=6).map(|n| pause(n).map(|p| p.as_secs())).collect();
        let expected = [Some(1), Some(5), Some(25), Some(125), Some(625), None];
        assert_eq!(seconds, expected);
    }
}
