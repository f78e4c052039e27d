//! Planted heaps, and what only looks like one: links, holes, second names.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::host::tree::planted::Planted;

fn told(held: &[Held]) -> Vec<&str> {
    held.iter().map(|one| one.path.as_str()).collect()
}

fn scanned(host: &Planted, path: &str, of: &[&str]) -> Usage {
    let of: Vec<String> = of.iter().map(|path| (*path).to_owned()).collect();
    scan(&host.tree(), path, &of, Timestamp::UNIX_EPOCH, &|| Ok(())).unwrap()
}

#[test]
fn the_planted_heaps_are_told_and_no_other() {
    let host = Planted::new(&[("/srv/small/a", "x"), ("/etc/hostname", "shop1\n")]);
    let big = |n: usize| vec![b'x'; n << 20];
    host.put("/var/log/shop/app.log", big(24));
    host.put("/var/log/shop/app.log.1", big(12));
    host.put("/srv/media/one", big(6));
    host.put("/srv/media/two", big(6));
    std::fs::hard_link(host.place("/srv/media/one"), host.place("/srv/media/again")).unwrap(); // decoy: the same file
    host.link("/srv/loop", "/srv"); // decoy: a link is not followed
    std::fs::File::create(host.place("/srv/sparse"))
        .unwrap()
        .set_len(1 << 40)
        .unwrap(); // decoy: a hole
    let found = scanned(&host, "/", &[]);
    assert_eq!(told(&found.folders), ["/var/log/shop", "/srv/media"]);
    assert_eq!(
        told(&found.largest[..4]),
        [
            "/var/log/shop/app.log",
            "/var/log/shop/app.log.1",
            "/srv/media/again",
            "/srv/media/two"
        ]
        .map(|p| {
            if found.largest.iter().any(|h| h.path == "/srv/media/one") && p == "/srv/media/again" {
                "/srv/media/one"
            } else {
                p
            }
        })
    );
    let near = |bytes: u64, mb: u64| bytes >= mb << 20 && bytes < (mb + 1) << 20;
    assert!(
        near(found.bytes, 48) && near(found.folders[0].bytes, 36),
        "{found:?}"
    );
    let growing: Vec<_> = found
        .growing
        .iter()
        .map(|one| (one.path.as_str(), one.what))
        .collect();
    assert_eq!(growing, [("/var/log", "logs")]);
    let again = scanned(
        &host,
        "/",
        &["/srv/media", "/gone", "/var/log/shop/app.log"],
    );
    assert_eq!(again.folders[0].bytes, found.folders[1].bytes);
    assert_eq!(
        (again.folders[1].bytes, near(again.folders[2].bytes, 24)),
        (0, true)
    );
    let below = scanned(&host, "/srv/", &[]);
    assert_eq!(
        (below.path.as_str(), told(&below.folders)),
        ("/srv", vec!["/srv/media"])
    );
}

#[test]
fn an_empty_place_holds_nothing_and_a_wrong_one_is_an_error() {
    let host = Planted::new(&[("/a/file", "x")]);
    std::fs::create_dir(host.place("/empty")).unwrap();
    let found = scanned(&host, "/empty", &[]);
    assert_eq!(
        (found.files, found.folders.len(), found.largest.len()),
        (0, 0, 0)
    );
    for path in ["/nowhere", "/a/file"] {
        let why = scan(&host.tree(), path, &[], Timestamp::UNIX_EPOCH, &|| Ok(())).unwrap_err();
        assert!(why.to_string().contains("name a folder"), "{why}");
    }
}
