//! The daemon process and its one loop: questions from the socket, signals, and a look at every
//! process ten times a second (much more often while the team starts).

use super::error::DaemonError;
use super::handed::Handed;
use super::identity::{self, Identity};
use super::own;
use super::place;
use super::process::{self, Process};
use super::release::Releases;
use super::restart::{Next, Policy};
use super::restart_one::restart_one;
use super::roster::{self, Member};
use super::serve::{self, Question};
use super::team::{self, team};
use super::{joined, ledger, lock, mode, ready, redis_server, stop};
use crate::tmux::session::Session;
use bus::connect::Bus;
use config::env::Env;
use config::home::Home;
use config::settings::Settings;
use protocol::control::{Answer, Reply, Verb};
use std::path::PathBuf;
use std::process::Child;
use std::time::{Duration, Instant};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, oneshot};
use tokio::time::sleep;

/// Between two looks once all is well.
const CALM: Duration = Duration::from_millis(100);
/// Between two looks while something starts.
const EAGER: Duration = Duration::from_millis(5);
/// How long a Redis of the person's own may take to answer at the start.
const REDIS_PATIENCE: Duration = Duration::from_secs(5);

/// Runs the daemon of a home until it is told to end. Returns at once when another one runs.
///
/// # Errors
/// When the team cannot be started at all: no Redis, no tmux, a taken session name.
pub async fn run(
    settings: Settings,
    home: Home,
    handed: Handed,
    no_tmux: bool,
) -> Result<(), DaemonError> {
    home.ensure()?;
    let Some(lock) = lock::take(&home)? else {
        return Ok(());
    };
    // Fails only for the leader of a process group, which has a terminal on purpose.
    let _leader_already = nix::unistd::setsid();
    mode::clear_stopping(&home);
    own::note(&home)?;
    let prepared = Daemon::prepare(settings, home.clone(), handed, no_tmux).await;
    let mut daemon = prepared.inspect_err(|error| {
        tracing::error!(%error, "the daemon cannot start");
        identity::forget(&home, "daemon");
    })?;
    let wish = daemon.live().await;
    if let Err(error) = &wish {
        tracing::error!(%error, "the daemon cannot go on");
    }
    let end = daemon.end().await;
    drop(lock);
    match (wish?, daemon) {
        (Wish::Restart, daemon) => Err(own::again(&daemon.exe, &daemon.home, daemon.no_tmux)),
        (Wish::Down(asked), _) => {
            if let Some(answer) = asked {
                let message = "the team is down".to_owned();
                let _gone = answer.send(serve::done(Answer::Ok { message }));
                // The answer is written by another task of this runtime.
                sleep(EAGER).await;
            }
            end
        }
    }
}

/// Why the loop ended.
enum Wish {
    /// With where to say that it is done, when somebody asked for it.
    Down(Option<oneshot::Sender<Reply>>),
    Restart,
}

pub(super) struct Daemon {
    pub(super) settings: Settings,
    pub(super) home: Home,
    no_tmux: bool,
    exe: PathBuf,
    pub(super) session: Option<Session>,
    windows: Vec<(u32, String, Process)>,
    pub(super) members: Vec<Member>,
    /// Children of this daemon, reaped as they end.
    children: Vec<Child>,
    releases: Releases,
    pub(super) handed: Handed,
    clean: Vec<(String, String)>,
    policy: Policy,
    bus: Option<Bus>,
    /// The look at the team's Redis, where that is another host's.
    pub(super) far: Option<joined::Far>,
    began: Instant,
    pub(super) was_ready: bool,
}

impl Daemon {
    async fn prepare(
        settings: Settings,
        home: Home,
        handed: Handed,
        no_tmux: bool,
    ) -> Result<Self, DaemonError> {
        ledger::check(&settings, &home).await?;
        let env = Env::from_process();
        let exe = process::own_exe().map_err(DaemonError::io("find", &home.root))?;
        let clean = process::clean_environment(&env, &home);
        let team = team(&settings);
        let mut session = None;
        let mut windows = Vec::new();
        if !no_tmux {
            let layout = &team::layout(&settings);
            let ours = Session::new(
                &home,
                &layout.session,
                process::tmux_environment(&env, &clean),
            );
            ours.check()?;
            windows = place::windows(layout, &team);
            session = Some(ours);
        }
        let mut members: Vec<Member> = team.into_iter().map(Member::new).collect();
        let views = windows.iter().filter(|(_, _, process)| process.is_view());
        members.extend(views.map(|(_, _, process)| Member::new(process.clone())));
        let mut daemon = Self {
            policy: Policy::of(&settings.daemon),
            handed,
            releases: Releases::of(&settings),
            settings,
            home,
            no_tmux,
            exe,
            session,
            windows,
            members,
            children: Vec::new(),
            clean,
            bus: None,
            far: None,
            began: Instant::now(),
            was_ready: false,
        };
        daemon.adopt();
        daemon.write_files().await?;
        daemon.far = joined::Far::look(&daemon.home, &daemon.settings);
        Ok(daemon)
    }

