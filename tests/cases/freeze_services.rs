//! A freeze while systemd restarts a service: a real warden with real hands on a host with a real systemd. Within a
//! second nobody waits for it any more, what cannot be stopped is said, and nothing else is begun until the team goes on.

use crate::AI_INFRA;
use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tests::processes::wait_until;
use tests::systemd::{Host, PROGRAM};

const PATIENCE: Duration = Duration::from_secs(30);
/// A second, and one for a machine that does other things.
const SOON: Duration = Duration::from_secs(2);

const RULES: &str = "acts: {service.change: allow}\noperations:\n  services:\n    slow: {verbs: [start, restart], agents: [infra]}\n    shop: {verbs: [start, restart], agents: [infra]}\n";

/// The warden of a home there.
struct Warden {
    host: Host,
    process: Child,
}

impl Warden {
    fn start() -> Option<Self> {
        let host = Host::boot(Path::new(AI_INFRA))?;
        fs::create_dir_all(host.at("/opt/home/config")).expect("a folder");
        fs::write(host.at("/opt/home/config/permissions.yaml"), RULES).expect("the rules");
        let words = host.words();
        let process = Command::new(&words[0])
            .args(&words[1..])
            .args([PROGRAM, "--home", "/opt/home", "warden"])
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .stdin(Stdio::null())
            .spawn()
            .expect("it starts");
        let warden = Self { host, process };
        assert!(wait_until(PATIENCE, || warden.connect().is_ok()));
        Some(warden)
    }

    fn connect(&self) -> std::io::Result<UnixStream> {
        UnixStream::connect(self.host.at("/opt/home/run/warden.sock"))
    }

    fn say(&self, ask: &str, more: &Value) -> String {
        let mut line = json!({"v": 1, "ask": ask});
        let more = more.as_object().expect("fields").clone();
        line.as_object_mut().expect("fields").extend(more);
        let mut stream = BufReader::new(self.connect().expect("a socket"));
        writeln!(stream.get_mut(), "{line}").expect("it reads");
        let mut answer = String::new();
        stream.read_line(&mut answer).expect("it answers");
        answer
    }

    fn freeze(&self, frozen: bool) {
        let said = self.say("freeze", &json!({"frozen": frozen}));
        assert!(said.contains("done"), "{said}");
    }

    fn operate(&self, verb: &str, unit: &str) -> String {
        let duty = json!({"duty": "service", "unit": unit, "verb": verb});
        let wanted = json!({"task": "0197-x", "short": "t1", "step": "s", "agent": "infra", "principal": "x", "level": 2,
            "kind": "service.change", "undo": null, "claimed": "",
            "action": {"do": "duty", "key": format!("{verb}{unit}"), "duty": duty}});
        self.say("operate", &json!({"wanted": wanted}))
    }

    /// Which run of a service this is.
    fn run_of(&self, unit: &str) -> String {
        let words = ["systemctl", "show", "-p", "InvocationID", "--value", unit];
        self.host.run(&words).1
    }
}

impl Drop for Warden {
    fn drop(&mut self) {
        let _gone = self.process.kill();
        let _reaped = self.process.wait();
    }
}

#[test]
fn freeze_waits_for_no_service_and_begins_none() {
    let Some(warden) = Warden::start() else {
        return;
    };
    for unit in ["slow", "shop"] {
        let said = warden.operate("start", unit);
        assert!(said.contains("\"end\":\"done\""), "{said}");
    }
    let (slow, shop) = (warden.run_of("slow"), warden.run_of("shop"));
    let stopping = warden.host.at("/run/slow-stops");
    std::thread::scope(|scope| {
        let first = scope.spawn(|| warden.operate("restart", "slow"));
        assert!(wait_until(PATIENCE, || stopping.exists()));
        assert!(!first.is_finished());
        let began = Instant::now();
        warden.freeze(true);
        let said = first.join().expect("an answer");
        let took = began.elapsed();
        assert!(took < SOON, "{took:?}");
        for words in [
            "\"end\":\"failed\"",
            "it was told to stop (freeze) when systemd had been told to restart slow.service, and goes on with it",
            "deactivating",
        ] {
            assert!(said.contains(words), "{words}: {said}");
        }
        let second = scope.spawn(|| warden.operate("restart", "shop"));
        // systemd does what it was told, as was said; nothing else is begun meanwhile.
        fs::write(warden.host.at("/run/slow-may-stop"), "").expect("a file");
        let again = || warden.run_of("slow") != slow && !warden.run_of("slow").is_empty();
        assert!(wait_until(PATIENCE, again));
        assert!(!second.is_finished() && warden.run_of("shop") == shop);
        warden.freeze(false);
        let said = second.join().expect("an answer");
        assert!(said.contains("\"end\":\"done\""), "{said}");
        assert_ne!(warden.run_of("shop"), shop);
    });
}
