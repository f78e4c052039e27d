//! The task's own copy of the workspace and the sandboxes that see it.

use crate::blob::write_synced;
use crate::connections::recorded;
use crate::pulse::Hold;
use crate::steps::Steps;
use crate::stop::Stop;
use crate::toolbox::Tries;
use crate::witness::Witness;
use config::home::Home;
use config::settings::SandboxSettings;
use guard::clone::{Clone as TaskClone, CloneError};
use guard::deadline::Deadline;
use guard::executor::{Executor, ExecutorError};
use guard::host_view::HostView;
use guard::outside::{Database, Reach};
use guard::proxy::{Allowed, Proxy, Terms, registries};
use guard::sandbox::cgroup::{machine_mb, whole_mb};
use guard::sandbox::spec::{ATTACHMENTS, Kind, Limits, Owner, SandboxSpec};
use protocol::ids::{Role, ShortId};
use protocol::journal::EntryKind;
use protocol::report::Artifact;
use protocol::trace::Trace;
use serde_json::json;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::OnceCell;

/// Everything needed to open a sandbox for one task.
pub struct Sandboxes {
    /// The home.
    pub home: Home,
    /// Limits of every sandbox.
    pub sandbox: SandboxSettings,
    /// The lease: executors die with it.
    pub hold: Hold,
    /// One copy at a time.
    pub copying: Arc<tokio::sync::Mutex<()>>,
    /// Whose toolchains programs inside may use.
    pub toolchain_home: PathBuf,
    /// The project whose caches this agent keeps.
    pub project: Option<String>,
    /// The agent, which works on one task at a time: nobody else writes to its caches meanwhile.
    pub role: Role,
    /// A copy of the clone was built in since the clone was made fresh.
    pub copied: bool,
    /// The trace of the task.
    pub trace: Option<Trace>,
    /// The task's folder.
    pub folder: PathBuf,
    /// The clone, where the task has a workspace.
    pub clone: Option<TaskClone>,
    /// Hosts its programs may reach: none at all, or where none is named those that packages come from.
    pub programs: Option<BTreeSet<String>>,
    /// Writes the record, of what programs reach too.
    pub witness: Arc<Witness>,
    /// The proxy of the task, from its first sandbox on.
    pub proxy: OnceCell<Proxy>,
    /// The folder of files that were handed in with the request, once they are laid out.
    pub attachments: Option<PathBuf>,
}

impl Sandboxes {
    /// The folder of a task.
    pub fn folder(home: &Home, short: ShortId) -> PathBuf {
        home.tasks().join(short.to_string())
    }

    /// Who works where root owns everything.
    fn service(&self) -> Owner {
        Owner {
            uid: self.sandbox.service_uid,
            gid: self.sandbox.service_uid,
        }
    }

    /// The cache folder of the project, owned by whoever works on it.
    fn cache(&self, clone: &TaskClone) -> Result<PathBuf, Stop> {
        let project = self.project.as_deref().unwrap_or("none");
        let folder = self
            .home
            .caches()
            .join(format!("{project}-{}-{}", self.role, clone.owner.uid));
        self.own_folder(&folder, clone.owner)?;
        Ok(folder)
    }

    /// A folder that the owner of a sandbox may write.
    fn own_folder(&self, folder: &Path, owner: Owner) -> Result<(), Stop> {
        let made =
            std::fs::create_dir_all(folder).and_then(|()| match nix::unistd::geteuid().is_root() {
                true => std::os::unix::fs::lchown(folder, Some(owner.uid), Some(owner.gid)),
                false => Ok(()),
            });
        made.map_err(|e| Stop::Fail(format!("cannot make the folder {}: {e}", folder.display())))
    }

