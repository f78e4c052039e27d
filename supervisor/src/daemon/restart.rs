//! When a process that died is started again, and when it is given up. Pure: the caller says what
//! time it is.

use config::settings::DaemonSettings;
use std::time::Duration;

/// After this long without dying a process counts as well again.
const STABLE: Duration = Duration::from_secs(60);

/// How patient the daemon is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Pause before the first new start.
    pub first: Duration,
    /// Longest pause; each one is twice the last.
    pub longest: Duration,
    /// Deaths within `window` that make a crash loop.
    pub limit: usize,
    /// See `limit`.
    pub window: Duration,
}

impl Policy {
    /// As set in section `daemon`.
    pub fn of(settings: &DaemonSettings) -> Self {
        Self {
            first: Duration::from_millis(settings.restart_first_ms),
            longest: Duration::from_millis(settings.restart_max_ms),
            limit: settings.crash_limit as usize,
            window: Duration::from_secs(settings.crash_window_s),
        }
    }
}

/// What to do about a death.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Start it again after this pause.
    Again(Duration),
    /// Leave it stopped and say so.
    GiveUp,
}

/// What is remembered of one process. Times are counted from any fixed moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct History {
    deaths: Vec<Duration>,
    in_a_row: u32,
}

impl History {
    /// Notes a death at `now` of a process that was started at `started`.
    pub fn died(&mut self, policy: &Policy, started: Duration, now: Duration) -> Next {
        if now.saturating_sub(started) >= STABLE {
            self.deaths.clear();
            self.in_a_row = 0;
        }
        self.deaths
            .retain(|death| now.saturating_sub(*death) < policy.window);
        self.deaths.push(now);
        if self.deaths.len() >= policy.limit.max(1) {
            return Next::GiveUp;
        }
        let doubled = 2u32.saturating_pow(self.in_a_row);
        self.in_a_row = self.in_a_row.saturating_add(1);
        Next::Again(policy.first.saturating_mul(doubled).min(policy.longest))
    }

    /// Deaths that still count.
    pub fn recent(&self) -> usize {
        self.deaths.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: Policy = Policy {
        first: Duration::from_millis(100),
        longest: Duration::from_secs(30),
        limit: 100,
        window: Duration::from_secs(3600),
    };

    /// Deaths as (seconds lived), answers as pauses in milliseconds, `None` = given up.
    fn check(policy: Policy, lives: &[u64], expected: &[Option<u64>]) {
        let mut history = History::default();
        let mut now = Duration::ZERO;
        let mut seen = Vec::new();
        for life in lives {
            let started = now;
            now += Duration::from_secs(*life);
            seen.push(match history.died(&policy, started, now) {
                Next::Again(pause) => {
                    now += pause;
                    Some(pause.as_millis() as u64)
                }
                Next::GiveUp => None,
            });
        }
        assert_eq!(seen, expected, "{lives:?}");
    }

    #[test]
    fn pauses_grow_to_the_longest() {
        check(
            POLICY,
            &[1; 11],
            &[
                100, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 30_000, 30_000,
            ]
            .map(Some),
        );
    }

    #[test]
    fn a_stable_minute_forgives() {
        check(
            POLICY,
            &[0, 0, 61, 0, 59, 60],
            &[100, 200, 100, 200, 400, 100].map(Some),
        );
    }

    #[test]
    fn a_crash_loop_is_given_up() {
        let strict = Policy {
            limit: 3,
            window: Duration::from_secs(20),
            ..POLICY
        };
        check(strict, &[0, 0, 0], &[Some(100), Some(200), None]);
        // Deaths that lie apart are no loop.
        check(strict, &[15, 15, 15, 15], &[100, 200, 400, 800].map(Some));
        let nonsense = Policy { limit: 0, ..POLICY };
        check(nonsense, &[0], &[None]);
    }

    #[test]
    fn many_deaths_do_not_overflow() {
        let mut history = History::default();
        for second in 0..10_000 {
            let at = Duration::from_secs(second * 3600);
            assert_ne!(history.died(&POLICY, at, at), Next::GiveUp);
        }
        assert_eq!(history.recent(), 1);
    }
}
