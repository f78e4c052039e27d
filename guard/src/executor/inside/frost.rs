//! Frozen: everything inside is stopped in place, and nothing new is begun until the thaw. The time
//! in between is nobody's: the clock that run times are measured by stands still.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

#[derive(Default)]
struct State {
    /// Since when it is frozen.
    since: Option<Instant>,
    /// How long it was frozen before.
    before: Duration,
}

/// Whether the inside is frozen; cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Frost(Arc<(Mutex<State>, Condvar)>);

impl Frost {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stops every process inside but this one. Nothing that is being started slips through: it is
    /// started under the same lock, and a fork meets the signal before it returns.
    pub(super) fn freeze(&self) {
        let mut state = self.state();
        state.since.get_or_insert_with(Instant::now);
        let _nobody_there = kill(Pid::from_raw(-1), Signal::SIGSTOP);
    }

    /// Lets everything go on.
    pub(super) fn thaw(&self) {
        let mut state = self.state();
        if let Some(since) = state.since.take() {
            state.before += since.elapsed();
        }
        let _nobody_there = kill(Pid::from_raw(-1), Signal::SIGCONT);
        self.0.1.notify_all();
    }

    /// Begins something, once nothing is frozen; no freeze comes in between.
    pub(super) fn begin<T>(&self, begin: impl FnOnce() -> T) -> T {
        let mut state = self.state();
        while state.since.is_some() {
            state = self.0.1.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let begun = begin();
        drop(state);
        begun
    }

    /// The time by the clock that stands still while frozen.
    pub(super) fn now(&self) -> Instant {
        let state = self.state();
        let frozen = state.before + state.since.map_or(Duration::ZERO, |since| since.elapsed());
        let now = Instant::now();
        now.checked_sub(frozen).unwrap_or(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_stands_still_while_frozen() {
        // The signal is not sent here: it would stop the test's own machine.
        let frost = Frost::default();
        let pause = Duration::from_millis(30);
        let began = frost.now();
        std::thread::sleep(pause);
        let worked = frost.now();
        assert!(worked - began >= pause);
        frost.state().since = Some(Instant::now());
        let frozen = frost.now();
        std::thread::sleep(pause);
        assert!(frost.now() - frozen < Duration::from_millis(5));
        let since = frost.state().since.take();
        frost.state().before += since.map_or(Duration::ZERO, |since| since.elapsed());
        assert!(frost.now() - worked < pause);
        assert_eq!(frost.begin(|| 7), 7);
    }
}