    /// Takes over what a dead daemon left running.
    fn adopt(&mut self) {
        let now = self.began.elapsed();
        for member in &mut self.members {
            let Some(who) = identity::read(&self.home, &member.process.key()) else {
                continue;
            };
            if who.alive() {
                tracing::info!(process = member.process.name(), pid = who.pid, "adopted");
                member.started(who, now);
            } else if let Process::Agent(role) = &member.process {
                self.releases.owe(role, who.pid);
            }
        }
    }

    /// Everything the processes read. Passwords stay as they are while anybody uses them.
    async fn write_files(&mut self) -> Result<(), DaemonError> {
        mode::write(&self.home, self.no_tmux, &self.settings.tmux.session)?;
        config::resolved::write(&self.home, &self.settings)?;
        config::host_name::keep(&self.home, &self.settings.host)?;
        if self.settings.joined.is_some() {
            return joined::write_access(&self.home);
        }
        let adopted = self.members.iter().any(|member| member.who().is_some());
        if adopted && config::bus_access::read(&self.home).is_ok() {
            return Ok(());
        }
        match self.settings.redis.url.clone() {
            None => {
                redis_server::installed()?;
                redis_server::write_files(&self.home, &self.settings)
            }
            Some(url) => {
                redis_server::write_external(&self.home, &self.settings, &url)?;
                self.wait_for_redis(url).await
            }
        }
    }

    async fn wait_for_redis(&mut self, url: String) -> Result<(), DaemonError> {
        let began = Instant::now();
        loop {
            let said = match ready::connect(&self.home, &self.settings).await {
                Ok(bus) => {
                    self.bus = Some(bus);
                    return Ok(());
                }
                Err(said) => said,
            };
            if began.elapsed() > REDIS_PATIENCE {
                return Err(DaemonError::RedisSilent { url, said });
            }
            sleep(CALM).await;
        }
    }

    async fn live(&mut self) -> Result<Wish, DaemonError> {
        let (sender, mut questions) = mpsc::channel(16);
        let server = tokio::spawn(serve::serve(serve::listen(&self.home)?, sender));
        let cannot = DaemonError::io("listen for signals in", &self.home.root);
        let signals = (
            signal(SignalKind::terminate()),
            signal(SignalKind::interrupt()),
            signal(SignalKind::hangup()),
        );
        let (mut term, mut interrupt, mut hangup) = match signals {
            (Ok(term), Ok(interrupt), Ok(hangup)) => (term, interrupt, hangup),
            (Err(e), ..) | (_, Err(e), _) | (.., Err(e)) => return Err(cannot(e)),
        };
        let wish = loop {
            self.turn().await;
            let pause = match roster::all_ready(&self.members) {
                true => CALM,
                false if self.began.elapsed() < Duration::from_secs(10) => EAGER,
                false => CALM / 2,
            };
            tokio::select! {
                _ = term.recv() => break Wish::Down(None),
                _ = interrupt.recv() => break Wish::Down(None),
                // The terminal it was started from is gone; the team stays.
                _ = hangup.recv() => {}
                Some(question) = questions.recv() => match question.verb {
                    Verb::Down => break Wish::Down(Some(question.answer)),
                    Verb::Restart => {
                        let message = "the team is being restarted".to_owned();
                        let _gone = question.answer.send(serve::done(Answer::Ok { message }));
                        break Wish::Restart;
                    }
                    Verb::AgentRestart { ref role } => {
                        let now = self.began.elapsed();
                        let _gone = question.answer.send(restart_one(&mut self.members, role, now));
                    }
                    _ => self.answer(question),
                },
                () = sleep(pause) => {}
            }
        };
        server.abort();
        Ok(wish)
    }

    fn answer(&self, question: Question) {
        if question.verb == Verb::SecretsAgain {
            let asked = self.handed.again();
            tokio::spawn(async move {
                let changed = asked.await;
                let _gone = question
                    .answer
                    .send(serve::done(Answer::SecretsAgain { changed }));
            });
            return;
        }
        let reply = match question.verb {
            Verb::Status => serve::done(Answer::Status {
                status: Box::new(self.status()),
            }),
            Verb::Environment => serve::done(Answer::Environment {
                variables: self.handed.variables(),
            }),
            _ => serve::refuse("that is a question for the supervisor, not for the daemon"),
        };
        let _gone = question.answer.send(reply);
    }

