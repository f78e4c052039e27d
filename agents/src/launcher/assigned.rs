//! What this agent was given to work on, as the supervisor says it: it alone can write there, while a role's own
//! records are written by the role. A wish about any other task is refused, whatever the agent says of it.

use bus::assignment::{Assignment, Work};
use bus::connect::{Bus, BusAddress};
use bus::error::BusError;
use config::home::Home;
use config::settings::Settings;
use nix::errno::Errno;
use protocol::fault::Faults;
use protocol::ids::{Role, ShortId, TaskId, TeamName};
use protocol::task::Ceiling;
use protocol::walls::Wall;
use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Runtime};

/// What is answered where Redis does not say (yet) what a task is.
pub const UNHEARD: Errno = Errno::ENOTCONN;
/// How long what Redis said is not asked again: a task that was handed on is another role's from then on.
const FRESH: Duration = Duration::from_secs(10);
/// How many tasks are remembered: an agent holds one at a time, and what it began of the last ones may still go on.
const KEPT: usize = 8;
/// Longest wait for Redis.
const PATIENCE: Duration = Duration::from_secs(3);

/// What a task that this agent took up is about; of a wish that is about none, nothing.
#[derive(Debug, Clone, Default)]
pub(super) struct Taken {
    /// Which it is; `None` where a test lets any be asked about.
    pub id: Option<TaskId>,
    /// The folder.
    pub workspace: Option<PathBuf>,
    /// The project of that folder.
    pub project: Option<String>,
    /// The most it may do, by the rules of the team's first host.
    pub ceiling: Option<Ceiling>,
}

struct Known {
    number: ShortId,
    id: TaskId,
    heard: Instant,
    taken: Taken,
}

/// What this agent took up, and the way to whoever says whether it may.
pub(super) struct Assigned {
    role: Role,
    host: String,
    /// Work for any host is done on the first one only.
    any_host: bool,
    stands: bool,
    line: Line,
    /// The newest first.
    known: Mutex<VecDeque<Known>>,
}

struct Line {
    home: Home,
    team: (TeamName, Duration),
    user: String,
    /// Made when it is first needed: an agent that gets no work needs none.
    open: Mutex<Option<(Runtime, Bus)>>,
}

impl Assigned {
    pub fn new(home: &Home, settings: &Settings, role: &Role, faults: Faults) -> Self {
        Self {
            role: role.clone(),
            host: settings.host.clone(),
            any_host: settings.joined.is_none(),
            stands: faults.stands(Wall::AgentTasks),
            line: Line {
                home: home.clone(),
                team: (
                    settings.team.name.clone(),
                    Duration::from_millis(settings.team.lease_ms),
                ),
                user: bus::acl::agent_user(role),
                open: Mutex::default(),
            },
            known: Mutex::default(),
        }
    }

    /// Takes a task up, if it is this agent's; `project` names the project of a folder.
    ///
    /// # Errors
    /// [`UNHEARD`] where Redis does not say; a sentence where it says something else.
    pub fn take_up(&self, id: TaskId, project: impl FnOnce(&Path) -> String) -> io::Result<Taken> {
        let said = self.line.ask(id).map_err(|error| {
            tracing::warn!(task = %id, error, "redis does not say what a task is");
            UNHEARD
        })?;
        let work = self.own(id, said)?;
        let taken = Taken {
            id: Some(id),
            project: work.workspace.as_deref().map(project),
            workspace: work.workspace,
            ceiling: work.ceiling,
        };
        let known = Known {
            number: work.number,
            id,
            heard: Instant::now(),
            taken: taken.clone(),
        };
        let mut all = self.all();
        all.retain(|one| one.id != id && one.number != work.number);
        all.push_front(known);
        all.truncate(KEPT);
        Ok(taken)
    }

    /// What a task is about that was taken up and is this agent's still. Where Redis is to be asked anew, the answer is
    /// waited for if it may take time, else it holds from the next wish on: an agent that waits does nothing else.
    ///
    /// # Errors
    /// When it was not, or is another's by now.
    pub fn check(self: &Arc<Self>, number: ShortId, may_take_time: bool) -> io::Result<Taken> {
        let mut known = self.all();
        let Some(one) = known.iter_mut().find(|one| one.number == number) else {
            return match self.stands {
                true => Err(io::Error::other(format!(
                    "{number} is no task that this agent was given"
                ))),
                false => Ok(Taken::default()),
            };
        };
        let (id, taken) = (one.id, one.taken.clone());
        if one.heard.elapsed() < FRESH {
            return Ok(taken);
        }
        // By one at a time.
        one.heard = Instant::now();
        drop(known);
        match may_take_time {
            true => self.hear_again(id)?,
            false => {
                let own = Arc::clone(self);
                let asks = std::thread::Builder::new().name("assigned".to_owned());
                asks.spawn(move || own.hear_again(id))?;
            }
        }
        Ok(taken)
    }

