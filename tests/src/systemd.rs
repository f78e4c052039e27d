//! A host with a real systemd, booted in namespaces of its own over a throwaway copy of this host's files, with services of
//! the test's own: `shop`, `broken`, `masked`, `slow`, which stops only once it may, and `late`, which starts only once it
//! may. It takes root.

use crate::processes::wait_until;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Where a program of the test's own lies there.
pub const PROGRAM: &str = "/opt/hands/hands";

/// What is done before systemd is process 1 of its namespaces.
const BOOT: &str = r#"
set -eu
mount --make-rprivate /
cd "$1"; mkdir -p layer mnt; mount -t tmpfs t layer; mkdir layer/u layer/w
mount -t overlay o -o lowerdir=/,upperdir=layer/u,workdir=layer/w mnt
mount -t proc proc mnt/proc; mount -t tmpfs t mnt/run; mount -t tmpfs t mnt/tmp; mount --rbind /dev mnt/dev
mount -t sysfs -o ro sysfs mnt/sys; mount -t tmpfs t mnt/sys/fs/cgroup
mkdir mnt/sys/fs/cgroup/systemd; mount -t cgroup -o none,name=systemd cg mnt/sys/fs/cgroup/systemd
rm -rf mnt/etc/systemd/system; mkdir -p mnt/etc/systemd/system mnt/opt/hands; : > mnt/etc/fstab
: > mnt/opt/hands/hands; mount --bind "$2" mnt/opt/hands/hands
cat > mnt/etc/systemd/system/shop.service <<U
[Unit]
Description=The shop of the story
[Service]
ExecStart=/bin/sleep 1000
ExecReload=/bin/true
[Install]
WantedBy=multi-user.target
U
cat > mnt/etc/systemd/system/slow.service <<U
[Service]
ExecStart=/bin/sleep 1000
ExecStop=/bin/sh -c 'touch /run/slow-stops; while [ ! -e /run/slow-may-stop ]; do sleep 0.05; done'
TimeoutStopSec=600
U
cat > mnt/etc/systemd/system/late.service <<U
[Service]
ExecStartPre=/bin/sh -c 'echo begun >> /run/late-begun; while [ ! -e /run/late-may-start ]; do sleep 0.05; done'
ExecStart=/bin/sleep 1000
TimeoutStartSec=600
U
printf '[Service]\nExecStart=/bin/false\n' > mnt/etc/systemd/system/broken.service
ln -s /dev/null mnt/etc/systemd/system/masked.service
exec chroot mnt env -i container=other PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --system --unit=basic.target --log-level=err
"#;

/// A host with systemd.
pub struct Host {
    boot: Child,
    init: String,
    _folder: tempfile::TempDir,
}

impl Host {
    /// Boots it, with a program of the test's own at [`PROGRAM`]. `None` where that cannot be had, which is said.
    pub fn boot(program: &Path) -> Option<Self> {
        let is_there = |program: &str| Path::new("/usr/bin").join(program).exists();
        if !nix::unistd::geteuid().is_root() || !is_there("systemctl") || !is_there("unshare") {
            eprintln!("skipped: a systemd of its own takes root, systemd and util-linux");
            return None;
        }
        // The overlay cannot lie on an overlay: the layer is a tmpfs of its own.
        let folder = tempfile::tempdir().unwrap();
        let boot = Command::new("unshare")
            .args([
                "-m",
                "-p",
                "-u",
                "-i",
                "-n",
                "-C",
                "--fork",
                "--kill-child",
                "bash",
                "-c",
                BOOT,
                "boot",
            ])
            .arg(folder.path())
            .arg(program)
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::inherit())
            .process_group(0)
            .spawn()
            .unwrap();
        let mut host = Self {
            init: String::new(),
            boot,
            _folder: folder,
        };
        let up = wait_until(Duration::from_secs(60), || {
            host.init = host.child().unwrap_or_default();
            !host.init.is_empty() && host.is_up()
        });
        if !up {
            eprintln!(
                "skipped: no systemd can be booted here (namespaces, cgroups or overlay are missing)"
            );
            return None;
        }
        Some(host)
    }

    /// The first process of the namespace, as seen from outside.
    fn child(&self) -> Option<String> {
        let pid = self.boot.id();
        let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok()?;
        children.split_whitespace().next().map(str::to_owned)
    }

    /// Words before a program that is to run there.
    pub fn words(&self) -> Vec<String> {
        [
            "nsenter", "-t", &self.init, "-m", "-p", "-u", "-i", "-n", "-r", "-w",
        ]
        .map(str::to_owned)
        .to_vec()
    }

    /// Runs a program there: whether it went well, and what it said.
    pub fn run(&self, words: &[&str]) -> (bool, String) {
        let enter = self.words();
        let out = Command::new(&enter[0])
            .args(&enter[1..])
            .args(words)
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .stderr(Stdio::null())
            .output()
            .unwrap();
        (
            out.status.success(),
            String::from_utf8_lossy(&out.stdout).trim().to_owned(),
        )
    }

    /// A path of it, as seen from outside.
    pub fn at(&self, path: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root", self.init)).join(path.trim_start_matches('/'))
    }

    fn is_up(&self) -> bool {
        ["running", "degraded"].contains(&self.run(&["systemctl", "is-system-running"]).1.as_str())
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _gone = kill(Pid::from_raw(self.boot.id().cast_signed()), Signal::SIGKILL);
        if let Ok(init) = self.init.parse() {
            let _gone = kill(Pid::from_raw(init), Signal::SIGKILL);
        }
        let _reaped = self.boot.wait();
    }
}
