//! The proxy of a task as a process: it ends with whoever holds the task and with whoever started it, what it leaves open
//! is closed in the record, and what it says is believed as far as a proxy of ours could say it.

use super::proxy::{counter, recorder, ticking, way};
use super::*;
use guard::launcher::channel::{Line, pair};
use guard::proxy::start::Begun;
use guard::proxy::told::Stage as Far;
use guard::proxy::words::{FromProxy, encode};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

fn owner() -> Owner {
    match nix::unistd::geteuid().is_root() {
        true => SERVICE,
        false => Owner {
            uid: nix::unistd::getuid().as_raw(),
            gid: nix::unistd::getgid().as_raw(),
        },
    }
}

/// A proxy that serves, and the other end of the conversation with it.
fn serving() -> (Begun, UnixStream) {
    let (mut begun, mut control) = Begun::start(&exe(), std::process::id(), owner()).unwrap();
    begun.tell(&terms("")).unwrap();
    let ready = encode(&FromProxy::Ready).unwrap();
    let mut said = vec![0; ready.len()];
    control.read_exact(&mut said).unwrap();
    assert_eq!(said, ready);
    (begun, control)
}

/// Whether the other side has ended it.
fn is_over(control: &mut UnixStream) -> bool {
    control.set_read_timeout(Some(LONG)).unwrap();
    matches!(control.read(&mut [0; 64]), Ok(0))
}

