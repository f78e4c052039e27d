//! The home beside the home that a drill restores into: made empty, marked, its team started and stopped,
//! and taken away again, also where an earlier drill left one.

use crate::commands::down;
use crate::context::Context;
use crate::failure::Failure;
use config::home::Home;
use protocol::control::{Answer, Verb};
use protocol::exit;
use std::fs;
use std::io::ErrorKind;
use std::time::Duration;
use supervisor::backups::drilled;
use supervisor::client;
use supervisor::daemon::start;
use tokio::time::{Instant, sleep};

/// How long its team may take to be ready.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long it may answer and not be whole, and the pause between two looks.
const WHOLE: Duration = Duration::from_secs(15);
const LOOK: Duration = Duration::from_millis(100);

/// How long a restore that was cut off may still write.
const WRITTEN: Duration = Duration::from_secs(10);

/// It.
pub struct Aside {
    /// Its home.
    pub home: Home,
    context: Context,
}

impl Aside {
    /// Makes it, empty and marked.
    pub async fn make(of: &Context) -> Result<Self, Failure> {
        let home = Home::at(of.home.backup().join("drill"));
        let context = Context {
            home: home.clone(),
            env: of.env.clone(),
        };
        let aside = Self { home, context };
        aside.clear().await?;
        let failed = |error| Failure::new(exit::FAILED, error);
        let root = &aside.home.root;
        make_private(root).map_err(|error| failed(format!("{}: {error}", root.display())))?;
        drilled::mark(&aside.home, &of.home)?;
        Ok(aside)
    }

    /// Stops its team and takes it away.
    pub async fn clear(&self) -> Result<(), Failure> {
        if self.home.run().is_dir() {
            down::stop_team(&self.context).await?;
        }
        let began = Instant::now();
        loop {
            match fs::remove_dir_all(&self.home.root) {
                // Where a drill was cut off, its restore may just have made one more file.
                Err(error)
                    if error.kind() == ErrorKind::DirectoryNotEmpty
                        && began.elapsed() < WRITTEN =>
                {
                    sleep(Duration::from_millis(20)).await;
                }
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    return Err(Failure::new(
                        exit::FAILED,
                        format!("{} cannot be removed: {error}", self.home.root.display()),
                    ));
                }
                _ => return Ok(()),
            }
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
