//! Containers of a real engine: podman's, over the API that Docker's engine has too. Where none can run a container, that is said.

use super::{Warden, ends, is_there};
use protocol::duty::order::{End, Wish};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tests::processes::wait_until;

/// An image of a shell and a sleep, out of this host's own files.
const IMAGE: &str = r#"
set -eu
cd "$1"; mkdir -p image/bin image/proc image/dev image/sys image/tmp image/etc
for program in /bin/sh /bin/sleep; do
  cp -L "$program" image/bin/
  ldd "$program" | grep -o '/[^ ]*' | while read -r file; do mkdir -p "image$(dirname "$file")"; cp -L "$file" "image$file"; done
done
tar -C image -c . > image.tar
"#;

struct Engine {
    folder: tempfile::TempDir,
    service: Child,
}

impl Engine {
    fn start() -> Option<Self> {
        let runtime = ["runc", "crun"].into_iter().find(|name| is_there(name));
        if !nix::unistd::geteuid().is_root() || !is_there("podman") || runtime.is_none() {
            eprintln!(
                "skipped: an engine of its own takes root, podman and runc; `apt-get install podman runc` gets them"
            );
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let made = Command::new("bash")
            .args(["-c", IMAGE, "image"])
            .arg(folder.path())
            .status()
            .unwrap();
        assert!(made.success());
        let mut engine = Self {
            service: Command::new("true").spawn().unwrap(),
            folder,
        };
        engine.podman(&["import", &engine.text("image.tar"), "localhost/story:1"])?;
        let words = "echo the shop is open; exec /bin/sleep 1000";
        let limits = [
            "--ulimit",
            "nofile=1024:1024",
            "--ulimit",
            "nproc=1024:1024",
            "--network",
            "none",
            "--log-driver",
            "k8s-file",
        ];
        for name in ["shop", "other"] {
            let create = [
                &["create", "--name", name][..],
                &limits,
                &["localhost/story:1", "/bin/sh", "-c", words],
            ]
            .concat();
            engine.podman(&create)?;
        }
        if engine.podman(&["start", "other"]).is_none() {
            eprintln!("skipped: podman cannot start a container here");
            return None;
        }
        let service = engine.command(&[
            "system",
            "service",
            "--time",
            "0",
            &format!("unix://{}", engine.text("engine.sock")),
        ]);
        engine.service = { service }
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let socket = PathBuf::from(engine.text("engine.sock"));
        assert!(wait_until(Duration::from_secs(20), || {
            std::os::unix::net::UnixStream::connect(&socket).is_ok()
        }));
        Some(engine)
    }

    fn text(&self, path: &str) -> String {
        self.folder.path().join(path).display().to_string()
    }

    fn command(&self, words: &[&str]) -> Command {
        let runtime = if is_there("runc") { "runc" } else { "crun" };
        let mut command = Command::new("podman");
        command
            .args([
                "--root",
                &self.text("root"),
                "--runroot",
                &self.text("run"),
                "--storage-driver",
                "vfs",
                "--cgroup-manager",
                "cgroupfs",
                "--events-backend",
                "file",
                "--runtime",
                runtime,
            ])
            .args(words)
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .env("HOME", self.folder.path());
        command
    }

    fn podman(&self, words: &[&str]) -> Option<String> {
        let out = self.command(words).output().unwrap();
        if !out.status.success() {
            eprintln!(
                "podman {}: {}",
                words.join(" "),
                String::from_utf8_lossy(&out.stderr)
            );
            return None;
        }
        Some(String::from_utf8_lossy(&out.stdout).trim().to_owned())
    }

    fn warden(&self, names: Value) -> Warden {
        Warden::new(json!({"services": {}, "sites": null, "packages": null,
            "containers": {"socket": self.text("engine.sock"), "names": names, "images": ["localhost/gone:1", "localhost/story:1"]}}))
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let _gone = self.podman(&["rm", "-f", "-t", "0", "shop", "other"]);
        let _gone = self.service.kill();
        let _reaped = self.service.wait();
        // Its storage is mounted below the folder.
        let _mounted = Command::new("umount")
            .args(["-R", &self.text("root")])
            .stderr(Stdio::null())
            .status();
    }
}

fn container(name: &str, verb: &str) -> Value {
    json!({"duty": "container", "name": name, "verb": verb})
}

#[test]
fn granted_containers_are_started_stopped_and_listened_to() {
    let Some(engine) = Engine::start() else {
        return;
    };
    let mut warden = engine.warden(json!(["shop", "gone"]));
    let list = warden.ask(&json!({"duty": "containers"}));
    assert_eq!(
        (&list.data["containers"][0]["name"], &list.data["missing"]),
        (&json!("shop"), &json!(["gone"])),
        "{list:#?}"
    );
    assert_eq!(
        list.data["containers"].as_array().map(Vec::len),
        Some(1),
        "another's container is not told of"
    );

    let look = warden.look(&container("shop", "start"));
    assert!(
        look.shown
            .contains(&("network".to_owned(), "none".to_owned())),
        "{look:#?}"
    );
    let started = warden.make(&container("shop", "start"));
    ends(&started, End::Done, "running");
    let logs = || {
        warden
            .ask(&json!({"duty": "container_logs", "name": "shop", "lines": 5}))
            .text
    };
    assert!(
        wait_until(Duration::from_secs(10), || logs()
            .contains("the shop is open")),
        "{}",
        logs()
    );

    // A restart of which nobody heard the end is not made twice.
    let duty = container("shop", "restart");
    let seen = warden.look(&duty).before;
    let settle = || warden.give(&warden.order(Wish::Settle, &duty, seen.clone()));
    let first = settle();
    ends(&first, End::Done, "");
    let again = settle();
    ends(&again, End::Done, "before the interruption");
    assert_eq!(
        first.data["after"]["started_at"],
        again.data["after"]["started_at"]
    );
    ends(&warden.make(&container("shop", "stop")), End::Done, "");
    ends(&warden.make(&container("shop", "stop")), End::Done, "");

    ends(
        &warden.make(&container("other", "stop")),
        End::Not,
        "not granted",
    );
    ends(&warden.make(&container("gone", "start")), End::Not, "404");
    ends(
        &warden.make(&json!({"duty": "pull_image", "image": "localhost/gone:1"})),
        End::Failed,
        "was not fetched",
    );
    ends(
        &warden.make(&json!({"duty": "pull_image", "image": "localhost/never:1"})),
        End::Not,
        "not granted",
    );
    // An id is no name: what was granted by name is not reached by another one's beginning.
    let id = engine
        .podman(&["inspect", "--format", "{{.Id}}", "other"])
        .unwrap();
    let mut by_id = engine.warden(json!([id[..12]]));
    ends(
        &by_id.make(&container(&id[..12], "stop")),
        End::Not,
        "no container named",
    );
    assert_eq!(
        engine
            .podman(&["inspect", "--format", "{{.State.Running}}", "other"])
            .as_deref(),
        Some("true")
    );
}
