//! `backup`: keep what the team knows and made elsewhere (`make`), look at what is kept (`look`), and
//! get it back (`back`). Here is what they share: the place, the recovery key, the repository. The
//! configuration goes both ways (`configuration`), with `conflicts` to settle and `versions` to go back to.
//! `github` is what that host can do beside git.

mod aside;
mod back;
mod belongs;
mod configuration;
mod conflicts;
mod drill;
mod github;
mod key;
mod leash;
mod look;
mod make;
mod marker;
mod settled;
mod show;
mod versions;

use crate::args::BackupCommand;
use crate::context::Context;
use crate::failure::Failure;
use crate::terminal;
use backup::error::BackupError;
use backup::history::{self, Alone};
use backup::key::RecoveryKey;
use backup::repository::Repository;
use backup::store::login::Login;
use backup::store::s3::Access;
use backup::store::target::{Keys, Target};
use config::backup::{BackupJob, BackupWhat};
use config::settings::Settings;
use leash::Leash;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Pause before another look whether the backup that runs has ended.
const AGAIN: Duration = Duration::from_millis(100);

/// Does one of them.
pub async fn run(context: &Context, command: BackupCommand) -> Result<u8, Failure> {
    match command {
        BackupCommand::Run {
            name,
            create,
            release,
            json,
            leashed,
        } => {
            let name = name.as_deref();
            if create {
                github::create(context, name, json).await?;
            }
            if let Some(tag) = release {
                return github::release(context, name, &tag, json).await;
            }
            let leash = Leash::new(leashed);
            tokio::select! {
                ran = make::run(context, name, json, &leash) => ran,
                // What is being sent is sent again by the next run, or not needed: as if it was killed.
                () = leash.gone() => std::process::exit(i32::from(protocol::exit::CANCELLED)),
            }
        }
        BackupCommand::Drill { json, leashed } => {
            drill::run(context, json, &Leash::new(leashed)).await
        }
        BackupCommand::Key => key::show(context),
        BackupCommand::List { name, json } => look::list(context, name.as_deref(), json).await,
        BackupCommand::Verify { name, all, json } => {
            look::verify(context, name.as_deref(), all, json).await
        }
        BackupCommand::Restore {
            name,
            at,
            to,
            from,
            key,
            json,
        } => {
            let wish = back::Wish {
                name,
                at,
                to,
                from,
                key,
            };
            back::restore(context, wish, json).await
        }
        BackupCommand::Conflicts { command, json } => conflicts::run(context, command, json).await,
        BackupCommand::Versions(command) => versions::run(context, command).await,
    }
}

impl From<BackupError> for Failure {
    fn from(error: BackupError) -> Self {
        Failure::new(error.exit_code(), &error)
    }
}

/// A job with its place.
#[derive(Debug, Clone)]
struct Placed {
    name: String,
    what: BackupWhat,
    target: Target,
}

/// The jobs that are meant, each with its place.
fn jobs(
    context: &Context,
    settings: &Settings,
    name: Option<&str>,
) -> Result<Vec<Placed>, Failure> {
    let known = &settings.backup.jobs;
    let chosen: Vec<(&String, &BackupJob)> = match name {
        // The configuration is no snapshot: it goes both ways.
        None => (known.iter())
            .filter(|(_, job)| job.what != BackupWhat::Configuration)
            .collect(),
        Some(name) => match known.get_key_value(name) {
            Some((_, job)) if job.what == BackupWhat::Configuration => {
                return Err(Failure::usage(format!(
                    "{} makes no snapshots: it goes both ways, and its versions are in git",
                    config::error::quoted(name)
                ))
                .hint("see: ai-infra backup versions list"));
            }
            Some(job) => vec![job],
            None => {
                let near = config::error::did_you_mean(name, known.keys().map(String::as_str));
                let all: Vec<&str> = known.keys().map(String::as_str).collect();
                return Err(Failure::usage(format!(
                    "there is no backup job `{}`{near}",
                    config::error::quoted(name)
                ))
                .hint(format!("there are: {}", all.join(", "))));
            }
        },
    };
    chosen
        .into_iter()
        .map(|(name, job)| {
            let written = job.target.as_ref().or(settings.backup.remote.as_ref());
            let Some(written) = written else {
                return Err(nowhere());
            };
            Ok(Placed {
                name: name.clone(),
                what: job.what,
                target: place(context, written)?,
            })
        })
        .collect()
}

