//! Makes what an agent works in. What a sandbox sees is taken from the mark of the clone that was made here,
//! from the role's grants in the settings and from the operation itself, so that an agent which asks for more is
//! shown no more.

use super::acts::refused;
use super::assigned::Taken;
use super::wish::{On, Wanted};
use crate::disk::Disk;
use crate::granted::{doors_of, most, outside_of, writes};
use config::home::Home;
use config::settings::{AgentSettings, SandboxSettings};
use guard::act::{Act, Operation};
use guard::clone::tree::{self, Use};
use guard::clone::{Clone as TaskClone, CloneError};
use guard::deadline::Deadline;
use guard::host_view::HostView;
use guard::launcher::walls::User;
use guard::outside::{Database, Outside, Reach};
use guard::proxy::{Allowed, Terms, clients, registries};
use guard::redact::Redactor;
use guard::sandbox::cgroup::{machine_mb, whole_mb};
use guard::sandbox::spec::{Kind, Limits, Owner, SandboxSpec, WORKSPACE, WayOut};
use protocol::branch::of_task;
use protocol::fault::Faults;
use protocol::ids::ShortId;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Everything sandboxes of this agent are made of.
pub(super) struct Workshop {
    pub home: Home,
    pub disk: Disk,
    pub sandbox: SandboxSettings,
    pub agent: AgentSettings,
    /// Whose toolchains programs inside may use.
    pub toolchain_home: PathBuf,
    pub faults: Faults,
    /// Hides secrets in what the record is told.
    pub redactor: Redactor,
    /// Sockets of proxies that are there, by their task.
    pub ways_out: Mutex<BTreeMap<ShortId, PathBuf>>,
}

fn said(error: impl std::fmt::Display) -> io::Error {
    io::Error::other(error.to_string())
}

impl Workshop {
    /// Who works where root owns everything.
    fn service(&self) -> Owner {
        Owner {
            uid: self.sandbox.service_uid,
            gid: self.sandbox.service_uid,
        }
    }

    fn owner_of(&self, path: &Path) -> io::Result<Owner> {
        guard::clone::owner_of(path, self.service()).map_err(said)
    }

    /// The workspace of a task, as it is to be named.
    pub fn workspace(&self, taken: &Taken) -> io::Result<PathBuf> {
        let Some(workspace) = &taken.workspace else {
            return Err(said("this task is about no folder"));
        };
        guard::clone::check_workspace(workspace, &self.home.root).map_err(said)
    }

    /// Clones the workspace of a task, anew.
    pub fn clone(&self, task: ShortId, taken: &Taken, until: Deadline) -> io::Result<TaskClone> {
        let workspace = self.workspace(taken)?;
        let folder = self.disk.task(task);
        let owner = self.owner_of(&workspace)?;
        let _alone = guard::clone::turn(&folder, until)?;
        let _free = tree::hold(&folder.join("work"), Use::Writes)?;
        let _copy_free = tree::hold(&self.copy_of(task).join("work"), Use::Writes)?;
        guard::clone::remove_clone(&folder).map_err(|source| {
            let path = folder.clone();
            said(CloneError::Copy { path, source })
        })?;
        guard::clone::make(&workspace, &folder, owner).map_err(said)
    }

    pub fn freshen(&self, task: ShortId) -> io::Result<()> {
        let clone = self.disk.clone_of(task).map_err(said)?;
        guard::clone::freshen(&clone).map_err(said)
    }

    /// Copies the clone as it is now, for checks.
    pub fn copy(&self, task: ShortId, until: Deadline) -> io::Result<TaskClone> {
        let clone = self.disk.clone_of(task).map_err(said)?;
        let _alone = guard::clone::turn(&self.disk.task(task), until)?;
        let place = self.copy_of(task);
        let _free = tree::hold(&clone.moved(&place).work, Use::Writes)?;
        guard::clone::throwaway(&clone, &place).map_err(said)
    }

    fn copy_of(&self, task: ShortId) -> PathBuf {
        self.disk.task(task).join(guard::clone::VERIFY)
    }

