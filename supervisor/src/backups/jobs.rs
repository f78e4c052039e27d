//! The schedules that stand in the settings of the backups. A job without a place is none: nothing runs.

use crate::schedules::book::OfSettings;
use backup::store::target::Target;
use config::backup::{BackupJob, BackupSettings, BackupWhat};
use jiff::SignedDuration;
use jiff::tz::TimeZone;
use pai::schedule::Schedule;
use pai::schedule::calendar::{Calendar, Repeated};
use pai::schedule::grammar::{self, Job, Missed, Overlap, Unattended};
use protocol::task::Effort;

/// What the drill's schedule is called.
pub const DRILL: &str = "backup-drill";

/// What a job's schedule is called.
pub fn name_of(job: &str) -> String {
    format!("backup-{job}")
}

/// Where a job is kept, as it is written. The configuration goes to a git repository and nowhere else.
pub fn place_of<'a>(settings: &'a BackupSettings, job: &'a BackupJob) -> Option<&'a str> {
    let written = settings.place_of(job)?;
    let fits = match job.what {
        BackupWhat::Configuration => matches!(Target::read(written), Ok(Target::Git(_))),
        BackupWhat::Home | BackupWhat::Workspaces => true,
    };
    fits.then_some(written)
}

/// The schedules of jobs that have a place, and of the drill where the home is backed up; and a sentence
/// for each that cannot be used.
pub fn schedules(settings: &BackupSettings, here: &TimeZone) -> OfSettings {
    let (mut good, mut problems) = (Vec::new(), Vec::new());
    let zone = match settings.zone.as_deref().map(grammar::zone) {
        None => Ok(here.clone()),
        Some(zone) => zone.map_err(|error| error.to_string()),
    };
    let jobs = settings.jobs.iter().filter_map(|(name, job)| {
        place_of(settings, job)?;
        let line = job.schedule.as_deref()?;
        Some((name_of(name), line, Job::Backup(name.clone())))
    });
    let home = settings.home_job();
    let drilled = home.is_some_and(|(_, job)| settings.place_of(job).is_some());
    let drill = settings.drill.schedule.as_deref().filter(|_| drilled);
    let drill = drill.map(|line| (DRILL.to_owned(), line, Job::Drill));
    for (name, line, job) in jobs.chain(drill) {
        let calendar = zone.clone().and_then(|zone| {
            grammar::check_name(&name).map_err(|error| error.to_string())?;
            Calendar::new(line, zone, Repeated::First).map_err(|error| error.to_string())
        });
        match calendar {
            Ok(calendar) => good.push(schedule(name, calendar, job)),
            Err(why) => problems.push(format!(
                "{name} does not begin by itself: its schedule in backup.yaml cannot be used: {why}"
            )),
        }
    }
    (good, problems)
}

fn schedule(name: String, calendar: Calendar, job: Job) -> Schedule {
    Schedule {
        name,
        calendar,
        job,
        workspace: None,
        host: None,
        agent: None,
        effort: Effort::default(),
        budget_usd: None,
        level: None,
        priority: 3,
        timeout: None,
        missed: Missed::Once,
        grace: SignedDuration::from_mins(5),
        overlap: Overlap::Skip,
        jitter: SignedDuration::ZERO,
        unattended: Unattended::default(),
    }
}
