//! `packaging/compose.yaml`: it is what the compose specification allows, only this machine reaches it, no password
//! stands in it, and the Redis it describes, run for real with the very command of the file, is one that `doctor` has
//! nothing against and a team works with.

use crate::AI_INFRA;
use serde_json::Value;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tests::processes::{self, wait_until};
use tests::team::Team;

const PASSWORD: &str = "0f7c5a3e9b";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn file() -> PathBuf {
    root().join("packaging/compose.yaml")
}

fn compose() -> Value {
    let text = std::fs::read_to_string(file()).expect("compose.yaml");
    serde_saphyr::from_str(&text).expect("YAML")
}

fn texts<'v>(of: &'v Value, key: &str) -> Vec<&'v str> {
    let all = of[key].as_array().map(Vec::as_slice).unwrap_or_default();
    all.iter().filter_map(Value::as_str).collect()
}

/// What is wrong with a compose file, by the rules of this project. Pure.
fn faults(compose: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    for (name, service) in compose["services"].as_object().into_iter().flatten() {
        let mut say = |what: String| faults.push(format!("{name}: {what}"));
        for port in texts(service, "ports") {
            if !port.starts_with("127.0.0.1:") {
                say(format!("port {port} is open to others"));
            }
        }
        let image = service["image"].as_str().unwrap_or_default();
        let tag = image.rsplit_once(':').map_or("", |(_, tag)| tag);
        if tag.matches('.').count() < 1 || !tag.contains(|c: char| c.is_ascii_digit()) {
            say(format!("image {image} names no version"));
        }
        if service["healthcheck"]["test"].as_array().is_none() {
            say("nobody asks whether it is well".to_owned());
        }
        if service["restart"] != "unless-stopped" {
            say("it does not come back".to_owned());
        }
        for volume in texts(service, "volumes") {
            let volume = volume.split(':').next().unwrap_or_default();
            if compose["volumes"].get(volume).is_none() {
                say(format!("{volume} is no named volume"));
            }
        }
        if texts(service, "volumes").is_empty() {
            say("what it holds goes with the container".to_owned());
        }
        for secret in texts(service, "secrets") {
            let from = compose["secrets"][secret]["file"]
                .as_str()
                .unwrap_or_default();
            if !from.starts_with("${AI_INFRA_SECRETS:?") {
                say(format!("secret {secret} has a default"));
            }
        }
        if texts(service, "secrets").is_empty() {
            say("it has no secret: anybody may use it".to_owned());
        }
        let settings = service["environment"].as_object();
        for (key, value) in settings.into_iter().flatten() {
            let secret = ["PASSWORD", "KEY", "TOKEN"];
            let value = value.as_str().unwrap_or_default();
            if secret.iter().any(|word| key.contains(word)) && !value.starts_with("/run/secrets/") {
                say(format!("{key} is written down"));
            }
        }
    }
    faults
}

#[test]
fn only_this_machine_reaches_what_it_describes_and_no_password_is_in_it() {
    let good = compose();
    assert_eq!(faults(&good), Vec::<String>::new());
    let names: Vec<&String> = good["services"]
        .as_object()
        .expect("services")
        .keys()
        .collect();
    assert_eq!(names, ["redis", "postgres", "qdrant"]);
    // The judge sees what is broken.
    let broken = |pointer: &str, value: Value, expected: &str| {
        let mut compose = good.clone();
        *compose.pointer_mut(pointer).expect(pointer) = value;
        let found = faults(&compose);
        assert!(
            found.iter().any(|f| f.contains(expected)),
            "{expected}: {found:#?}"
        );
    };
    broken(
        "/services/redis/ports/0",
        "6379:6379".into(),
        "open to others",
    );
    broken(
        "/services/postgres/ports/0",
        "0.0.0.0:5432:5432".into(),
        "open to others",
    );
    broken("/services/redis/image", "redis:latest".into(), "no version");
    broken("/services/redis/image", "redis".into(), "no version");
    broken("/services/postgres/healthcheck", Value::Null, "well");
    broken("/services/postgres/restart", "no".into(), "come back");
    broken(
        "/services/redis/volumes/0",
        "/srv/x:/data".into(),
        "named volume",
    );
    broken("/services/redis/volumes", Value::Null, "goes with");
    broken("/services/redis/secrets", Value::Null, "anybody");
    broken(
        "/secrets/redis-password/file",
        "${S:-/etc/x}/p".into(),
        "default",
    );
    broken(
        "/services/postgres/environment/POSTGRES_PASSWORD_FILE",
        "hunter2".into(),
        "written down",
    );
}

