//! A patch whose folder lies on another host: applied and thrown away by that host's daemon, by order.
//! An order can be given again, since the host remembers what it did.

use super::{PatchError, file, folder};
use crate::desk::Desk;
use crate::hosts::watch;
use crate::ledger::patch::PatchState;
use bus::connect::Bus;
use bus::error::BusError;
use guard::apply::ControlFiles;
use guard::clone;
use jiff::Timestamp;
use protocol::envelope::{Envelope, MessageType};
use protocol::exit;
use protocol::order::{ORDER_VERSION, PATCH, PatchCame, PatchOrder, PatchWish};
use protocol::task::Task;
use std::path::PathBuf;
use std::time::Duration;
use tokio::task::spawn_blocking;

/// Longest wait for the host.
const PATIENCE: Duration = Duration::from_secs(20);

/// A task whose folder is on another host.
pub(super) struct There<'a> {
    pub(super) desk: &'a Desk,
    pub(super) task: &'a Task,
    pub(super) host: &'a str,
    pub(super) workspace: PathBuf,
}

impl There<'_> {
    /// Has the patch applied there. Returns a sentence.
    pub(super) async fn apply(
        &self,
        before: PatchState,
        control: ControlFiles,
    ) -> Result<String, PatchError> {
        let (desk, task) = (self.desk, self.task);
        let short_id = task.short_id;
        let by_hand = format!(
            ", or bring the patch there yourself: ai-infra task diff {short_id} | ssh {} git -C {} apply",
            self.host,
            self.workspace.display()
        );
        let bus = self.reach(&by_hand).await?;
        let patch = file::read(&folder(&desk.home, short_id), short_id)?;
        let order = PatchOrder {
            control_files: control == ControlFiles::Read,
            ..self.order(PatchWish::Apply, file::digest(&patch))
        };
        let moved = |from, to| desk.ledger.patch_move(task.id, from, to, Timestamp::now());
        if !moved(before, PatchState::Applying).await? {
            return Err(PatchError::Again(short_id));
        }
        match self.give(&bus, &order).await? {
            PatchCame::Done { said } => {
                moved(PatchState::Applying, PatchState::Applied).await?;
                let (host, workspace) = (self.host, self.workspace.display());
                Ok(format!(
                    "applied {short_id} to {workspace} on {host}: {said}"
                ))
            }
            PatchCame::Refused { message, exit } => {
                // What an earlier order came to is asked of the host again, which remembers it.
                moved(PatchState::Applying, before).await?;
                Err(self.refused(message, exit))
            }
        }
    }

    /// Has clone and patch thrown away there, then here. Returns a sentence.
    pub(super) async fn discard(&self, before: PatchState) -> Result<String, PatchError> {
        let short_id = self.task.short_id;
        let there = match watch::is_out(self.desk, self.task) {
            false => {
                let bus = self.reach("").await?;
                let order = self.order(PatchWish::Discard, String::new());
                if let PatchCame::Refused { message, exit } = self.give(&bus, &order).await? {
                    return Err(self.refused(message, exit));
                }
                format!("there on {} and here", self.host)
            }
            true => format!(
                "here; {} was put out of the team, what it has stays",
                self.host
            ),
        };
        self.discard_here(before).await?;
        Ok(format!(
            "the clone and the patch of {short_id} are gone {there}"
        ))
    }

    async fn discard_here(&self, before: PatchState) -> Result<(), PatchError> {
        let path = folder(&self.desk.home, self.task.short_id);
        let gone = path.clone();
        spawn_blocking(move || clone::remove(&gone))
            .await
            .map_err(|e| PatchError::Own(e.to_string()))?
            .map_err(|source| PatchError::Remove { path, source })?;
        if before != PatchState::Applied {
            let (ledger, now) = (&self.desk.ledger, Timestamp::now());
            let moved = ledger.patch_move(self.task.id, before, PatchState::Discarded, now);
            moved.await?;
        }
        Ok(())
    }

    /// The way to the host; nothing is begun where it is away.
    async fn reach(&self, otherwise: &str) -> Result<Bus, PatchError> {
        let away = |why: String| PatchError::Away {
            short_id: self.task.short_id,
            host: self.host.to_owned(),
            why,
            otherwise: otherwise.to_owned(),
        };
        if watch::is_out(self.desk, self.task) {
            return Err(away("was put out of the team".to_owned()));
        }
        if let Some(why) = watch::absence(self.desk, self.task).await? {
            return Err(away(why));
        }
        let unreachable = |why| away(format!("cannot be asked now ({why})"));
        self.desk.link.now().map_err(unreachable)
    }

    fn order(&self, wish: PatchWish, sha256: String) -> PatchOrder {
        PatchOrder {
            v: ORDER_VERSION,
            wish,
            task: self.task.short_id,
            workspace: self.workspace.clone(),
            sha256,
            control_files: false,
        }
    }

    async fn give(&self, bus: &Bus, order: &PatchOrder) -> Result<PatchCame, PatchError> {
        let team = &self.desk.settings.team.name;
        let mut envelope = Envelope::new(team, MessageType::Control, "supervisor", self.host);
        envelope.payload.task_id = Some(self.task.id);
        envelope.payload.action = PATCH.to_owned();
        envelope.payload.context = serde_json::to_value(order).unwrap_or_default();
        let silent = |error: BusError| PatchError::Silent {
            short_id: self.task.short_id,
            host: self.host.to_owned(),
            why: error.to_string(),
        };
        let answer = bus.order(self.host, &envelope, PATIENCE).await;
        let answer = answer.map_err(silent)?;
        serde_json::from_value(answer.payload.context)
            .map_err(|e| self.refused(format!("its answer cannot be read ({e})"), exit::FAILED))
    }

    fn refused(&self, message: String, exit: u8) -> PatchError {
        PatchError::There {
            exit,
            host: self.host.to_owned(),
            message: message.chars().take(2000).collect(),
        }
    }
}
