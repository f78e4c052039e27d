//! The launcher's side: a thread a conversation, each answering one wish after the other. When the agent is
//! gone, whatever it asked for is ended and so is this process.

use super::assigned::{Assigned, Taken};
use super::sandboxes::Workshop;
use super::socket;
use super::user;
use super::wish::{Arrival, On, Wish};
use crate::disk::{Disk, File, digest};
use crate::granted::{most, writes};
use config::env::Env;
use config::home::Home;
use config::settings::Settings;
use guard::executor::Launched;
use guard::launcher::channel::{Answer, Channel, Line, Message};
use guard::proxy::start::Begun;
use guard::redact::Redactor;
use protocol::control::{Answer as Told, CONTROL_VERSION, Reply, Request, Verb};
use protocol::ids::{Role, ShortId};
use serde::Serialize;
use std::io::{self, BufRead, BufReader, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use warden::wire::OfTask;

/// Longest wait for the daemon, which itself waits for the service that keeps secrets.
const ASKED: Duration = Duration::from_secs(30);
/// The program that runs now, also where its file was replaced since.
const MYSELF: &str = "/proc/self/exe";
/// Conversations at a time: far more than one agent has.
const CONVERSATIONS: usize = 512;

/// Where lines of the log go.
pub type Log = Arc<Mutex<dyn Write + Send>>;

struct Launcher {
    shop: Workshop,
    assigned: Arc<Assigned>,
    min_free_mb: u64,
    /// The agent's process.
    agent: u32,
    env: Env,
    settings: Arc<Settings>,
    log: Log,
}

/// Serves an agent until it is gone. `agent` is its process.
///
/// # Errors
/// When there is no such agent in the settings, or the conversation breaks.
pub fn serve(
    channel: &Channel,
    home: Home,
    settings: Settings,
    role: &Role,
    agent: u32,
    log: Log,
) -> io::Result<()> {
    let env = Env::from_process();
    let own = settings.agents.iter().find(|one| one.name == *role);
    let own = own.cloned().ok_or_else(|| {
        io::Error::other(format!(
            "there is no agent `{role}`: see `ai-infra agents list`"
        ))
    })?;
    let faults = env.faults().map_err(io::Error::other)?;
    let redactor = Redactor::new(secrets(&home, &env, &settings)).under(faults);
    let launcher = Arc::new(Launcher {
        assigned: Arc::new(Assigned::new(&home, &settings, role, faults)),
        shop: Workshop {
            disk: Disk::here(home.clone()),
            home,
            sandbox: settings.sandbox,
            agent: own,
            toolchain_home: env.toolchain_home(),
            faults,
            redactor,
            ways_out: Mutex::default(),
        },
        min_free_mb: settings.team.min_free_mb,
        agent,
        env,
        settings: Arc::new(settings),
        log,
    });
    let mut logs = Vec::new();
    while let Some(line) = channel.accept()? {
        if Arc::strong_count(&launcher) > CONVERSATIONS {
            continue;
        }
        let launcher = launcher.clone();
        let talk = std::thread::Builder::new().name("conversation".to_owned());
        let talk = talk.spawn(move || launcher.converse(&line))?;
        // Lines that were sent are written, also when the agent is gone.
        logs.push(talk);
        logs.retain(|talk| !talk.is_finished());
    }
    launcher.drained(logs);
    Ok(())
}

impl Launcher {
    /// Waits for what only writes down, and for sandboxes to be told to end; not for copies that are being made:
    /// they end with this process.
    fn drained(&self, talks: Vec<std::thread::JoinHandle<()>>) {
        let until = std::time::Instant::now() + Duration::from_millis(200);
        for talk in talks {
            while !talk.is_finished() && std::time::Instant::now() < until {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    }

    fn converse(&self, line: &Line) {
        loop {
            let heard = match line.receive() {
                Ok(Some(message)) => message
                    .said::<Wish>()
                    .and_then(|wish| self.grant(wish, message, line)),
                _ => return,
            };
            match heard {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => {
                    let said = line.send(&Answer::<()>::failed(&error), b"", &[]);
                    if said.is_err() {
                        return;
                    }
                }
            }
        }
    }

    /// Does one thing and answers; whether the conversation goes on.
    fn grant(&self, wish: Wish, message: Message, line: &Line) -> io::Result<bool> {
        let shop = &self.shop;
        let may_take_time = wish.may_take_time();
        let taken = wish
            .task()
            .map(|task| self.assigned.check(task, may_take_time));
        let taken = taken.transpose()?.unwrap_or_default();
        match wish {
            Wish::TakeUp { task } => {
                let taken = self.assigned.take_up(task, memory::project::project_of)?;
                say(line, &taken.project)?;
            }
            Wish::Arrive => say(line, &self.arrival()?)?,
            Wish::Redis => {
                let connection = socket::connect(&self.redis()?)?;
                line.send(&Answer::Done(()), b"", &[connection.as_raw_fd()])?;
            }
            Wish::IsLow => say(line, &shop.disk.is_low(self.min_free_mb))?,
            Wish::Read { file } => {
                let found = shop.disk.read(&file)?;
                let there = Answer::Done(found.is_some());
                line.send(&there, &found.unwrap_or_default(), &[])?;
            }
            Wish::Write { file } => {
                if let File::Blob(name) = &file {
                    is_what_it_is_called(name, &message.bytes)?;
                }
                say(line, &shop.disk.write(&file, &message.bytes)?)?;
            }
            Wish::Keep { name } => {
                is_what_it_is_called(&name, &message.bytes)?;
                say(line, &shop.disk.keep(&name, &message.bytes)?)?;
            }
            Wish::LayOut { task, files } => {
                shop.disk.lay_out(task, &files)?;
                say(line, &())?;
            }
            Wish::Script { script } => {
                if !self.settings.engine.allow_scripted {
                    return Err(io::Error::other("the settings allow no canned replies"));
                }
                say(
                    line,
                    &engine::scripted::text(&script).map_err(io::Error::other)?,
                )?;
            }
            Wish::Playbooks => say(line, &shop.disk.playbooks()?)?,
            Wish::Check { .. } => say(line, &shop.workspace(&taken)?)?,
            Wish::Clone { task, until } => say(line, &shop.clone(task, &taken, until)?)?,
            Wish::Freshen { task } => say(line, &shop.freshen(task)?)?,
            Wish::Copy { task, until } => say(line, &shop.copy(task, until)?)?,
            Wish::Sandbox(wanted) => {
                let spec = shop.spec(&wanted, &taken)?;
                if let On::Act(act) = &wanted.on {
                    shop.record(act, wanted.task)?;
                }
                let started = Launched::of(spec, self.agent, Some(line.again()?));
                let started = started.map_err(|e| io::Error::other(e.to_string()))?;
                started.hand_over(line)?;
                return Ok(false);
            }
            Wish::WayOut { task } => {
                self.way_out(task, &taken, line)?;
                return Ok(false);
            }
            Wish::Warden { task } => {
                let role = shop.agent.name.as_str();
                let warden =
                    warden::blocking::connect_for(&shop.home, role, self.of_task(task, &taken))?;
                line.send(&Answer::Done(()), b"", &[warden.as_raw_fd()])?;
            }
            Wish::AnotherKey => say(line, &is_there_another_key(&shop.home.daemon_sock())?)?,
            Wish::Log => {
                while let Ok(Some(message)) = line.receive() {
                    let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
                    // As any process of the team that cannot write its log: it works on.
                    let _full_disk = log.write_all(&message.bytes);
                }
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Which task is spoken of with the warden; any of its role where a test lets any be asked about.
    fn of_task(&self, task: ShortId, taken: &Taken) -> Option<OfTask> {
        Some(OfTask {
            id: taken.id?.to_string(),
            short: task.to_string(),
            level: most(&self.shop.agent, taken.ceiling).level,
            workspace: taken
                .workspace
                .as_ref()
                .map(|folder| folder.to_string_lossy().into_owned()),
        })
    }

    fn arrival(&self) -> io::Result<Arrival> {
        let home = &self.shop.home;
        let access = config::bus_access::read(home).map_err(io::Error::other)?;
        let own = bus::acl::agent_user(&self.shop.agent.name);
        Ok(Arrival {
            user: access.users.get(&own).cloned().unwrap_or_default(),
            is_socket: socket::of(&access).is_some(),
            url: access.url,
            ca: access.ca,
            team: config::home_id::team_id(home).map_err(io::Error::other)?,
            secrets: secrets(home, &self.env, &self.settings),
        })
    }

    /// The socket of the bus.
    fn redis(&self) -> io::Result<PathBuf> {
        let access = config::bus_access::read(&self.shop.home).map_err(io::Error::other)?;
        socket::of(&access).ok_or_else(|| io::Error::other("the bus is no socket of this host"))
    }

    /// Starts the proxy of a task and keeps it as long as the conversation lasts.
    fn way_out(&self, task: ShortId, taken: &Taken, line: &Line) -> io::Result<()> {
        if !writes(most(&self.shop.agent, taken.ceiling)) {
            return Err(io::Error::other(
                "programs of a task at level 0 reach nothing",
            ));
        }
        let clone = self.shop.disk.clone_of(task);
        let clone = clone.map_err(|e| io::Error::other(e.to_string()))?;
        let user = user::of_proxy(&self.settings, &self.shop.agent.name);
        let terms = self.shop.terms(user)?;
        let (mut proxy, control) = Begun::start(Path::new(MYSELF), self.agent, clone.owner)?;
        let socket = proxy.socket();
        let sockets = || {
            let sockets = self.shop.ways_out.lock();
            sockets.unwrap_or_else(PoisonError::into_inner)
        };
        sockets().insert(task, socket.clone());
        let sent = line.send(&Answer::Done(&socket), b"", &[control.as_raw_fd()]);
        drop(control);
        // Told last: it is getting ready while the agent has the sandbox started.
        let told = sent.and_then(|()| proxy.tell(&terms));
        if told.is_ok() {
            line.ended();
        }
        // Whoever holds the task next may have one already.
        sockets().retain(|of, path| *of != task || *path != socket);
        told
    }
}

/// Everything that must be masked.
fn secrets(home: &Home, env: &Env, settings: &Settings) -> Vec<String> {
    let kept = config::secret::every(home, env);
    let all = settings.secrets().chain(&kept);
    all.map(|secret| secret.reveal().to_owned()).collect()
}

/// Blobs of all roles lie in one folder, by their digests.
fn is_what_it_is_called(name: &str, bytes: &[u8]) -> io::Result<()> {
    match digest(bytes) == name {
        true => Ok(()),
        false => Err(io::Error::other("that is not the content of this digest")),
    }
}

fn say(line: &Line, done: &impl Serialize) -> io::Result<()> {
    line.send(&Answer::Done(done), b"", &[])
}

/// What the daemon says; a daemon that does not is none that has one.
fn is_there_another_key(daemon: &Path) -> io::Result<bool> {
    let stream = UnixStream::connect(daemon)?;
    stream.set_read_timeout(Some(ASKED))?;
    let request = Request {
        v: CONTROL_VERSION,
        verb: Verb::SecretsAgain,
    };
    let mut line = serde_json::to_vec(&request)?;
    line.push(b'\n');
    (&stream).write_all(&line)?;
    let mut said = String::new();
    BufReader::new(&stream).read_line(&mut said)?;
    Ok(match serde_json::from_str(&said)? {
        Reply::Done { answer } => matches!(*answer, Told::SecretsAgain { changed: true }),
        _ => false,
    })
}
