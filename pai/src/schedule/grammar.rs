//! The file of a schedule: how it is read, and everything that is refused before it can begin
//! anything.

use super::ScheduleError;
use super::calendar::{Calendar, Repeated};
use crate::plan::grammar as plan_grammar;
use crate::playbook::grammar;
use jiff::SignedDuration;
use jiff::tz::TimeZone;
use protocol::ids::Role;
use protocol::level::Level;
use protocol::plan::Plan;
use protocol::task::Effort;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::path::PathBuf;

/// Version of the grammar.
pub const VERSION: u64 = 1;
/// Largest file, in bytes.
pub const LARGEST: usize = 256 * 1024;
/// Longest name, in characters.
const LONGEST_NAME: usize = 48;
/// Longest grace, jitter or time limit.
const LONGEST: SignedDuration = SignedDuration::from_hours(24);

/// What is done about runs whose time passed while nobody could start them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Missed {
    /// One run makes up for all of them.
    #[default]
    Once,
    /// They are left out.
    Skip,
}

/// What is done where the run before has not ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Overlap {
    /// The new one is left out.
    #[default]
    Skip,
    /// The newest one waits for its end.
    Wait,
    /// Both run.
    Parallel,
}

/// What is done with a run that asks a person something while nobody is there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unattended {
    /// It waits for its answer.
    #[default]
    Wait,
    /// It is stopped, with its question in history.
    Refuse,
}

/// What a run is asked to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Job {
    /// Words, routed as a person's.
    Ask(String),
    /// A playbook by name, with its parameters.
    Playbook(String, Map<String, Value>),
    /// A graph of tasks.
    Plan(Box<Plan>),
    /// A job of the backups, by name. It makes no task: no agent may see what it reads.
    Backup(String),
    /// A backup is restored aside and compared. It makes no task either.
    Drill,
}

/// A schedule, checked.
#[derive(Debug, Clone)]
pub struct Schedule {
    /// Its name.
    pub name: String,
    /// When it comes round.
    pub calendar: Calendar,
    /// What a run does.
    pub job: Job,
    /// The folder it is about, absolute.
    pub workspace: Option<PathBuf>,
    /// The host of that folder, where it is not the team's first one.
    pub host: Option<String>,
    /// The role that must do it.
    pub agent: Option<Role>,
    /// How much work a run is worth.
    pub effort: Effort,
    /// Most a run may cost, in US dollars; a task's usual limit where it is not said.
    pub budget_usd: Option<f64>,
    /// Ceiling of a run; its agent's own where it is not said.
    pub level: Option<Level>,
    /// 1 (background) to 10 (urgent).
    pub priority: u8,
    /// How long a run may take.
    pub timeout: Option<SignedDuration>,
    /// Runs whose time passed.
    pub missed: Missed,
    /// A run that begins later than this counts as missed.
    pub grace: SignedDuration,
    /// Runs that meet.
    pub overlap: Overlap,
    /// Each run begins up to this much later, always the same for the same run.
    pub jitter: SignedDuration,
    /// Runs that ask.
    pub unattended: Unattended,
}

/// The file as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    schedule: u64,
    name: String,
    when: String,
    zone: Option<String>,
    ask: Option<String>,
    playbook: Option<String>,
    #[serde(default)]
    params: Map<String, Value>,
    plan: Option<Plan>,
    workspace: Option<PathBuf>,
    host: Option<String>,
    agent: Option<Role>,
    #[serde(default)]
    effort: Effort,
    budget_usd: Option<f64>,
    level: Option<Level>,
    priority: Option<u8>,
    timeout: Option<String>,
    #[serde(default)]
    missed: Missed,
    grace: Option<String>,
    #[serde(default)]
    overlap: Overlap,
    jitter: Option<String>,
    #[serde(default)]
    repeated_hour: Repeated,
    #[serde(default)]
    unattended: Unattended,
}

/// Reads and checks the file of a schedule. `here` is the zone of one that names none.
///
/// # Errors
/// The first thing that is wrong, with its line where the parser knows it.
pub fn parse(yaml: &str, here: &TimeZone) -> Result<Schedule, ScheduleError> {
    if yaml.len() > LARGEST {
        return Err(ScheduleError::TooLarge(yaml.len()));
    }
    refuse_newer(yaml)?;
    let written: Written =
        grammar::yaml_1_2(yaml).map_err(|e| ScheduleError::Grammar(grammar::yaml_error(&e)))?;
    check(written, here)
}

fn refuse_newer(yaml: &str) -> Result<(), ScheduleError> {
    #[derive(Deserialize)]
    struct Peek {
        schedule: Option<Value>,
    }
    let version = grammar::yaml_1_2::<Peek>(yaml)
        .ok()
        .and_then(|peek| peek.schedule?.as_u64());
    match version {
        Some(version) if version > VERSION => Err(ScheduleError::Version(version)),
        _ => Ok(()),
    }
}

