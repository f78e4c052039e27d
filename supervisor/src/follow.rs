//! One follower of one task: everything that happened, in order, without a gap and without a
//! repeat, until the task rests. It reads the ledger from where it stopped; the hub only wakes it.

use crate::desk::Desk;
use crate::ledger::events::Event;
use crate::ledger::store::LedgerError;
use protocol::control::Reply;
use protocol::ids::TaskId;
use protocol::task_state::TaskState;
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::timeout;

/// Looks at the ledger at least this often, whatever it heard.
const LOOK: Duration = Duration::from_secs(5);

/// A follower and how far it has read.
pub struct Follower {
    task: TaskId,
    position: i64,
    heard: tokio::sync::broadcast::Receiver<std::sync::Arc<crate::ledger::events::Happening>>,
    rests: bool,
}

impl Follower {
    /// Follows a task from its start.
    pub fn new(desk: &Desk, task: TaskId) -> Self {
        Self {
            task,
            position: 0,
            heard: desk.hub.listen(),
            rests: false,
        }
    }

    /// The next lines; `None` once the task rests and everything was told. Cancel-safe.
    pub async fn next(&mut self, desk: &Desk) -> Result<Option<Vec<Reply>>, LedgerError> {
        loop {
            if self.rests {
                return Ok(None);
            }
            let page = desk.ledger.events_after(self.task, self.position).await?;
            if let Some((last, _)) = page.events.last() {
                self.position = *last;
            }
            let still = matches!(page.state, TaskState::Waiting { .. }) || page.state.is_final();
            self.rests = still && !page.more;
            if !page.events.is_empty() {
                return Ok(Some(page.events.into_iter().map(line).collect()));
            }
            if !self.rests {
                self.wait().await;
            }
        }
    }

    /// Waits until something may have happened to the task.
    async fn wait(&mut self) {
        let about_it = async {
            loop {
                match self.heard.recv().await {
                    Ok(happening) if happening.task == self.task => return,
                    Ok(_) => {}
                    Err(RecvError::Lagged(_)) => return,
                    Err(RecvError::Closed) => std::future::pending().await,
                }
            }
        };
        let _looked_anyway = timeout(LOOK, about_it).await;
    }
}

fn line((_, event): (i64, Event)) -> Reply {
    match event {
        Event::Progress(progress) => Reply::Event {
            progress: Box::new(progress),
        },
        Event::State(state) => Reply::State { state },
    }
}