fn nowhere() -> Failure {
    Failure::usage("nothing says where backups are kept")
        .hint(
            "in the home's config/backup.yaml:  remote: /mnt/disk/backups   then: ai-infra restart",
        )
        .hint(
            "or for this shell:                 export AI_INFRA__BACKUP__REMOTE=/mnt/disk/backups",
        )
        .hint("or to get one back:                ai-infra backup restore --from /mnt/disk/backups")
}

/// Reads a place; one inside the home would be lost with it.
fn place(context: &Context, written: &str) -> Result<Target, Failure> {
    let target = Target::read(written)?;
    if let Target::Folder(folder) = &target
        && folder.starts_with(&context.home.root)
    {
        return Err(Failure::usage(format!(
            "{} lies in the home, so it would be lost with it: name a place outside",
            folder.display()
        )));
    }
    Ok(target)
}

/// What places need beside their names; `cache` is where git keeps what it fetched.
fn keys(settings: &Settings, cache: &Path) -> Keys {
    let s3 = &settings.backup.s3;
    Keys {
        cache: cache.to_owned(),
        git: login(settings),
        s3: Access {
            endpoint: s3.endpoint.clone(),
            region: s3.region.clone(),
            access_key: s3.access_key.clone(),
            secret_key: s3.secret_key.clone(),
            session_token: s3.session_token.clone(),
        },
    }
}

/// What a git place is reached with.
fn login(settings: &Settings) -> Login {
    Login {
        token: settings.backup.token.clone(),
        ssh_key: settings.backup.ssh.key.clone(),
        known_hosts: settings.backup.ssh.known_hosts.clone(),
    }
}

/// Where the recovery key is.
fn key_file(context: &Context, settings: &Settings) -> Result<PathBuf, Failure> {
    if let Some(file) = &settings.backup.identity {
        return Ok(file.clone());
    }
    let own = context.env.get("XDG_CONFIG_HOME").map(PathBuf::from);
    let own = own.filter(|own| own.is_absolute());
    let own = own.or_else(|| Some(Path::new(context.env.get("HOME")?).join(".config")));
    own.map(|own| own.join("ai-infra/recovery-key"))
        .filter(|file| file.is_absolute())
        .ok_or_else(|| {
            Failure::usage("there is no place for the recovery key: set HOME, or `backup.identity`")
        })
}

/// Takes the home's backups for this process alone. A person waits for the one that runs; one that began
/// by itself is begun again later.
async fn alone(context: &Context, leash: &Leash) -> Result<Alone, Failure> {
    let folder = context.home.backup();
    let mut said = false;
    loop {
        match history::alone(&folder) {
            Err(BackupError::Busy(_)) if !leash.is_on() => {
                if !std::mem::replace(&mut said, true) {
                    terminal::complain(
                        "a backup or a drill of this home runs; waiting for its end …\n",
                    );
                }
                tokio::time::sleep(AGAIN).await;
            }
            taken => return Ok(taken?),
        }
    }
}

/// Opens a repository that must be there.
fn opened(
    target: &Target,
    keys: &Keys,
    key: Option<&RecoveryKey>,
) -> Result<Repository, BackupError> {
    let opened = Repository::open(target.store(keys)?, &keys.cache, key)?;
    opened.map_err(|store| {
        BackupError::Refused(format!(
            "there are no backups at {}: is that the place? `ai-infra backup run` makes the first one",
            store.place()
        ))
    })
}

/// Runs what blocks beside the runtime.
async fn beside<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, BackupError> + Send + 'static,
) -> Result<T, Failure> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => Ok(result?),
        Err(error) => Err(Failure::new(protocol::exit::FAILED, error)),
    }
}
