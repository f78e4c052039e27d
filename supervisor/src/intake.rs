//! From a request to a kept task: checked, routed, written to the ledger, handed to the bus. A
//! request is acknowledged only after the ledger has it; Redis being away does not refuse it.

pub(crate) mod attached;
pub(crate) mod consider;
mod error;
pub(crate) mod hosts;

pub use error::IntakeError;

use crate::brakes;
use crate::desk::Desk;
use crate::dispatch;
use crate::hosts::watch;
use crate::ledger::keep::{Kept, NewTask};
use crate::pinned;
use config::settings::Settings;
use consider::{Considered, consider};
use jiff::Timestamp;
use protocol::control::Submit;
use protocol::document::TaskLine;
use protocol::ids::{ShortId, TaskId, TaskRef};
use protocol::level::Level;
use protocol::limits::REQUEST_BYTES;
use protocol::money::MicroUsd;
use protocol::task::{Ceiling, Principal, Task, Way};
use protocol::trace::Trace;
use sha2::{Digest, Sha256};

/// An accepted request.
#[derive(Debug, Clone, PartialEq)]
pub struct Accepted {
    /// The task's line.
    pub line: TaskLine,
    /// The request id was seen before.
    pub again: bool,
    /// A sentence the person should see, such as that Redis is away.
    pub notice: Option<String>,
}

/// What a request does not say itself.
#[derive(Debug, Clone, Default)]
pub(crate) struct Terms {
    /// A ceiling below the agent's own.
    pub(crate) level: Option<Level>,
    /// What made it, said before why who works.
    pub(crate) because: Option<String>,
}

/// Takes a request in. Safe to repeat with the same request id.
pub async fn submit(
    desk: &Desk,
    principal: Principal,
    submit: Submit,
) -> Result<Accepted, IntakeError> {
    submit_on(desk, principal, submit, Terms::default()).await
}

/// The same, on terms that are not the requester's to say.
pub(crate) async fn submit_on(
    desk: &Desk,
    principal: Principal,
    submit: Submit,
    terms: Terms,
) -> Result<Accepted, IntakeError> {
    let asked = digest(&submit);
    let known = desk.ledger.asked_before(&submit.request_id, &asked).await?;
    let (task, again) = match known {
        Some(task) => (task, true),
        None => keep(desk, principal, submit, asked, terms).await?,
    };
    hand_over(desk, &task, again).await
}

/// Sends a kept task on its way and says what the person should know about it.
pub(crate) async fn hand_over(
    desk: &Desk,
    task: &Task,
    again: bool,
) -> Result<Accepted, IntakeError> {
    let mut notices = Vec::new();
    if !again {
        notices.extend(brakes::holding(desk, &task.agent).await?);
        // The parts of a plan are started one by one, by the loop in `plans`.
        if !matches!(task.way, Way::Plan { .. }) {
            notices.extend(dispatch::first(desk, task).await);
            notices.extend(brakes::pressed(desk, task).await);
        }
        notices.extend(watch::about(desk, task).await?);
        if let (Way::Playbook { name, .. }, false) = (&task.way, attached::looks_at(&task.way))
            && !task.attachments.is_empty()
        {
            notices.push(format!(
                "the playbook {name} does not look at attached files"
            ));
        }
    }
    let line = desk.ledger.line(TaskRef::Id(task.id)).await?;
    Ok(Accepted {
        line,
        again,
        notice: (!notices.is_empty()).then(|| notices.join("; ")),
    })
}

