//! Starts `bwrap`, always from one permanent thread: its `--die-with-parent` follows the *thread*
//! that started it, and a thread of the runtime may end long before the process does.
#![allow(unsafe_code)] // one `pre_exec`, with its reason below

use super::bwrap::{DataFds, argv};
use super::cgroup::Group;
use super::environment::USER;
use super::modules;
use super::profile::Profile;
use super::rules::{Rules, rules};
use super::seccomp::{Fewer, SeccompError, program};
use super::spec::{HOME, Kind, SandboxSpec};
use super::surroundings::Surroundings;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::libc;
use protocol::fault::Faults;
use protocol::walls::Wall;
use std::fs::File;
use std::io::{self, Seek, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::{OnceLock, mpsc};

/// Why a sandbox did not start.
#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    /// A file or process could not be made.
    #[error("the sandbox cannot be started: {0}")]
    Io(#[from] io::Error),
    /// No filter for this processor.
    #[error(transparent)]
    Seccomp(#[from] SeccompError),
    /// The thread that starts processes is gone.
    #[error("the thread that starts sandboxes has ended: restart this process")]
    NoThread,
}

type Answer = mpsc::SyncSender<io::Result<Child>>;

struct Job {
    command: Command,
    /// Kept open until the child has been started.
    files: Vec<File>,
    /// Lead into its control group.
    doors: Vec<File>,
    /// Whatever else is open here is closed there.
    closed: bool,
    answer: Answer,
}

/// Starts the sandbox with pipes on all three standard streams; answers what Landlock must allow in
/// it too.
pub fn spawn(
    spec: &SandboxSpec,
    around: &Surroundings,
    profile: &Profile,
    bounds: Option<&Group>,
) -> Result<(Child, Rules), SpawnError> {
    let (uid, gid) = (spec.owner.uid, spec.owner.gid);
    let mut files = vec![
        data(format!("{USER}:x:{uid}:{gid}:{USER}:{HOME}:/bin/bash\n").as_bytes())?,
        data(format!("{USER}:x:{gid}:\n").as_bytes())?,
        data(b"127.0.0.1 localhost sandbox\n::1 localhost\n")?,
        data(&program(fewer(&spec.kind))?)?,
    ];
    for (_, held) in &profile.files {
        files.push(data(held.as_bytes())?);
    }
    let numbers: Vec<RawFd> = files.iter().map(|f| f.as_raw_fd()).collect();
    let &[passwd, group, hosts, seccomp, ref settings @ ..] = numbers.as_slice() else {
        return Err(SpawnError::NoThread);
    };
    let fds = DataFds {
        passwd,
        group,
        hosts,
        seccomp,
        settings,
    };
    let listings = modules::look(spec);
    let words = |spec: &SandboxSpec| argv(spec, around, profile, &listings, fds);
    // Taken from the walls as they should stand, also where a test took one away.
    let mut whole = spec.clone();
    whole.limits.faults = Faults::default();
    let rules = rules(&whole, &words(&whole));
    let faults = spec.limits.faults;
    let mut command = Command::new("bwrap");
    if faults.stands(Wall::Environment) {
        command.env_clear();
    }
    command
        .args(words(spec))
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let (answer, answered) = mpsc::sync_channel(1);
    sender()
        .send(Job {
            command,
            files,
            doors: bounds.map(Group::doors).transpose()?.unwrap_or_default(),
            closed: faults.stands(Wall::Descriptors),
            answer,
        })
        .map_err(|_| SpawnError::NoThread)?;
    let child = answered.recv().map_err(|_| SpawnError::NoThread)??;
    Ok((child, rules))
}

/// What a sandbox is denied besides. One that shares the host's network shares sockets without paths too, which the kernel's
/// Landlock keeps from it since Linux 6.12 only; one that sees a folder of the host sees the sockets in it. Where a database
/// listens at one they are needed.
fn fewer(kind: &Kind) -> Fewer<'static> {
    const OF_HOST: [u32; 1] = [libc::AF_UNIX.cast_unsigned()];
    match kind {
        Kind::Outside(reach) => Fewer {
            families: if reach.needs_socket() { &[] } else { &OF_HOST },
            plain_internet: true,
            ..Fewer::default()
        },
        _ => Fewer::default(),
    }
}

/// An unnamed file with this content, read from its start.
fn data(content: &[u8]) -> io::Result<File> {
    let mut file = tempfile::tempfile()?;
    file.write_all(content)?;
    file.rewind()?;
    Ok(file)
}

fn sender() -> &'static mpsc::Sender<Job> {
    static SENDER: OnceLock<mpsc::Sender<Job>> = OnceLock::new();
    SENDER.get_or_init(|| {
        let (sender, jobs) = mpsc::channel::<Job>();
        // If the thread cannot be made the receiver is dropped, and every send says so.
        let _ = std::thread::Builder::new()
            .name("sandbox-spawner".to_owned())
            .spawn(move || {
                for job in jobs {
                    let _ = job
                        .answer
                        .send(start(job.command, &job.files, &job.doors, job.closed));
                }
            });
        sender
    })
}

fn start(mut command: Command, files: &[File], doors: &[File], closed: bool) -> io::Result<Child> {
    let numbers: Vec<RawFd> = files.iter().map(|f| f.as_raw_fd()).collect();
    let doors: Vec<RawFd> = doors.iter().map(|f| f.as_raw_fd()).collect();
    // SAFETY: the closure runs between fork and exec, allocates nothing, takes no lock and makes
    // only the system calls write(2), close_range(2), which with this flag closes nothing yet, and
    // fcntl(2). The descriptors are open: `files` and `doors` outlive the call to `spawn` below, and
    // fork copies the table.
    unsafe {
        command.pre_exec(move || {
            // Before anything else: what is started from here on is within the bounds.
            for door in &doors {
                nix::unistd::write(BorrowedFd::borrow_raw(*door), b"0")?;
            }
            // Whatever this process inherited without the close-on-exec flag stays out.
            if closed {
                let flag = libc::CLOSE_RANGE_CLOEXEC;
                Errno::result(libc::syscall(libc::SYS_close_range, 3, u32::MAX, flag))?;
            }
            for number in &numbers {
                let fd = BorrowedFd::borrow_raw(*number);
                fcntl(fd.as_fd(), FcntlArg::F_SETFD(FdFlag::empty()))?;
            }
            Ok(())
        });
    }
    command.spawn()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::outside::{Database, Reach};

    #[track_caller]
    fn check(kind: Kind, sockets_of_host: bool, any_internet: bool) {
        let fewer = fewer(&kind);
        assert_eq!(fewer.families.is_empty(), sockets_of_host, "{kind:?}");
        assert_eq!(!fewer.plain_internet, any_internet, "{kind:?}");
    }

    #[test]
    fn sockets_of_the_host_are_made_only_where_a_database_listens_at_one() {
        let database = |database| {
            Kind::Outside(Reach::Backup {
                database,
                folder: "/srv/backups".into(),
            })
        };
        let postgres = |url: &str| {
            let (address, _) = protocol::postgres::Address::parse(url).unwrap();
            database(Database::Postgres {
                address,
                password: None,
            })
        };
        check(Kind::Host, true, true);
        check(
            postgres("postgres://shop@/shop?host=/run/postgresql"),
            true,
            false,
        );
        check(postgres("postgres://shop@db.example/shop"), false, false);
        let file = "/srv/db/shop.db".into();
        check(database(Database::Sqlite { file }), false, false);
        let (folder, scratch) = ("/srv/backups".into(), None);
        check(Kind::Outside(Reach::Kept { folder, scratch }), true, false);
    }
}
