//! What can be said about schedules.

use clap::{Args as ClapArgs, Subcommand};
use protocol::ids::{RequestId, Role};
use std::path::PathBuf;

/// What can be done with schedules.
#[derive(Debug, Subcommand)]
pub enum ScheduleCommand {
    /// Every schedule: when it begins next, and what became of the last run
    List {
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// One schedule: its next times and its last runs
    Show {
        /// Its name
        name: String,
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// Write the file of a new schedule; the team takes it up at once
    Add(Box<AddArgs>),
    /// Begin a run now, beside its own times, and leave it working
    Run {
        /// Its name
        name: String,
        /// Your own id for the run; the same id twice is one task
        #[arg(long, value_name = "ID")]
        request_id: Option<RequestId>,
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// Let it begin nothing by itself until `resume`; a run that works goes on
    Pause {
        /// Its name
        name: String,
    },
    /// Let it begin again, with its next time
    Resume {
        /// Its name
        name: String,
    },
    /// Say what is wrong with the files of schedules, and when each comes round next
    Check {
        /// Files [default: those of the home]
        files: Vec<PathBuf>,
    },
}

/// A new schedule.
#[derive(Debug, ClapArgs)]
pub struct AddArgs {
    /// Its name, which is also its file's
    pub name: String,
    /// What a run does, in your own words
    #[arg(required_unless_present = "playbook", conflicts_with = "playbook")]
    pub request: Option<String>,
    /// Minute, hour, day of the month, month and weekday, such as "30 2 * * *", or @daily
    #[arg(long, value_name = "CRON")]
    pub when: String,
    /// Time zone of that line, such as Europe/Berlin [default: this machine's]
    #[arg(long, value_name = "ZONE")]
    pub zone: Option<String>,
    /// Run this playbook instead of matching words
    #[arg(long, value_name = "NAME")]
    pub playbook: Option<String>,
    /// The folder it is about [default: none]
    #[arg(long, value_name = "DIR")]
    pub workspace: Option<PathBuf>,
    /// The agent that must do it [default: routing decides]
    #[arg(long, value_name = "NAME")]
    pub agent: Option<Role>,
    /// Most a run may cost, in dollars
    #[arg(long, value_name = "USD", value_parser = super::values::dollars)]
    pub budget: Option<f64>,
}
