//! One role's keys in Redis may hold anything, where its agent was taken over. What cannot be said
//! or asked about one task because of that holds up no other: it is put right where that can be
//! done, or left for the next look.

use bus::cancel::CancelOutcome;
use bus::connect::Bus;
use bus::error::BusError;
use protocol::ids::TaskId;

/// What came of a call about one task: `None` where it failed for that one alone.
///
/// # Errors
/// When the bus fails for all.
pub(crate) fn spared<T>(said: Result<T, BusError>) -> Result<Option<T>, BusError> {
    match said {
        Ok(said) => Ok(Some(said)),
        Err(error) if error.is_about_one() => {
            tracing::warn!(%error, "left for the next look, for this one alone");
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Puts a task's keys right after a call about it failed so. Whether the call is worth another try.
///
/// # Errors
/// When the bus fails for all.
pub(crate) async fn mended(bus: &Bus, task: TaskId, error: &BusError) -> Result<bool, BusError> {
    if !error.is_about_one() {
        return Err(error.clone());
    }
    tracing::warn!(%task, %error, "redis does not let this task be dealt with");
    Ok(spared(bus.mend_task(task).await)? == Some(true))
}

/// Stops a task on the bus; `None` where that must be tried again later.
///
/// # Errors
/// When the bus fails for all.
pub(crate) async fn cancel(bus: &Bus, task: TaskId) -> Result<Option<CancelOutcome>, BusError> {
    let met = bus.cancel(task).await;
    match &met {
        Err(error) if mended(bus, task, error).await? => spared(bus.cancel(task).await),
        Err(_) => Ok(None),
        Ok(met) => Ok(Some(*met)),
    }
}

/// Which of these tasks the bus knows; one that cannot be looked at and was not put right is taken
/// as known, so that nothing is sent of it.
///
/// # Errors
/// When the bus fails for all.
pub(crate) async fn known(bus: &Bus, tasks: &[TaskId]) -> Result<Vec<bool>, BusError> {
    match bus.known_many(tasks).await {
        Err(error) if error.is_about_one() => {}
        known => return known,
    }
    let mut known = Vec::with_capacity(tasks.len());
    for task in tasks {
        known.push(match bus.known(*task).await {
            Ok(known) => known,
            Err(error) => !mended(bus, *task, &error).await?,
        });
    }
    Ok(known)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(error: BusError, expected: Result<Option<()>, BusError>) {
        assert_eq!(spared::<()>(Err(error)), expected);
    }

    #[test]
    fn only_what_fails_for_all_ends_a_look() {
        check(BusError::Redis("WRONGTYPE".to_owned()), Ok(None));
        check(BusError::Refused("it is too large".to_owned()), Ok(None));
        let away = BusError::Unreachable("away".to_owned());
        check(away.clone(), Err(away));
        check(BusError::Full, Err(BusError::Full));
    }
}
