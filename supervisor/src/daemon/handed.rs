//! What the daemon hands to the processes of the team: the settings that stood in its environment, and
//! the secrets that AWS Secrets Manager keeps. Those are asked for by the daemon alone and again every
//! few minutes; a value that is known goes on while the service does not answer.

use super::environment::{self, Variables};
use super::process::Process;
use super::roster::Member;
use config::env::Env;
use config::error::ConfigError;
use config::home::Home;
use config::load::SYSTEM_FOLDER;
use config::vault::{self as named, Wanted};
use jiff::Timestamp;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;
use tokio::time::sleep;
use vault::{Vault, VaultError};

/// What is known of one secret.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Known {
    value: Option<(config::secret::Secret, Timestamp)>,
    problem: Option<String>,
}

/// The secrets, and whether one has changed since they were last handed on.
#[derive(Debug, Default)]
struct Kept {
    all: BTreeMap<String, Known>,
    changed: bool,
}

/// Least time between two askings because somebody was refused, however many are.
const LEAST: Duration = Duration::from_secs(60);

/// Who is asked, and for what.
struct Source {
    vault: Vault,
    wanted: Wanted,
    /// When it was asked because somebody was refused, and whether something had changed.
    last: tokio::sync::Mutex<Option<(Instant, bool)>>,
}

/// What is handed on.
pub struct Handed {
    base: Variables,
    kept: Arc<Mutex<Kept>>,
    source: Option<Arc<Source>>,
    asking: Option<JoinHandle<()>>,
}

impl Drop for Handed {
    fn drop(&mut self) {
        if let Some(asking) = &self.asking {
            asking.abort();
        }
    }
}

fn locked(kept: &Mutex<Kept>) -> MutexGuard<'_, Kept> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Handed {
    /// Asks for what the settings name, once, and goes on asking for as long as this lives.
    ///
    /// # Errors
    /// When the section about secrets cannot be read.
    pub async fn gather(home: &Home, env: &Env) -> Result<Self, ConfigError> {
        let mut handed = Self {
            base: environment::settings_of(env),
            kept: Arc::default(),
            source: None,
            asking: None,
        };
        let wanted = named::wanted(Path::new(SYSTEM_FOLDER), home, env)?;
        if let Some(wanted) = wanted {
            let vault = Vault::open(&wanted.prefix, wanted.region.as_deref()).await;
            ask(&vault, &wanted, &handed.kept).await;
            locked(&handed.kept).changed = false;
            let kept = handed.kept.clone();
            let source = Arc::new(Source {
                vault,
                wanted,
                last: tokio::sync::Mutex::default(),
            });
            handed.source = Some(source.clone());
            handed.asking = Some(tokio::spawn(async move {
                loop {
                    sleep(source.wanted.every).await;
                    ask(&source.vault, &source.wanted, &kept).await;
                }
            }));
        }
        Ok(handed)
    }

    /// All of it, as variables.
    pub fn variables(&self) -> Variables {
        let mut variables = self.base.clone();
        for (name, known) in &locked(&self.kept).all {
            if let Some((value, since)) = &known.value {
                let since = since.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
                variables.extend(named::variables(name, value.reveal(), &since));
            }
        }
        variables
    }

    /// An environment with all of it.
    pub fn over(&self, env: &Env) -> Env {
        environment::merged(env, &self.variables())
    }

    /// What is wrong with the secrets, as sentences.
    pub fn problems(&self) -> Vec<String> {
        let kept = locked(&self.kept);
        let mut all: Vec<String> = kept.all.values().filter_map(sentence).collect();
        all.dedup();
        all
    }

    /// Asks once more, because somebody was refused with what was handed on; answers whether a value is
    /// another one now. Whoever asks within a minute has the same answer.
    pub fn again(&self) -> impl Future<Output = bool> + Send + 'static {
        let (source, kept) = (self.source.clone(), self.kept.clone());
        async move {
            let Some(source) = source else {
                return false;
            };
            let mut last = source.last.lock().await;
            match *last {
                Some((at, changed)) if at.elapsed() < LEAST => changed,
                _ => {
                    let changed = ask(&source.vault, &source.wanted, &kept).await;
                    *last = Some((Instant::now(), changed));
                    changed
                }
            }
        }
    }

    /// Has everybody who took a value that is another one now put down what they hold and go; they are
    /// started again with the new one.
    pub(super) fn renew(&self, members: &[Member]) {
        if !std::mem::take(&mut locked(&self.kept).changed) {
            return;
        }
        tracing::info!("a secret has changed: agents and supervisor start anew");
        for member in members {
            let takes = matches!(member.process, Process::Agent(_) | Process::Supervisor);
            if let (true, Some(who)) = (takes, member.who()) {
                let pid = i32::try_from(who.pid).map(Pid::from_raw);
                let _gone = pid.map(|pid| kill(pid, Signal::SIGTERM));
            }
        }
    }
}

fn sentence(known: &Known) -> Option<String> {
    let problem = known.problem.as_deref()?;
    Some(match &known.value {
        Some((_, since)) => format!(
            "{problem}; the value of {} goes on",
            since.strftime("%H:%M UTC")
        ),
        None => problem.to_owned(),
    })
}

/// Asks for every name; answers whether a value is another one than before.
async fn ask(vault: &Vault, wanted: &Wanted, kept: &Mutex<Kept>) -> bool {
    let mut any = false;
    for name in &wanted.names {
        let came = vault.get(name).await;
        if let Err(error) = &came {
            tracing::warn!(%error, "a secret");
        }
        let mut kept = locked(kept);
        let before = kept.all.remove(name).unwrap_or_default();
        let (now, changed) = after(before, came, Timestamp::now());
        kept.changed |= changed;
        kept.all.insert(name.clone(), now);
        any |= changed;
    }
    any
}

/// What is known after an answer, and whether the value is another one. Pure.
fn after(
    before: Known,
    came: Result<Option<config::secret::Secret>, VaultError>,
    now: Timestamp,
) -> (Known, bool) {
    match came {
        Err(error) => {
            let problem = Some(error.to_string());
            (Known { problem, ..before }, false)
        }
        Ok(value) => {
            let was = before.value.as_ref().map(|(value, _)| value);
            let changed = was != value.as_ref();
            let value = match changed {
                true => value.map(|value| (value, now)),
                false => before.value,
            };
            let problem = None;
            (Known { value, problem }, changed)
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use config::secret::Secret;

    #[test]
    fn a_known_value_goes_on_and_a_new_one_is_noticed() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let secret = |text: &str| Ok(Some(Secret::new(text)));
        let away = || {
            Err(VaultError::Away {
                name: "p/a".to_owned(),
                said: "timeout".to_owned(),
            })
        };
        let (known, changed) = after(Known::default(), away(), at(0));
        assert!(!changed && known.value.is_none());
        assert!(
            sentence(&known)
                .unwrap()
                .ends_with("does not answer: timeout")
        );
        let (known, changed) = after(known, secret("one"), at(60));
        assert!(changed && sentence(&known).is_none());
        let (known, changed) = after(known, away(), at(120));
        assert!(!changed);
        assert!(
            sentence(&known)
                .unwrap()
                .ends_with("timeout; the value of 00:01 UTC goes on")
        );
        let (known, changed) = after(known, secret("one"), at(180));
        assert!(!changed && known.value.as_ref().unwrap().1 == at(60));
        let (known, changed) = after(known, secret("two"), at(240));
        assert!(changed && known.value.as_ref().unwrap().1 == at(240));
        let (known, changed) = after(known, Ok(None), at(300));
        assert!(changed && known == Known::default());
    }
}
