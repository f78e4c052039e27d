//! What every command starts from: the home, the environment, and the settings when it needs them. A process of a
//! team works with the settings that its daemon hands over, and with no others.

use crate::failure::Failure;
use crate::render::text::safe;
use crate::terminal;
use config::env::Env;
use config::home::Home;
use config::settings::Settings;
use config::vault;
use protocol::control::{Answer, Verb};
use std::path::Path;
use std::time::Duration;
use supervisor::client::{self, ClientError};
use supervisor::daemon::environment::{self, Variables};
use supervisor::daemon::handed::Handed;
use tokio::time::{Instant, sleep, timeout_at};

/// Longest wait for a running daemon to hand over its settings. Without them a process would work with
/// others than the team has, so it is long: a busy machine keeps everybody waiting.
const HAND_OVER: Duration = Duration::from_secs(30);
/// Longest wait for the secrets that it was handed.
const KEPT: Duration = Duration::from_secs(3);
/// Pause between two tries to reach a daemon that is being started again.
const LOOK: Duration = Duration::from_millis(100);

/// Who wants the settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Who {
    /// A command of a person: where nobody listens there is no team to ask.
    Person,
    /// A process that a daemon started: one that is gone is being started again.
    Member,
}

/// Home and environment of this call.
#[derive(Debug, Clone)]
pub struct Context {
    /// Where everything is.
    pub home: Home,
    /// The environment, read once.
    pub env: Env,
}

impl Context {
    /// From the `--home` flag and the process environment.
    pub fn new(home: Option<&Path>) -> Result<Self, Failure> {
        let env = Env::from_process();
        let home = Home::resolve(home, &env)?;
        Ok(Self { home, env })
    }

    /// The settings of all layers. A home that cannot be used is said first, and alone.
    pub fn settings(&self) -> Result<Settings, Failure> {
        self.home.inspect()?;
        Ok(config::load::load(&self.home, &self.env, &[])?)
    }

    /// The same context as a process of the team sees it: with the settings that stood in the
    /// environment of `up`, which the daemon holds. Where no team is up, as this shell has it.
    ///
    /// # Errors
    /// When a daemon is there and does not hand them over.
    pub async fn in_team(self) -> Result<Self, Failure> {
        self.with_handed(Who::Person).await
    }

    /// The same for a process that the daemon started: it does not work with settings that are not its team's.
    ///
    /// # Errors
    /// When there is, or was, a daemon and none hands them over.
    pub async fn for_member(self) -> Result<Self, Failure> {
        self.with_handed(Who::Member).await
    }

    async fn with_handed(mut self, who: Who) -> Result<Self, Failure> {
        if let Some(variables) = handed(&self.home, who, HAND_OVER).await? {
            self.env = environment::of_team(&self.env, &variables);
            environment::adopt(variables);
        }
        Ok(self)
    }

    /// The same context, and beside what this shell has the secrets that another service keeps for the running team:
    /// its daemon has them, and no file does.
    pub async fn with_kept_secrets(mut self) -> Self {
        if let Ok(Some(variables)) = self.handed(KEPT).await {
            let kept = variables.into_iter();
            let kept: Variables = kept.filter(|(name, _)| vault::is_handed(name)).collect();
            self.env = environment::merged(&self.env, &kept);
        }
        self
    }

    /// The same; where no team is up, and its settings name secrets that another service keeps, that service is asked
    /// here and now. What it does not give is said.
    pub async fn with_asked_secrets(self) -> Self {
        if !matches!(self.handed(KEPT).await, Ok(None)) {
            return self.with_kept_secrets().await;
        }
        match Handed::gather(&self.home, &self.env).await {
            Ok(asked) => {
                for problem in asked.problems() {
                    terminal::complain(&format!("warning: {}\n", safe(&problem)));
                }
                let env = asked.over(&self.env);
                Self { env, ..self }
            }
            // Whoever loads the settings says what is wrong with them.
            Err(_) => self,
        }
    }

    /// What the running team was given, asked for no longer than `patience`; `None` where no team is up.
    ///
    /// # Errors
    /// When a daemon is there and does not say it.
    pub async fn handed(&self, patience: Duration) -> Result<Option<Variables>, Failure> {
        handed(&self.home, Who::Person, patience).await
    }
}

