//! Web sites on a real nginx: made, changed, taken away, put back, and put back by itself where they do not answer.

use super::{Warden, ends};
use protocol::duty::order::{End, Wish};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::fs;
use std::os::unix::fs::{lchown, symlink};
use tests::sites::Sites;

fn warden(sites: &Sites) -> Warden {
    let text = |path: &str| sites.text(path);
    Warden::new(
        json!({"services": {}, "packages": null, "containers": null, "sites": {
            "names": ["shop.example", "*.of.example"], "roots": [text("www")], "upstreams": ["127.0.0.1:9"], "config": text("etc/nginx.conf"),
            "folder": text("etc/conf.d"), "certificates": text("certs"), "address": "127.0.0.1", "http": sites.http, "https": sites.https,
        }}),
    )
}

fn put(names: &[&str], serve: Value, certificate: Value) -> Value {
    json!({"duty": "put_site", "name": "shop", "over": false,
        "site": {"names": names, "serve": serve, "only_https": !certificate.is_null(), "certificate": certificate}})
}

const FILE: &str = "etc/conf.d/ai-infra-shop.conf";

#[test]
fn a_site_is_shown_placed_loaded_and_asked_for() {
    let Some(sites) = Sites::start() else { return };
    let mut warden = warden(&sites);
    let duty = put(
        &["shop.example"],
        json!({"root": sites.text("www/shop")}),
        Value::Null,
    );
    let look = warden.look(&duty);
    let shown: Vec<&str> = look.shown.iter().map(|(_, text)| text.as_str()).collect();
    assert!(
        shown.contains(&"+    server_name shop.example;"),
        "{shown:#?}"
    );
    assert!(!sites.at(FILE).exists() && sites.visit("shop.example", "/").contains("404"));

    let done = warden.make(&duty);
    ends(&done, End::Done, "kept as k1");
    assert!(sites.visit("shop.example", "/").contains("the shop"));
    assert!(sites.visit("other.example", "/").contains("404"));
    let status = warden.ask(&json!({"duty": "site_status", "name": "shop"}));
    assert_eq!(
        (&status.data["answers"], &status.data["sha256"]),
        (&json!(true), &done.data["sha256"])
    );

    // What is hidden in the folder, and what is only linked into it by somebody else's file, is not served.
    fs::write(sites.at("www/shop/.env"), "SECRET=1").unwrap();
    assert!(sites.visit("shop.example", "/.env").contains("404"));

    // Taken away, and put back by its number.
    ends(
        &warden.make(&json!({"duty": "remove_site", "name": "shop", "over": false})),
        End::Done,
        "kept as k2",
    );
    assert!(sites.visit("shop.example", "/").contains("404") && !sites.at(FILE).exists());
    let back = json!({"duty": "restore_file", "kept": "k2", "over": false});
    ends(&warden.make(&back), End::Done, "kept as k3");
    assert!(sites.visit("shop.example", "/").contains("the shop"));
    let kept = warden.ask(&json!({"duty": "kept_files"}));
    assert_eq!(
        (
            kept.data["kept"][0]["id"].as_str(),
            &kept.data["kept"][0]["changed_since"]
        ),
        (Some("k3"), &json!(false))
    );
}

