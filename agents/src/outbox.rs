//! What an agent sends to the supervisor: progress while it works, one report at the end. Every
//! message carries the epoch and is refused by the bus once another holder has the task.

use crate::blob::Blobs;
use crate::disk::hex;
use crate::pulse::Hold;
use crate::stop::Stop;
use bus::connect::Bus;
use bus::error::BusError;
use bus::lease::Lease;
use bus::park::Parked;
use protocol::envelope::{Envelope, MessageType};
use protocol::report::{Progress, TaskReport};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// Largest context carried inline, in bytes.
const INLINE_BYTES: usize = 4 * 1024;
/// The same for what is told from another host on the way.
const FAR_BYTES: usize = 48 * 1024;

/// The pen for one held task.
#[derive(Clone)]
pub struct Outbox {
    bus: Bus,
    lease: Lease,
    blobs: Blobs,
    hold: Hold,
    far: bool,
    trace: Option<String>,
}

impl Outbox {
    /// For the holder of `lease`.
    pub fn new(bus: &Bus, lease: &Lease, blobs: Blobs, hold: Hold) -> Self {
        Self {
            bus: bus.clone(),
            lease: lease.clone(),
            blobs,
            hold,
            far: false,
            trace: None,
        }
    }

    /// In the trace that the work message came with.
    pub fn traced(mut self, trace: Option<String>) -> Self {
        self.trace = trace;
        self
    }

    /// For a host that shares no disk with the supervisor: what is too large for a message travels
    /// over the bus.
    pub fn far(mut self, far: bool) -> Self {
        self.far = far;
        self
    }

    /// Sends a content ahead of the message that names it; nothing to do where the disk is shared.
    /// Gives back the digest it travels under.
    pub async fn send_ahead(&self, content: &[u8]) -> Result<Option<String>, Stop> {
        if !self.far {
            return Ok(None);
        }
        let digest = hex(&Sha256::digest(content));
        let send = || self.bus.put_blob(&self.lease.role, &digest, content);
        self.hold.insist(send).await?;
        Ok(Some(digest))
    }

    /// The message of a report, its content sent ahead where it has to be.
    async fn report(&self, kind: MessageType, report: &TaskReport) -> Result<Envelope, Stop> {
        let context = serde_json::to_value(report)
            .map_err(|e| Stop::Fail(format!("the report cannot be written: {e}")))?;
        let text = context.to_string();
        if text.len() > INLINE_BYTES {
            self.send_ahead(text.as_bytes()).await?;
        }
        self.envelope(kind, "report", context, INLINE_BYTES)
    }

    /// Tells what the task is at.
    pub async fn progress(&self, progress: &Progress) -> Result<(), Stop> {
        let envelope = self.word(progress)?;
        let tell = || async {
            match self.bus.progress(&self.lease, &envelope).await {
                // Nobody reads at the moment, or there is no room for it, and the report at the end
                // says it all again.
                Err(BusError::QueueFull { .. } | BusError::Full) => Ok(()),
                told => told,
            }
        };
        self.hold.insist(tell).await
    }

    /// What [`progress`](Self::progress) would send, for whoever sends it together with the journal.
    pub fn word(&self, progress: &Progress) -> Result<Envelope, Stop> {
        let context = serde_json::to_value(progress)
            .map_err(|e| Stop::Fail(format!("progress cannot be written: {e}")))?;
        // Such a message may be sent together with others, and has nobody to go ahead of it.
        let inline = if self.far { FAR_BYTES } else { INLINE_BYTES };
        self.envelope(MessageType::Progress, "progress", context, inline)
    }

    /// Hands the report in and lets the task go, in one step.
    pub async fn finish(&self, report: &TaskReport) -> Result<(), Stop> {
        let envelope = self.report(MessageType::Result, report).await?;
        let tell = || self.bus.finish(&self.lease, &envelope);
        self.hold.boundary.before();
        self.hold.insist(tell).await?;
        self.hold.boundary.after();
        Ok(())
    }

    /// Hands the report in and lets the task wait, in one step. It was cancelled meanwhile: then it
    /// is held still and is to be finished.
    pub async fn park(&self, report: &TaskReport) -> Result<Parked, Stop> {
        let kind = match report.handoff {
            Some(_) => MessageType::Handoff,
            None => MessageType::Result,
        };
        let envelope = self.report(kind, report).await?;
        let tell = || self.bus.park(&self.lease, &envelope);
        self.hold.boundary.before();
        let parked = self.hold.insist(tell).await?;
        self.hold.boundary.after();
        Ok(parked)
    }

    fn envelope(
        &self,
        kind: MessageType,
        action: &str,
        context: Value,
        inline: usize,
    ) -> Result<Envelope, Stop> {
        let mut envelope = Envelope::new(self.bus.team(), kind, &self.lease.instance, "supervisor");
        envelope.epoch = Some(self.lease.epoch);
        envelope.trace.clone_from(&self.trace);
        envelope.payload.task_id = Some(self.lease.task);
        envelope.payload.action = action.to_owned();
        envelope.payload.context = self.blobs.fit(context, inline)?;
        Ok(envelope)
    }
}
