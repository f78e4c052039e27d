//! Copies of files that a program on the host would be run from or read. They lie in the warden's folder under the digest
//! of what leave was asked for, and go when that is over. Which stay is decided here, purely.

use super::book::Deed;
use crate::tickets::ticket::{LIFE, Ticket};
use jiff::{SignedDuration, Timestamp};
use protocol::approval::TicketState;
use std::path::Path;

/// The folder of them, in the warden's.
pub const FOLDER: &str = "runs";
/// Most runs whose copies are kept at once.
const MOST: usize = 32;
/// How long a look may take before leave is asked for what it saw.
const LOOK: SignedDuration = SignedDuration::from_mins(10);

/// Whether copies that are this old are still needed, by the ticket for them and by what was begun.
pub fn stays(
    age: SignedDuration,
    ticket: Option<&Ticket>,
    deed: Option<&Deed>,
    now: Timestamp,
) -> bool {
    if let Some(deed) = deed {
        return deed.outcome.is_none();
    }
    let Some(ticket) = ticket else {
        return age < LOOK;
    };
    match ticket.state {
        TicketState::Requested | TicketState::Approved => true,
        // Used, and not begun yet.
        TicketState::Used => ticket
            .used
            .is_some_and(|used| now.duration_since(used) < LIFE),
        TicketState::Denied | TicketState::Expired | TicketState::Cancelled => false,
    }
}

/// Whether there are as many as may be.
pub fn many(folder: &Path) -> bool {
    // None was ever made, in most homes.
    std::fs::read_dir(folder).map_or(0, Iterator::count) >= MOST
}

/// Takes away what is not needed.
pub fn let_go(folder: &Path, now: Timestamp, stays: impl Fn(&str, SignedDuration) -> bool) {
    let all = std::fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in all {
        let made = entry.metadata().and_then(|about| about.modified()).ok();
        let made = made.and_then(|made| Timestamp::try_from(made).ok());
        let age = made.map_or(SignedDuration::MAX, |made| now.duration_since(made));
        if !stays(&entry.file_name().to_string_lossy(), age) {
            let _goes_next_time = std::fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use crate::operations::book::DEED_VERSION;
    use crate::tickets::ticket::Wanted;
    use protocol::approval::TicketId;
    use protocol::duty::Duty;
    use protocol::duty::names::KeptId;
    use protocol::duty::order::Outcome;
    use protocol::duty::terms::Terms;
    use serde_json::{Value, json};

    fn ticket(state: TicketState, used: Option<Timestamp>) -> Ticket {
        let wanted: Wanted = serde_json::from_value(json!({"task": "01", "short": "t1", "step": "s", "agent": "infra",
            "principal": "ada", "level": 3, "kind": "host.run", "action": {}, "undo": null, "claimed": ""}))
        .unwrap();
        let ticket = Ticket::of(TicketId(1), wanted, "h", Timestamp::UNIX_EPOCH);
        Ticket {
            state,
            used,
            ..ticket
        }
    }

    fn deed(outcome: Option<Outcome>) -> Deed {
        Deed {
            v: DEED_VERSION,
            key: "k".into(),
            digest: "d".into(),
            at: Timestamp::UNIX_EPOCH,
            agent: "infra".into(),
            principal: "ada".into(),
            task: "t1".into(),
            step: "s".into(),
            duty: Duty::KeptFiles,
            terms: Terms::default(),
            id: KeptId::of(1),
            before: Value::Null,
            outcome,
        }
    }

    #[test]
    fn copies_are_there_as_long_as_they_may_be_run() {
        let now = Timestamp::UNIX_EPOCH + SignedDuration::from_hours(2);
        let (young, old) = (SignedDuration::from_mins(1), SignedDuration::from_mins(11));
        assert!(stays(young, None, None, now) && !stays(old, None, None, now));
        for (state, expected) in [
            (TicketState::Requested, true),
            (TicketState::Approved, true),
            (TicketState::Denied, false),
            (TicketState::Expired, false),
            (TicketState::Cancelled, false),
        ] {
            assert_eq!(
                stays(young, Some(&ticket(state, None)), None, now),
                expected,
                "{state}"
            );
        }
        let used = |ago| ticket(TicketState::Used, Some(now - ago));
        assert!(stays(old, Some(&used(young)), None, now));
        assert!(!stays(old, Some(&used(LIFE)), None, now));
        assert!(stays(old, Some(&used(LIFE)), Some(&deed(None)), now));
        let ended = deed(Some(Outcome::not("x")));
        assert!(!stays(young, Some(&used(young)), Some(&ended), now));
    }

    #[test]
    fn only_what_is_over_goes() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["a", "b"] {
            std::fs::create_dir_all(dir.path().join(name).join("0")).unwrap();
        }
        let_go(dir.path(), Timestamp::now(), |name, age| {
            assert!(age < LOOK);
            name == "a"
        });
        assert!(dir.path().join("a/0").exists() && !dir.path().join("b").exists());
        let_go(&dir.path().join("nowhere"), Timestamp::now(), |_, _| false);
    }
}
