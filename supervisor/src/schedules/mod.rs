//! Begins jobs by themselves. `book` reads the home's schedules, `pai::schedule` decides, the ledger
//! keeps what was decided, and an owed run becomes a task under a request id made of its name and
//! its time. This loop may be cut off anywhere: what is owed is kept once.

pub mod book;
pub mod desk;

use crate::desk::Desk;
use crate::dispatch;
use crate::intake::{self, Accepted, IntakeError, Terms};
use crate::ledger::events::Event;
use crate::ledger::schedule_runs::{AskingRun, Came, OwedRun};
use crate::ledger::store::LedgerError;
use crate::principal;
use jiff::{SignedDuration, Timestamp};
use nix::unistd::Uid;
use pai::schedule::decide;
use pai::schedule::grammar::{Job, Schedule, Unattended};
use protocol::control::Submit;
use protocol::ids::{RequestId, TaskRef};
use protocol::task::Principal;
use protocol::task_state::{TaskState, WaitReason};
use std::time::{Duration, Instant};
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{sleep, timeout};

/// Looks at least this often: the clock may have been set, the host may have slept, a file may
/// have changed.
const LOOK: SignedDuration = SignedDuration::from_secs(15);
/// Shortest pause between two looks.
const PAUSE: SignedDuration = SignedDuration::from_millis(200);
/// After a look it rests so many times as long as that took, and no longer than the other: what ended meanwhile
/// is looked at then.
const RESTS: u32 = 5;
const LONGEST_REST: Duration = Duration::from_secs(5);

/// Begins what is to begin. Runs for ever.
pub async fn keep_going(desk: &Desk) {
    let mut heard = desk.hub.listen();
    loop {
        let began = Instant::now();
        let wait = match look(desk, Timestamp::now()).await {
            Ok(wait) => wait,
            Err(error) => {
                desk.note(&error);
                LOOK
            }
        };
        let ended = async {
            loop {
                match heard.recv().await {
                    // A run may wait for exactly this end.
                    Ok(told) if matches!(&told.event, Event::State(s) if counts(s)) => return,
                    Ok(_) => {}
                    Err(RecvError::Lagged(_)) => return,
                    Err(RecvError::Closed) => std::future::pending().await,
                }
            }
        };
        let wait = Duration::try_from(wait).unwrap_or_default();
        // With thousands of schedules a look takes a while, and thousands of tasks may end one after the other.
        let rest = (began.elapsed() * RESTS).min(LONGEST_REST);
        let told = async {
            sleep(rest).await;
            let _ended_or_over = timeout(wait.saturating_sub(rest), ended).await;
        };
        tokio::select! {
            () = told => {}
            () = desk.schedules.changed() => {}
        }
    }
}

/// Whether a run that waits may begin by this, or one that asks must be stopped.
fn counts(state: &TaskState) -> bool {
    let on = |on: &WaitReason| matches!(on, WaitReason::Input | WaitReason::Approval);
    state.is_final() || matches!(state, TaskState::Waiting { on: why } if on(why))
}

