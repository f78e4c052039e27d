//! The way out of level 1: what goes through the proxy, what does not, and real packages where the
//! registries can be reached.

use super::*;
use guard::proxy::told::{Stage as Far, Told};
use guard::sandbox::spec::WayOut;
use std::net::ToSocketAddrs;

fn allowing(hosts: &[&str]) -> Terms {
    Terms {
        allowed: Allowed::of(hosts.iter().copied()).unwrap(),
        ..terms("")
    }
}

pub(super) fn way(proxy: &Proxy) -> Option<WayOut> {
    Some(WayOut {
        socket: proxy.socket(),
        clients: Default::default(),
    })
}

async fn online(stage: &Stage, hosts: &[&str]) -> (Executor, Proxy) {
    let proxy = proxied(&allowing(hosts), stage.clone.owner, unhurried(), None);
    let mut spec = stage.spec();
    let cache = stage.dir.path().join("cache");
    std::fs::create_dir(&cache).unwrap();
    if nix::unistd::geteuid().is_root() {
        let owner = stage.clone.owner;
        std::os::unix::fs::chown(&cache, Some(owner.uid), Some(owner.gid)).unwrap();
    }
    if let Kind::Workspace { cache: place, .. } = &mut spec.kind {
        *place = Some(cache);
    }
    spec.proxy = way(&proxy);
    (Executor::start(spec).await.unwrap(), proxy)
}

/// Says why a story about a registry cannot be told here.
fn reachable(host: &str) -> bool {
    let found = (host, 443).to_socket_addrs();
    let there = found.is_ok_and(|mut all| {
        all.any(|at| std::net::TcpStream::connect_timeout(&at, Duration::from_secs(5)).is_ok())
    });
    if !there {
        eprintln!("skipped: {host} cannot be reached from here");
    }
    there
}

/// Asks the proxy in so many words; answers what it said first.
async fn ask(executor: &mut Executor, words: &str) -> String {
    let asked =
        format!("exec 3<>/dev/tcp/127.0.0.1/3128; printf '{words}' >&3; timeout 5 head -1 <&3");
    sh(executor, &asked).await
}

#[tokio::test]
async fn nothing_but_named_hosts_is_reached() {
    if !can_sandbox() {
        return;
    }
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let stage = Stage::new(|_| {});
    let (mut executor, proxy) = online(&stage, &["allowed.example"]).await;
    for (words, status) in [
        (
            "CONNECT other.example:443 HTTP/1.1\\r\\n\\r\\n".to_owned(),
            "403",
        ),
        (
            "CONNECT allowed.example:80 HTTP/1.1\\r\\n\\r\\n".to_owned(),
            "403",
        ),
        (
            format!("CONNECT 127.0.0.1:{port} HTTP/1.1\\r\\n\\r\\n"),
            "400",
        ),
        (
            "GET http://allowed.example/ HTTP/1.1\\r\\n\\r\\n".to_owned(),
            "400",
        ),
        (
            "CONNECT evil.example%%00.allowed.example:443 HTTP/1.1\\r\\n\\r\\n".to_owned(),
            "400",
        ),
    ] {
        let said = ask(&mut executor, &words).await;
        assert!(said.contains(status), "{words}: {said}");
    }
    let said = sh(
        &mut executor,
        &format!("echo x > /dev/tcp/127.0.0.1/{port} && echo OUT"),
    )
    .await;
    assert!(!said.contains("OUT"), "{said}");
    let said = sh(
        &mut executor,
        "env | grep -ic proxy=; echo ${GOPROXY-unset}",
    )
    .await;
    assert!(said.contains("unset"), "{said}");
    executor.stop().await;
    let seen = proxy.seen();
    assert_eq!(seen.len(), 5, "{seen:?}");
    assert!(seen.iter().all(|one| one.refused.is_some()), "{seen:?}");
    assert_eq!(
        (seen[0].host.as_str(), seen[0].port),
        ("other.example", 443)
    );
    let socket = proxy.socket();
    drop(proxy);
    assert!(!socket.exists());
}

