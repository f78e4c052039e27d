//! The schedules of a home: one file each in its `schedules` folder, read again when the folder
//! changed. One that cannot be used is left out and named; what is known of it stays.

use crate::yaml_folder::{self, Print};
use config::home::Home;
use jiff::tz::TimeZone;
use pai::schedule::Schedule;
use pai::schedule::grammar;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use tokio::sync::Notify;

/// The schedules as their files say.
#[derive(Debug, Default)]
pub struct Read {
    /// By name.
    pub schedules: BTreeMap<String, Schedule>,
    /// Files that are not used, a sentence each.
    pub problems: Vec<String>,
    print: Print,
}

impl Read {
    /// Whether a schedule is there, usable or not.
    pub fn is_there(&self, name: &str) -> bool {
        let mut files = self.print.iter();
        self.schedules.contains_key(name)
            || files.any(|(path, _)| path.file_stem().is_some_and(|stem| stem == name))
    }
}

/// Schedules that are in the settings, and what is wrong with those that cannot be used.
pub type OfSettings = (Vec<Schedule>, Vec<String>);

/// The book.
pub struct Book {
    folder: PathBuf,
    settings: PathBuf,
    own: OfSettings,
    read: Mutex<Arc<Read>>,
    changed: Notify,
}

impl Book {
    /// The book of a home: its files, and what its settings say beside them.
    pub fn open(home: &Home, own: OfSettings) -> Self {
        let folder = home.schedules();
        let read = Mutex::new(Arc::new(read(&folder, &own)));
        Self {
            folder,
            settings: home.config().join("backup.yaml"),
            own,
            read,
            changed: Notify::new(),
        }
    }

    /// The schedules as they are now.
    pub fn now(&self) -> Arc<Read> {
        let print = yaml_folder::print(&self.folder);
        let mut kept = self.read.lock().unwrap_or_else(|p| p.into_inner());
        if kept.print != print {
            *kept = Arc::new(read(&self.folder, &self.own));
        }
        kept.clone()
    }

    /// Where a schedule is written.
    pub fn file(&self, name: &str) -> PathBuf {
        match self.own.0.iter().any(|own| own.name == name) {
            true => self.settings.clone(),
            false => self.folder.join(format!("{name}.yaml")),
        }
    }

    /// Has the schedules looked at at once.
    pub fn look(&self) {
        self.changed.notify_one();
    }

    /// Waits until somebody wants them looked at.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }
}

fn read(folder: &Path, (own, problems): &OfSettings) -> Read {
    let print = yaml_folder::print(folder);
    let here = TimeZone::system();
    let mut read = Read {
        problems: problems.clone(),
        ..Read::default()
    };
    for schedule in own {
        read.schedules
            .insert(schedule.name.clone(), schedule.clone());
    }
    for (path, _) in &print {
        match schedule(path, &here) {
            Ok(schedule) if own.iter().any(|own| own.name == schedule.name) => {
                let problem = format!(
                    "the schedule {} is not used: a backup of the settings has its name, so give it another",
                    path.display()
                );
                read.problems.push(problem);
            }
            Ok(schedule) => {
                read.schedules.insert(schedule.name.clone(), schedule);
            }
            Err(why) => {
                let problem = format!("the schedule {} is not used: it {why}", path.display());
                tracing::warn!(problem, "schedule left out");
                read.problems.push(problem);
            }
        }
    }
    if print.len() == yaml_folder::FILES {
        read.problems.push(format!(
            "{} holds more than {} schedules: those after them are not used",
            folder.display(),
            yaml_folder::FILES
        ));
    }
    read.print = print;
    read
}

fn schedule(path: &Path, here: &TimeZone) -> Result<Schedule, String> {
    let text = yaml_folder::text(path).map_err(|error| format!("cannot be read: {error}"))?;
    let schedule = grammar::parse(&text, here).map_err(|error| error.to_string())?;
    let stem = path.file_stem().unwrap_or_default();
    match stem == schedule.name.as_str() {
        true => Ok(schedule),
        false => Err(format!(
            "is called `{}`: a schedule's file has its name, so call it {}.yaml",
            schedule.name, schedule.name
        )),
    }
}