#[test]
fn it_ends_with_whoever_holds_the_task_and_with_whoever_started_it() {
    // The holder: its end of the conversation is closed.
    let (begun, control) = serving();
    let socket = begun.socket();
    drop(control);
    let gone = || UnixStream::connect(&socket).is_err();
    let until = std::time::Instant::now() + LONG;
    while !gone() && std::time::Instant::now() < until {
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(gone(), "it outlived its holder");
    drop(begun);
    assert!(!socket.exists());
    // Whoever started it: its input is closed, and it is killed.
    let (begun, mut control) = serving();
    drop(begun);
    assert!(is_over(&mut control));
    // A frame that is none: it is nobody's proxy any more.
    let (_begun, mut control) = serving();
    control.write_all(b"\0\0\0\x02{}").unwrap();
    assert!(is_over(&mut control));
}

#[test]
fn without_its_walls_it_does_not_serve() {
    let (mut begun, mut control) = Begun::start(&exe(), std::process::id(), owner()).unwrap();
    let nobody = User { uid: 0, gid: 0 };
    let refused = Terms {
        user: Some(nobody),
        ..terms("")
    };
    begun.tell(&refused).unwrap();
    let mut said = String::new();
    control.set_read_timeout(Some(LONG)).unwrap();
    if nix::unistd::geteuid().is_root() {
        control.read_to_string(&mut said).unwrap();
        assert!(said.contains("refused") && said.contains("uid 0"), "{said}");
    }
}

#[test]
fn by_hand_it_refuses() {
    let output = Command::new(exe())
        .arg("proxy")
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    let code = output.status.code();
    assert_eq!(code, Some(i32::from(protocol::exit::REFUSED)));
    assert!(String::from_utf8_lossy(&output.stderr).contains("not by hand"));
}

/// The one process that this one has started as a proxy with this socket.
fn process_of(proxy: &Proxy) -> Pid {
    // Its listener is in the kernel's list of sockets, by the number of its file.
    let list = std::fs::read_to_string("/proc/net/unix").unwrap();
    let path = proxy.socket().display().to_string();
    let line = list.lines().find(|line| line.ends_with(&path)).unwrap();
    let inode = line.split_whitespace().nth(6).unwrap();
    let own = format!("socket:[{inode}]");
    let me = std::process::id().to_string();
    let all = std::fs::read_dir("/proc").unwrap().flatten();
    let mut found = all.filter_map(|entry| {
        let pid: i32 = entry.file_name().to_str()?.parse().ok()?;
        let words = std::fs::read(entry.path().join("cmdline")).ok()?;
        let words = String::from_utf8_lossy(&words).into_owned();
        if !words.ends_with(&format!("\0proxy\0{me}\0")) {
            return None;
        }
        let mut files = std::fs::read_dir(entry.path().join("fd")).ok()?.flatten();
        let has = |file: std::fs::DirEntry| {
            std::fs::read_link(file.path()).is_ok_and(|to| to == Path::new(&own))
        };
        files.any(has).then_some(Pid::from_raw(pid))
    });
    found.next().expect("the process of the proxy")
}

#[tokio::test]
async fn what_a_killed_one_left_open_is_closed_in_the_record() {
    // Only root may look which process it is.
    if !can_sandbox() || !nix::unistd::geteuid().is_root() {
        return;
    }
    let stage = Stage::new(|_| {});
    let (count, port) = counter();
    let (record, heard) = recorder(Ok(()));
    let proxy = proxied(
        &terms("without=proxy"),
        stage.clone.owner,
        unhurried(),
        Some(record),
    );
    let mut spec = stage.spec();
    spec.proxy = way(&proxy);
    let mut executor = Executor::start(spec).await.unwrap();
    proxy.ready().await.unwrap();
    let kills = async {
        while count.load(std::sync::atomic::Ordering::Relaxed) < 100 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        kill(process_of(&proxy), Signal::SIGKILL).unwrap();
    };
    let ran = async { tokio::join!(run(&mut executor, ticking(port), LONG), kills).0 };
    tokio::time::timeout(LONG, ran)
        .await
        .expect("it breaks off");
    executor.stop().await;
    proxy.end().await;
    let local = "127.0.0.1".to_owned();
    let told = [(1, Far::Begins, local.clone()), (1, Far::Ended, local)];
    assert_eq!(*heard.lock().unwrap(), told);
    let seen = proxy.seen();
    let why = seen.first().and_then(|one| one.refused.clone());
    assert!(why.is_some_and(|why| why.contains("gone")), "{seen:?}");
    assert!(proxy.ready().await.is_err(), "nobody serves any more");
}

/// Says `frames` as a proxy would, and answers whether it was ended for them, and what was written down.
async fn spoken(frames: &[Vec<u8>]) -> (bool, Vec<(u64, Far)>) {
    let (near, far) = pair().unwrap();
    let (own, mut launcher) = pair().unwrap();
    let (record, heard) = recorder(Ok(()));
    let pace = tokio::sync::watch::channel(unhurried()).1;
    let line = Line::over(own);
    let socket = PathBuf::from("/nonexistent");
    let proxy = Proxy::of_launcher(line, socket, near, pace, Some(record)).unwrap();
    for frame in frames {
        let _closed_already = (&far).write_all(frame);
    }
    launcher
        .set_read_timeout(Some(Duration::from_millis(300)))
        .unwrap();
    let ended = tokio::task::spawn_blocking(move || matches!(launcher.read(&mut [0]), Ok(0)));
    let ended = ended.await.unwrap();
    // What was open is closed in the record after it.
    drop(far);
    proxy.end().await;
    let heard = heard.lock().unwrap().clone();
    let told = heard.into_iter().map(|(number, stage, _)| (number, stage));
    (ended, told.collect())
}

#[tokio::test]
async fn what_no_proxy_of_ours_says_ends_it() {
    let told = |ask, number, stage| {
        encode(&FromProxy::Told {
            ask,
            number,
            stage,
            connection: Default::default(),
        })
        .unwrap()
    };
    let raw = |json: &str| {
        let length = u32::try_from(json.len()).unwrap();
        [&length.to_be_bytes(), json.as_bytes()].concat()
    };
    use Far::{Begins, Ended, Refused};
    // Control: what one of ours says.
    let (ended, heard) = spoken(&[
        encode(&FromProxy::Ready).unwrap(),
        told(1, 1, Begins),
        told(2, 1, Ended),
        told(3, 2, Refused),
    ])
    .await;
    assert!(!ended);
    assert_eq!(heard, [(1, Begins), (1, Ended), (2, Refused)]);
    for bad in [
        raw(r#"{"written":{"ask":1,"refused":null}}"#),
        raw(r#"{"read":{"file":"/etc/shadow"}}"#),
        raw("{"),
        vec![0xff; 64],
        told(2, 0, Begins),
        told(2, 5001, Begins),
        told(2, 9, Ended),
    ] {
        let (ended, heard) = spoken(&[told(1, 1, Begins), bad.clone()]).await;
        assert!(ended, "{}", String::from_utf8_lossy(&bad));
        assert_eq!(heard, [(1, Begins), (1, Ended)]);
    }
}

#[tokio::test]
async fn it_takes_no_more_memory_than_its_bound() {
    // Only root may look which process it is.
    if !can_sandbox() || !nix::unistd::geteuid().is_root() {
        return;
    }
    let stage = Stage::new(|_| {});
    let proxy = proxied(&terms(""), stage.clone.owner, unhurried(), None);
    let mut spec = stage.spec();
    spec.proxy = way(&proxy);
    let mut executor = Executor::start(spec).await.unwrap();
    // One that answers has set its bound.
    let words = "exec 3<>/dev/tcp/127.0.0.1/3128; printf 'GET / HTTP/1.1\\r\\n\\r\\n' >&3; timeout 5 head -1 <&3";
    let said = sh(&mut executor, words).await;
    assert!(said.contains("400"), "{said}");
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", process_of(&proxy))).unwrap();
    let line = limits
        .lines()
        .find(|line| line.starts_with("Max data size"));
    let bounds: Vec<&str> = line.unwrap().split_whitespace().skip(3).take(2).collect();
    assert_eq!(bounds, ["536870912", "536870912"]);
    executor.stop().await;
    proxy.end().await;
}
