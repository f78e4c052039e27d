//! How backups stand: decided from the settings and from what this machine remembers, so that it can be
//! said whether the team is up or not.

use super::jobs;
use backup::history::History;
use backup::store::target::Target;
use config::backup::BackupSettings;
use config::home::Home;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use pai::schedule::Schedule;
use pai::schedule::grammar::Job;
use protocol::backup::{BackupJobLine, BackupStatus};
use std::collections::BTreeSet;
use std::path::Path;

/// What is known beside the settings.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// What this machine remembers.
    pub history: &'a History,
    /// Schedules that a person paused, by name.
    pub paused: &'a BTreeSet<String>,
    /// The person's file of backup settings.
    pub file: &'a Path,
    /// The zone of schedules that name none.
    pub here: &'a TimeZone,
}

/// The same for a home, read from its folder.
pub fn of_home(
    settings: &BackupSettings,
    home: &Home,
    paused: &BTreeSet<String>,
    now: Timestamp,
) -> BackupStatus {
    let known = Known {
        history: &History::load(&home.backup()),
        paused,
        file: &home.config().join("backup.yaml"),
        here: &TimeZone::system(),
    };
    standing(settings, &known, now)
}

/// How they stand.
pub fn standing(settings: &BackupSettings, known: &Known<'_>, now: Timestamp) -> BackupStatus {
    let mut status = BackupStatus::default();
    let (schedules, problems) = jobs::schedules(settings, known.here);
    status.alarms.extend(problems);
    for (name, job) in &settings.jobs {
        let Some(written) = jobs::place_of(settings, job) else {
            continue;
        };
        let place = match Target::read(written) {
            Ok(target) => target.to_string(),
            Err(error) => {
                status.alarms.push(format!("backup of {name}: {error}"));
                continue;
            }
        };
        let of_job = |s: &&Schedule| matches!(&s.job, Job::Backup(job) if job == name);
        let schedule = schedules.iter().find(of_job);
        let schedule = schedule.filter(|schedule| !known.paused.contains(&schedule.name));
        let of = known.history.jobs.get(name);
        let good = of.and_then(|of| of.good());
        let again = format!("ai-infra backup run {name}");
        if let Some((at, why)) = of.and_then(|of| of.failed.as_ref()) {
            let at = shown(*at);
            status
                .alarms
                .push(format!("backup of {name} failed at {at}: {why}: {again}"));
        }
        let grace = SignedDuration::from_mins(settings.grace_minutes);
        if let (Some(schedule), Some(good)) = (schedule, good)
            && let Some(due) = late(schedule, good, grace, now)
        {
            status.alarms.push(format!(
                "backup of {name} is late: it was due at {} and the newest good one is of {}: {again}",
                shown(due),
                shown(good)
            ));
        }
        if let Some(alarm) = of.and_then(|of| of.alarm.as_ref()) {
            status.alarms.push(format!("backup of {name}: {alarm}"));
        }
        status.jobs.push(BackupJobLine {
            job: name.clone(),
            place,
            made: good,
            next: schedule.and_then(|schedule| schedule.calendar.after(now)),
        });
    }
    if status.jobs.is_empty() && status.alarms.is_empty() {
        status.unset = Some(unset(known.file));
    }
    if let Some(drill) = &known.history.drill {
        if !drill.good {
            status.alarms.push(format!(
                "the backup drill of {} found something: {}: ai-infra backup drill",
                shown(drill.at),
                drill.said
            ));
        }
        status.drill = Some(drill.clone());
    }
    if known.history.key_unseen {
        status.notes.push(
            "the recovery key was made and nobody has looked at it: without a copy elsewhere nobody can read the backups once this machine is lost: ai-infra backup key".to_owned(),
        );
    }
    status
}

/// When a job should have been made, where that is more than `grace` ago and the newest good one is older.
fn late(
    schedule: &Schedule,
    good: Timestamp,
    grace: SignedDuration,
    now: Timestamp,
) -> Option<Timestamp> {
    let due = schedule.calendar.after(good)?;
    (now.duration_since(due) > grace).then_some(due)
}

fn shown(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

fn unset(file: &Path) -> String {
    format!(
        "nothing is backed up: no place is named; for example: echo 'remote: /mnt/disk/backups' >> {} && ai-infra restart",
        crate::tmux::session::shell_word(&file.to_string_lossy())
    )
}
