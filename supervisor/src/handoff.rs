//! Decides whether a task may change hands, and has it done. The wish lies in the ledger from the
//! moment its task was parked, so this loop may be cut off anywhere.

use crate::desk::Desk;
use crate::dispatch;
use crate::intake::{IntakeError, hosts};
use crate::ledger::events::Event;
use crate::ledger::handoffs::AskedHandOff;
use crate::ledger::store::LedgerError;
use bus::presence::Presence;
use jiff::Timestamp;
use protocol::ids::{Role, TaskRef};
use protocol::limits::MOST_HANDOFFS;
use protocol::task_state::{TaskState, WaitReason};
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::timeout;

/// Looks at the ledger at least this often, whatever it heard.
const LOOK: Duration = Duration::from_secs(1);
/// Longest wait for who is there.
const PATIENCE: Duration = Duration::from_millis(300);
/// How many wishes one look takes from the ledger.
const PAGE: u32 = 200;

/// Hands on what is to be handed on. Runs for ever.
pub async fn keep_going(desk: &Desk) {
    let mut heard = desk.hub.listen();
    loop {
        if let Err(error) = decide_all(desk).await {
            desk.note(&error);
        }
        let asked = async {
            loop {
                match heard.recv().await {
                    Ok(happening) if is_wish(&happening.event) => return,
                    Ok(_) => {}
                    Err(RecvError::Lagged(_)) => return,
                    Err(RecvError::Closed) => std::future::pending().await,
                }
            }
        };
        let _looked_anyway = timeout(LOOK, asked).await;
    }
}

fn is_wish(event: &Event) -> bool {
    let on = WaitReason::Handoff;
    matches!(event, Event::State(TaskState::Waiting { on: reason }) if *reason == on)
}

async fn decide_all(desk: &Desk) -> Result<(), LedgerError> {
    for asked in desk.ledger.handoffs_asked(PAGE).await? {
        let roles: Vec<&Role> = desk.settings.agents.iter().map(|a| &a.name).collect();
        let refused = match refused(&asked, &roles) {
            None => match not_there(desk, &asked).await? {
                There::Goes => None,
                There::Refused(why) => Some(why),
                // The next look sees.
                There::NotYet => continue,
            },
            refused => refused,
        };
        let decided = desk
            .ledger
            .hand_off(&asked, refused.as_deref(), Timestamp::now());
        if let Some((owed, told)) = decided.await? {
            dispatch::go_on(desk, owed, told).await;
        }
    }
    Ok(())
}

/// Whether a task can go on with the other role where its folder is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum There {
    /// Somebody is there for it, or nobody can tell at the moment.
    Goes,
    /// Nobody is, as a sentence.
    Refused(String),
    /// Nobody was seen, but one that is just being started may still say that it is there.
    NotYet,
}

/// Whether the other role works where the folder is: another host runs only the roles it was
/// invited for, and on this one an agent may have been given up.
async fn not_there(desk: &Desk, asked: &AskedHandOff) -> Result<There, LedgerError> {
    let task = desk.ledger.find(TaskRef::Id(asked.task)).await?.task;
    let Some(host) = hosts::other(desk, &task) else {
        let Ok(bus) = desk.link.now() else {
            return Ok(There::Goes);
        };
        return Ok(match timeout(PATIENCE, bus.present()).await {
            Ok(Ok(present)) => here(desk, &present, asked, Timestamp::now()),
            _ => There::Goes,
        });
    };
    let to = std::slice::from_ref(&asked.wish.to);
    match hosts::host_of(desk, Some(host.to_owned()), true, to).await {
        Ok(_) => Ok(There::Goes),
        Err(IntakeError::Ledger(error)) => Err(error),
        Err(error) => Ok(There::Refused(error.to_string())),
    }
}

fn here(desk: &Desk, present: &[Presence], asked: &AskedHandOff, now: Timestamp) -> There {
    let lease = Duration::from_millis(desk.settings.team.lease_ms);
    seen_here(present, asked, &desk.settings.host, lease, now)
}

