//! Orders as somebody would forge them who got hold of the wire: the fields are parsed here too, and the file
//! system is not what it seems. Each has its control: without the wall the same thing happens.

use super::{Warden, ends};
use protocol::duty::order::{End, Wish};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::symlink;
use tests::sites::Sites;

fn terms(sites: &Sites) -> Value {
    let text = |path: &str| sites.text(path);
    json!({"services": {}, "packages": null, "containers": null, "sites": {
        "names": ["shop.example"], "roots": [text("www")], "upstreams": [], "config": text("etc/nginx.conf"),
        "folder": text("etc/conf.d"), "certificates": text("certs"), "address": "127.0.0.1", "http": sites.http, "https": sites.https,
    }})
}

fn put(root: &str) -> Value {
    json!({"duty": "put_site", "name": "shop", "over": true,
        "site": {"names": ["shop.example"], "serve": {"root": root}, "certificate": null, "only_https": false}})
}

#[test]
fn nothing_but_a_field_comes_through_the_wire() {
    let Some(sites) = Sites::start() else { return };
    let mut warden = Warden::new(terms(&sites));
    let good = warden.order(Wish::Look, &put(&sites.text("www/shop")), Value::Null);
    let good = serde_json::to_value(good).unwrap();
    let root = |text: &str| json!(format!("{}{text}", sites.text("www/shop")));
    for (at, forged) in [
        (
            "/duty/site/names/0",
            json!("shop.example; include /etc/shadow"),
        ),
        (
            "/duty/site/names/0",
            json!("shop.example {} server { listen 1"),
        ),
        (
            "/duty/site/names/0",
            json!("shop.example\ninclude /etc/passwd;"),
        ),
        ("/duty/site/names/0", json!("~^(?<x>.*)$")),
        ("/duty/site/serve/root", root("; alias /etc/")),
        ("/duty/site/serve/root", root("/../../../etc")),
        ("/duty/site/serve/root", root("/$arg_x")),
        ("/duty/site/serve", json!({"alias": "/etc"})),
        (
            "/duty/site/serve",
            json!({"upstream": "unix:/run/docker.sock:"}),
        ),
        (
            "/duty/site/serve",
            json!({"redirect": "https://a.example/;}load_module x;"}),
        ),
        ("/duty/site/certificate", json!("../../etc/ssl")),
        ("/duty/name", json!("../../../etc/cron.d/x")),
        ("/duty/name", json!("shop.conf\u{0}")),
        ("/terms/sites/folder", json!("/etc/../etc/cron.d")),
        ("/id", json!("../k1")),
    ] {
        let mut order = good.clone();
        *order.pointer_mut(at).expect(at) = forged.clone();
        ends(&warden.say(&order.to_string()), End::Not, "no order");
    }
    // The control: the same order without the forgery is one.
    assert_eq!(warden.say(&good.to_string()).end, End::Done);
    ends(&warden.make(&put(&sites.text("www/shop"))), End::Done, "");
}

#[test]
fn a_folder_that_leads_out_is_not_served() {
    let Some(sites) = Sites::start() else { return };
    let mut warden = Warden::new(terms(&sites));
    let secrets = tempfile::tempdir().unwrap();
    fs::write(secrets.path().join("index.html"), "a secret\n").unwrap();
    symlink(secrets.path(), sites.at("www/out")).unwrap();
    ends(
        &warden.make(&put(&sites.text("www/out"))),
        End::Not,
        "which is not granted",
    );
    assert!(!sites.visit("shop.example", "/").contains("a secret"));
    // The control: where the place it leads to is granted, it is served.
    let mut wide = terms(&sites);
    wide["sites"]["roots"] = json!([sites.text("www"), secrets.path()]);
    let mut warden = Warden::new(wide);
    ends(&warden.make(&put(&sites.text("www/out"))), End::Done, "");
    assert!(sites.visit("shop.example", "/").contains("a secret"));
}

#[test]
fn a_file_that_is_a_link_is_neither_read_nor_written_through() {
    let Some(sites) = Sites::start() else { return };
    let mut warden = Warden::new(terms(&sites));
    let victim = sites.at("victim");
    fs::write(&victim, "whole\n").unwrap();
    let file = sites.at("etc/conf.d/ai-infra-shop.conf");
    symlink(&victim, &file).unwrap();
    ends(
        &warden.make(&put(&sites.text("www/shop"))),
        End::Not,
        "left alone",
    );
    ends(
        &warden.make(&json!({"duty": "remove_site", "name": "shop", "over": true})),
        End::Not,
        "left alone",
    );
    assert_eq!(fs::read_to_string(&victim).unwrap(), "whole\n");
    // The control: without the link it is written.
    fs::remove_file(&file).unwrap();
    ends(&warden.make(&put(&sites.text("www/shop"))), End::Done, "");
}

#[test]
fn a_kept_file_goes_back_to_no_other_place() {
    let Some(sites) = Sites::start() else { return };
    let mut warden = Warden::new(terms(&sites));
    ends(&warden.make(&put(&sites.text("www/shop"))), End::Done, "");
    ends(
        &warden.make(&json!({"duty": "remove_site", "name": "shop", "over": false})),
        End::Done,
        "",
    );
    let note = warden.kept.path().join("k2/note.json");
    let whole = fs::read_to_string(&note).unwrap();
    let restore = json!({"duty": "restore_file", "kept": "k2", "over": true});
    for path in [
        sites.text("victim"),
        sites.text("etc/conf.d/other.conf"),
        sites.text("etc/conf.d/../ai-infra-x.conf"),
        "/etc/cron.d/ai-infra-x.conf".to_owned(),
    ] {
        let mut forged: Value = serde_json::from_str(&whole).unwrap();
        forged["path"] = json!(path);
        fs::write(&note, forged.to_string()).unwrap();
        ends(&warden.make(&restore), End::Not, "left alone");
    }
    fs::write(&note, &whole).unwrap();
    let before = warden.kept.path().join("k2/before");
    let text = fs::read_to_string(&before).unwrap();
    fs::write(
        &before,
        text.replace("server_name", "include /etc/shadow; server_name"),
    )
    .unwrap();
    ends(&warden.make(&restore), End::Not, "it was changed");
    // The control: as it was kept it goes back.
    fs::write(&before, text).unwrap();
    ends(&warden.make(&restore), End::Done, "");
}