async fn keep(
    desk: &Desk,
    principal: Principal,
    submit: Submit,
    asked: String,
    terms: Terms,
) -> Result<(Task, bool), IntakeError> {
    let now = Timestamp::now();
    let Considered {
        workspace,
        host,
        mut routed,
        mut parts,
        attachments,
    } = consider(desk, &submit, now).await?;
    pinned::pin(desk, &mut routed.way)?;
    for part in parts.iter_mut().filter_map(|part| part.routed.as_mut()) {
        pinned::pin(desk, &mut part.way)?;
    }
    if matches!(routed.way, Way::Anthropic) {
        check_month(desk, now).await?;
    }
    let new = NewTask {
        id: TaskId::new(),
        request_id: submit.request_id,
        asked,
        principal,
        request: submit.request,
        ceiling: lowered(hosts::ceiling(&desk.settings, &routed.agent), terms.level),
        host,
        agent: routed.agent,
        routed_because: match terms.because {
            Some(made) => format!("{made}: {}", routed.because),
            None => routed.because,
        },
        way: routed.way,
        workspace,
        effort: submit.effort,
        budget: submit.budget_usd.map(MicroUsd::from_dollars),
        priority: submit.priority.unwrap_or(5),
        deadline: submit.deadline,
        due: submit.due,
        retry_of: None,
        accepted: now,
        parent: None,
        trace: Some(submit.trace.map_or_else(Trace::begin, Trace::next)),
        attachments,
        parts,
    };
    keep_new(desk, &new).await
}

/// A ceiling is only ever lowered. A plan has none of its own: the level it was given is the most
/// that its parts may do.
pub(crate) fn lowered(own: Option<Ceiling>, level: Option<Level>) -> Option<Ceiling> {
    let Some(level) = level else {
        return own;
    };
    Some(match own {
        Some(own) => Ceiling {
            level: level.min(own.level),
            ..own
        },
        None => Ceiling {
            level,
            host_read: true,
        },
    })
}

/// Keeps a new task once it is known to fit the bus.
pub(crate) async fn keep_new(desk: &Desk, new: &NewTask) -> Result<(Task, bool), IntakeError> {
    if !matches!(new.way, Way::Plan { .. }) {
        check_fits(desk, new)?;
    }
    let limit = desk.settings.team.queue_limit;
    match desk.ledger.keep(new, limit).await? {
        Kept::New(task, happening) => {
            tracing::info!(
                task = %task.short_id, id = %task.id, trace_id = task.trace.map(|trace| trace.id()),
                agent = %task.agent, by = task.principal.name, because = task.routed_because,
                "accepted"
            );
            desk.hub.tell(vec![happening]);
            Ok((*task, false))
        }
        Kept::Again(task) => Ok((*task, true)),
    }
}

