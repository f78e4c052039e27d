//! What people ask about schedules, and what they do with them.

use super::book::Read;
use super::{asked, run_now};
use crate::desk::Desk;
use crate::intake::{Accepted, IntakeError};
use crate::ledger::schedules::KnownSchedule;
use crate::ledger::store::LedgerError;
use jiff::Timestamp;
use pai::schedule::decide;
use pai::schedule::grammar::{Job, Schedule};
use protocol::exit;
use protocol::ids::RequestId;
use protocol::schedule::{SCHEDULES_VERSION, ScheduleLine, ScheduleList, SchedulePage};
use protocol::task::Principal;

/// Runs shown of one schedule.
const RUNS: u32 = 20;
/// Coming times shown of one schedule.
const COMING: usize = 5;

/// Why a verb about a schedule was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum ScheduleVerbError {
    /// There is none of that name.
    #[error("no schedule `{name}`{near}: `ai-infra schedule list` shows what there is")]
    Unknown {
        /// As given.
        name: String,
        /// A hint.
        near: String,
    },
    /// Its file says something that cannot be.
    #[error("{0}")]
    Unusable(String),
    /// Its run was refused.
    #[error(transparent)]
    Intake(#[from] IntakeError),
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

impl ScheduleVerbError {
    /// Exit code of the command line.
    pub fn exit_code(&self) -> u8 {
        match self {
            ScheduleVerbError::Unknown { .. } | ScheduleVerbError::Unusable(_) => exit::USAGE,
            ScheduleVerbError::Intake(error) => error.exit_code(),
            ScheduleVerbError::Ledger(error) => error.exit_code(),
        }
    }
}

/// `schedule list`.
///
/// # Errors
/// When the ledger does not answer.
pub async fn list(desk: &Desk) -> Result<ScheduleList, LedgerError> {
    let read = desk.schedules.now();
    desk.schedules.look();
    let known = desk.ledger.schedules().await?;
    let lines = read.schedules.values();
    let lines = lines.map(|schedule| line(schedule, known.get(&schedule.name)));
    Ok(ScheduleList {
        version: SCHEDULES_VERSION,
        schedules: lines.collect(),
        problems: read.problems.clone(),
    })
}

/// `schedule show`.
///
/// # Errors
/// When there is none of that name, or the ledger does not answer.
pub async fn show(desk: &Desk, name: &str) -> Result<SchedulePage, ScheduleVerbError> {
    let read = desk.schedules.now();
    let schedule = find(desk, &read, name)?;
    let known = desk.ledger.schedules().await?;
    let calendar = &schedule.calendar;
    let coming = std::iter::successors(calendar.after(Timestamp::now()), |at| calendar.after(*at));
    Ok(SchedulePage {
        version: SCHEDULES_VERSION,
        line: line(schedule, known.get(name)),
        file: desk.schedules.file(name).display().to_string(),
        coming: coming.take(COMING).collect(),
        runs: desk.ledger.schedule_runs(name, RUNS).await?,
    })
}

/// What `schedule run` began.
pub enum Begun {
    /// A task.
    Task(Box<Accepted>),
    /// What makes no task: a sentence about it.
    Said(String),
}

/// `schedule run`.
///
/// # Errors
/// When there is none of that name, or its request is refused.
pub async fn run(
    desk: &Desk,
    who: &Principal,
    name: &str,
    request_id: RequestId,
) -> Result<Begun, ScheduleVerbError> {
    let read = desk.schedules.now();
    let schedule = find(desk, &read, name)?;
    if !matches!(schedule.job, Job::Backup(_) | Job::Drill) {
        let accepted = run_now(desk, who, schedule, request_id).await?;
        return Ok(Begun::Task(Box::new(accepted)));
    }
    let new = desk
        .ledger
        .owe_run(&asked(who, schedule, &request_id))
        .await?;
    desk.backups.notify_one();
    let how = if new { "begins" } else { "was begun already" };
    Ok(Begun::Said(format!(
        "{} {how}: `ai-infra schedule show {name}` says what it comes to",
        does(&schedule.job)
    )))
}

/// `schedule pause` and `schedule resume`.
///
/// # Errors
/// When there is none of that name, or the ledger does not answer.
pub async fn pause(
    desk: &Desk,
    who: &Principal,
    name: &str,
    pause: bool,
) -> Result<String, ScheduleVerbError> {
    let read = desk.schedules.now();
    let schedule = find(desk, &read, name)?;
    let now = Timestamp::now();
    let calendar = schedule.calendar.print();
    desk.ledger.begin_schedule(name, &calendar, now).await?;
    let by = pause.then_some(who.name.as_str());
    let changed = desk.ledger.pause_schedule(name, by, now).await?;
    desk.schedules.look();
    let said = match (pause, changed) {
        (true, true) => format!(
            "schedule {name} is paused: it begins nothing by itself until `ai-infra schedule resume {name}`"
        ),
        (true, false) => format!("schedule {name} was paused already"),
        (false, true) => match decide::next(schedule, now) {
            Some(next) => format!(
                "schedule {name} goes on; it begins next at {}",
                next.to_zoned(schedule.calendar.zone().clone())
                    .strftime("%Y-%m-%d %H:%M %Z")
            ),
            None => format!("schedule {name} goes on"),
        },
        (false, false) => format!("schedule {name} was not paused"),
    };
    if changed {
        desk.hub.say(format!("{said} ({})", who.name));
    }
    Ok(said)
}

fn find<'a>(desk: &Desk, read: &'a Read, name: &str) -> Result<&'a Schedule, ScheduleVerbError> {
    if let Some(schedule) = read.schedules.get(name) {
        return Ok(schedule);
    }
    let file = desk.schedules.file(name).display().to_string();
    if let Some(problem) = read.problems.iter().find(|p| p.contains(&file)) {
        return Err(ScheduleVerbError::Unusable(problem.clone()));
    }
    let names = read.schedules.keys().map(String::as_str);
    Err(ScheduleVerbError::Unknown {
        name: name.escape_debug().to_string(),
        near: pai::playbook::hint(name, names),
    })
}

fn line(schedule: &Schedule, known: Option<&KnownSchedule>) -> ScheduleLine {
    let paused = known.and_then(|known| known.paused.clone());
    let since = match known {
        Some(known) => known.standing.settled.max(Timestamp::now()),
        None => Timestamp::now(),
    };
    let (paused, paused_by) = paused.unzip();
    ScheduleLine {
        name: schedule.name.clone(),
        when: schedule.calendar.line().to_owned(),
        zone: schedule.calendar.zone_name().to_owned(),
        does: does(&schedule.job),
        next: match paused {
            Some(_) => None,
            None => decide::next(schedule, since),
        },
        paused,
        paused_by,
        held: known.and_then(|known| known.standing.held),
        last: known.and_then(|known| known.last.clone()),
    }
}

fn does(job: &Job) -> String {
    match job {
        Job::Ask(words) => words.clone(),
        Job::Playbook(name, _) => format!("playbook {name}"),
        Job::Plan(plan) => format!("plan {}", plan.name),
        Job::Backup(name) => format!("backup of {name}"),
        Job::Drill => "drill: restore the newest backup aside and compare".to_owned(),
    }
}
