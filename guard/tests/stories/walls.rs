//! What cannot be done from inside. Each wall has a control: the same command shows it can see.

use super::*;

fn empty() -> Stage {
    Stage::new(|_| {})
}

#[tokio::test]
async fn who_is_inside() {
    if !can_sandbox() {
        return;
    }
    let stage = empty();
    let mut executor = stage.executor().await;
    let said = sh(&mut executor, "id -u; id -un; grep -E 'Cap(Prm|Eff)|NoNewPrivs|Seccomp:' /proc/self/status; echo $HOME; pwd").await;
    assert!(
        said.starts_with(&format!("{}\nagent\n", stage.clone.owner.uid)),
        "{said}"
    );
    assert!(said.contains("CapEff:\t0000000000000000"), "{said}");
    assert!(said.contains("CapPrm:\t0000000000000000"), "{said}");
    assert!(
        said.contains("NoNewPrivs:\t1") && said.contains("Seccomp:\t2"),
        "{said}"
    );
    assert!(said.ends_with("/tmp/home\n/workspace\n"), "{said}");
    executor.stop().await;
}

#[tokio::test]
async fn only_the_clone_is_written() {
    if !can_sandbox() {
        return;
    }
    let stage = empty();
    let mut executor = stage.executor().await;
    for path in [
        "/usr/x",
        "/etc/x",
        "/x",
        "/root/x",
        "/run/ai-infra/x",
        "/proc/sys/kernel/domainname",
        "/proc/sys/net/ipv4/ip_forward",
        "/home/x",
    ] {
        let said = sh(&mut executor, &format!("echo 1 > {path} && echo WROTE")).await;
        assert!(!said.contains("WROTE"), "{path}: {said}");
    }
    assert_eq!(
        sh(&mut executor, "echo 1 > a && mkdir b && cat a").await,
        "1\n"
    );
    assert!(stage.clone.work.join("a").exists());
    assert!(!stage.workspace.join("a").exists());
    executor.stop().await;
}

#[tokio::test]
async fn a_reading_task_writes_nothing() {
    if !can_sandbox() {
        return;
    }
    let stage = Stage::new(|w| write(w, "a", "1\n"));
    let mut spec = stage.spec();
    if let Kind::Workspace { writable, .. } = &mut spec.kind {
        *writable = false;
    }
    let mut executor = Executor::start(spec).await.unwrap();
    let said = sh(&mut executor, "cat a; echo 2 > a; rm -f a; cat a").await;
    assert!(
        said.starts_with("1\n1\n") && said.contains("Read-only"),
        "{said}"
    );
    executor.snapshot().await.unwrap();
    executor.stop().await;
}

#[tokio::test]
async fn secrets_and_homes_are_not_there() {
    if !can_sandbox() {
        return;
    }
    let stage = empty();
    let secret = stage.dir.path().join("secret");
    std::fs::write(&secret, "s3cret").unwrap();
    let mut spec = stage.spec();
    spec.toolchains = true;
    let mut executor = Executor::start(spec).await.unwrap();
    for path in [
        secret.to_str().unwrap(),
        "/etc/shadow",
        "/root/.bashrc",
        "/root/.ssh",
        "/root/.npmrc",
        "/etc/pip.conf",
        "/var",
        "/etc/ssl/private",
    ] {
        let said = sh(&mut executor, &format!("ls -d {path} && echo THERE")).await;
        assert!(!said.contains("THERE"), "{path}: {said}");
    }
    let said = sh(
        &mut executor,
        "env | sort; ls /tmp /run /run/*; cat /etc/passwd",
    )
    .await;
    assert!(
        !said.contains("s3cret") && !said.contains("CARGO_MANIFEST"),
        "{said}"
    );
    assert!(said.contains("agent:x:"), "{said}");
    executor.stop().await;
}

#[tokio::test]
async fn there_is_no_network() {
    if !can_sandbox() {
        return;
    }
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let stage = empty();
    let mut executor = stage.executor().await;
    let said = sh(&mut executor, &format!("echo hi > /dev/tcp/127.0.0.1/{port} && echo CONNECTED; cat /proc/net/dev | tail -n +3 | cut -d: -f1; exec 3<>/dev/udp/8.8.8.8/53 && echo UDP")).await;
    assert!(
        !said.contains("CONNECTED") && !said.contains("UDP"),
        "{said}"
    );
    assert!(said.contains("lo"), "{said}");
    executor.stop().await;
}

#[tokio::test]
async fn nothing_is_gained_and_nobody_else_is_seen() {
    if !can_sandbox() {
        return;
    }
    let stage = empty();
    let mut executor = stage.executor().await;
    for command in [
        "unshare -U true",
        "unshare -Ur true",
        "unshare -m true",
        "mount -t tmpfs x /tmp",
        "mount -o remount,rw,bind /",
        "kill -9 1; kill -STOP 1; kill -SEGV 1; sleep 0.1; head -c1 /proc/1/mem",
        "ls /proc/1/fd | grep .",
        "echo x > /proc/1/fd/1",
        "echo core > /proc/sys/kernel/core_pattern",
        "su -c id root </dev/null",
        "cat /proc/1/environ",
    ] {
        let said = sh(&mut executor, &format!("({command}) && echo GAINED")).await;
        assert!(!said.contains("GAINED"), "{command}: {said}");
    }
    let said = sh(
        &mut executor,
        "ls -d /proc/[0-9]* | wc -l; ls -l /proc/self/fd",
    )
    .await;
    let count: u32 = said.lines().next().unwrap().parse().unwrap();
    assert!(count <= 4, "{said}");
    // Standard streams and the listing itself: nothing of the holder's or of bwrap's is open.
    assert_eq!(
        said.lines().filter(|l| l.contains(" -> ")).count(),
        4,
        "{said}"
    );
    executor.stop().await;
}

#[tokio::test]
async fn the_hosts_reader_reads_and_nothing_else() {
    if !can_sandbox() {
        return;
    }
    let stage = empty();
    let mut spec = stage.spec();
    spec.kind = Kind::Host;
    let mut executor = Executor::start(spec).await.unwrap();
    let facts = run(&mut executor, Operation::HostFacts, LONG).await;
    assert!(!facts.is_error, "{}", facts.text);
    let act = Act::of(shell("id"));
    let Decision::Allow(leave) = judge(&act, &grant(Level::Standard)) else {
        panic!("allowed");
    };
    let error = executor
        .run(&act, leave, LONG)
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("nothing else"), "{error}");
    assert!(executor.snapshot().await.is_err());
    executor.stop().await;
}

#[tokio::test]
async fn a_leave_is_for_its_own_act() {
    if !can_sandbox() {
        return;
    }
    let stage = empty();
    let mut executor = stage.executor().await;
    let Decision::Allow(leave) = judge(&Act::of(Operation::Overview), &grant(Level::Restricted))
    else {
        panic!("allowed");
    };
    assert!(
        executor
            .run(&Act::of(shell("id")), leave, LONG)
            .await
            .is_err()
    );
    executor.stop().await;
}

#[tokio::test]
async fn root_is_never_the_owner() {
    let stage = empty();
    let mut spec = stage.spec();
    spec.owner = Owner { uid: 0, gid: 0 };
    let error = Executor::start(spec).await.unwrap_err().to_string();
    assert!(error.contains("uid 0"), "{error}");
}

#[test]
fn by_hand_it_refuses() {
    let output = Command::new(exe())
        .arg("executor")
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    assert_eq!(
        output.status.code(),
        Some(i32::from(protocol::exit::REFUSED))
    );
    assert!(String::from_utf8_lossy(&output.stderr).contains("not by hand"));
}