#[tokio::test]
async fn a_sandbox_without_a_proxy_has_no_way_to_one() {
    if !can_sandbox() {
        return;
    }
    let stage = Stage::new(|_| {});
    let mut executor = stage.executor().await;
    let said = sh(
        &mut executor,
        "env | grep -i proxy; echo x > /dev/tcp/127.0.0.1/3128 && echo OUT; ls /run/ai-infra",
    )
    .await;
    assert!(
        !said.contains("OUT") && !said.contains("127.0.0.1:3128"),
        "{said}"
    );
    executor.stop().await;
}

#[tokio::test]
async fn pip_installs_a_package() {
    if !can_sandbox() || !reachable("pypi.org") {
        return;
    }
    let stage = Stage::new(|_| {});
    let (mut executor, proxy) = online(&stage, &["pypi.org", "files.pythonhosted.org"]).await;
    let said = sh(&mut executor, "python3 -m venv v && v/bin/pip install --quiet --no-input six 2>&1; v/bin/python -c 'import six; print(\"six\", six.__name__)'").await;
    assert!(said.contains("six six"), "{said}\n{:?}", proxy.seen());
    executor.stop().await;
    let seen = proxy.seen();
    assert!(
        seen.iter()
            .any(|one| one.host == "pypi.org" && one.down > 0),
        "{seen:?}"
    );
}

#[tokio::test]
async fn npm_installs_a_package_and_runs_it() {
    if !can_sandbox() || !reachable("registry.npmjs.org") {
        return;
    }
    let stage = Stage::new(|w| {
        write(
            w,
            "package.json",
            "{\"name\": \"x\", \"version\": \"1.0.0\"}",
        )
    });
    let (mut executor, proxy) = online(&stage, &["registry.npmjs.org"]).await;
    let said = sh(&mut executor, "npm install --no-audit --no-fund is-odd 2>&1; node -e 'console.log(\"odd\", require(\"is-odd\")(3))'").await;
    assert!(said.contains("odd true"), "{said}\n{:?}", proxy.seen());
    executor.stop().await;
}

#[tokio::test]
async fn cargo_builds_with_a_crate() {
    if !can_sandbox() || !reachable("index.crates.io") {
        return;
    }
    if !home().join(".cargo/bin/cargo").exists() {
        eprintln!("skipped: no cargo in this home");
        return;
    }
    let stage = Stage::new(|w| {
        write(
            w,
            "Cargo.toml",
            "[package]\nname = \"x\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[dependencies]\nitoa = \"1\"\n",
        );
        write(
            w,
            "src/main.rs",
            "fn main() { println!(\"itoa {}\", itoa::Buffer::new().format(7)); }\n",
        );
    });
    let terms = allowing(&["index.crates.io", "static.crates.io"]);
    let proxy = proxied(&terms, stage.clone.owner, unhurried(), None);
    let cache = stage.dir.path().join("cache");
    std::fs::create_dir(&cache).unwrap();
    if nix::unistd::geteuid().is_root() {
        let owner = stage.clone.owner;
        std::os::unix::fs::chown(&cache, Some(owner.uid), Some(owner.gid)).unwrap();
    }
    let mut spec = stage.spec();
    spec.toolchains = true;
    spec.proxy = way(&proxy);
    if let Kind::Workspace { cache: place, .. } = &mut spec.kind {
        *place = Some(cache);
    }
    let mut executor = Executor::start(spec).await.unwrap();
    let said = sh(&mut executor, "cargo run --quiet 2>&1").await;
    assert!(said.contains("itoa 7"), "{said}\n{:?}", proxy.seen());
    executor.stop().await;
}

/// What a proxy told, with the answer it got.
pub(super) type Heard = std::sync::Arc<std::sync::Mutex<Vec<(u64, Far, String)>>>;

/// Somebody who writes connections down, or says that they cannot be.
pub(super) fn recorder(answer: Result<(), String>) -> (tokio::sync::mpsc::Sender<Told>, Heard) {
    let (tell, mut told) = tokio::sync::mpsc::channel::<Told>(8);
    let heard = Heard::default();
    let kept = heard.clone();
    tokio::spawn(async move {
        while let Some(told) = told.recv().await {
            let host = told.connection.host.clone();
            kept.lock().unwrap().push((told.number, told.stage, host));
            told.written.send(answer.clone()).unwrap();
        }
    });
    (tell, heard)
}

