//! The playbooks that reach what was granted outside: what is answered where something is wrong and where all is well,
//! and the reports word for word.

use super::*;

/// What such a playbook is asked; none for the others.
pub fn params_of(name: &str) -> Option<Value> {
    Some(match name {
        "web-page-check" => json!({"url": "https://shop.example/old", "text": "Welcome"}),
        "host-certificates" => json!({"hosts": "shop.example,mail.example:993"}),
        "backup-database" | "check-backup" => json!({"source": "shop"}),
        _ => return None,
    })
}

fn certificate(host: &str, days: i64, problems: Value) -> Value {
    json!({"host": host, "subject": host, "names": [host, "www.shop.example"], "issuer": "R3", "from": "2026-01-01T00:00:00Z", "until": "2026-12-01T00:00:00Z",
        "days_left": days, "expired": days < 0, "self_signed": false, "chain": 2, "protocol": "TLS 1.3", "problems": problems})
}

fn tables() -> Value {
    json!([{"name": "customers", "rows": 50, "digest": "aa"}, {"name": "orders", "rows": 1200, "digest": "bb"}])
}

const NAME: &str = "shop-20261121T030000Z-0123456789ab.dump";

/// Something is wrong with everything but the backup.
pub fn faulty() -> World {
    json!({
        "CheckPage": {"url": "https://shop.example/old", "hops": [{"url": "https://shop.example/old", "status": 301}, {"url": "https://www.shop.example/", "status": 500}],
            "end": "https://www.shop.example/", "status": 500, "error": null, "first_byte_ms": 4200, "total_ms": 4500, "bytes": 12_000, "cut": false, "content_type": "text/html",
            "title": "Oops", "text": "Welcome", "text_found": false, "certificates": [certificate("shop.example", 12, json!([]))], "silent": [], "assets": 9, "tried": 6, "elsewhere": 3, "unprotected": 1,
            "broken": [{"url": "https://www.shop.example/a.png", "kind": "image", "why": "404"}],
            "faults": ["it answers 500, the server failed", "the text \"Welcome\" is not on it", "1 thing on it does not come"]},
        "HostCertificates": {"at": "2026-11-21T03:00:00Z", "certificates": [certificate("old.example", -2, json!([])), certificate("shop.example", 200, json!(["it does not name shop.example"]))],
            "silent": [{"host": "mail.example:993", "why": "it cannot be reached: connection refused"}]},
        "BackupDatabase": {"source": "shop", "kind": "postgres", "file": NAME, "path": format!("/srv/backups/{NAME}"), "at": "2026-11-21T03:00:00Z", "bytes": 1_234_567, "sha256": "cc", "took_ms": 812,
            "tables": tables(), "objects": {"indexes": 4, "views": 1}, "rows": 1250, "version": "15.14", "before": false},
        "TryBackup": {"source": "shop", "file": NAME, "path": format!("/srv/backups/{NAME}"), "kind": "postgres", "at": "2026-11-21T03:00:00Z", "bytes": 1_234_567, "sha256": "cc", "as_written": true,
            "tables": tables(), "objects": {"indexes": 4, "views": 1}, "rows": 1250, "differences": [], "took_ms": 2500, "kept": 7, "kept_bytes": 8_000_000, "oldest": "shop-20261101T030000Z-ff.dump", "folder": "/srv/backups"},
    })
}

/// All is well, and there is little of it.
pub fn well() -> World {
    let name = "shop-20261121T030000Z-0123456789ab.db";
    json!({
        "CheckPage": {"url": "https://shop.example/", "hops": [{"url": "https://shop.example/", "status": 200}], "end": "https://shop.example/", "status": 200, "error": null, "first_byte_ms": 40, "total_ms": 45,
            "bytes": 120, "cut": false, "content_type": "text/html", "title": "The shop", "text": "Welcome", "text_found": true, "certificates": [certificate("shop.example", 200, json!([]))], "silent": [],
            "assets": 0, "tried": 0, "elsewhere": 0, "unprotected": 0, "broken": [], "faults": []},
        "HostCertificates": {"at": "2026-11-21T03:00:00Z", "certificates": [certificate("shop.example", 200, json!([]))], "silent": []},
        "BackupDatabase": {"source": "shop", "kind": "sqlite", "file": name, "path": format!("/srv/backups/{name}"), "at": "2026-11-21T03:00:00Z", "bytes": 4096, "sha256": "cc", "took_ms": 8,
            "tables": [], "objects": {}, "rows": 0, "version": null, "before": true},
        "TryBackup": {"source": "shop", "file": name, "path": format!("/srv/backups/{name}"), "kind": "sqlite", "at": "2026-11-21T03:00:00Z", "bytes": 4096, "sha256": "cc", "as_written": true,
            "tables": [], "objects": {}, "rows": 0, "differences": [], "took_ms": 2, "kept": 1, "kept_bytes": 4096, "oldest": name, "folder": "/srv/backups"},
    })
}