    /// Makes the clone, once. Whatever lies there without being in the journal is no clone of this
    /// run: it may hold effects that the journal has forgotten.
    pub async fn prepare(&mut self, steps: &mut Steps, workspace: &Path) -> Result<(), Stop> {
        const STEP: &str = "observe/clone";
        if let Some(clone) = steps.recorded::<TaskClone>(STEP)? {
            self.clone = Some(clone);
            return self.freshen().await;
        }
        // Whoever gave it out may have looked at another disk than this host's.
        let workspace = &guard::clone::check_workspace(workspace, &self.home.root)
            .map_err(|e| Stop::Refuse(e.to_string()))?;
        steps
            .intent(STEP, EntryKind::Intent, json!({"workspace": workspace}))
            .await?;
        let (from, folder) = (workspace.to_owned(), self.folder.clone());
        let service = self.service();
        let alone = self.copying.clone().lock_owned().await;
        // Whoever copied before may have held the disk for long.
        self.hold.surely().await?;
        let clone = tokio::task::spawn_blocking(move || {
            let _alone = alone;
            let owner = guard::clone::owner_of(&from, service)?;
            guard::clone::remove_clone(&folder).map_err(|source| CloneError::Copy {
                path: folder.clone(),
                source,
            })?;
            guard::clone::make(&from, &folder, owner)
        })
        .await
        .map_err(|e| Stop::Fail(format!("the clone of the workspace was not made: {e}")))?
        .map_err(|e| Stop::Fail(e.to_string()))?;
        steps.record(STEP, EntryKind::Result, &clone).await?;
        self.clone = Some(clone);
        self.freshen().await
    }

    /// Lets nothing that was built from other sources pass for built from the clone: caches
    /// outlive tasks, every clone is seen at the same path, and cargo judges by time alone.
    pub async fn freshen(&mut self) -> Result<(), Stop> {
        let Some(clone) = self.clone.clone() else {
            return Ok(());
        };
        self.copied = false;
        tokio::task::spawn_blocking(move || guard::clone::freshen(&clone))
            .await
            .map_err(|e| Stop::Fail(format!("the clone was not made fresh: {e}")))?
            .map_err(|e| Stop::Fail(e.to_string()))
    }

    /// A throwaway copy of the clone as it is now, for checks.
    pub async fn copy(&mut self) -> Result<Option<TaskClone>, Stop> {
        let Some(clone) = self.clone.clone() else {
            return Ok(None);
        };
        self.copied = true;
        let folder = self.folder.join("verify");
        let alone = self.copying.clone().lock_owned().await;
        self.hold.surely().await?;
        let copy = move || {
            let _alone = alone;
            guard::clone::throwaway(&clone, &folder)
        };
        tokio::task::spawn_blocking(copy)
            .await
            .map_err(|e| Stop::Fail(format!("the copy for VERIFY was not made: {e}")))?
            .map(Some)
            .map_err(|e| Stop::Fail(e.to_string()))
    }

    /// Opens a sandbox: on the given clone, else on the host's facts alone.
    pub async fn open(&self, on: Option<&TaskClone>, writable: bool) -> Result<Executor, Stop> {
        let (kind, owner) = match on {
            Some(clone) => (self.on_clone(clone, writable)?, clone.owner),
            None => (Kind::Host, self.owner_of(&self.home.root)?),
        };
        if on.is_some() && writable {
            self.way_out(owner).await?;
        }
        self.start(kind, owner).await
    }

    /// Starts the proxy of the task, once, where its programs may reach anything.
    async fn way_out(&self, owner: Owner) -> Result<(), Stop> {
        let Some(named) = &self.programs else {
            return Ok(());
        };
        let start = || async {
            let hosts = match named.is_empty() {
                true => registries::of_host(&self.toolchain_home),
                false => named.clone(),
            };
            let allowed = Allowed::of(hosts.iter().map(String::as_str))
                .map_err(|why| Stop::Fail(format!("`permissions.programs.hosts`: {why}")))?;
            let terms = Terms {
                allowed,
                owner,
                frozen: self.hold.frost(),
                record: Some(recorded(self.witness.clone())),
                faults: self.hold.faults(),
            };
            Proxy::start(terms)
                .map_err(|e| Stop::Fail(format!("the proxy of the task cannot be started: {e}")))
        };
        self.proxy.get_or_try_init(start).await.map(drop)
    }

    /// Opens a sandbox that reaches one thing outside and sees nothing of the clone or the home.
    pub async fn open_outside(&self, reach: Reach) -> Result<Executor, Stop> {
        let owner = match &reach {
            Reach::Database {
                database: Database::Sqlite { file },
                ..
            }
            | Reach::Backup {
                database: Database::Sqlite { file },
                ..
            } => self.owner_of(file)?,
            Reach::Backup { folder, .. } => self.owner_of(folder)?,
            Reach::Kept { folder, scratch } => {
                let owner = self.owner_of(folder)?;
                if let Some(scratch) = scratch {
                    self.own_folder(scratch, owner)?;
                }
                owner
            }
            // Who may read the clone may read what of the databases is open to others.
            Reach::Data {
                files: Some(files), ..
            } => self.owner_of(files)?,
            Reach::Data { databases, .. } => {
                let file = databases.values().find_map(|database| match database {
                    Database::Sqlite { file } => Some(file),
                    Database::Postgres { .. } => None,
                });
                self.owner_of(file.unwrap_or(&self.home.root))?
            }
            Reach::Endpoint { .. } | Reach::Database { .. } | Reach::Web { .. } => {
                self.owner_of(&self.home.root)?
            }
        };
        self.start(Kind::Outside(reach), owner).await
    }