    async fn turn(&mut self) {
        self.children
            .retain_mut(|child| !matches!(child.try_wait(), Ok(Some(_))));
        if let Some(far) = &self.far {
            self.bus = far.bus();
        }
        self.handed.renew(&self.members);
        self.notice_deaths();
        self.releases.turn(self.bus.as_ref());
        if !self.releases.on_their_way() {
            self.start_due().await;
        }
        if !roster::all_ready(&self.members) {
            if self.bus.is_none() && self.far.is_none() && self.home_has_redis() {
                self.bus = ready::connect(&self.home, &self.settings).await.ok();
            }
            let (home, host) = (&self.home, &self.settings.host);
            ready::look(&mut self.members, home, host, self.bus.as_ref()).await;
        }
        if !self.was_ready && roster::all_ready(&self.members) {
            self.was_ready = true;
            tracing::info!(ms = self.began.elapsed().as_millis(), "the team is ready");
        }
    }

    fn home_has_redis(&self) -> bool {
        self.settings.redis.url.is_some() || self.home.redis_sock().exists()
    }

    fn notice_deaths(&mut self) {
        let now = self.began.elapsed();
        for member in &mut self.members {
            let Some(who) = member.who().filter(|who| !who.alive()) else {
                continue;
            };
            let next = member.ended(&self.policy, now, None);
            identity::forget(&self.home, &member.process.key());
            tracing::warn!(
                process = member.process.name(),
                pid = who.pid,
                ?next,
                "died"
            );
            if let Process::Agent(role) = &member.process {
                self.releases.owe(role, who.pid);
            }
        }
    }

    async fn start_due(&mut self) {
        let mut due = roster::due(&self.members, self.began.elapsed());
        due.retain(|at| !self.releases.owes(&self.members[*at].process));
        if due.is_empty() {
            return;
        }
        let (shown, plain): (Vec<usize>, Vec<usize>) = due
            .into_iter()
            .partition(|at| self.session.is_some() && self.window_of(*at).is_some());
        for at in plain {
            let started = self.start_child(at);
            self.note(at, started.map_err(|error| error.to_string()));
        }
        if !shown.is_empty() {
            self.start_windows(shown).await;
        }
    }

    fn window_of(&self, at: usize) -> Option<&(u32, String, Process)> {
        let process = &self.members.get(at)?.process;
        self.windows.iter().find(|(_, _, shown)| shown == process)
    }

    fn start_child(&mut self, at: usize) -> Result<Option<Identity>, DaemonError> {
        let Some(member) = self.members.get(at) else {
            return Ok(None);
        };
        let child = match &member.process {
            Process::Redis => redis_server::spawn(&self.home, &self.clean)?,
            process => place::as_child(process, &self.exe, &self.home, &self.clean)?,
        };
        let who = Identity::of(child.id());
        self.children.push(child);
        Ok(who)
    }

    /// In the order of the windows: the first one is where who attaches comes in.
    async fn start_windows(&mut self, mut shown: Vec<usize>) {
        shown.sort_by_key(|at| self.window_of(*at).map(|(index, ..)| *index));
        let Some(session) = self.session.clone() else {
            return;
        };
        let wanted: Vec<_> = shown
            .iter()
            .filter_map(|at| self.window_of(*at))
            .map(|window| place::window(window, &self.exe, &self.home, &self.clean))
            .collect();
        let made = tokio::task::spawn_blocking(move || place::in_windows(&session, &wanted)).await;
        let made = match made {
            Ok(Ok(made)) => made.into_iter().map(Ok).collect(),
            Ok(Err(error)) => vec![Err(error.to_string()); shown.len()],
            Err(error) => vec![Err(error.to_string()); shown.len()],
        };
        for (at, started) in shown.into_iter().zip(made) {
            self.note(at, started);
        }
    }

    /// Notes how a start went; `Ok(None)` = it ended at once.
    fn note(&mut self, at: usize, started: Result<Option<Identity>, String>) {
        let now = self.began.elapsed();
        let Some(member) = self.members.get_mut(at) else {
            return;
        };
        let name = member.process.name().to_owned();
        let why = match started {
            Ok(Some(who)) => {
                tracing::info!(process = name, pid = who.pid, "started");
                member.started(who, now);
                let noted = identity::write(&self.home, &member.process.key(), who);
                if let Err(error) = noted {
                    tracing::error!(process = name, %error, "its pid could not be noted");
                }
                return;
            }
            Ok(None) => None,
            Err(why) => Some(why),
        };
        let next = member.ended(&self.policy, now, why.clone());
        tracing::warn!(process = name, why, ?next, "did not start");
        if next == Next::GiveUp {
            tracing::error!(process = name, "given up");
        }
    }

    /// Ends the team; the answer to `down` is sent after this.
    async fn end(&mut self) -> Result<(), DaemonError> {
        self.releases.stop();
        let mut children = std::mem::take(&mut self.children);
        stop::everything(&self.home, self.session.as_ref(), || {
            children.retain_mut(|child| !matches!(child.try_wait(), Ok(Some(_))));
        })
        .await
    }
}
