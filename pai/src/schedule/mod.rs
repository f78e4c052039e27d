//! Jobs that begin by themselves. `grammar` reads and checks a schedule's file, `calendar` knows
//! when its line of cron comes round in its time zone, `decide` says what is to be done now: a
//! run to start, runs to leave out, or when to look again.

pub mod calendar;
pub mod decide;
pub mod grammar;

pub use calendar::Calendar;
pub use grammar::Schedule;

/// Why a schedule cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// Written for a newer program.
    #[error("is written in version {0} of the schedule grammar: this program knows version 1")]
    Version(u64),
    /// More than a file may hold.
    #[error("has {0} bytes: a schedule has at most {most}", most = grammar::LARGEST)]
    TooLarge(usize),
    /// It is no YAML of this form.
    #[error("{0}")]
    Grammar(crate::playbook::PlaybookError),
    /// One key has a value that cannot be.
    #[error("`{key}` {problem}")]
    Key {
        /// Which.
        key: &'static str,
        /// What is wrong, and what to write.
        problem: String,
    },
    /// The plan it begins.
    #[error("`plan`: {0}")]
    Plan(#[from] crate::plan::PlanError),
}
