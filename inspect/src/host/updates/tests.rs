//! A planted host of apt whose lists hold updates and what only looks like one.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::host::tree::planted::Planted;

fn package(name: &str, version: &str, status: &str) -> String {
    format!(
        "Package: {name}\nStatus: {status}\nArchitecture: amd64\nVersion: {version}\nDescription: a\n Version: 99\n\n"
    )
}

#[test]
fn the_planted_updates_are_told_and_no_other() {
    let ok = "install ok installed";
    let status = package("openssl", "3.0-1", ok)
        + &package("curl", "7.88-1", ok)
        + &package("vim", "9.0-2", ok)
        + &package("local", "1.0", ok) // decoy: in no list
        + &package("kept", "1.0", "hold ok installed")
        + &package("gone", "1.0", "deinstall ok config-files") // decoy: removed
        + &package("new", "2.0", ok); // decoy: newer than the lists
    let of = |name: &str, version: &str| {
        format!("Package: {name}\nArchitecture: amd64\nVersion: {version}\n\n")
    };
    let main = of("openssl", "3.0-1")
        + &of("curl", "7.88-1+deb12u9")
        + &of("vim", "9.0-2")
        + &of("kept", "1.1")
        + &of("gone", "2")
        + &of("new", "1.9")
        + &of("other", "1");
    let secure = of("openssl", "3.0-1+deb12u2") + &of("openssl", "3.0-1+deb12u10");
    let foreign = "Package: vim\nArchitecture: i386\nVersion: 10\n\n";
    let host = Planted::new(&[
        (STATUS, &status),
        (
            "/var/lib/apt/lists/deb.example_debian_dists_bookworm_main_binary-amd64_Packages",
            &main,
        ),
        (
            "/var/lib/apt/lists/deb.example_debian-security_dists_bookworm-security_main_binary-amd64_Packages",
            &secure,
        ),
        (
            "/var/lib/apt/lists/deb.example_debian_dists_bookworm_main_binary-i386_Packages",
            foreign,
        ),
        (
            "/var/lib/apt/lists/deb.example_debian_dists_bookworm-backports_main_binary-amd64_Packages",
            &of("vim", "9.9"),
        ),
        (
            "/var/lib/apt/lists/deb.example_debian_dists_bookworm-backports_InRelease",
            "Origin: x\nNotAutomatic: yes\n",
        ),
        ("/run/reboot-required", ""),
        ("/run/reboot-required.pkgs", "linux-image\nlibc6\nlibc6\n"),
        ("/proc/sys/kernel/osrelease", "6.1.0-9-amd64\n"),
        ("/boot/vmlinuz-6.1.0-9-amd64", ""),
        ("/boot/vmlinuz-6.1.0-13-amd64", ""),
        ("/boot/vmlinuz-6.9.0-1-cloud", ""),
        ("/etc/os-release", "NAME=x\nPRETTY_NAME=\"Debian 12\"\n"),
    ]);
    let at = Timestamp::now();
    let found = scan(&host.tree(), at, &Limits::default()).unwrap();
    let brief: Vec<String> = found
        .updates
        .iter()
        .map(|u| format!("{} {} {} {}", u.name, u.installed, u.available, u.security))
        .collect();
    assert_eq!(
        brief,
        [
            "openssl 3.0-1 3.0-1+deb12u10 true",
            "curl 7.88-1 7.88-1+deb12u9 false"
        ]
    );
    assert_eq!(
        (found.total, found.security, found.installed, found.lists),
        (2, 1, 6, 3)
    );
    assert_eq!(
        (
            found.held.as_slice(),
            found.reboot,
            found.reboot_for.as_slice()
        ),
        (
            &["kept".to_owned()][..],
            true,
            &["libc6".to_owned(), "linux-image".to_owned()][..]
        )
    );
    assert_eq!(
        (
            found.kernel_waits.as_deref(),
            found.lists_days,
            found.system.as_str()
        ),
        (Some("6.1.0-13-amd64"), Some(0), "Debian 12")
    );
}

#[test]
fn packed_lists_are_read() {
    use std::io::Write;
    let list = b"Package: a\nArchitecture: amd64\nVersion: 2\n\n";
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gz.write_all(list).unwrap();
    let mut lz4 = lz4_flex::frame::FrameEncoder::new(Vec::new());
    lz4.write_all(list).unwrap();
    for (end, bytes) in [
        ("gz", gz.finish().unwrap()),
        ("lz4", lz4.finish().unwrap()),
        ("xz", b"xz".to_vec()),
        ("lz4", b"damaged".to_vec()),
    ] {
        let host = Planted::new(&[(STATUS, &package("a", "1", "install ok installed"))]);
        host.put(
            &format!("/var/lib/apt/lists/x_dists_y_main_binary-amd64_Packages.{end}"),
            &bytes,
        );
        let found = scan(&host.tree(), Timestamp::UNIX_EPOCH, &Limits::default()).unwrap();
        let whole = bytes.len() > 10;
        assert_eq!(
            (found.total, found.unread.len()),
            (usize::from(whole), usize::from(!whole)),
            "{end}"
        );
    }
}

#[test]
fn other_managers_are_named_and_nothing_waits_where_nothing_does() {
    let rpm = Planted::new(&[("/var/lib/rpm/x", "")]);
    let found = scan(&rpm.tree(), Timestamp::UNIX_EPOCH, &Limits::default()).unwrap();
    assert_eq!((found.manager, found.total), ("dnf", 0));
    let bare = Planted::new(&[(STATUS, &package("a", "1", "install ok installed"))]);
    let found = scan(&bare.tree(), Timestamp::UNIX_EPOCH, &Limits::default()).unwrap();
    assert_eq!(
        (found.manager, found.total, found.lists, found.lists_at),
        ("apt", 0, 0, None)
    );
    assert_eq!(
        scan(
            &Planted::new(&[]).tree(),
            Timestamp::UNIX_EPOCH,
            &Limits::default()
        )
        .unwrap()
        .manager,
        "none"
    );
}
