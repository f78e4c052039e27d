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
    /// Whether a schedule has a file, usable or not.
    pub fn has_file(&self, name: &str) -> bool {
        self.print
            .iter()
            .any(|(path, _)| path.file_stem().is_some_and(|stem| stem == name))
    }
}

/// The book.
pub struct Book {
    folder: PathBuf,
    read: Mutex<Arc<Read>>,
    changed: Notify,
}

impl Book {
    /// The book of a home.
    pub fn open(home: &Home) -> Self {
        let folder = home.schedules();
        let read = Mutex::new(Arc::new(read(&folder)));
        Self {
            folder,
            read,
            changed: Notify::new(),
        }
    }

    /// The schedules as they are now.
    pub fn now(&self) -> Arc<Read> {
        let print = yaml_folder::print(&self.folder);
        let mut kept = self.read.lock().unwrap_or_else(|p| p.into_inner());
        if kept.print != print {
            *kept = Arc::new(read(&self.folder));
        }
        kept.clone()
    }

    /// Where the file of a schedule is.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.yaml"))
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

fn read(folder: &Path) -> Read {
    let print = yaml_folder::print(folder);
    let here = TimeZone::system();
    let mut read = Read::default();
    for (path, _) in &print {
        match schedule(path, &here) {
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
