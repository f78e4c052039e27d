//! The producer's side: a task is queued once, however often it is sent, and a full queue says so.

use crate::assignment::Work;
use crate::connect::{Again, Bus, Call};
use crate::error::BusError;
use crate::{keys, scripts};
use jiff::Timestamp;
use protocol::envelope::Envelope;
use protocol::ids::{Role, TaskId};
use protocol::task::Class;

/// Whether a submitted task is a new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Submitted {
    /// It is queued now.
    New,
    /// The bus knew it already; nothing changed.
    Again,
}

/// A task to queue.
#[derive(Debug, Clone, Copy)]
pub struct Submission<'a> {
    /// The work message; it names the task in `payload.task_id`.
    pub envelope: &'a Envelope,
    /// Who works on it.
    pub role: &'a Role,
    /// On which host; any where it says none.
    pub host: Option<&'a str>,
    /// How urgent it is.
    pub class: Class,
    /// Not before, where it says so; see [`Bus::submit_at`].
    pub due: Option<Timestamp>,
}

/// Most tasks of one call; more are sent as several.
const BATCH: usize = 64;

impl Bus {
    /// Queues the task named in `payload.task_id` for `role`, on one host or on any. Safe to send
    /// again after [`BusError::Unreachable`]. Fails with [`BusError::QueueFull`] at the bound and
    /// with [`BusError::Refused`] for an envelope that is too large or names no task.
    pub async fn submit(
        &self,
        envelope: &Envelope,
        role: &Role,
        host: Option<&str>,
        class: Class,
    ) -> Result<Submitted, BusError> {
        self.submit_at(envelope, role, host, class, None).await
    }

    /// The same for a task with a due time, by the clock of Redis: nobody can claim it before, and
    /// one whose stream is full then waits until there is room. A due time that has passed is now.
    pub async fn submit_at(
        &self,
        envelope: &Envelope,
        role: &Role,
        host: Option<&str>,
        class: Class,
        due: Option<Timestamp>,
    ) -> Result<Submitted, BusError> {
        let one = Submission {
            envelope,
            role,
            host,
            class,
            due,
        };
        let said = self.submit_many(&[one]).await?;
        said.into_iter().next().unwrap_or_else(|| {
            Err(BusError::Redis(
                "the submit script did not answer".to_owned(),
            ))
        })
    }

