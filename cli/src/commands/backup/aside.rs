//! The home beside the home that a drill restores into: made empty, marked, its team started and stopped,
//! and taken away again, also where an earlier drill left one.

use crate::commands::down;
use crate::context::Context;
use crate::failure::Failure;
use backup::error::BackupError;
use config::home::Home;
use protocol::control::{Answer, Verb};
use protocol::exit;
use std::fs;
use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use supervisor::backups::drilled;
use supervisor::client;
use supervisor::daemon::start;
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::time::{Instant, sleep, timeout};

/// How long its team may take to be ready.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long it may answer and not be whole, and the pause between two looks.
const WHOLE: Duration = Duration::from_secs(15);
const LOOK: Duration = Duration::from_millis(100);

/// How long a restore that was cut off may take until it writes no more.
const WRITTEN: Duration = Duration::from_secs(10);

/// It.
pub struct Aside {
    /// Its home.
    pub home: Home,
    context: Context,
    /// Held by whoever writes into it.
    written: Arc<Mutex<()>>,
    /// Nobody is to write any more.
    over: Arc<AtomicBool>,
}

/// Whoever writes into it from a thread of its own, which cannot be called back. As long as this lives it is
/// not taken away.
pub struct Writing {
    _held: OwnedMutexGuard<()>,
    over: Arc<AtomicBool>,
}

impl Writing {
    /// Asked before each piece.
    ///
    /// # Errors
    /// When it is being taken away.
    pub fn goes_on(&self) -> Result<(), BackupError> {
        match self.over.load(Ordering::Relaxed) {
            false => Ok(()),
            true => Err(BackupError::Refused("the drill was cut off".to_owned())),
        }
    }
}

impl Aside {
    /// Makes it, empty and marked.
    pub async fn make(of: &Context) -> Result<Self, Failure> {
        let home = Home::at(of.home.backup().join("drill"));
        let context = Context {
            home: home.clone(),
            env: of.env.clone(),
        };
        let aside = Self {
            home,
            context,
            written: Arc::default(),
            over: Arc::default(),
        };
        aside.clear().await?;
        let failed = |error| Failure::new(exit::FAILED, error);
        let root = &aside.home.root;
        make_private(root).map_err(|error| failed(format!("{}: {error}", root.display())))?;
        drilled::mark(&aside.home, &of.home)?;
        Ok(aside)
    }

    /// For whoever writes into it.
    pub async fn writing(&self) -> Writing {
        Writing {
            _held: self.written.clone().lock_owned().await,
            over: self.over.clone(),
        }
    }

    /// Ends whoever writes into it, and takes it away.
    pub async fn end(&self) -> Result<(), Failure> {
        self.over.store(true, Ordering::Relaxed);
        let _ended = timeout(WRITTEN, self.written.lock()).await;
        self.clear().await
    }

    /// Stops its team and removes what is there.
    async fn clear(&self) -> Result<(), Failure> {
        if self.home.run().is_dir() {
            down::stop_team(&self.context).await?;
        }
        match fs::remove_dir_all(&self.home.root) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(Failure::new(
                exit::FAILED,
                format!("{} cannot be removed: {error}", self.home.root.display()),
            )),
            _ => Ok(()),
        }
    }

    /// Starts its team, without windows; answers how many memories it has.
    ///
    /// # Errors
    /// What keeps it from being a whole team, as a sentence.
    pub async fn start(&self) -> Result<u64, String> {
        // Where the living home's ledger is says nothing about this one's.
        let _none = fs::remove_file(self.home.ledger_note());
        if self.home.join().exists() {
            return Err("it belongs to another host's team".to_owned());
        }
        let started = start::up(&self.home, &self.context.env, true, PATIENCE).await;
        started.map_err(|error| error.to_string())?;
        self.is_whole().await?;
        match client::ask(&self.home, Verb::MemoryStats).await {
            Ok(Answer::MemoryStats { stats }) => Ok(stats.records),
            Ok(_) => Err("its supervisor answered something else".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Waits until its team is up, which it is a moment after it answers: its supervisor has to meet its redis first.
    async fn is_whole(&self) -> Result<(), String> {
        let began = Instant::now();
        loop {
            let asked = client::ask(&self.home, Verb::Status).await;
            let Ok(Answer::Status { status }) = asked else {
                return Err("its supervisor does not answer".to_owned());
            };
            if status.state == "up" {
                return Ok(());
            }
            if began.elapsed() >= WHOLE {
                let problems = status.problems.join("; ");
                return Err(format!("it is {}: {problems}", status.state));
            }
            sleep(LOOK).await;
        }
    }
}

fn make_private(folder: &std::path::Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[tokio::test]
    async fn whoever_writes_ends_before_it_is_taken_away() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path().join("home"));
        let env = config::env::Env::default();
        let aside = Aside::make(&Context { home, env }).await.unwrap();
        let (writing, below) = (aside.writing().await, aside.home.root.join("below"));
        let writer = tokio::task::spawn_blocking(move || {
            while writing.goes_on().is_ok() {
                fs::create_dir_all(&below).unwrap();
                fs::write(below.join("file"), "more").unwrap();
            }
        });
        sleep(LOOK).await;
        aside.end().await.unwrap();
        writer.await.unwrap();
        assert!(!aside.home.root.exists());
    }
}
