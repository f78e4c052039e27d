//! Decides whether a task may change hands, and has it done. The wish lies in the ledger from the
//! moment its task was parked, so this loop may be cut off anywhere.

use crate::client;
use crate::desk::Desk;
use crate::dispatch;
use crate::intake::{IntakeError, hosts};
use crate::ledger::events::Event;
use crate::ledger::handoffs::AskedHandOff;
use crate::ledger::store::LedgerError;
use jiff::Timestamp;
use protocol::control::{Answer, Verb};
use protocol::document::{GIVEN_UP, ProcessLine};
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

/// What the daemon of this host says about an agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kept {
    /// It runs, or is started again when it dies.
    Alive,
    /// It died too often.
    GivenUp,
    /// It is none of its processes.
    Unknown,
}

/// Whether the other role works where the folder is: another host runs only the roles it was
/// invited for, and on this one an agent may have been given up.
async fn not_there(desk: &Desk, asked: &AskedHandOff) -> Result<There, LedgerError> {
    let task = desk.ledger.find(TaskRef::Id(asked.task)).await?.task;
    let Some(host) = hosts::other(desk, &task) else {
        return Ok(here(desk, asked).await);
    };
    let to = std::slice::from_ref(&asked.wish.to);
    match hosts::host_of(desk, Some(host.to_owned()), true, to).await {
        Ok(_) => Ok(There::Goes),
        Err(IntakeError::Ledger(error)) => Err(error),
        Err(error) => Ok(There::Refused(error.to_string())),
    }
}

async fn here(desk: &Desk, asked: &AskedHandOff) -> There {
    let to = &asked.wish.to;
    let status = timeout(PATIENCE, client::ask_daemon(&desk.home, Verb::Status)).await;
    let kept = match status {
        Ok(Ok(Answer::Status { status })) => Some(kept(&status.processes, to)),
        _ => None,
    };
    let present = match (kept, desk.link.now()) {
        // The daemon has said enough.
        (Some(Kept::Alive | Kept::GivenUp), _) | (_, Err(_)) => None,
        (_, Ok(bus)) => match timeout(PATIENCE, bus.present()).await {
            Ok(Ok(all)) => Some(
                all.iter()
                    .any(|p| p.role == *to && p.host == desk.settings.host),
            ),
            _ => None,
        },
    };
    let waited = Timestamp::now().duration_since(asked.at);
    let waited = Duration::try_from(waited).unwrap_or_default();
    let lease = Duration::from_millis(desk.settings.team.lease_ms);
    stands(to, &desk.settings.host, kept, present, waited >= lease)
}

fn kept(processes: &[ProcessLine], to: &Role) -> Kept {
    match processes.iter().find(|line| line.name == to.as_str()) {
        Some(line) if line.state == GIVEN_UP => Kept::GivenUp,
        Some(_) => Kept::Alive,
        None => Kept::Unknown,
    }
}

/// Judges by what the daemon says (`None`: it does not answer), and where it keeps no such agent by
/// the signs of life (`None`: nobody can tell), which stand for three leases: somebody may have
/// started it by hand.
fn stands(to: &Role, host: &str, kept: Option<Kept>, present: Option<bool>, waited: bool) -> There {
    let next = "see ai-infra status, then ai-infra restart";
    match (kept, present) {
        (Some(Kept::Alive), _) => There::Goes,
        (Some(Kept::GivenUp), _) => There::Refused(format!(
            "agent {to} died too often and was given up: {next}"
        )),
        (_, None | Some(true)) => There::Goes,
        (None, Some(false)) if !waited => There::NotYet,
        (_, Some(false)) => There::Refused(format!("no agent {to} is at work on {host}: {next}")),
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
    fn a_role_that_nobody_runs_here_is_refused_at_once() {
        let qa: Role = "qa".parse().unwrap();
        let line = |name: &str, state: &str| ProcessLine {
            name: name.to_owned(),
            pid: None,
            state: state.to_owned(),
            restarts: 0,
            task: None,
        };
        for (state, expected) in [
            ("up", Kept::Alive),
            ("starting", Kept::Alive),
            ("down", Kept::Alive),
            (GIVEN_UP, Kept::GivenUp),
        ] {
            let lines = [line("code", "up"), line("qa", state)];
            assert_eq!(kept(&lines, &qa), expected, "{state}");
        }
        assert_eq!(kept(&[line("code", "up")], &qa), Kept::Unknown);
        let check = |kept, present, waited, expected: &str| {
            let said = stands(&qa, "here", kept, present, waited);
            assert!(format!("{said:?}").starts_with(expected), "{said:?}");
        };
        // One that is just being started again has said nothing yet, and is on its way.
        check(Some(Kept::Alive), None, false, "Goes");
        // Signs of life of one that was given up may still stand.
        check(
            Some(Kept::GivenUp),
            Some(true),
            false,
            "Refused(\"agent qa died too often",
        );
        let nobody = "Refused(\"no agent qa is at work on here";
        check(Some(Kept::Unknown), Some(false), false, nobody);
        check(Some(Kept::Unknown), Some(true), false, "Goes");
        check(Some(Kept::Unknown), None, false, "Goes");
        // A daemon that is being started again says nothing: a lease is waited for.
        check(None, Some(true), true, "Goes");
        check(None, Some(false), false, "NotYet");
        check(None, Some(false), true, nobody);
        check(None, None, true, "Goes");
    }
}