    /// Opens a sandbox that is shown one side of the host, and nothing of the clone or the home.
    pub async fn open_scan(&self, view: HostView) -> Result<Executor, Stop> {
        let owner = self.owner_of(&self.home.root)?;
        self.start(Kind::Scan(view), owner).await
    }

    fn owner_of(&self, path: &Path) -> Result<Owner, Stop> {
        guard::clone::owner_of(path, self.service()).map_err(|e| Stop::Fail(e.to_string()))
    }

    /// Starts a sandbox. One that ended before it was ready is started again: somebody killed it,
    /// or this process stood still meanwhile.
    async fn start(&self, kind: Kind, owner: Owner) -> Result<Executor, Stop> {
        let mut tries = Tries::default();
        loop {
            let deadline = self.hold.surely().await?;
            let spec = self.spec(kind.clone(), owner, deadline)?;
            let lapses = self.hold.lapses();
            match Executor::start(spec).await {
                Ok(executor) => {
                    self.hold.add(executor.pulse());
                    return Ok(executor);
                }
                Err(ExecutorError::NotReady(why)) => {
                    let more = tries.again(self.hold.lapsed_since(lapses));
                    self.hold.still().await?;
                    if !more {
                        return Err(Stop::Fail(ExecutorError::NotReady(why).to_string()));
                    }
                }
                Err(error) => return Err(Stop::Fail(error.to_string())),
            }
        }
    }

    fn on_clone(&self, clone: &TaskClone, writable: bool) -> Result<Kind, Stop> {
        let attached = self.attachments.iter();
        let attached = attached.map(|folder| (folder.clone(), PathBuf::from(ATTACHMENTS)));
        let read_only = clone.read_only.iter().cloned().chain(attached);
        Ok(Kind::Workspace {
            work: clone.work.clone(),
            snapshots: clone.snapshots.clone(),
            writable,
            read_only: read_only.collect(),
            fixed: clone.fixed.clone(),
            cache: Some(self.cache(clone)?),
        })
    }

    fn spec(&self, kind: Kind, owner: Owner, deadline: Deadline) -> Result<SandboxSpec, Stop> {
        let exe = config::own::exe()
            .map_err(|e| Stop::Fail(format!("this program cannot find itself: {e}")))?;
        // How large a backup is, the database says.
        let unbounded = matches!(
            kind,
            Kind::Outside(Reach::Backup { .. } | Reach::Kept { .. })
        );
        let file_mb = match unbounded {
            true => 0,
            false => self.sandbox.file_mb,
        };
        let clone = matches!(&kind, Kind::Workspace { writable: true, .. });
        let proxy = self.proxy.get().filter(|_| clone).map(Proxy::socket);
        Ok(SandboxSpec {
            exe,
            kind,
            owner,
            toolchains: self.sandbox.toolchains,
            home: self.toolchain_home.clone(),
            limits: Limits {
                memory_mb: self.sandbox.memory_mb,
                whole_mb: whole_mb(self.sandbox.memory_mb, machine_mb()),
                processes: self.sandbox.processes,
                file_mb,
                faults: self.hold.faults(),
                ..Limits::default()
            },
            proxy,
            deadline,
            trace: self.trace.map(Trace::next),
        })
    }

    /// Keeps the patch the work made, where it made one.
    pub fn keep_patch(&self, patch: &str) -> Result<Option<Artifact>, Stop> {
        if patch.trim().is_empty() {
            return Ok(None);
        }
        let path = self.folder.join("patch.diff");
        write_synced(&path, patch.as_bytes())
            .map_err(|e| Stop::Fail(format!("cannot keep the patch {}: {e}", path.display())))?;
        Ok(Some(Artifact {
            blob: None,
            kind: "patch".to_owned(),
            path: path.display().to_string(),
            bytes: patch.len() as u64,
            control_files: guard::apply::control_files(patch),
        }))
    }
}
