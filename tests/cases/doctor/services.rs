//! A model's API and a Redis of one's own that do not do what they should.

use super::{ask, finds};
use crate::AI_INFRA;
use nix::sys::signal::Signal;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;
use tests::processes::{send, wait_until};
use tests::team::Team;

/// A web server that gives one answer to everything; its address.
fn answering(status: &'static str, body: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address");
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut asked = [0u8; 4096];
            let _read = stream.read(&mut asked);
            let answer = format!(
                "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                body.len()
            );
            let _gone = stream.write_all(answer.as_bytes());
        }
    });
    format!("http://{address}")
}

#[test]
fn a_key_that_is_wrong_and_a_model_that_is_not_there() {
    let team = Team::new(AI_INFRA).with_env("ANTHROPIC_API_KEY", "sk-not-a-real-key");
    let refused =
        r#"{"type":"error","error":{"type":"authentication_error","message":"invalid x-api-key"}}"#;
    let gone = r#"{"type":"error","error":{"type":"not_found_error","message":"model: m"}}"#;
    let deaf = TcpListener::bind("127.0.0.1:0").expect("a port");
    let nobody = format!("http://{}", deaf.local_addr().expect("its address"));
    for (url, how, seen, next) in [
        (answering("200 OK", "{}"), "good", "the key is good", ""),
        (
            answering("401 Unauthorized", refused),
            "bad",
            "invalid x-api-key",
            "secret set anthropic-api-key",
        ),
        (
            answering("404 Not Found", gone),
            "bad",
            "has no model",
            "engine.model",
        ),
        (
            answering("529 Overloaded", ""),
            "odd",
            "could not be tried",
            "",
        ),
        // Accepts and never answers.
        (nobody, "bad", "does not answer", "curl"),
        (
            "http://127.0.0.1:9".to_owned(),
            "bad",
            "does not answer",
            "curl",
        ),
    ] {
        team.configure(&format!(
            "engine: {{name: anthropic, base_url: \"{url}\"}}\n"
        ));
        let output = ask(&team);
        finds(&output, "engine", how, seen, next);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(!text.contains("sk-not-a-real-key"), "{text}");
    }
}

/// Keeps a secret, as typed on standard input.
fn keep(team: &Team, arguments: &[&str], value: &str) -> Output {
    let mut keep = team.command(arguments);
    keep.stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut keep = keep.spawn().expect("secret set runs");
    keep.stdin
        .take()
        .expect("its input")
        .write_all(value.as_bytes())
        .expect("typed");
    keep.wait_with_output().expect("it ends")
}

#[test]
fn a_key_is_tried_before_it_is_kept() {
    let team = Team::new(AI_INFRA);
    let set = ["secret", "set", "anthropic-api-key"];
    let use_api = |url: &str| {
        team.configure(&format!("engine: {{name: auto, base_url: \"{url}\"}}\n"));
    };
    let kept = || team.ai(&["secret", "list", "--json"]).expect(0).json()["secrets"].clone();
    let refused =
        r#"{"type":"error","error":{"type":"authentication_error","message":"invalid x-api-key"}}"#;
    use_api(&answering("401 Unauthorized", refused));
    let output = keep(&team, &set, "sk-wrong");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("invalid x-api-key") && said.contains("nothing was changed"),
        "{said}"
    );
    assert!(!said.contains("sk-wrong"), "{said}");
    assert_eq!(kept(), serde_json::json!([]));
    use_api(&answering("200 OK", "{}"));
    let output = keep(&team, &set, "sk-right");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success() && said.contains("the key works"),
        "{said}"
    );
    assert_eq!(kept(), serde_json::json!(["anthropic-api-key"]));
    team.ai(&["secret", "check"]).expect(0);
    use_api(&answering("401 Unauthorized", refused));
    let ran = team.ai(&["secret", "check"]).expect(1);
    assert!(ran.stdout.contains("does not take the key"), "{ran:#?}");
    let unchecked = [&set[..], &["--unchecked"]].concat();
    assert!(keep(&team, &unchecked, "sk-wrong").status.success());
    use_api("http://127.0.0.1:9");
    let output = keep(&team, &set, "sk-later");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success() && said.contains("does not answer"),
        "{said}"
    );
    team.ai(&["secret", "check"]).expect(5);
}

/// A Redis of the person's own.
struct OwnRedis {
    child: Child,
    url: String,
    socket: PathBuf,
    _folder: tempfile::TempDir,
}

impl OwnRedis {
    fn start(arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let socket = folder.path().join("own.sock");
        let child = Command::new("redis-server")
            .args(["--port", "0", "--save", ""])
            .arg("--unixsocket")
            .arg(&socket)
            .arg("--dir")
            .arg(folder.path())
            .args(arguments)
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server is installed");
        assert!(wait_until(Duration::from_secs(10), || {
            std::os::unix::net::UnixStream::connect(&socket).is_ok()
        }));
        let url = format!("redis+unix://{}", socket.display());
        Self {
            child,
            url,
            socket,
            _folder: folder,
        }
    }
}

impl Drop for OwnRedis {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

#[test]
fn a_redis_of_ones_own_that_does_not_keep_what_it_is_given() {
    let team = Team::new(AI_INFRA);
    let of = |own: &OwnRedis, more: &str| {
        team.configure(&format!(
            "engine: {{name: playbook}}\nredis: {{url: \"{}\"{more}}}\n",
            own.url
        ));
        ask(&team)
    };
    let own = OwnRedis::start(&[
        "--maxmemory",
        "50mb",
        "--maxmemory-policy",
        "allkeys-lru",
        "--appendonly",
        "no",
    ]);
    let output = of(&own, "");
    finds(
        &output,
        "redis eviction",
        "bad",
        "allkeys-lru",
        "maxmemory-policy noeviction",
    );
    finds(
        &output,
        "redis durability",
        "bad",
        "appendonly is off",
        "CONFIG SET appendonly yes",
    );
    let mut arguments = vec![
        "--appendonly",
        "yes",
        "--appendfsync",
        "always",
        "--user",
        "small",
    ];
    arguments.extend([
        "on",
        ">pw",
        "~*",
        "&*",
        "+info",
        "+ping",
        "+eval",
        "+evalsha",
        "+script|load",
    ]);
    let own = OwnRedis::start(&arguments);
    let kept = keep(&team, &["secret", "set", "redis-password"], "pw");
    assert!(kept.status.success(), "{kept:?}");
    let output = of(&own, ", username: small");
    finds(
        &output,
        "redis rights",
        "bad",
        "user small may not",
        "ACL SETUSER small",
    );
    send(own.child.id(), Signal::SIGSTOP);
    let hung = of(&own, "");
    send(own.child.id(), Signal::SIGCONT);
    finds(&hung, "redis", "bad", "own.sock", "redis.url");
    assert!(own.socket.exists());
    drop(own);
    let nobody = "redis+unix:///nowhere/at/all.sock";
    team.configure(&format!(
        "engine: {{name: playbook}}\nredis: {{url: \"{nobody}\"}}\n"
    ));
    finds(&ask(&team), "redis", "bad", "/nowhere/at/all.sock", "");
}
