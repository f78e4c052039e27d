//! Programs of a planted host.
#![allow(clippy::unwrap_used)]
use super::*;
use crate::host::tree::planted::Planted;

fn plant(host: &Planted, pid: u32, comm: &str, line: &str, rss: u64, pss: Option<u64>, uid: u32) {
    let ticks = 50;
    host.put(
        &format!("/proc/{pid}/stat"),
        format!("{pid} ({comm}) S 1 1 1 0 -1 4194560 1 2 3 4 {ticks} 0 0 0 20 0 1 0 {} 1000000 {} 18446744073709551615\n", 100 + pid, rss / 4),
    );
    host.put(&format!("/proc/{pid}/cmdline"), line);
    host.put(
        &format!("/proc/{pid}/status"),
        format!(
            "Name:\t{comm}\nUid:\t{uid}\t{uid}\t{uid}\t{uid}\nVmRSS:\t {rss} kB\nVmSwap:\t 4 kB\n"
        ),
    );
    if let Some(pss) = pss {
        host.put(
            &format!("/proc/{pid}/smaps_rollup"),
            format!("0-1 ---p 00 00:00 0 [rollup]\nRss: 9 kB\nPss: {pss} kB\n"),
        );
    }
    host.put(
        &format!("/proc/{pid}/cgroup"),
        format!("0::/system.slice/{comm}.service\n"),
    );
}

fn host() -> Planted {
    let host = Planted::new(&[
        ("/etc/hostname", "shop1\n"),
        (
            "/etc/passwd",
            "root:x:0:0::/:/bin/sh\nwww:x:33:33::/:/bin/sh\n",
        ),
        ("/proc/stat", "cpu 1 2\ncpu0 1 2\ncpu1 1 2\n"),
        ("/proc/meminfo", "MemTotal: 8000000 kB\n"),
        ("/proc/uptime", "1000.50 3.2\n"),
    ]);
    plant(&host, 7, "nginx", "nginx: master\0", 5000, Some(3000), 0);
    plant(&host, 8, "nginx", "nginx: worker\0", 9000, Some(6000), 33);
    plant(
        &host,
        9,
        "python3",
        "python3\0-m\0http.server\0--password=x\0",
        90_000,
        None,
        33,
    );
    plant(
        &host,
        10,
        "python3",
        "python3\0/srv/app.py\0",
        70_000,
        Some(40_000),
        33,
    );
    plant(&host, 11, "a) b (c", "x\0", 100, Some(50), 33);
    // A thread of the kernel, and one that is gone already.
    plant(&host, 2, "kthreadd", "", 0, None, 0);
    host.put("/proc/12/comm", "gone");
    host
}

#[test]
fn programs_are_told_by_what_they_use() {
    let at = Timestamp::UNIX_EPOCH;
    let host = host();
    let top = scan(&host.tree(), "memory", &[], Duration::ZERO, at).unwrap();
    let told: Vec<String> = top
        .programs
        .iter()
        .map(|p| {
            format!(
                "{} x{} {} {}",
                p.name,
                p.processes,
                p.memory / 1024,
                p.users.join(",")
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            "python3 http.server x1 90000 www",
            "python3 app.py x1 40000 www",
            "nginx x2 9000 root,www",
            "a) b (c x1 50 www",
        ]
    );
    assert_eq!(
        (
            top.processes,
            top.counts_shared,
            top.programs_seen,
            top.cpus
        ),
        (5, true, 4, 2)
    );
    assert_eq!(top.memory, 8_000_000 * 1024);
    assert_eq!((top.programs[2].pid, top.programs[2].swapped), (8, 8192));
    assert_eq!(top.programs[2].units, ["nginx.service"]);
    assert_eq!(top.programs[2].settled_s, 999);
    let asked = ["nginx".to_owned(), "gone".to_owned()];
    let top = scan(&host.tree(), "memory", &asked, Duration::ZERO, at).unwrap();
    let told: Vec<(u64, u64)> = top
        .programs
        .iter()
        .map(|p| (p.processes, p.memory / 1024))
        .collect();
    assert_eq!(told, [(2, 9000), (0, 0)]);
    let none = Planted::new(&[("/etc/hostname", "x")]);
    let why = scan(&none.tree(), "cpu", &[], Duration::ZERO, at).unwrap_err();
    assert!(why.to_string().contains("no process"), "{why}");
}

#[test]
fn names_give_nothing_away() {
    for (comm, line, expected) in [
        ("postgres", "postgres: writer secret\0", "postgres"),
        ("java", "java\0-jar\0/opt/shop/shop.jar\0", "java shop.jar"),
        ("java", "java\0-Dpassword=x\0Main\0", "java"),
        (
            "node",
            "node\0/srv/a/server.js\0--token=x\0",
            "node server.js",
        ),
        ("python3.11", "python3\0-c\0import secret\0", "python3.11"),
        ("sh", "sh\0-c\0curl -u a:b\0", "sh"),
        ("bashful", "bashful\0x\0", "bashful"),
        ("x\u{1b}[31m", "", "x[31m"),
    ] {
        assert_eq!(named(comm, line), expected, "{comm} {line}");
    }
}
