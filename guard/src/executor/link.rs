//! The holder's two tasks beside a sandbox: one writes frames, one reads answers and hands each to
//! whoever asked. Extending the deadline goes past a running question.

use super::process::SandboxProcess;
use super::wire::{self, Ask, FromInside, Reply, ToInside};
use crate::deadline::Deadline;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{ChildStdin, ChildStdout};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;

type Frames = mpsc::UnboundedSender<Vec<u8>>;
type Waiting = Arc<Mutex<Option<HashMap<u64, oneshot::Sender<Reply>>>>>;

/// Keeps an executor alive; cheap to clone, does not itself keep it alive.
#[derive(Debug, Clone)]
pub struct Pulse {
    frames: mpsc::WeakUnboundedSender<Vec<u8>>,
    frozen: watch::Receiver<bool>,
    process: SandboxProcess,
}

impl Pulse {
    /// Moves the deadline to `until`. Does nothing when the executor is gone.
    pub fn extend(&self, until: Deadline) {
        if let Some(frames) = self.frames.upgrade()
            && let Ok(frame) = wire::encode(&ToInside::Extend { until })
        {
            let _ = frames.send(frame);
        }
    }

    /// Stops in place everything inside, or lets it go on. `false` when the inside does not say
    /// within `patience` that it did so: what runs in it is then unknown, and it must be ended. One
    /// that is gone already runs nothing.
    pub async fn freeze(&self, frozen: bool, patience: Duration) -> bool {
        let mut said = self.frozen.clone();
        if *said.borrow_and_update() == frozen {
            return true;
        }
        let Some(frames) = self.frames.upgrade() else {
            return true;
        };
        let Ok(frame) = wire::encode(&ToInside::Freeze { frozen }) else {
            return false;
        };
        if frames.send(frame).is_err() {
            return true;
        }
        drop(frames);
        match timeout(patience, said.wait_for(|now| *now == frozen)).await {
            Ok(Ok(_)) => true,
            // The reader of its answers has ended, and it only ends with the inside.
            Ok(Err(_)) => true,
            Err(_) => false,
        }
    }

    /// Ends the inside and everything in it.
    pub fn end(&self) {
        self.process.kill();
    }
}

/// The holder's end of the pipe. Dropping it closes the pipe.
#[derive(Debug)]
pub(super) struct Link {
    frames: Frames,
    waiting: Waiting,
    frozen: watch::Receiver<bool>,
    last: u64,
}

/// An asked question; dropping it before the answer cancels it.
pub(super) struct Question {
    id: u64,
    answer: oneshot::Receiver<Reply>,
    frames: Frames,
    waiting: Waiting,
    over: bool,
}

impl Link {
    /// Starts both tasks.
    pub(super) fn new(stdin: ChildStdin, stdout: ChildStdout) -> Link {
        let (frames, queue) = mpsc::unbounded_channel();
        let waiting: Waiting = Arc::new(Mutex::new(Some(HashMap::new())));
        tokio::spawn(write_frames(stdin, queue));
        let (tell, frozen) = watch::channel(false);
        tokio::spawn(read_replies(stdout, Arc::clone(&waiting), tell));
        Link {
            frames,
            waiting,
            frozen,
            last: 0,
        }
    }

    /// Whether the inside said that it is frozen.
    pub(super) fn frozen(&self) -> watch::Receiver<bool> {
        self.frozen.clone()
    }

    pub(super) fn pulse(&self, process: &SandboxProcess) -> Pulse {
        Pulse {
            frames: self.frames.downgrade(),
            frozen: self.frozen.clone(),
            process: process.clone(),
        }
    }

    /// Asks; `Err` holds why the frame cannot be sent, `Ok(None)` means the inside is gone.
    pub(super) fn ask(&mut self, ask: Ask) -> std::io::Result<Option<Question>> {
        self.last += 1;
        let id = self.last;
        let ask = Box::new(ask);
        let frame = wire::encode(&ToInside::Ask { id, ask })?;
        let (tell, answer) = oneshot::channel();
        {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(waiting) = waiting.as_mut() else {
                return Ok(None);
            };
            waiting.insert(id, tell);
        }
        // When the writer is gone the reader soon is, and drops the other end of the answer.
        let _ = self.frames.send(frame);
        Ok(Some(Question {
            id,
            answer,
            frames: self.frames.clone(),
            waiting: Arc::clone(&self.waiting),
            over: false,
        }))
    }
}

impl Question {
    /// Waits for the answer; `None` = the inside is gone.
    pub(super) async fn answer(&mut self) -> Option<Reply> {
        let reply = (&mut self.answer).await.ok();
        self.over = true;
        reply
    }
}

impl Drop for Question {
    fn drop(&mut self) {
        if self.over {
            return;
        }
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(waiting) = waiting.as_mut() {
            waiting.remove(&self.id);
        }
        if let Ok(frame) = wire::encode(&ToInside::Cancel { id: self.id }) {
            let _ = self.frames.send(frame);
        }
    }
}

async fn write_frames(mut stdin: ChildStdin, mut queue: mpsc::UnboundedReceiver<Vec<u8>>) {
    while let Some(frame) = queue.recv().await {
        if stdin.write_all(&frame).await.is_err() || stdin.flush().await.is_err() {
            return;
        }
    }
}

async fn read_replies(mut stdout: ChildStdout, waiting: Waiting, tell: watch::Sender<bool>) {
    loop {
        let (id, reply) = match read_frame(&mut stdout).await {
            Ok(FromInside::Reply { id, reply }) => (id, reply),
            Ok(FromInside::Frozen { frozen }) => {
                tell.send_replace(frozen);
                continue;
            }
            _ => break,
        };
        let asker = waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .as_mut()
            .and_then(|waiting| waiting.remove(&id));
        // Nobody: the question was cancelled.
        if let Some(asker) = asker {
            let _ = asker.send(reply);
        }
    }
    // Dropping the senders tells every asker; `None` refuses later questions.
    waiting
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .take();
}

/// Reads one frame from the inside.
pub(super) async fn read_frame(stdout: &mut ChildStdout) -> std::io::Result<FromInside> {
    let mut prefix = [0; 4];
    stdout.read_exact(&mut prefix).await?;
    let mut json = vec![0; wire::length(prefix)?];
    stdout.read_exact(&mut json).await?;
    wire::decode(&json)
}
