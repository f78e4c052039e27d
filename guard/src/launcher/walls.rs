//! The walls around an agent's own process, and around the proxy of a task. An agent may read what names, certificates and
//! times are looked up by and how the machine stands; it may write nothing, run nothing, listen on no port, and neither look into nor
//! signal any process but its own. A proxy may still less. Put on before the first thread, model, bus or program, and never
//! taken off.
#![allow(unsafe_code)] // one prctl, with its reason below

use crate::executor::landlock::{KNOWN, judge};
use crate::sandbox::seccomp::{self, Fewer, SeccompError};
use caps::CapSet;
use landlock::{
    Access, AccessFs, AccessNet, CompatLevel, Compatible, NetPort, RestrictionStatus, Ruleset,
    RulesetAttr, RulesetCreatedAttr, RulesetError, Scope, path_beneath_rules,
};
use nix::libc;
use nix::unistd::{Gid, Uid, setgroups, setresgid, setresuid};
use protocol::fault::Faults;
use protocol::walls::Wall;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

/// Libraries that look up names, loaded when they are needed; never run.
const LIBRARIES: [&str; 6] = [
    "/lib",
    "/lib64",
    "/usr/lib",
    "/usr/lib64",
    "/usr/local/lib",
    "/etc/ld.so.cache",
];
/// Names of hosts.
const NAMES: [&str; 8] = [
    "/etc/gai.conf",
    "/etc/host.conf",
    "/etc/hosts",
    "/etc/nsswitch.conf",
    "/etc/protocols",
    "/etc/resolv.conf",
    "/etc/services",
    "/run/systemd/resolve",
];
/// Certificates; not `/etc/ssl`, which holds private keys too.
const CERTIFICATES: [&str; 8] = [
    "/etc/ca-certificates",
    "/etc/pki/ca-trust",
    "/etc/pki/tls/certs",
    "/etc/ssl/cert.pem",
    "/etc/ssl/certs",
    "/etc/ssl/openssl.cnf",
    "/usr/local/share/ca-certificates",
    "/usr/share/ca-certificates",
];
/// Times.
const TIMES: [&str; 3] = ["/etc/localtime", "/etc/timezone", "/usr/share/zoneinfo"];
/// How the machine stands.
const MACHINE: [&str; 5] = [
    "/proc/loadavg",
    "/proc/meminfo",
    "/proc/pressure",
    "/sys/devices/system/cpu",
    "/sys/fs/cgroup",
];
/// This process alone, and what is nobody's.
const OWN: [&str; 3] = ["/proc/self", "/dev/null", "/dev/urandom"];

/// Of the calls that a sandbox is denied nothing is needed here either; and these. That nobody connects to it, that signals and
/// sockets of the host are not its own, and that no file is emptied Landlock says too, but only since Linux 6.7, 6.12 and 6.2. It does
/// not look at all at whom a file belongs to and who may use it, at what a user's processes share, at who of them runs when, and at
/// who is told that a file changed.
const NEEDLESS: &[libc::c_long] = &[
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_listen,
    libc::SYS_truncate,
    libc::SYS_fchmod,
    libc::SYS_fchmodat,
    libc::SYS_fchmodat2,
    libc::SYS_fchown,
    libc::SYS_fchownat,
    libc::SYS_utimensat,
    libc::SYS_setxattr,
    libc::SYS_lsetxattr,
    libc::SYS_fsetxattr,
    libc::SYS_removexattr,
    libc::SYS_lremovexattr,
    libc::SYS_fremovexattr,
    libc::SYS_shmget,
    libc::SYS_shmat,
    libc::SYS_shmctl,
    libc::SYS_semget,
    libc::SYS_semctl,
    libc::SYS_semop,
    libc::SYS_semtimedop,
    libc::SYS_msgget,
    libc::SYS_msgsnd,
    libc::SYS_msgrcv,
    libc::SYS_msgctl,
    libc::SYS_mq_open,
    libc::SYS_mq_unlink,
    libc::SYS_setpriority,
    libc::SYS_sched_setscheduler,
    libc::SYS_sched_setparam,
    libc::SYS_sched_setattr,
    libc::SYS_sched_setaffinity,
    libc::SYS_ioprio_set,
    libc::SYS_inotify_add_watch,
    libc::SYS_fanotify_init,
    SYS_SETXATTRAT,
    SYS_REMOVEXATTRAT,
    SYS_FILE_SETATTR,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_chmod,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_chown,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_lchown,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_utime,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_utimes,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_futimesat,
];
// Of newer kernels, the same on every processor: `scripts/syscall.tbl` of Linux.
const SYS_SETXATTRAT: libc::c_long = 463;
const SYS_REMOVEXATTRAT: libc::c_long = 466;
const SYS_FILE_SETATTR: libc::c_long = 469;