/// Decides about every schedule, begins what is owed, and says when to look again.
async fn look(desk: &Desk, now: Timestamp) -> Result<SignedDuration, LedgerError> {
    let known = desk.ledger.schedules().await?;
    let read = desk.schedules.now();
    let mut wait = LOOK;
    for name in known.keys().filter(|name| !read.is_there(name)) {
        desk.ledger.end_schedule(name).await?;
    }
    let mut new = Vec::new();
    for schedule in read.schedules.values() {
        let calendar = schedule.calendar.print();
        let standing = match known.get(&schedule.name) {
            Some(known) if known.calendar == calendar => known.standing,
            _ => {
                new.push((schedule.name.as_str(), calendar));
                continue;
            }
        };
        if let Some(decision) = decide::decide(schedule, &standing, now) {
            let name = &schedule.name;
            let kept = desk.ledger.decide_schedule(name, &standing, &decision, now);
            if kept.await? {
                say(desk, name, &decision);
            }
        }
        if let Some(next) = decide::next(schedule, standing.settled.max(now)) {
            wait = wait.min(next.duration_since(now));
        }
    }
    if !new.is_empty() {
        desk.ledger.begin_schedules(&new, now).await?;
        // One that was never made is owed at once.
        desk.backups.notify_one();
    }
    for run in desk.ledger.owed_runs().await? {
        match read.schedules.get(&run.schedule).map(|s| &s.job) {
            Some(Job::Backup(_) | Job::Drill) => desk.backups.notify_one(),
            _ => begin(desk, &read, &run).await?,
        }
    }
    for asking in desk.ledger.asking_runs().await? {
        let schedule = read.schedules.get(&asking.schedule);
        if schedule.is_some_and(|s| s.unattended == Unattended::Refuse) {
            refuse(desk, &asking).await?;
        }
    }
    Ok(wait.max(PAUSE))
}

/// Stops a run that asks where its schedule lets nothing ask. Why is written down first: a stopped task
/// without a reason would say nothing to whoever looks in the morning.
async fn refuse(desk: &Desk, asking: &AskingRun) -> Result<(), LedgerError> {
    let asked = asking.asked.as_deref().unwrap_or("for a person's leave");
    let asked: String = asked.chars().take(500).collect();
    let why = format!(
        "stopped, since nobody was there and its schedule lets nothing ask; it asked: {asked}"
    );
    let AskingRun { schedule, due, .. } = asking;
    desk.ledger.explain_run(schedule, *due, &why).await?;
    dispatch::cancel(desk, asking.task).await?;
    desk.hub.say(format!("schedule {schedule}: {why}"));
    Ok(())
}

/// Says in window 0 what a person should know of: what was left out.
fn say(desk: &Desk, name: &str, decision: &decide::Decision) {
    if decision.clock_was_wrong {
        desk.hub.say(format!(
            "schedule {name}: this host's clock had been far ahead; its runs count from now on"
        ));
    }
    if let Some(left) = decision.left_out {
        let why = match left.why {
            decide::Why::Missed => "nobody could start in time",
            decide::Why::Overlap => "met one that had not ended",
        };
        let runs = if left.count == 1 { "run" } else { "runs" };
        desk.hub.say(format!(
            "schedule {name}: left out {} {runs} that {why}",
            left.count
        ));
    }
}

/// Makes a task of an owed run, or writes down why none can be made.
async fn begin(desk: &Desk, read: &book::Read, run: &OwedRun) -> Result<(), LedgerError> {
    let now = Timestamp::now();
    let Some(schedule) = read.schedules.get(&run.schedule) else {
        let why = "it is gone, or cannot be used: ai-infra schedule list";
        let refused = Came::Refused(why);
        return desk.ledger.settle_run(run, refused, now).await;
    };
    match started(desk, schedule, run).await {
        Ok(_) => Ok(()),
        Err(IntakeError::Ledger(error)) => Err(error),
        Err(error) => {
            let name = &run.schedule;
            tracing::warn!(schedule = name, %error, "a scheduled run was refused");
            desk.hub
                .say(format!("schedule {name}: a run was refused: {error}"));
            let why = error.to_string();
            let refused = Came::Refused(&why);
            desk.ledger.settle_run(run, refused, now).await
        }
    }
}

/// Keeps the task of a run, and that it has it.
async fn started(desk: &Desk, schedule: &Schedule, run: &OwedRun) -> Result<Accepted, IntakeError> {
    let request_id = request_id(run);
    let kept = desk.ledger.of_request(&request_id).await?;
    let accepted = match kept {
        // Kept before this process was: as it was asked then.
        Some(task) => intake::hand_over(desk, &task, true).await?,
        None => {
            let submit = submit(schedule, request_id, Timestamp::now());
            let terms = Terms {
                level: schedule.level,
                because: Some(because(schedule, run)),
            };
            let who = run.asked_by.clone().unwrap_or_else(owner);
            intake::submit_on(desk, who, submit, terms).await?
        }
    };
    let came = Came::Task(accepted.line.task_id);
    let settled = desk.ledger.settle_run(run, came, Timestamp::now());
    settled.await?;
    Ok(accepted)
}

