//! Puts a patch in place, once, here or by order of the first host. What is about to be done is kept
//! beside the patch before the first file is touched and what was done after the last, so whoever is
//! killed anywhere in between, the next who tries finishes it or says that it is done.

use super::file::{self, Record};
use super::{PatchError, summary};
use crate::daemon::process::own_exe;
use config::env::Env;
use guard::apply::{self, ApplyError, ControlFiles};
use nix::sys::signal::{Signal, raise};
use protocol::fault::{Applying, Faults};
use protocol::ids::ShortId;
use std::path::PathBuf;
use tokio::runtime::Handle;
use tokio::sync::Mutex;
use tokio::task::spawn_blocking;

/// One at a time in this process: two who apply the same would meet in the same files.
static TURN: Mutex<()> = Mutex::const_new(());

/// One apply.
pub(crate) struct Put {
    /// Which task.
    pub(crate) task: ShortId,
    /// The task's folder in this home: its patch, and what is kept about it.
    pub(crate) folder: PathBuf,
    /// Where the patch goes.
    pub(crate) workspace: PathBuf,
    /// The patch.
    pub(crate) patch: String,
    /// What is done where it touches control files.
    pub(crate) control: ControlFiles,
}

/// What is said of an earlier apply whose record is of a version that knows no files.
const CUT_OFF: &str =
    "; an earlier apply was cut off and may have gone in: look at `git diff` there";

impl Put {
    /// Does it on a blocking thread, so that nobody waits for files of a workspace. Answers what was
    /// done, now or before.
    ///
    /// # Errors
    /// When it does not fit, or its record cannot be read or kept.
    pub(crate) async fn run(self) -> Result<String, PatchError> {
        let _turn = TURN.lock().await;
        let here = Handle::current();
        spawn_blocking(move || here.block_on(self.in_place()))
            .await
            .map_err(|e| PatchError::Own(e.to_string()))?
    }

    async fn in_place(self) -> Result<String, PatchError> {
        let exe = own_exe().map_err(|e| PatchError::Own(e.to_string()))?;
        let sha256 = file::digest(&self.patch);
        let record = Record::read(&self.folder).map_err(PatchError::Record)?;
        let record = record.filter(|record| record.sha256 == sha256);
        let deaths = match &record {
            Some(_) => Faults::default(),
            None => Env::from_process().faults().unwrap_or_default(),
        };
        let die = |at| self.die(deaths, at);
        let staged = match &record {
            Some(Record {
                done: Some(done), ..
            }) => return Ok(format!("{done} (it was applied before)")),
            Some(Record { files, .. }) if !files.is_empty() => {
                apply::resume(&exe, &self.workspace, &self.patch, files).await
            }
            _ => apply::stage(&exe, &self.workspace, &self.patch, self.control).await,
        };
        let older = record.as_ref().is_some_and(|r| r.files.is_empty());
        let cut_off = if older { CUT_OFF } else { "" };
        let refused = |error| match error {
            ApplyError::Control(_) => PatchError::Control {
                task: self.task,
                error,
            },
            error => PatchError::Apply { error, cut_off },
        };
        let staged = staged.map_err(refused)?;
        let begun = Record::begun(&sha256, staged.steps());
        begun.write(&self.folder).map_err(PatchError::Record)?;
        die(Applying::Noted);
        let installed = staged.install(&mut |placed| {
            if placed == 1 {
                die(Applying::Half);
            }
        });
        let outcome = match installed {
            Ok(outcome) => outcome,
            Err(error) => {
                let half = matches!(error, ApplyError::HalfWay { .. });
                if record.is_none() && !half {
                    Record::forget(&self.folder);
                }
                return Err(refused(error));
            }
        };
        die(Applying::Placed);
        let said = summary(&outcome);
        let done = Record::done(&sha256, &said);
        done.write(&self.folder).map_err(PatchError::Record)?;
        die(Applying::Done);
        Ok(said)
    }

    /// As if somebody else had killed this process, where a test wants that.
    fn die(&self, faults: Faults, at: Applying) {
        if faults.dies_applying(self.task.0, at) {
            let _dead = raise(Signal::SIGKILL);
        }
    }
}