/// Services of the host listen at these and judge by the user who asks, which on an ordinary install is its owner's. What an agent
/// needs of them its launcher connects to and hands over; name services are passed over for files and DNS.
const SOCKETS_OF_HOST: [u32; 1] = [libc::AF_UNIX.cast_unsigned()];

/// What is left to a process behind its walls.
struct Left<'a> {
    /// What it may read.
    reads: &'a [&'a [&'a str]],
    /// What it may write.
    writes: &'a [&'a str],
    /// The ports it may connect to; `None` = every one.
    ports: Option<&'a BTreeSet<u16>>,
    /// Families of sockets it may not make.
    without: &'a [u32],
}

/// Who the process becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Never 0.
    pub uid: u32,
    /// Never 0.
    pub gid: u32,
}

/// Why a process cannot be walled in. It must not go on then.
#[derive(Debug, thiserror::Error)]
pub enum WallsError {
    /// Landlock holds for one thread and those it starts.
    #[error("walls must be put on before a process has threads, and this one has {0}")]
    Threads(usize),
    /// It was to become root.
    #[error(
        "neither an agent nor a proxy works as uid {0}: set sandbox.service_uid to an ordinary one"
    )]
    Root(u32),
    /// The kernel refused.
    #[error("this process cannot be walled in: {what}: {source}")]
    Kernel {
        /// Which wall.
        what: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
    /// The kernel has no Landlock.
    #[error("this process cannot be walled in: {0}")]
    Landlock(String),
    /// No filter for this processor.
    #[error(transparent)]
    Calls(#[from] SeccompError),
}

fn kernel<E: Into<io::Error>>(what: &'static str) -> impl Fn(E) -> WallsError {
    move |error| WallsError::Kernel {
        what,
        source: error.into(),
    }
}

/// Walls an agent in, for good, after it became `user` where one is named.
///
/// # Errors
/// When a wall cannot be put on; the process is in an unknown state then and must end.
pub fn put_on(user: Option<User>, faults: Faults) -> Result<(), WallsError> {
    let left = Left {
        reads: &[&LIBRARIES, &NAMES, &CERTIFICATES, &TIMES, &MACHINE, &OWN],
        writes: &["/dev/null"],
        ports: None,
        without: &SOCKETS_OF_HOST,
    };
    wall_in(user, &left, faults)
}

/// Walls the proxy of a task in: it reads by what hosts and their certificates are known, writes nothing, connects to no
/// socket of the host and, where the kernel's Landlock knows ports (Linux 6.7), to `ports` alone.
///
/// # Errors
/// As [`put_on`].
pub fn of_proxy(
    user: Option<User>,
    ports: Option<&BTreeSet<u16>>,
    faults: Faults,
) -> Result<(), WallsError> {
    let left = Left {
        reads: &[&LIBRARIES, &NAMES, &CERTIFICATES, &OWN],
        writes: &[],
        ports,
        without: &SOCKETS_OF_HOST,
    };
    wall_in(user, &left, faults)
}

fn wall_in(user: Option<User>, left: &Left, faults: Faults) -> Result<(), WallsError> {
    let threads = super::start::threads();
    if threads != 1 {
        return Err(WallsError::Threads(threads));
    }
    if faults.stands(Wall::AgentUser) {
        no_rights(user)?;
    }
    nix::sys::prctl::set_no_new_privs().map_err(kernel("no new privileges"))?;
    if faults.stands(Wall::AgentFiles) {
        let status = restrict(left).map_err(|e| WallsError::Landlock(e.to_string()))?;
        judge(&status).map_err(WallsError::Landlock)?;
    }
    if faults.stands(Wall::AgentCalls) {
        let fewer = Fewer {
            calls: NEEDLESS,
            families: left.without,
            signals: Some(std::process::id()),
            plain_internet: true,
        };
        filter(&seccomp::program(fewer)?)?;
    }
    Ok(())
}

/// Becomes the user, of no group but its own, and gives up every right of root.
fn no_rights(user: Option<User>) -> Result<(), WallsError> {
    let root = Uid::effective().is_root();
    if root {
        // Needs a right itself, so first of all.
        for one in caps::all() {
            if caps::has_cap(None, CapSet::Bounding, one).unwrap_or(false) {
                caps::drop(None, CapSet::Bounding, one)
                    .map_err(|e| kernel("rights")(io::Error::other(e.to_string())))?;
            }
        }
    }
    if root {
        let User { uid, gid } = user.ok_or(WallsError::Root(0))?;
        if uid == 0 || gid == 0 {
            return Err(WallsError::Root(uid));
        }
        let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
        setgroups(&[]).map_err(kernel("groups"))?;
        setresgid(gid, gid, gid).map_err(kernel("group"))?;
        setresuid(uid, uid, uid).map_err(kernel("user"))?;
    }
    for set in [
        CapSet::Ambient,
        CapSet::Inheritable,
        CapSet::Effective,
        CapSet::Permitted,
    ] {
        caps::clear(None, set).map_err(|e| kernel("rights")(io::Error::other(e.to_string())))?;
    }
    Ok(())
}

fn restrict(left: &Left) -> Result<RestrictionStatus, RulesetError> {
    let named = left.reads.concat();
    // Often links into folders that are not among them.
    let links = ["/etc/resolv.conf", "/etc/localtime"].into_iter();
    let links = links.filter(|link| named.contains(link));
    let led: Vec<PathBuf> = links
        .filter_map(|link| std::fs::canonicalize(link).ok())
        .collect();
    let all = named.iter().map(|path| Path::new(path).to_owned());
    let all = all.chain(led);
    let mut set = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(KNOWN))?
        .handle_access(AccessNet::BindTcp)?
        .scope(Scope::from_all(KNOWN))?;
    if left.ports.is_some() {
        set = set.handle_access(AccessNet::ConnectTcp)?;
    }
    let mut made = set
        .create()?
        .add_rules(path_beneath_rules(
            all,
            AccessFs::ReadFile | AccessFs::ReadDir,
        ))?
        .add_rules(path_beneath_rules(
            left.writes,
            AccessFs::ReadFile | AccessFs::WriteFile,
        ))?;
    for port in left.ports.into_iter().flatten() {
        made = made.add_rule(NetPort::new(*port, AccessNet::ConnectTcp))?;
    }
    made.restrict_self()
}

fn filter(program: &[u8]) -> Result<(), WallsError> {
    // Four fields a step, as `seccomp` wrote them.
    let mut steps: Vec<libc::sock_filter> = program
        .chunks_exact(8)
        .filter_map(|step| <[u8; 8]>::try_from(step).ok())
        .map(|[a, b, yes, no, c, d, e, f]| libc::sock_filter {
            code: u16::from_ne_bytes([a, b]),
            jt: yes,
            jf: no,
            k: u32::from_ne_bytes([c, d, e, f]),
        })
        .collect();
    let program = libc::sock_fprog {
        len: u16::try_from(steps.len()).unwrap_or(u16::MAX),
        filter: steps.as_mut_ptr(),
    };
    // SAFETY: the kernel copies the program, which lives until the call returns.
    let done = unsafe {
        libc::prctl(
            libc::PR_SET_SECCOMP,
            libc::SECCOMP_MODE_FILTER,
            &raw const program,
        )
    };
    match done {
        0 => Ok(()),
        _ => Err(kernel("filter of calls")(io::Error::last_os_error())),
    }
}