/// What was asked, apart from how urgent it is and when it must be over.
fn digest(submit: &Submit) -> String {
    let mut meaning = serde_json::json!([
        submit.request,
        submit.agent,
        submit.playbook,
        submit.script,
        submit.workspace,
    ]);
    if let (Some(host), Some(all)) = (&submit.host, meaning.as_array_mut()) {
        all.push(serde_json::json!({ "host": host }));
    }
    if let (Some(plan), Some(all)) = (&submit.plan, meaning.as_array_mut()) {
        all.push(serde_json::json!(plan));
    }
    if let (false, Some(all)) = (submit.attachments.is_empty(), meaning.as_array_mut()) {
        let files = submit
            .attachments
            .iter()
            .map(|file| (&file.name, &file.sha256));
        all.push(serde_json::json!({ "attachments": files.collect::<Vec<_>>() }));
    }
    let sum = Sha256::digest(meaning.to_string().as_bytes());
    sum.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn check_words(words: &str) -> Result<(), IntakeError> {
    if words.len() > REQUEST_BYTES {
        return Err(IntakeError::TooLong(words.len()));
    }
    if words.trim().is_empty() {
        return Err(IntakeError::Empty);
    }
    let unseen = words
        .chars()
        .find(|c| c.is_control() && !matches!(c, '\n' | '\t' | '\r'));
    unseen.map_or(Ok(()), |c| Err(IntakeError::Control(u32::from(c))))
}

pub(crate) fn check_terms(
    submit: &Submit,
    settings: &Settings,
    now: Timestamp,
) -> Result<(), IntakeError> {
    if let Some(priority) = submit.priority
        && !(1..=10).contains(&priority)
    {
        return Err(IntakeError::Priority(priority));
    }
    if let Some(given) = submit.budget_usd {
        let month = settings.budget.month_usd;
        let why = if !given.is_finite() || given < 0.0 {
            Some("give an amount in dollars, such as 0.50".to_owned())
        } else if given > month {
            Some(format!(
                "a whole month may cost ${month:.2} (budget.month_usd)"
            ))
        } else {
            None
        };
        if let Some(why) = why {
            return Err(IntakeError::Budget { given, why });
        }
    }
    match submit.deadline {
        Some(deadline) if deadline <= now => Err(IntakeError::Late(deadline)),
        _ => Ok(()),
    }
}

/// The work message must fit the bus before the task is kept, or it could never be sent.
pub(crate) fn check_fits(desk: &Desk, new: &NewTask) -> Result<(), IntakeError> {
    let task = new.numbered(ShortId(u64::from(u32::MAX)));
    let envelope = dispatch::envelope(&desk.settings.team.name, &task);
    match envelope.and_then(|envelope| envelope.to_bytes()) {
        Ok(_) => Ok(()),
        Err(_) => Err(IntakeError::TooLong(new.request.len())),
    }
}

pub(crate) async fn check_month(desk: &Desk, now: Timestamp) -> Result<(), IntakeError> {
    let spent = desk.ledger.spent_since(month_start(now)).await?.dollars();
    let limit = desk.settings.budget.month_usd;
    if spent >= limit {
        return Err(IntakeError::Spent { spent, limit });
    }
    Ok(())
}

/// The start of the calendar month, in UTC.
pub(crate) fn month_start(now: Timestamp) -> Timestamp {
    let date = now
        .to_zoned(jiff::tz::TimeZone::UTC)
        .date()
        .first_of_month();
    date.to_zoned(jiff::tz::TimeZone::UTC)
        .map_or(now, |start| start.timestamp())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use protocol::attachment::Attachment;
    use protocol::ids::RequestId;

    fn asked(request: &str) -> Submit {
        Submit::words(request)
    }

    #[test]
    fn words_are_checked() {
        let long = "x".repeat(REQUEST_BYTES + 1);
        for (words, good) in [
            ("run the tests", true),
            ("tests\n\tnow\r\n", true),
            ("Grüße 🙂", true),
            ("", false),
            (" \n\t ", false),
            ("a\0b", false),
            ("a\u{1b}[31mb", false),
            ("a\u{85}b", false),
            (long.as_str(), false),
        ] {
            assert_eq!(check_words(words).is_ok(), good, "{words:?}");
        }
    }

    #[test]
    fn the_digest_is_what_was_asked_not_when() {
        let base = asked("run the tests");
        let same = Submit {
            deadline: Some(Timestamp::now()),
            priority: Some(9),
            request_id: RequestId::new(),
            ..base.clone()
        };
        assert_eq!(digest(&base), digest(&same));
        let changes: [fn(&mut Submit); 5] = [
            |s| {
                s.attachments.push(Attachment {
                    name: "a".to_owned(),
                    sha256: "b".to_owned(),
                    bytes: 1,
                    kind: String::new(),
                });
            },
            |s| s.request.push('!'),
            |s| s.agent = "qa".parse().ok(),
            |s| s.workspace = Some("/srv".into()),
            |s| s.playbook = Some(("x".to_owned(), serde_json::Map::new())),
        ];
        for change in changes {
            let mut other = base.clone();
            change(&mut other);
            assert_ne!(digest(&base), digest(&other));
        }
    }

    #[test]
    fn a_month_starts_on_its_first() {
        for (now, start) in [
            ("2026-07-31T23:59:59Z", "2026-07-01T00:00:00Z"),
            ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z"),
        ] {
            assert_eq!(month_start(now.parse().unwrap()).to_string(), start);
        }
    }
}