/// A listener that counts what it hears, and its port. It has no name of two labels, so that the wall
/// before private addresses is taken away in these stories.
pub(super) fn counter() -> (std::sync::Arc<std::sync::atomic::AtomicU64>, u16) {
    use std::io::Read;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let count = std::sync::Arc::new(std::sync::atomic::AtomicU64::new(0));
    let counted = count.clone();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut buffer = [0; 512];
            while let Ok(read @ 1..) = stream.read(&mut buffer) {
                counted.fetch_add(read as u64, std::sync::atomic::Ordering::Relaxed);
            }
        }
    });
    (count, port)
}

pub(super) fn ticking(port: u16) -> Operation {
    shell(&format!(
        "exec 3<>/dev/tcp/127.0.0.1/3128; printf 'CONNECT 127.0.0.1:{port} HTTP/1.1\\r\\n\\r\\n' >&3; head -c 12 <&3; \
         for i in {{1..2000}}; do echo tick >&3 || exit; [ -e stop ] && exit; sleep .005; done"
    ))
}

#[tokio::test]
async fn a_connection_is_told_before_it_is_made_and_nothing_is_carried_while_frozen() {
    held(|pace| pace.frozen = true, |pace| pace.frozen = false).await;
}

#[tokio::test]
async fn nothing_is_carried_while_nobody_says_that_the_task_is_held() {
    held(
        |pace| pace.until = guard::deadline::Deadline::now(),
        |pace| *pace = unhurried(),
    )
    .await;
}

/// Holds up a connection in its middle and lets it go on.
async fn held(hold: impl Fn(&mut Pace), let_go: impl Fn(&mut Pace)) {
    if !can_sandbox() {
        return;
    }
    let stage = Stage::new(|_| {});
    let (count, port) = counter();
    let (record, heard) = recorder(Ok(()));
    let (freeze, pace) = tokio::sync::watch::channel(unhurried());
    let terms = terms("without=proxy");
    let proxy = Proxy::start(&exe(), stage.clone.owner, &terms, pace, Some(record)).unwrap();
    let mut spec = stage.spec();
    spec.proxy = way(&proxy);
    let mut executor = Executor::start(spec).await.unwrap();
    let heard_bytes = || count.load(std::sync::atomic::Ordering::Relaxed);
    let pause = |ms| tokio::time::sleep(Duration::from_millis(ms));
    let watch = async {
        while heard_bytes() < 100 {
            pause(5).await;
        }
        freeze.send_modify(&hold);
        // What was on its way arrives, then it is quiet: well within a second.
        pause(200).await;
        let before = heard_bytes();
        pause(300).await;
        assert_eq!(heard_bytes(), before, "bytes left while it was held up");
        freeze.send_modify(&let_go);
        while heard_bytes() <= before + 100 {
            pause(5).await;
        }
        std::fs::write(stage.clone.work.join("stop"), "").unwrap();
    };
    let ran = tokio::time::timeout(LONG, async {
        tokio::join!(run(&mut executor, ticking(port), LONG), watch).0
    });
    let outcome = ran.await.expect("it goes on after the thaw");
    assert!(outcome.text.contains("200"), "{}", outcome.text);
    executor.stop().await;
    proxy.end().await;
    let local = "127.0.0.1".to_owned();
    let told = [(1, Far::Begins, local.clone()), (1, Far::Ended, local)];
    assert_eq!(*heard.lock().unwrap(), told);
}

#[tokio::test]
async fn what_cannot_be_written_down_is_not_reached() {
    if !can_sandbox() {
        return;
    }
    let stage = Stage::new(|_| {});
    let (count, port) = counter();
    let (record, heard) = recorder(Err("the disk is full".to_owned()));
    let terms = terms("without=proxy");
    let proxy = proxied(&terms, stage.clone.owner, unhurried(), Some(record));
    let mut spec = stage.spec();
    spec.proxy = way(&proxy);
    let mut executor = Executor::start(spec).await.unwrap();
    let words = format!("CONNECT 127.0.0.1:{port} HTTP/1.1\\r\\n\\r\\n");
    let said = ask(&mut executor, &words).await;
    assert!(said.contains("503"), "{said}");
    executor.stop().await;
    proxy.end().await;
    assert_eq!(count.load(std::sync::atomic::Ordering::Relaxed), 0);
    assert!(
        heard
            .lock()
            .unwrap()
            .iter()
            .all(|told| told.1 != Far::Ended)
    );
}
