//! Services under a real systemd, booted in namespaces of its own over a throwaway copy of this host's files. It takes root;
//! where it cannot be had, that is said.

use super::{Warden, ends, is_there};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use protocol::duty::order::{End, Wish};
use serde_json::{Value, json};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tests::processes::wait_until;

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
cp "$2" mnt/opt/hands/hands
cat > mnt/etc/systemd/system/shop.service <<U
[Unit]
Description=The shop of the story
[Service]
ExecStart=/bin/sleep 1000
ExecReload=/bin/true
[Install]
WantedBy=multi-user.target
U
printf '[Service]\nExecStart=/bin/false\n' > mnt/etc/systemd/system/broken.service
ln -s /dev/null mnt/etc/systemd/system/masked.service
exec chroot mnt env -i container=other PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --system --unit=basic.target --log-level=err
"#;

/// A host with systemd.
struct Host {
    boot: Child,
    init: String,
    _folder: tempfile::TempDir,
}

impl Host {
    fn boot() -> Option<Self> {
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
            .arg(super::HANDS)
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

    fn words(&self) -> Vec<String> {
        [
            "nsenter", "-t", &self.init, "-m", "-p", "-u", "-i", "-n", "-r", "-w",
        ]
        .map(str::to_owned)
        .to_vec()
    }

    fn run(&self, words: &[&str]) -> (bool, String) {
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

    fn is_up(&self) -> bool {
        ["running", "degraded"].contains(&self.run(&["systemctl", "is-system-running"]).1.as_str())
    }

    fn warden(&self) -> Warden {
        let all = json!(["start", "stop", "restart", "reload", "enable", "disable"]);
        let mut warden = Warden::new(
            json!({"services": {"shop.service": all, "broken.service": ["start"], "gone.service": ["start"], "masked.service": ["start"]}, "sites": null, "packages": null, "containers": null}),
        );
        warden.before = self.words();
        warden.program = "/opt/hands/hands".to_owned();
        warden
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

fn service(unit: &str, verb: &str) -> Value {
    json!({"duty": "service", "unit": unit, "verb": verb})
}

#[test]
fn services_are_started_stopped_and_restarted_by_systemd_itself() {
    let Some(host) = Host::boot() else { return };
    let mut warden = host.warden();
    let status = json!({"duty": "service_status", "unit": "shop"});
    assert_eq!(warden.ask(&status).data["active"], "inactive");
    let started = warden.make(&service("shop", "start"));
    ends(&started, End::Done, "now active (running)");
    let first = started.data["invocation"].clone();
    let restarted = warden.make(&service("shop", "restart"));
    ends(&restarted, End::Done, "");
    assert!(
        restarted.data["invocation"] != first && restarted.data["before"]["invocation"] == first
    );
    ends(&warden.make(&service("shop", "reload")), End::Done, "");
    ends(&warden.make(&service("shop", "enable")), End::Done, "");
    assert_eq!(host.run(&["systemctl", "is-enabled", "shop"]).1, "enabled");
    ends(&warden.make(&service("shop", "disable")), End::Done, "");
    assert_eq!(host.run(&["systemctl", "is-enabled", "shop"]).1, "disabled");

    // A restart of which nobody heard the end: it is not made twice, and one that was not begun is made.
    let seen = warden.look(&service("shop", "restart")).before;
    let settle = |seen: &Value| {
        warden.give(&warden.order(Wish::Settle, &service("shop", "restart"), seen.clone()))
    };
    let settled = settle(&seen);
    ends(&settled, End::Done, "");
    let once = settled.data["invocation"].clone();
    let again = settle(&seen);
    ends(&again, End::Done, "before the interruption");
    assert_eq!(again.data["invocation"], once);

    // The unit's file changed after the yes.
    let seen = warden.look(&service("shop", "stop")).before;
    host.run(&["sh", "-c", "echo '# x' >> /etc/systemd/system/shop.service"]);
    let late = warden.give(&warden.order(Wish::Make, &service("shop", "stop"), seen));
    ends(&late, End::Not, "changed since leave was asked for");
    ends(
        &warden.make(&service("shop", "stop")),
        End::Done,
        "now inactive",
    );
    assert!(!host.run(&["systemctl", "is-active", "shop"]).0);

    ends(
        &warden.make(&service("broken", "start")),
        End::Failed,
        "did not come out",
    );
    ends(
        &warden.make(&service("gone", "start")),
        End::Not,
        "no unit gone.service",
    );
    ends(
        &warden.make(&service("dbus", "stop")),
        End::Not,
        "not granted",
    );
    ends(
        &warden.make(&service("masked", "start")),
        End::Not,
        "is masked",
    );
}

#[test]
fn who_is_not_root_is_told_so_and_nothing_is_done() {
    if !nix::unistd::geteuid().is_root() {
        let mut warden = Warden::new(
            json!({"services": {"shop.service": ["restart"]}, "sites": null, "packages": null, "containers": null}),
        );
        return ends(
            &warden.make(&service("shop", "restart")),
            End::Not,
            "root's alone",
        );
    }
    let order = Warden::new(json!({"services": {"shop.service": ["restart"]}, "sites": null, "packages": null, "containers": null}))
        .order(Wish::Look, &service("shop", "restart"), Value::Null);
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("hands");
    std::fs::copy(super::HANDS, &copy).unwrap();
    std::fs::set_permissions(
        folder.path(),
        std::os::unix::fs::PermissionsExt::from_mode(0o755),
    )
    .unwrap();
    let mut child = Command::new(&copy)
        .uid(64322)
        .gid(64322)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    serde_json::to_writer(child.stdin.take().unwrap(), &order).unwrap();
    let out = child.wait_with_output().unwrap();
    ends(
        &serde_json::from_slice(&out.stdout).unwrap(),
        End::Not,
        "root's alone, and this install belongs to uid 64322",
    );
}
