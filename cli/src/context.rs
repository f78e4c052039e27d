//! What every command starts from: the home, the environment, and the settings when it needs them.

use crate::failure::Failure;
use config::env::Env;
use config::home::Home;
use config::settings::Settings;
use std::path::Path;
use std::time::Duration;
use supervisor::client;
use supervisor::daemon::environment;
use tokio::time::timeout;

/// Longest wait for a running daemon to hand over its settings. Without them a process would work with
/// others than the team has, so it is long: a busy machine keeps everybody waiting.
const HAND_OVER: Duration = Duration::from_secs(30);

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
    /// environment of `up`, which the daemon holds.
    pub async fn in_team(mut self) -> Self {
        let ask = client::ask_daemon(&self.home, protocol::control::Verb::Environment);
        if let Ok(Ok(protocol::control::Answer::Environment { variables })) =
            timeout(HAND_OVER, ask).await
        {
            self.env = environment::merged(&self.env, &variables);
            environment::adopt(variables);
        }
        self
    }
}