    /// What a wanted sandbox is.
    pub fn spec(&self, wanted: &Wanted, taken: &Taken) -> io::Result<SandboxSpec> {
        let task = wanted.task;
        let most = most(&self.agent, taken.ceiling);
        let writes = writes(most);
        let mut only = None;
        let (kind, owner, online) = match &wanted.on {
            On::Clone { writable, online } => {
                let writable = *writable && writes;
                let clone = self.disk.clone_of(task).map_err(said)?;
                let kind = self.on_clone(&clone, writable, wanted, taken)?;
                (kind, clone.owner, *online && writable)
            }
            On::Copy { writable, online } => {
                let writable = *writable && writes;
                let clone = self.disk.clone_of(task).map_err(said)?;
                let copy = clone.moved(&self.copy_of(task));
                let kind = self.on_clone(&copy, writable, wanted, taken)?;
                (kind, copy.owner, *online && writable)
            }
            On::Host => (Kind::Host, self.owner_of(&self.home.root)?, false),
            On::Act(act) => {
                let made = Act::of(act.operation.clone());
                only = Some(made.digest());
                let allowed = self.bound(act, &made, taken)?;
                let attached = wanted.attachments;
                let (mut kind, owner) = self.for_act(task, &act.operation, act.files, attached)?;
                if let Kind::Outside(Reach::Database {
                    write: true, bound, ..
                }) = &mut kind
                {
                    *bound = allowed;
                }
                (kind, owner, false)
            }
        };
        let socket = match online {
            true => self.way_out(task),
            false => None,
        };
        let proxy = socket.map(|socket| WayOut {
            socket,
            clients: clients::told(&doors_of(&self.agent)),
        });
        // How large a backup is, the database says.
        let unbounded = matches!(
            kind,
            Kind::Outside(Reach::Backup { .. } | Reach::Kept { .. })
        );
        let file_mb = match unbounded {
            true => 0,
            false => self.sandbox.file_mb,
        };
        Ok(SandboxSpec {
            exe: config::own::exe()?,
            kind,
            owner,
            toolchains: self.sandbox.toolchains,
            home: self.toolchain_home.clone(),
            limits: Limits {
                memory_mb: self.sandbox.memory_mb,
                whole_mb: whole_mb(self.sandbox.memory_mb, machine_mb()),
                processes: self.sandbox.processes,
                file_mb,
                faults: self.faults,
                ..Limits::default()
            },
            proxy,
            most,
            only,
            deadline: Deadline::now(),
            trace: wanted.trace,
        })
    }

    /// What the proxy of a task is told: hosts and registries as the settings grant them to the role.
    ///
    /// # Errors
    /// When they grant none, or something in them cannot be read.
    pub fn terms(&self, user: Option<User>) -> io::Result<Terms> {
        let mut doors = doors_of(&self.agent);
        let hosts = match &self.agent.programs {
            None if doors.is_empty() => {
                return Err(said(
                    "programs of this agent reach nothing (`permissions.programs`, `permissions.registries`)",
                ));
            }
            None => BTreeSet::new(),
            Some(named) if named.is_empty() => registries::of_host(&self.toolchain_home),
            Some(named) => named.clone(),
        };
        let allowed = Allowed::of(hosts.iter().map(String::as_str));
        let allowed =
            allowed.map_err(|why| said(format!("`permissions.programs.hosts`: {why}")))?;
        for (name, grant) in &self.agent.registries {
            if let (Some(file), Some(door)) = (&grant.authority, doors.get_mut(name)) {
                let key = format!("`permissions.registries.{name}.authority`");
                let text = std::fs::read_to_string(file);
                let text = text.map_err(|e| said(format!("{key} {}: {e}", file.display())))?;
                door.authority = Some(text);
            }
        }
        Ok(Terms {
            allowed,
            doors,
            user,
            faults: self.faults,
        })
    }

    fn way_out(&self, task: ShortId) -> Option<PathBuf> {
        let sockets = self.ways_out.lock();
        let sockets = sockets.unwrap_or_else(PoisonError::into_inner);
        sockets.get(&task).cloned()
    }

    fn attachments(&self, task: ShortId) -> PathBuf {
        self.disk.task(task).join("attachments")
    }

    fn on_clone(
        &self,
        clone: &TaskClone,
        writable: bool,
        wanted: &Wanted,
        taken: &Taken,
    ) -> io::Result<Kind> {
        let inside = PathBuf::from(guard::sandbox::spec::ATTACHMENTS);
        let attached = wanted
            .attachments
            .then(|| (self.attachments(wanted.task), inside));
        let read_only = clone.read_only.iter().cloned().chain(attached);
        Ok(Kind::Workspace {
            work: clone.work.clone(),
            snapshots: clone.snapshots.clone(),
            writable,
            read_only: read_only.collect(),
            fixed: clone.fixed.clone(),
            cache: writable
                .then(|| self.cache(taken.project.as_deref().unwrap_or("none"), clone.owner))
                .transpose()?,
        })
    }

    /// The cache folder of a project, owned by whoever works on it.
    fn cache(&self, project: &str, owner: Owner) -> io::Result<PathBuf> {
        let name = format!("{project}-{}-{}", self.agent.name, owner.uid);
        let mut parts = Path::new(&name).components();
        let plain = matches!((parts.next(), parts.next()), (Some(Component::Normal(one)), None) if one == name.as_str());
        if !plain {
            return Err(io::Error::other("that is no name of a project"));
        }
        let folder = self.home.caches().join(name);
        own_folder(&folder, owner)?;
        Ok(folder)
    }

