//! How good a person found what a task brought.

use crate::task::Principal;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The best there is; the worst is 1.
pub const BEST: u8 = 10;
/// Longest remark, in bytes.
pub const REMARK_BYTES: usize = 2000;

/// A rating as it is kept and shown. The newest of a person counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rating {
    /// 1 to [`BEST`].
    pub number: u8,
    /// What was said with it.
    pub remark: Option<String>,
    /// Who, proven by the kernel.
    pub by: Principal,
    /// When.
    pub at: Timestamp,
}

/// Why this is no rating, as a sentence; `None` where it is one.
pub fn misfit(number: u8, remark: Option<&str>) -> Option<String> {
    match remark {
        _ if !(1..=BEST).contains(&number) => Some(format!(
            "a rating is a number from 1 to {BEST}, not {number}"
        )),
        Some(words) if words.len() > REMARK_BYTES => Some(format!(
            "a remark has at most {REMARK_BYTES} bytes: say it shorter"
        )),
        Some(words) if words.chars().any(|c| c.is_control() && c != '\n') => {
            Some("a remark is plain text without control characters".to_owned())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratings_go_from_one_to_ten() {
        let long = "x".repeat(REMARK_BYTES + 1);
        for (number, remark, good) in [
            (1, None, true),
            (10, Some("well done"), true),
            (0, None, false),
            (11, None, false),
            (5, Some(long.as_str()), false),
            (5, Some("a\x1b[2J"), false),
        ] {
            assert_eq!(
                misfit(number, remark).is_none(),
                good,
                "{number} {remark:?}"
            );
        }
    }
}