fn wrong(key: &'static str, problem: impl Into<String>) -> ScheduleError {
    let problem = problem.into();
    ScheduleError::Key { key, problem }
}

fn check(written: Written, here: &TimeZone) -> Result<Schedule, ScheduleError> {
    if written.schedule != VERSION {
        return Err(wrong("schedule", "must be 1"));
    }
    check_name(&written.name)?;
    let zone = match &written.zone {
        None => here.clone(),
        Some(name) => zone(name)?,
    };
    let calendar = Calendar::new(&written.when, zone, written.repeated_hour)?;
    let folder = written.workspace.as_ref();
    if folder.is_some_and(|path| !path.is_absolute()) {
        return Err(wrong("workspace", "must be an absolute path"));
    }
    if let Some(priority) = written.priority.filter(|p| !(1..=10).contains(p)) {
        return Err(wrong(
            "priority",
            format!("is {priority}: use 1 (background) to 10 (urgent)"),
        ));
    }
    let amount = |usd: &f64| !usd.is_finite() || *usd < 0.0;
    if written.budget_usd.as_ref().is_some_and(amount) {
        return Err(wrong(
            "budget_usd",
            "is no amount: write dollars, such as 0.50",
        ));
    }
    let length = |key, text: &Option<String>| text.as_deref().map(|t| span(key, t)).transpose();
    let timeout = length("timeout", &written.timeout)?;
    let grace = length("grace", &written.grace)?;
    let jitter = length("jitter", &written.jitter)?;
    Ok(Schedule {
        job: job(written.ask, written.playbook, written.params, written.plan)?,
        name: written.name,
        calendar,
        workspace: written.workspace,
        host: written.host,
        agent: written.agent,
        effort: written.effort,
        budget_usd: written.budget_usd,
        level: written.level,
        priority: written.priority.unwrap_or(3),
        timeout,
        missed: written.missed,
        grace: grace.unwrap_or(SignedDuration::from_mins(5)),
        overlap: written.overlap,
        jitter: jitter.unwrap_or(SignedDuration::ZERO),
        unattended: written.unattended,
    })
}

/// Whether a schedule may have this name.
///
/// # Errors
/// What a name is.
pub fn check_name(name: &str) -> Result<(), ScheduleError> {
    let good = (1..=LONGEST_NAME).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    let refused = || {
        let problem = format!(
            "`{}` is no name: use 1 to {LONGEST_NAME} of a-z, 0-9 and -, starting with a letter",
            name.escape_debug()
        );
        wrong("name", problem)
    };
    good.then_some(()).ok_or_else(refused)
}

/// A time zone of the IANA database.
///
/// # Errors
/// When there is none of that name.
pub fn zone(name: &str) -> Result<TimeZone, ScheduleError> {
    TimeZone::get(name).map_err(|_| {
        let name = name.escape_debug();
        wrong(
            "zone",
            format!("`{name}` is no time zone: write one such as Europe/Berlin or UTC"),
        )
    })
}

fn job(
    ask: Option<String>,
    playbook: Option<String>,
    params: Map<String, Value>,
    plan: Option<Plan>,
) -> Result<Job, ScheduleError> {
    if playbook.is_none() && !params.is_empty() {
        return Err(wrong("params", "belong to a `playbook`: name one"));
    }
    match (ask, playbook, plan) {
        (Some(ask), None, None) if ask.trim().is_empty() => {
            Err(wrong("ask", "is empty: say what should be true"))
        }
        (Some(ask), None, None) => Ok(Job::Ask(ask)),
        (None, Some(name), None) => Ok(Job::Playbook(name, params)),
        (None, None, Some(plan)) => {
            plan_grammar::check(&plan)?;
            Ok(Job::Plan(Box::new(plan)))
        }
        (None, None, None) => Err(wrong(
            "ask",
            "is missing: say what a run does with `ask`, `playbook` or `plan`",
        )),
        _ => Err(wrong(
            "ask",
            "stands beside `playbook` or `plan`: keep one of the three",
        )),
    }
}

fn span(key: &'static str, text: &str) -> Result<SignedDuration, ScheduleError> {
    let read = text.parse::<SignedDuration>().ok();
    read.filter(|time| !time.is_negative() && *time <= LONGEST)
        .ok_or_else(|| {
            let text = text.escape_debug();
            wrong(
                key,
                format!("`{text}` is not a time: write 30s, 10m or 1h, at most 24h"),
            )
        })
}

#[cfg(test)]
#[path = "grammar_tests.rs"]
mod tests;
