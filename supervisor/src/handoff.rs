//! Decides whether a task may change hands, and has it done. The wish lies in the ledger from the
//! moment its task was parked, so this loop may be cut off anywhere.

use crate::desk::Desk;
use crate::dispatch;
use crate::intake::{IntakeError, hosts};
use crate::ledger::events::Event;
use crate::ledger::handoffs::AskedHandOff;
use crate::ledger::store::LedgerError;
use jiff::Timestamp;
use protocol::ids::{Role, TaskRef};
use protocol::limits::MOST_HANDOFFS;
use protocol::task_state::{TaskState, WaitReason};
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::timeout;

/// Looks at the ledger at least this often, whatever it heard.
const LOOK: Duration = Duration::from_secs(1);
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
            None => not_there(desk, &asked).await?,
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

/// Why the other role cannot have it where its folder is: another host runs only the roles it was
/// invited for.
async fn not_there(desk: &Desk, asked: &AskedHandOff) -> Result<Option<String>, LedgerError> {
    let task = desk.ledger.find(TaskRef::Id(asked.task)).await?.task;
    let Some(host) = hosts::other(desk, &task) else {
        return Ok(None);
    };
    let to = std::slice::from_ref(&asked.wish.to);
    match hosts::host_of(desk, Some(host.to_owned()), true, to).await {
        Ok(_) => Ok(None),
        Err(IntakeError::Ledger(error)) => Err(error),
        Err(error) => Ok(Some(error.to_string())),
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
}
