//! Web sites on a real nginx: made, changed, taken away, put back, and put back by itself where they do not answer.

use super::{Warden, ends};
use protocol::duty::order::{End, Wish};
use serde_json::{Value, json};
use std::fs;
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
