//! How often a call is made again whose sandbox ended under it.

use std::time::Duration;

/// How often a question to a sandbox that ended under it is asked again. A sandbox that ended with the lease says nothing
/// against the call; one that ended by itself does, and the more the longer the call had run: to find out again costs as much.
#[derive(Debug, Default)]
pub struct Tries(u32);

/// What it takes at most to begin anew without a second thought.
const SOON: Duration = Duration::from_secs(30);

impl Tries {
    /// Notes one end after so long; whether to ask again.
    pub fn again(&mut self, lapsed: bool, ran: Duration) -> bool {
        self.0 += match (lapsed, ran < SOON) {
            (true, _) => 1,
            (false, true) => 2,
            (false, false) => 4,
        };
        self.0 < 8
    }

    /// The same where nothing of the task's own ran in it: a short one says nothing against what was asked.
    pub fn once_more(&mut self, lapsed: bool, ran: Duration) -> bool {
        self.again(lapsed || ran < SOON, ran)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ends_with_the_lease_or_soon_is_tried_more_often() {
        let check = |lapsed: bool, seconds: u64, expected: usize| {
            let mut tries = Tries::default();
            let ran = Duration::from_secs(seconds);
            let made = 1 + (0..100).take_while(|_| tries.again(lapsed, ran)).count();
            assert_eq!(made, expected, "{lapsed} {seconds}");
        };
        check(true, 600, 8);
        check(false, 1, 4);
        check(false, 600, 2);
        let mut asked = Tries::default();
        let soon = Duration::from_secs(1);
        assert_eq!(
            (0..100)
                .take_while(|_| asked.once_more(false, soon))
                .count(),
            7
        );
    }
}