/// What the daemon hands over; `None` where there is none.
async fn handed(home: &Home, who: Who, patience: Duration) -> Result<Option<Variables>, Failure> {
    let until = Instant::now() + patience;
    let mut why = "it is busy".to_owned();
    loop {
        if home.daemon_sock().symlink_metadata().is_err() {
            return Ok(None);
        }
        match timeout_at(until, client::ask_daemon(home, Verb::Environment)).await {
            Ok(Ok(Answer::Environment { variables })) => return Ok(Some(variables)),
            Ok(Ok(_)) => return Err(withheld(&strange())),
            Ok(Err(ClientError::Down { .. })) if who == Who::Person => return Ok(None),
            Ok(Err(error)) if error.is_passing() => why = error.to_string(),
            Ok(Err(error)) => return Err(withheld(&error.to_string())),
            Err(_) => return Err(withheld(&in_time(patience, &why))),
        }
        if Instant::now() + LOOK >= until {
            return Err(withheld(&in_time(patience, &why)));
        }
        sleep(LOOK).await;
    }
}

fn strange() -> String {
    ClientError::Strange { who: "daemon" }.to_string()
}

fn in_time(patience: Duration, why: &str) -> String {
    format!("not within {patience:?}: {why}")
}

/// What is said where the settings did not come.
fn withheld(why: &str) -> Failure {
    let said = format!(
        "the daemon of this home did not hand over the settings of its team ({why}): with others nothing is done"
    );
    Failure::new(protocol::exit::SERVICE, said).hint("ai-infra status; then: ai-infra restart")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::UnixListener;

    /// How long is waited here for what never comes.
    const SHORT: Duration = Duration::from_millis(300);

    /// What comes of asking where a daemon says this, or nothing at all.
    async fn check(who: Who, says: Option<&'static str>) -> Result<Option<Variables>, String> {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path());
        home.ensure().unwrap();
        let listener = UnixListener::bind(home.daemon_sock()).unwrap();
        let daemon = tokio::spawn(async move {
            let mut all = Vec::new();
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                if let Some(says) = says {
                    let _some = stream.read(&mut [0; 4096]).await.unwrap();
                    stream.write_all(says.as_bytes()).await.unwrap();
                } else {
                    all.push(stream);
                }
            }
        });
        let came = handed(&home, who, SHORT).await;
        daemon.abort();
        came.map_err(|failure| {
            assert_eq!(failure.exit, protocol::exit::SERVICE);
            failure.message
        })
    }

    #[tokio::test]
    async fn settings_that_do_not_come_are_not_made_up() {
        let given = "{\"line\":\"done\",\"answer\":{\"answer\":\"environment\",\"variables\":{\"REDIS_URL\":\"x\"}}}\n";
        let variables = Variables::from([("REDIS_URL".to_owned(), "x".to_owned())]);
        for who in [Who::Person, Who::Member] {
            assert_eq!(check(who, Some(given)).await, Ok(Some(variables.clone())));
            let silent = check(who, None).await.unwrap_err();
            assert!(silent.contains("not within 300ms: it is busy"), "{silent}");
            let cut = check(who, Some("{\"line\"")).await.unwrap_err();
            assert!(cut.contains("went away before it answered"), "{cut}");
            let no = "{\"line\":\"error\",\"exit\":2,\"message\":\"older\",\"hints\":[]}\n";
            let refused = check(who, Some(no)).await.unwrap_err();
            assert!(refused.contains("its team (older)"), "{refused}");
        }
    }

    #[tokio::test]
    async fn where_there_is_no_team_there_is_nobody_to_ask() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path());
        home.ensure().unwrap();
        for who in [Who::Person, Who::Member] {
            assert_eq!(handed(&home, who, SHORT).await, Ok(None));
        }
        // One that died left its socket: a process of its team waits for the next one.
        drop(std::os::unix::net::UnixListener::bind(home.daemon_sock()).unwrap());
        assert_eq!(handed(&home, Who::Person, SHORT).await, Ok(None));
        let late = handed(&home, Who::Member, SHORT).await.unwrap_err();
        assert!(late.message.contains("does not answer"), "{late:?}");
    }
}