/// Whoever owns the folder of a site, or the one above it, puts a link in its place while it is served.
#[test]
fn a_folder_that_becomes_a_link_shows_nobody_elses_files() {
    let Some(sites) = Sites::start() else { return };
    if !nix::unistd::geteuid().is_root() {
        eprintln!("skipped: a link that belongs to another user takes root");
        return;
    }
    let mut warden = warden(&sites);
    let (www, stranger) = (sites.at("www"), 64_322);
    fs::create_dir_all(www.join("team/shop")).unwrap();
    fs::write(www.join("team/shop/index.html"), "of the team\n").unwrap();
    let secrets = tempfile::tempdir().unwrap();
    fs::create_dir(secrets.path().join("shop")).unwrap();
    for folder in [secrets.path().to_owned(), secrets.path().join("shop")] {
        fs::write(folder.join("index.html"), "a secret\n").unwrap();
    }
    let of_root = |root: &str| put(&["shop.example"], json!({"root": root}), Value::Null);
    for (root, link, page) in [
        ("www/shop", "shop", "the shop"),
        ("www/team/shop", "team", "of the team"),
    ] {
        let duty = of_root(&sites.text(root));
        ends(&warden.make(&duty), End::Done, "");
        assert!(sites.visit("shop.example", "/").contains(page));
        let (link, moved) = (www.join(link), www.join("moved"));
        fs::rename(&link, &moved).unwrap();
        symlink(secrets.path(), &link).unwrap();
        lchown(&link, Some(stranger), Some(stranger)).unwrap();
        let seen = sites.visit("shop.example", "/");
        assert!(seen.contains("404") && !seen.contains("secret"), "{seen}");
        // The control: a link to what its own owner has is followed, and one to another's is refused before it is asked for.
        fs::remove_file(&link).unwrap();
        symlink(&moved, &link).unwrap();
        assert!(sites.visit("shop.example", "/").contains(page));
        let mut over = duty.clone();
        over["over"] = json!(true);
        ends(&warden.make(&over), End::Done, "");
        lchown(&link, Some(stranger), Some(stranger)).unwrap();
        ends(&warden.make(&over), End::Not, "belongs to another user");
        fs::remove_file(&link).unwrap();
        fs::rename(&moved, &link).unwrap();
    }
    // Where the granted folder is the site's own it is served as it is.
    warden.terms.sites.as_mut().unwrap().roots = vec![sites.text("www/shop").parse().unwrap()];
    let duty = of_root(&sites.text("www/shop"));
    ends(&warden.make(&duty), End::Done, "");
    assert!(sites.visit("shop.example", "/").contains("the shop"));
}

#[test]
fn a_file_as_an_older_version_wrote_it_is_our_own() {
    let Some(sites) = Sites::start() else { return };
    let mut warden = warden(&sites);
    let root = sites.text("www/shop");
    let duty = put(&["shop.example"], json!({"root": root}), Value::Null);
    ends(&warden.make(&duty), End::Done, "");
    // The links were looked at from the site's own folder on.
    let now = fs::read_to_string(sites.at(FILE)).unwrap();
    let from = format!("from={};", sites.text("www"));
    let then = now.replace(&from, &format!("from={root};"));
    let (head, body) = then.split_once("# site ").unwrap();
    let body = format!("# site {body}");
    let sum: String = Sha256::digest(body.as_bytes())
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect();
    let first = head.lines().next().unwrap();
    let old = format!("{first}\n# sha256 {sum}\n{body}");
    assert_ne!(old, now);
    fs::write(sites.at(FILE), &old).unwrap();
    sites.reload();
    let status = warden.ask(&json!({"duty": "site_status", "name": "shop"}));
    assert_eq!(
        (
            &status.data["changed_by_hand"],
            &status.data["site"]["names"]
        ),
        (&json!(false), &json!(["shop.example"]))
    );
    let shown = format!("{:?}", warden.look(&duty).shown);
    assert!(shown.contains(&format!("+    disable_symlinks if_not_owner {from}")));
    ends(&warden.make(&duty), End::Done, "");
    assert_eq!(fs::read_to_string(sites.at(FILE)).unwrap(), now);
}

#[test]
fn https_is_served_with_the_very_certificate_that_was_named() {
    let Some(sites) = Sites::start() else { return };
    let mut warden = warden(&sites);
    let duty = put(
        &["shop.example"],
        json!({"root": sites.text("www/shop")}),
        json!("shop.example"),
    );
    ends(&warden.make(&duty), End::Not, "no certificate shop.example");
    sites.certify("shop.example");
    let done = warden.make(&duty);
    ends(&done, End::Done, "loaded");
    assert_eq!(
        done.data["names"].as_array().map(Vec::len),
        Some(2),
        "{done:#?}"
    );
    assert!(sites.visit("shop.example", "/a").contains("301 Moved"));
}

#[test]
fn what_does_not_answer_is_put_back_by_itself() {
    let Some(sites) = Sites::start() else { return };
    let mut warden = warden(&sites);
    let good = put(
        &["shop.example"],
        json!({"root": sites.text("www/shop")}),
        Value::Null,
    );
    ends(&warden.make(&good), End::Done, "");
    let before = fs::read_to_string(sites.at(FILE)).unwrap();
    // Nothing listens there: nginx takes it, and every visitor would get a 502.
    let bad = put(
        &["shop.example"],
        json!({"upstream": "127.0.0.1:9"}),
        Value::Null,
    );
    let undone = warden.make(&bad);
    ends(
        &undone,
        End::Undone,
        "put back as it was and nginx runs with it",
    );
    assert!(undone.text.contains("502"), "{undone:#?}");
    assert_eq!(fs::read_to_string(sites.at(FILE)).unwrap(), before);
    assert!(sites.visit("shop.example", "/").contains("the shop"));
}

