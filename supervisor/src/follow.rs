//! One follower of one task: everything that happened, in order, without a gap and without a
//! repeat, until the task rests. It reads the ledger from where it stopped; the hub only wakes it.
//! Who follows a plan follows its parts too, each in its own order.

use crate::desk::Desk;
use crate::ledger::events::Event;
use crate::ledger::parts::ChildOf;
use crate::ledger::store::LedgerError;
use protocol::control::Reply;
use protocol::ids::TaskId;
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::timeout;

/// Looks at the ledger at least this often, whatever it heard.
const LOOK: Duration = Duration::from_secs(5);

/// A follower and how far it has read.
pub struct Follower {
    task: TaskId,
    position: i64,
    parts: Vec<FollowedPart>,
    heard: tokio::sync::broadcast::Receiver<std::sync::Arc<crate::ledger::events::Happening>>,
    rests: bool,
}

/// The task of a plan's part, and how far it was read.
struct FollowedPart {
    child: ChildOf,
    position: i64,
    ended: bool,
}

impl Follower {
    /// Follows a task from its start.
    pub fn new(desk: &Desk, task: TaskId) -> Self {
        Self {
            task,
            position: 0,
            parts: Vec::new(),
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
            // Whether it rests is looked at before the parts are read, so that none of what they
            // said before the end is missed.
            let page = desk.ledger.events_after(self.task, self.position).await?;
            let (mut lines, more) = match page.plan {
                true => self.of_parts(desk).await?,
                false => (Vec::new(), false),
            };
            if let Some((last, _)) = page.events.last() {
                self.position = *last;
            }
            self.rests = page.rests && !page.more && !more;
            lines.extend(page.events.into_iter().map(line));
            if !lines.is_empty() {
                return Ok(Some(lines));
            }
            if !self.rests {
                self.wait().await;
            }
        }
    }

    /// What the parts said since; also whether there is more to be read at once.
    async fn of_parts(&mut self, desk: &Desk) -> Result<(Vec<Reply>, bool), LedgerError> {
        let children = desk.ledger.children_of(self.task).await?;
        for child in children.into_iter().skip(self.parts.len()) {
            self.parts.push(FollowedPart {
                child,
                position: 0,
                ended: false,
            });
        }
        let (mut lines, mut more) = (Vec::new(), false);
        for part in self.parts.iter_mut().filter(|part| !part.ended) {
            let page = desk
                .ledger
                .events_after(part.child.task, part.position)
                .await?;
            if let Some((last, _)) = page.events.last() {
                part.position = *last;
            }
            part.ended = page.state.is_final() && !page.more;
            more |= page.more;
            lines.extend(page.events.into_iter().map(|event| Reply::Part {
                part: part.child.part.clone(),
                task: part.child.short_id,
                agent: part.child.agent.clone(),
                told: Box::new(line(event)),
            }));
        }
        Ok((lines, more))
    }

    /// Waits until something may have happened to the task.
    async fn wait(&mut self) {
        let about_it = async {
            loop {
                match self.heard.recv().await {
                    Ok(happening) if happening.task == self.task => return,
                    Ok(happening) if self.parts.iter().any(|p| p.child.task == happening.task) => {
                        return;
                    }
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
    told(event)
}

/// An event as it is told to a client.
pub(crate) fn told(event: Event) -> Reply {
    match event {
        Event::Progress(progress) => Reply::Event {
            progress: Box::new(progress),
        },
        Event::State(state) => Reply::State { state },
    }
}