#[test]
fn it_is_a_compose_file() {
    let judge = root().join("target/test-tools/venv/bin/check-jsonschema");
    if !judge.exists() {
        eprintln!("skipped: no check-jsonschema; scripts/test.sh installs it");
        return;
    }
    let judged = |path: &Path| {
        let arguments = ["--builtin-schema", "vendor.compose-spec"];
        let command = Command::new(&judge).args(arguments).arg(path).output();
        let output = command.expect("check-jsonschema runs");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        (output.status.success(), said)
    };
    let (good, said) = judged(&file());
    assert!(good, "{said}");
    let folder = tempfile::tempdir().expect("a folder");
    let wrong = folder.path().join("compose.yaml");
    let text = std::fs::read_to_string(file()).expect("compose.yaml");
    let broken = text.replace("healthcheck:", "health_check:");
    std::fs::write(&wrong, broken).expect("a file");
    assert!(!judged(&wrong).0, "the judge lets anything pass");
}

/// A Redis as the file describes it. Ends with the story.
struct Described {
    folder: tempfile::TempDir,
    server: Child,
    port: u16,
}

impl Described {
    /// Runs the command of the file: `$$` as compose reads it, the secret at a place of ours, and in the place of the
    /// image's entry point one that only adds a port.
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("redis-password"), format!("{PASSWORD}\n")).expect("a secret");
        let port = tests::port::free();
        std::fs::create_dir_all(at("bin")).expect("a folder");
        std::fs::create_dir_all(at("data")).expect("a folder");
        let entry = at("bin/docker-entrypoint.sh");
        std::fs::write(&entry, format!("#!/bin/sh\nexec \"$@\" --port {port}\n"))
            .expect("a script");
        std::fs::set_permissions(&entry, std::fs::Permissions::from_mode(0o755)).expect("a mode");
        let compose = compose();
        let secrets = folder.path().display().to_string();
        let words: Vec<String> = texts(&compose["services"]["redis"], "command")
            .into_iter()
            .map(|word| word.replace("$$", "$").replace("/run/secrets", &secrets))
            .collect();
        let path = std::env::var("PATH").unwrap_or_default();
        let server = Command::new(&words[0])
            .args(&words[1..])
            .current_dir(at("data"))
            .env("PATH", format!("{}:{path}", at("bin").display()))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server is installed: apt install redis-server");
        let this = Self {
            folder,
            server,
            port,
        };
        let up = wait_until(Duration::from_secs(10), || this.healthy());
        assert!(
            up,
            "the Redis of compose.yaml does not answer its own health check"
        );
        this
    }

    /// Asks as the container would: with the test of the file.
    fn healthy(&self) -> bool {
        let compose = compose();
        let test = texts(&compose["services"]["redis"]["healthcheck"], "test");
        assert_eq!(test[0], "CMD-SHELL");
        let secrets = self.folder.path().display().to_string();
        let line = test[1]
            .replace("$$", "$")
            .replace("/run/secrets", &secrets)
            .replace("redis-cli", &format!("redis-cli -p {}", self.port));
        let mut shell = Command::new("sh");
        shell.args(["-c", &line]).stderr(Stdio::null());
        shell.status().is_ok_and(|status| status.success())
    }
}

impl Drop for Described {
    fn drop(&mut self) {
        let _gone = self.server.kill();
        let _gone = self.server.wait();
    }
}

#[test]
fn doctor_has_nothing_against_its_redis_and_a_team_works_with_it() {
    let redis = Described::start();
    // Its password is in nobody's sight.
    let pid = redis.server.id();
    for file in ["cmdline", "environ"] {
        let bytes = std::fs::read(format!("/proc/{pid}/{file}")).expect("its process");
        assert!(
            !String::from_utf8_lossy(&bytes).contains(PASSWORD),
            "{file}"
        );
    }
    let url = format!("redis://127.0.0.1:{}", redis.port);
    let team = Team::new(AI_INFRA).with_env("REDIS_URL", &url);
    let said = |how: &str| {
        let findings = team.ai(&["doctor", "--json"]).json()["findings"].clone();
        let all = findings.as_array().expect("findings").clone();
        let of_redis = |f: &&Value| f["what"].as_str().is_some_and(|w| w.starts_with("redis"));
        let of_redis = all.iter().filter(of_redis);
        let of_redis: Vec<Value> = of_redis.filter(|f| f["how"] == how).cloned().collect();
        of_redis
    };
    // As the handbook says it: without the password it is refused, with it all is well.
    assert_eq!(said("bad").len(), 1, "{:#?}", said("bad"));
    let mut keep = team.command(&["secret", "set", "redis-password"]);
    let mut keeping = keep
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("it starts");
    let mut input = keeping.stdin.take().expect("its input");
    input.write_all(PASSWORD.as_bytes()).expect("it is read");
    drop(input);
    assert!(keeping.wait().expect("it ends").success());
    assert_eq!((said("bad"), said("odd")), (Vec::new(), Vec::new()));
    assert_eq!(said("good").len(), 4, "{:#?}", said("good"));
    team.up();
    let work = team.scratch("work");
    std::fs::write(work.join("README.md"), "# a work\n").expect("a file");
    let (code, done) = team.run(&work, "what is unfinished here?");
    assert_eq!(code, 0, "{done:#}");
    team.down();
    assert!(
        processes::alive(pid),
        "the team does not end what is not its own"
    );
}