#[test]
fn what_nginx_would_refuse_is_never_placed() {
    let Some(sites) = Sites::start() else { return };
    let mut warden = warden(&sites);
    let other = "server { listen 127.0.0.1:HTTP; server_name shop.example; return 200 other; }"
        .replace("HTTP", &sites.http.to_string());
    fs::write(sites.at("etc/conf.d/other.conf"), other).unwrap();
    let duty = put(
        &["shop.example"],
        json!({"root": sites.text("www/shop")}),
        Value::Null,
    );
    ends(
        &warden.make(&duty),
        End::Not,
        "another site answers to a name of it",
    );
    fs::write(sites.at("etc/conf.d/other.conf"), "nonsense;").unwrap();
    ends(
        &warden.make(&duty),
        End::Not,
        "nginx refuses the configuration with it: ",
    );
    assert!(!sites.at(FILE).exists());
}

#[test]
fn an_interrupted_change_is_brought_to_its_end() {
    let Some(sites) = Sites::start() else { return };
    let mut warden = warden(&sites);
    let duty = put(
        &["shop.example"],
        json!({"root": sites.text("www/shop")}),
        Value::Null,
    );
    // Begun and cut off before anything was kept.
    warden.number = 1;
    let seen = warden.look(&duty).before;
    let settle = |warden: &Warden, duty: &Value, seen: &Value| {
        warden.give(&warden.order(Wish::Settle, duty, seen.clone()))
    };
    ends(
        &settle(&warden, &duty, &seen),
        End::Not,
        "before anything was changed",
    );
    // Done, and nobody heard: asked again it is found done.
    ends(&warden.make(&duty), End::Done, "");
    ends(&settle(&warden, &duty, &seen), End::Done, "loaded");
    // Placed and cut off before it was loaded, with a server nobody answers for: it is put back.
    let before = fs::read_to_string(sites.at(FILE)).unwrap();
    let bad = put(
        &["shop.example"],
        json!({"upstream": "127.0.0.1:9"}),
        Value::Null,
    );
    let undone = warden.make(&bad);
    ends(&undone, End::Undone, "");
    let placed = format!(
        "{}/k{}/note.json",
        warden.kept.path().display(),
        warden.number
    );
    let note: Value = serde_json::from_str(&fs::read_to_string(placed).unwrap()).unwrap();
    fs::write(sites.at(FILE), "somebody's own").unwrap();
    ends(
        &settle(&warden, &bad, &seen),
        End::Unknown,
        "somebody changed it",
    );
    fs::write(sites.at(FILE), &before).unwrap();
    ends(
        &settle(&warden, &bad, &seen),
        End::Not,
        "before the file was placed",
    );
    assert_ne!(note["after"], note["before"]);
}

#[test]
fn what_somebody_changed_is_not_lost_without_a_word() {
    let Some(sites) = Sites::start() else { return };
    let mut warden = warden(&sites);
    let duty = put(
        &["shop.example"],
        json!({"root": sites.text("www/shop")}),
        Value::Null,
    );
    ends(&warden.make(&duty), End::Done, "");
    let own = fs::read_to_string(sites.at(FILE))
        .unwrap()
        .replace("index index.html", "index start.html index.html");
    fs::write(sites.at(FILE), &own).unwrap();
    let mut again = duty.clone();
    again["site"]["names"] = json!(["shop.example", "a.of.example"]);
    ends(&warden.make(&again), End::Not, "changed by hand");
    ends(
        &warden.make(&json!({"duty": "restore_file", "kept": "k1", "over": false})),
        End::Not,
        "was changed since k1",
    );
    again["over"] = json!(true);
    let look = warden.look(&again);
    assert!(
        look.shown
            .iter()
            .any(|(_, text)| text == "-    index start.html index.html;"),
        "{:#?}",
        look.shown
    );
    ends(&warden.make(&again), End::Done, "");
    // Between the yes and the act somebody changes it: the yes was for something else.
    let seen = warden.look(&duty).before;
    fs::write(sites.at(FILE), &own).unwrap();
    let mut over = duty.clone();
    over["over"] = json!(true);
    let late = warden.give(&warden.order(Wish::Make, &over, seen));
    ends(&late, End::Not, "changed since leave was asked for");
    assert_eq!(fs::read_to_string(sites.at(FILE)).unwrap(), own);
}