    fn for_act(
        &self,
        task: ShortId,
        operation: &Operation,
        files: bool,
        attached: bool,
    ) -> io::Result<(Kind, Owner)> {
        if let Some(view) = HostView::for_operation(operation) {
            return Ok((Kind::Scan(view), self.owner_of(&self.home.root)?));
        }
        let clone = match files && operation.reads_files() {
            true => Some(self.disk.clone_of(task).map_err(said)?),
            false => None,
        };
        let attached = (attached && operation.reads_files()).then(|| self.attachments(task));
        let scratch = self.disk.task(task).join("restore");
        let work = clone.as_ref().map(|clone| clone.work.clone());
        let granted = outside_of(&self.agent);
        is_own_branch(task, &granted, operation)?;
        let mut reach = reach(&granted, operation, work, attached, scratch).map_err(said)?;
        // Settings and hooks that programs wrote are not obeyed there: a push takes nothing but objects, and
        // nothing is mounted below what they could move.
        if let (Reach::Remote { shown, .. }, Some(clone)) = (&mut reach, clone) {
            shown.push((clone.work, WORKSPACE.into()));
            let objects = clone.read_only.into_iter();
            shown.extend(objects.filter(|(_, to)| !to.starts_with(WORKSPACE)));
        }
        let owner = self.reached_as(&reach)?;
        Ok((Kind::Outside(reach), owner))
    }

    /// Who reaches it: whoever may read it there.
    fn reached_as(&self, reach: &Reach) -> io::Result<Owner> {
        match reach {
            Reach::Database {
                database: Database::Sqlite { file },
                ..
            }
            | Reach::Backup {
                database: Database::Sqlite { file },
                ..
            } => self.owner_of(file),
            Reach::Backup { folder, .. } => self.owner_of(folder),
            Reach::Kept { folder, scratch } => {
                let owner = self.owner_of(folder)?;
                if let Some(scratch) = scratch {
                    own_folder(scratch, owner)?;
                }
                Ok(owner)
            }
            // Who may read the clone may read what of the databases is open to others.
            Reach::Data {
                files: Some(files), ..
            } => self.owner_of(files),
            Reach::Data { databases, .. } => {
                let file = databases.values().find_map(|database| match database {
                    Database::Sqlite { file } => Some(file),
                    Database::Postgres { .. } => None,
                });
                self.owner_of(file.unwrap_or(&self.home.root))
            }
            // Who may read the clone may read its objects.
            Reach::Remote { shown, .. } => {
                let clone = shown.first().map(|(clone, _)| clone);
                self.owner_of(clone.unwrap_or(&self.home.root))
            }
            Reach::Endpoint { .. }
            | Reach::Forge { .. }
            | Reach::Database { .. }
            | Reach::Web { .. } => self.owner_of(&self.home.root),
        }
    }
}

/// A task pushes its own branch, and those that the remote names.
fn is_own_branch(task: ShortId, granted: &Outside, operation: &Operation) -> io::Result<()> {
    let Operation::GitPush { remote, branch, .. } = operation else {
        return Ok(());
    };
    let named = granted.remotes.get(remote);
    let own = *branch == of_task(task) || named.is_some_and(|to| to.branches.contains(branch));
    match own {
        true => Ok(()),
        false => Err(refused(format!("{branch} is no branch of {task}"))),
    }
}

/// What an operation reaches outside, with the files of the task where it reads some. Pure.
///
/// # Errors
/// When that is not granted.
fn reach(
    granted: &Outside,
    operation: &Operation,
    work: Option<PathBuf>,
    attached: Option<PathBuf>,
    restored: PathBuf,
) -> Result<Reach, String> {
    let mut reach = granted.reach(operation)?;
    if let Reach::Data {
        files, attachments, ..
    } = &mut reach
        && operation.reads_files()
    {
        (*files, *attachments) = (work, attached);
    }
    if let Reach::Kept { scratch, .. } = &mut reach {
        *scratch = Some(restored);
    }
    Ok(reach)
}

/// A folder that the owner of a sandbox may write.
fn own_folder(folder: &Path, owner: Owner) -> io::Result<()> {
    let made =
        std::fs::create_dir_all(folder).and_then(|()| match nix::unistd::geteuid().is_root() {
            true => std::os::unix::fs::lchown(folder, Some(owner.uid), Some(owner.gid)),
            false => Ok(()),
        });
    made.map_err(|e| said(format!("cannot make the folder {}: {e}", folder.display())))
}
