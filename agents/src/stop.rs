//! Why a task's work ends before its algorithm does, and the signal that says so.

use bus::error::BusError;
use protocol::question::Question;
use protocol::report::{HandOff, Wait};
use tokio::sync::watch;

/// What the holder of a task was told from outside.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Signal {
    /// Work on.
    #[default]
    Go,
    /// A person paused the task: finish the effect in hand, journal it, park it.
    Pause,
    /// Finish the effect in hand, journal it, give the lease back.
    Yield,
    /// A person cancelled the task: stop its process tree now.
    Cancel,
    /// The lease is gone or cannot be renewed: change nothing more.
    Lost,
}

/// Why the drive through the phases was left.
#[derive(Debug, thiserror::Error)]
pub enum Stop {
    /// A person paused the task.
    #[error("paused by a person")]
    Pause,
    /// Told to give the lease back.
    #[error("told to give the lease back")]
    Yield,
    /// Another holder has the task, or Redis is away.
    #[error("the lease of this task is lost")]
    Lost,
    /// The task cannot go on; its final state is in the sentence.
    #[error("{0}")]
    Fail(String),
    /// Policy or budget refused it.
    #[error("{0}")]
    Refuse(String),
    /// Only a person can say how to go on.
    #[error("{}", .0.text)]
    AskPerson(Box<Question>),
    /// It is to be tried again later.
    #[error("waits for {}", .0.why)]
    Wait(Box<Wait>),
    /// Another role is to go on with it.
    #[error("to be handed to {}", .0.to)]
    HandOff(Box<HandOff>),
}

impl From<BusError> for Stop {
    fn from(error: BusError) -> Self {
        match error {
            BusError::Budget { .. } => Stop::Refuse(error.to_string()),
            BusError::Refused(_) => Stop::Fail(error.to_string()),
            // Fenced: somebody else holds it. Anything else: Redis does not take our writes, so
            // nothing more may be done under this lease; the task is claimed again when it can.
            _ => Stop::Lost,
        }
    }
}

impl Signal {
    fn weight(self) -> u8 {
        match self {
            Signal::Go => 0,
            Signal::Pause => 1,
            Signal::Yield => 2,
            Signal::Cancel => 3,
            Signal::Lost => 4,
        }
    }
}

/// Tells the work; a weaker signal never hides a stronger one.
pub fn raise(tell: &watch::Sender<Signal>, signal: Signal) {
    tell.send_if_modified(|now| {
        let stronger = signal.weight() > now.weight();
        if stronger {
            *now = signal;
        }
        stronger
    });
}

/// Read side of the signal.
pub type Watch = watch::Receiver<Signal>;

/// Between two steps: may the work go on?
pub fn check(watch: &Watch) -> Result<(), Stop> {
    match *watch.borrow() {
        Signal::Go | Signal::Cancel => Ok(()),
        Signal::Pause => Err(Stop::Pause),
        Signal::Yield => Err(Stop::Yield),
        Signal::Lost => Err(Stop::Lost),
    }
}

/// Waits until the work must be dropped where it stands: cancelled or lost.
pub async fn must_drop(watch: &mut Watch) -> Signal {
    loop {
        let now = *watch.borrow_and_update();
        if matches!(now, Signal::Cancel | Signal::Lost) {
            return now;
        }
        if watch.changed().await.is_err() {
            return Signal::Lost;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_weaker_signal_never_hides_a_stronger_one() {
        for (said, expected) in [
            (&[Signal::Cancel, Signal::Yield][..], Signal::Cancel),
            (&[Signal::Yield, Signal::Cancel], Signal::Cancel),
            (&[Signal::Lost, Signal::Cancel, Signal::Yield], Signal::Lost),
            (&[Signal::Yield, Signal::Go], Signal::Yield),
            (&[Signal::Yield, Signal::Pause], Signal::Yield),
        ] {
            let (tell, watch) = watch::channel(Signal::Go);
            said.iter().for_each(|signal| raise(&tell, *signal));
            assert_eq!(*watch.borrow(), expected, "{said:?}");
        }
    }
}