    /// Lets go of a task that is another's by now. What Redis said last counts while it says nothing.
    fn hear_again(&self, id: TaskId) -> io::Result<()> {
        let still = match self.line.ask(id) {
            Ok(Some(said)) if said.work.is_some() => self.own(id, Some(said)).map(drop),
            Ok(_) | Err(_) => Ok(()),
        };
        if still.is_err() {
            self.all().retain(|one| one.id != id);
        }
        still
    }

    fn own(&self, id: TaskId, said: Option<Assignment>) -> io::Result<Work> {
        match judge(&self.role, &self.host, self.any_host, said) {
            Judged::Own(work) => Ok(work),
            Judged::Unheard => Err(UNHEARD.into()),
            Judged::Others(work) if !self.stands => Ok(work),
            Judged::Others(_) => Err(io::Error::other(format!(
                "task {id} is not one that {} works on here",
                self.role
            ))),
        }
    }

    fn all(&self) -> MutexGuard<'_, VecDeque<Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whose a task is.
#[derive(Debug, PartialEq, Eq)]
enum Judged {
    /// This agent's.
    Own(Work),
    /// Somebody else's.
    Others(Work),
    /// Nobody has said it yet.
    Unheard,
}

/// Whose a task is, by what the supervisor said of it. Pure.
fn judge(role: &Role, host: &str, any_host: bool, said: Option<Assignment>) -> Judged {
    let Some(Assignment {
        role: given,
        work: Some(work),
    }) = said
    else {
        return Judged::Unheard;
    };
    let here = work.host.as_deref().map_or(any_host, |only| only == host);
    match given == *role && here {
        true => Judged::Own(work),
        false => Judged::Others(work),
    }
}

impl Line {
    fn ask(&self, id: TaskId) -> Result<Option<Assignment>, String> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        // Taken, so that a line that broke is made anew, with the password of then.
        let (runtime, bus) = match open.take() {
            Some(line) => line,
            None => self.opened()?,
        };
        let asked = async { tokio::time::timeout(PATIENCE, bus.assignment(id)).await };
        let said = runtime.block_on(asked);
        let said = match said {
            Ok(said) => said.map_err(|error| error.to_string()),
            Err(_) => Err("it does not answer in time".to_owned()),
        };
        match said {
            Ok(_) => *open = Some((runtime, bus)),
            // A name that is being looked up is not waited for.
            Err(_) => runtime.shutdown_background(),
        }
        said
    }

    fn opened(&self) -> Result<(Runtime, Bus), String> {
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|e| format!("no runtime: {e}"))?;
        let access = config::bus_access::read(&self.home).map_err(|e| e.to_string())?;
        let user = access.users.get(&self.user).cloned().unwrap_or_default();
        let address = BusAddress {
            url: access.url,
            username: user.name,
            password: user.password,
            ca: access.ca,
        };
        let (team, lease) = &self.team;
        let joined = async {
            let joined = Bus::connect(&address, team, *lease);
            let joined = tokio::time::timeout(PATIENCE, joined).await;
            joined.unwrap_or_else(|_| Err(BusError::Unreachable("no answer in time".to_owned())))
        };
        match runtime.block_on(joined) {
            Ok(bus) => Ok((runtime, bus)),
            Err(error) => {
                runtime.shutdown_background();
                Err(error.to_string())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn check(said: Option<(&str, Option<Option<&str>>)>, any_host: bool, expected: &str) {
        let said = said.map(|(role, host)| Assignment {
            role: role.parse().unwrap(),
            work: host.map(|host| Work {
                number: ShortId(7),
                host: host.map(str::to_owned),
                workspace: None,
                ceiling: None,
            }),
        });
        let told = format!("{said:?} {any_host}");
        let judged = match judge(&"code".parse().unwrap(), "here", any_host, said) {
            Judged::Own(work) => format!("own {}", work.number),
            Judged::Others(_) => "others".to_owned(),
            Judged::Unheard => "unheard".to_owned(),
        };
        assert_eq!(judged, expected, "{told}");
    }

    #[test]
    fn a_task_is_whose_the_supervisor_says() {
        check(Some(("code", Some(None))), true, "own t7");
        check(Some(("code", Some(Some("here")))), true, "own t7");
        check(Some(("code", Some(Some("here")))), false, "own t7");
        check(Some(("code", Some(Some("there")))), true, "others");
        check(Some(("code", Some(None))), false, "others");
        check(Some(("qa", Some(None))), true, "others");
        check(Some(("qa", Some(Some("here")))), true, "others");
        check(Some(("code", None)), true, "unheard");
        check(Some(("qa", None)), true, "unheard");
        check(None, true, "unheard");
    }
}