    /// Queues several tasks, each as [`submit`](Self::submit) does; one answer for each, in order.
    /// One that is refused holds up no other. When the call fails as a whole, some may be queued:
    /// the same call again is fine.
    pub async fn submit_many(
        &self,
        tasks: &[Submission<'_>],
    ) -> Result<Vec<Result<Submitted, BusError>>, BusError> {
        let mut said = Vec::with_capacity(tasks.len());
        for tasks in tasks.chunks(BATCH) {
            match self.submit_batch(tasks).await {
                Ok(batch) => said.extend(batch),
                // A key of one role holds up no other: each alone. What was queued just now is
                // said to be known.
                Err(error) if error.is_about_one() => {
                    for task in tasks {
                        match self.submit_batch(std::slice::from_ref(task)).await {
                            Ok(one) => said.extend(one),
                            Err(error) if error.is_about_one() => said.push(Err(error)),
                            Err(error) => return Err(error),
                        }
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Ok(said)
    }

    /// One call for these tasks.
    async fn submit_batch(
        &self,
        tasks: &[Submission<'_>],
    ) -> Result<Vec<Result<Submitted, BusError>>, BusError> {
        let mut call = Call::on([self.keys().lanes()]).arg(self.queue_limit());
        let mut refused = Vec::with_capacity(tasks.len());
        for task in tasks {
            refused.push(match self.put(task) {
                Ok(one) => {
                    call = call.and(one);
                    None
                }
                Err(error) => Some(error),
            });
        }
        let words: Vec<String> = if refused.iter().any(Option::is_none) {
            self.run(&scripts::SUBMIT, &call, Again::Yes).await?
        } else {
            Vec::new()
        };
        let mut words = words.iter().map(String::as_str);
        let said = tasks
            .iter()
            .zip(refused)
            .map(|(task, refused)| match refused {
                Some(error) => Err(error),
                None => self.submitted(task, words.next()),
            });
        Ok(said.collect())
    }

    /// One task's keys and arguments.
    fn put(&self, task: &Submission<'_>) -> Result<Call, BusError> {
        let id = task_of(self, task.envelope)?;
        if let Some(host) = task.host.filter(|host| !keys::is_host(host)) {
            return Err(BusError::Refused(format!(
                "`{}` is not a host name",
                host.escape_debug()
            )));
        }
        let lane = keys::lane(task.role, task.host);
        let names = self.keys();
        let call = Call::on([
            names.role_of(id),
            names.task(task.role, id),
            names.work(&lane, task.class),
            names.wake(task.role),
            names.idle(task.role),
            names.delay(&lane),
            names.given(id),
        ]);
        Ok(call
            .arg(id)
            .arg(task.role)
            .arg(&lane)
            .bytes(task.envelope.to_bytes()?)
            .arg(task.due.map_or(0, |due| due.as_millisecond().max(0)))
            .arg(Work::text_of(task.envelope, task.host)?))
    }

    fn submitted(&self, task: &Submission<'_>, word: Option<&str>) -> Result<Submitted, BusError> {
        match word {
            Some("new") => Ok(Submitted::New),
            Some("again") => Ok(Submitted::Again),
            Some("full") => Err(BusError::QueueFull {
                role: task.role.clone(),
                limit: self.queue_limit(),
            }),
            _ => Err(BusError::Redis(
                "the submit script answered in an unknown form".to_owned(),
            )),
        }
    }

    /// Whether the bus still has the task: queued, held, given back, parked, or ended and not yet
    /// forgotten. A task that was cancelled in the queue is not known.
    pub async fn known(&self, task: TaskId) -> Result<bool, BusError> {
        Ok(self.known_many(&[task]).await?.contains(&true))
    }

    /// The same for many tasks, in two calls for all of them; one answer for each, in order.
    pub async fn known_many(&self, tasks: &[TaskId]) -> Result<Vec<bool>, BusError> {
        if tasks.is_empty() {
            return Ok(Vec::new());
        }
        let names = self.keys();
        let mut pointers = redis::cmd("MGET");
        for task in tasks {
            pointers.arg(names.role_of(*task));
        }
        let roles: Vec<Option<String>> = self.query(&pointers, Again::Yes).await?;
        let roles: Vec<Option<Role>> = roles
            .into_iter()
            .map(|role| role.and_then(|role| role.parse().ok()))
            .collect();
        let mut states = redis::pipe();
        for (task, role) in tasks.iter().zip(&roles) {
            if let Some(role) = role {
                states.cmd("HGET").arg(names.task(role, *task)).arg("state");
            }
        }
        let states: Vec<Option<String>> = if states.is_empty() {
            Vec::new()
        } else {
            self.pipeline(&states, Again::Yes).await?
        };
        let mut states = states.into_iter();
        let mut known = |_: &Role| states.next().flatten().is_some_and(|s| s != "removed");
        Ok(roles
            .iter()
            .map(|role| role.as_ref().is_some_and(&mut known))
            .collect())
    }
}

pub(crate) fn task_of(bus: &Bus, envelope: &Envelope) -> Result<TaskId, BusError> {
    if envelope.team != *bus.team() {
        return Err(BusError::Refused(format!(
            "the message is of team {}, this is the bus of {}",
            envelope.team,
            bus.team()
        )));
    }
    envelope
        .payload
        .task_id
        .ok_or_else(|| BusError::Refused("a work message names its task in payload.task_id".into()))
}