/// Judges by the signs of life, which are good for three leases: whoever was given up has none.
fn seen_here(
    present: &[Presence],
    asked: &AskedHandOff,
    host: &str,
    lease: Duration,
    now: Timestamp,
) -> There {
    let to = &asked.wish.to;
    if present.iter().any(|p| p.role == *to && p.host == host) {
        return There::Goes;
    }
    let waited = Duration::try_from(now.duration_since(asked.at)).unwrap_or_default();
    match waited < lease {
        true => There::NotYet,
        false => There::Refused(format!(
            "no agent {to} is at work on {host}: see ai-infra status, then ai-infra restart"
        )),
    }
}

/// Why a task stays with whom it is; `None` where it may go.
fn refused(asked: &AskedHandOff, roles: &[&Role]) -> Option<String> {
    let to = &asked.wish.to;
    if !roles.contains(&to) {
        let known: Vec<&str> = roles.iter().map(|role| role.as_str()).collect();
        return Some(format!(
            "there is no agent `{to}`; there are: {}",
            known.join(", ")
        ));
    }
    if *to == asked.from {
        return Some(format!("{to} holds it already"));
    }
    (asked.number > MOST_HANDOFFS).then(|| {
        format!(
            "a task changes hands at most {MOST_HANDOFFS} times: finish it, or say what is missing"
        )
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use protocol::ids::TaskId;
    use protocol::report::HandOff;

    #[test]
    fn tasks_go_to_other_agents_a_few_times() {
        let (code, qa): (Role, Role) = ("code".parse().unwrap(), "qa".parse().unwrap());
        let said = |to: &str, number: u64| {
            let asked = AskedHandOff {
                task: TaskId::new(),
                number,
                from: code.clone(),
                wish: HandOff {
                    to: to.parse().unwrap(),
                    note: String::new(),
                    step: "s".to_owned(),
                    call: "c".to_owned(),
                },
                at: Timestamp::UNIX_EPOCH,
            };
            refused(&asked, &[&code, &qa]).unwrap_or_default()
        };
        for (to, number, expected) in [
            ("qa", 1, ""),
            ("qa", MOST_HANDOFFS, ""),
            (
                "qa",
                MOST_HANDOFFS + 1,
                "a task changes hands at most 8 times",
            ),
            ("code", 1, "code holds it already"),
            ("poet", 1, "there is no agent `poet`; there are: code, qa"),
            ("supervisor", 1, "there is no agent `supervisor`"),
        ] {
            let said = said(to, number);
            assert!(
                said.starts_with(expected) && said.is_empty() == expected.is_empty(),
                "{said}"
            );
        }
    }

    #[test]
    fn a_role_that_nobody_runs_here_is_refused_after_a_lease() {
        let presence = |role: &str, host: &str| Presence {
            instance: String::new(),
            role: role.parse().unwrap(),
            pid: 1,
            version: String::new(),
            host: host.to_owned(),
            task: None,
            held_back: None,
            at: Timestamp::UNIX_EPOCH,
        };
        let asked = AskedHandOff {
            task: TaskId::new(),
            number: 1,
            from: "code".parse().unwrap(),
            wish: HandOff {
                to: "qa".parse().unwrap(),
                note: String::new(),
                step: "s".to_owned(),
                call: "c".to_owned(),
            },
            at: Timestamp::from_second(100).unwrap(),
        };
        let check = |present: &[Presence], second: i64, expected: &str| {
            let now = Timestamp::from_second(second).unwrap();
            let lease = Duration::from_secs(10);
            let said = seen_here(present, &asked, "here", lease, now);
            assert!(format!("{said:?}").starts_with(expected), "{said:?}");
        };
        let others = [presence("code", "here"), presence("qa", "there")];
        check(&[presence("qa", "here")], 100, "Goes");
        check(&others, 100, "NotYet");
        check(&others, 109, "NotYet");
        check(&others, 110, "Refused(\"no agent qa is at work on here");
        check(&[], 99, "NotYet");
    }
}