fn check(name: &str, world: &World, expected: &str) {
    let params = params_of(name).unwrap();
    assert_eq!(report(name, &params, world), expected, "{name}");
}

#[test]
fn pages() {
    check(
        "web-page-check",
        &faulty(),
        "\
5 things to look at on `https://shop.example/old`:
- it answers 500, the server failed
- the text \"Welcome\" is not on it
- 1 thing on it does not come
- image https://www.shop.example/a.png does not come: 404
- it is slow: 4.5 s to its last byte
- the certificate of shop.example ends in 12 days, on 2026-12-01

- Title: Oops
- Answered: 500, first byte after 4.2 s, 12.0 kB of text/html after 4.5 s
- On the way: 301 https://shop.example/old → 500 https://www.shop.example/
- Certificate of shop.example: 12 days left, until 2026-12-01, signed by R3, TLS 1.3
- Belongs to it: 9 things, 6 looked at, 3 on hosts that are not granted

No script was run: what a page builds only then is not seen.",
    );
    check(
        "web-page-check",
        &well(),
        "\
`https://shop.example/` is well: 200 in 0.045 s, with the text \"Welcome\".

- Title: The shop
- Answered: 200, first byte after 0.04 s, 120 B of text/html after 0.045 s
- Certificate of shop.example: 200 days left, until 2026-12-01, signed by R3, TLS 1.3

No script was run: what a page builds only then is not seen.",
    );
    let mut gone = well();
    gone["CheckPage"]["status"] = Value::Null;
    gone["CheckPage"]["certificates"] = json!([]);
    gone["CheckPage"]["faults"] = json!(["it cannot be reached: connection refused"]);
    check(
        "web-page-check",
        &gone,
        "\
1 thing to look at on `https://shop.example/`:
- it cannot be reached: connection refused",
    );
}

#[test]
fn certificates_of_hosts() {
    check(
        "host-certificates",
        &faulty(),
        "\
3 hosts need a look, of 3 asked.
- old.example: ended 2 days ago, on 2026-12-01; signed by R3; TLS 1.3, names old.example, www.shop.example
- shop.example: 200 days left, until 2026-12-01; signed by R3; TLS 1.3, names shop.example, www.shop.example
  - it does not name shop.example
- mail.example:993: no certificate; it cannot be reached: connection refused",
    );
    check(
        "host-certificates",
        &well(),
        "\
All is well: 1 host asked, the first certificate ends in 200 days.
- shop.example: 200 days left, until 2026-12-01; signed by R3; TLS 1.3, names shop.example, www.shop.example",
    );
}

#[test]
fn backups() {
    let kept = "\
- Kept of this source: 7 backups, 8.0 MB in all";
    check(
        "backup-database",
        &faulty(),
        &format!(
            "\
`shop` is backed up, and the backup was restored to prove it: 2 tables with 1,250 rows, each the same in the restored copy.

- File: /srv/backups/{NAME} (1.2 MB, for pg_restore)
- Taken at 2026-11-21T03:00:00Z
- Also restored: indexes 4, views 1
{kept}; the oldest is shop-20261101T030000Z-ff.dump

Tables with the most rows:
- orders: 1,200 rows
- customers: 50 rows

Contents of materialized views, positions of sequences and large objects are in the dump and were not compared."
        ),
    );
    check(
        "backup-database",
        &well(),
        "\
`shop` is backed up, and the backup was restored to prove it: 0 tables with 0 rows, each the same in the restored copy.

- File: /srv/backups/shop-20261121T030000Z-0123456789ab.db (4.1 kB, an SQLite file)
- Taken at 2026-11-21T03:00:00Z
- Also restored: nothing but tables was there
- Kept of this source: 1 backup, 4.1 kB in all; the oldest is shop-20261121T030000Z-0123456789ab.db",
    );
    let tried = |first: &str| {
        format!(
            "\
{first}

- File: /srv/backups/{NAME} (1.2 MB), taken at 2026-11-21T03:00:00Z
- Also restored: indexes 4, views 1
{kept}, in /srv/backups; the oldest is shop-20261101T030000Z-ff.dump"
        )
    };
    let good = "The newest backup of `shop` restores and holds what the database held then: 2 tables with 1,250 rows.";
    check("check-backup", &faulty(), &tried(good));
    let mut other = faulty();
    other["TryBackup"]["differences"] = json!(["orders has 1200 rows, its copy 1199"]);
    other["TryBackup"]["as_written"] = json!(false);
    let bad = "The newest backup of `shop` is not what was written: its file was changed since, 1 difference from what the database held.\n- orders has 1200 rows, its copy 1199";
    check("check-backup", &other, &tried(bad));
    let mut unknown = faulty();
    unknown["TryBackup"]["differences"] = Value::Null;
    unknown["TryBackup"]["as_written"] = Value::Null;
    let nothing = "The newest backup of `shop` restores: 2 tables with 1,250 rows. What the database held then was not kept beside it, so nothing could be compared.";
    check("check-backup", &unknown, &tried(nothing));
}