/// A run that a person asks for, now. It is owed before its task is made: whoever is killed in between,
/// history knows of it and the next supervisor begins it.
pub(crate) async fn run_now(
    desk: &Desk,
    who: &Principal,
    schedule: &Schedule,
    request_id: RequestId,
) -> Result<Accepted, IntakeError> {
    if let Some(task) = desk.ledger.of_request(&request_id).await? {
        let line = desk.ledger.line(TaskRef::Id(task.id)).await?;
        return Ok(Accepted {
            line,
            again: true,
            notice: None,
        });
    }
    let run = asked(who, schedule, &request_id);
    desk.ledger.owe_run(&run).await?;
    match started(desk, schedule, &run).await {
        Err(IntakeError::Ledger(error)) => Err(error.into()),
        Err(error) => {
            let why = error.to_string();
            let refused = Came::Refused(&why);
            let settled = desk.ledger.settle_run(&run, refused, Timestamp::now());
            settled.await?;
            Err(error)
        }
        accepted => accepted,
    }
}

/// The run that a person asks for.
fn asked(who: &Principal, schedule: &Schedule, request_id: &RequestId) -> OwedRun {
    OwedRun {
        schedule: schedule.name.clone(),
        due: Timestamp::now(),
        asked_by: Some(who.clone()),
        request_id: Some(request_id.as_str().to_owned()),
        attempts: 0,
        again: None,
    }
}

/// The same run always has the same id, so it is one task whatever happens in between.
fn request_id(run: &OwedRun) -> RequestId {
    if let Some(Ok(own)) = run.request_id.as_deref().map(str::parse) {
        return own;
    }
    let by = RequestId::BY_SCHEDULE;
    let id = format!("{by}{}/{}", run.schedule, run.due.as_microsecond());
    // A name is at most 48 letters, digits and hyphens.
    id.parse().unwrap_or_default()
}

fn because(schedule: &Schedule, run: &OwedRun) -> String {
    let zone = schedule.calendar.zone();
    match &run.asked_by {
        Some(who) => format!("schedule {}, asked for by {}", schedule.name, who.name),
        None => format!(
            "schedule {}, due {}",
            schedule.name,
            run.due.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M %Z")
        ),
    }
}

/// Whom a run belongs to that began by itself: the owner of the home.
fn owner() -> Principal {
    let uid = Uid::effective().as_raw();
    Principal {
        uid,
        name: principal::name_of(uid),
    }
}

fn submit(schedule: &Schedule, request_id: RequestId, now: Timestamp) -> Submit {
    let (request, playbook, plan) = match &schedule.job {
        Job::Ask(words) => (words.clone(), None, None),
        Job::Playbook(name, params) => (
            format!("playbook {name}"),
            Some((name.clone(), params.clone())),
            None,
        ),
        Job::Plan(plan) => (format!("plan {}", plan.name), None, Some(plan.clone())),
        // Never asked for: they make no task.
        Job::Backup(_) | Job::Drill => (String::new(), None, None),
    };
    let deadline = schedule
        .timeout
        .and_then(|limit| now.checked_add(limit).ok());
    Submit {
        request_id,
        agent: schedule.agent.clone(),
        playbook,
        plan,
        workspace: schedule.workspace.clone(),
        host: schedule.host.clone(),
        effort: schedule.effort,
        budget_usd: schedule.budget_usd,
        priority: Some(schedule.priority),
        deadline,
        ..Submit::words(&request)
    }
}

#[cfg(test)]
mod tests;
