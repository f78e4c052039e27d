//! Certificates by a real certbot from a real authority for sites of a real nginx: got, served, renewed; and the old site
//! still answers where none is given.

use super::{Warden, ends};
use protocol::duty::order::{End, Outcome, Wish};
use serde_json::{Value, json};
use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;
use tests::acme::Authority;
use tests::processes::wait_until;
use tests::sites::Sites;

const FILE: &str = "etc/conf.d/ai-infra-shop.conf";

struct Stage {
    sites: Sites,
    authority: Authority,
    warden: Warden,
}

fn certify() -> Value {
    json!({"duty": "certify_site", "name": "shop"})
}

fn renew() -> Value {
    json!({"duty": "renew_certificate", "name": "shop"})
}

impl Stage {
    /// A site that answers over plain HTTP, and was there before any certificate was granted.
    fn new(names: &[&str]) -> Option<Self> {
        let sites = Sites::start()?;
        let authority = Authority::start(sites.http)?;
        let text = |path: &str| sites.text(path);
        let terms = json!({"services": {}, "packages": null, "containers": null,
        "sites": {
            "names": ["shop.example", "www.shop.example", "wrong.example", "blocked.example", "*.of.example"], "roots": [text("www")], "upstreams": [],
            "config": text("etc/nginx.conf"), "folder": text("etc/conf.d"), "certificates": text("acme/live"), "address": "127.0.0.1",
            "http": sites.http, "https": sites.https,
        }});
        let mut warden = Warden::new(terms);
        let put = json!({"duty": "put_site", "name": "shop", "over": false,
            "site": {"names": names, "serve": {"root": text("www/shop")}, "only_https": false, "certificate": null}});
        ends(&warden.make(&put), End::Done, "");
        ends(
            &warden.make(&certify()),
            End::Not,
            "certificates are not granted",
        );
        let granted = json!({"mail": "ada@shop.example", "directory": authority.directory(), "trusted": authority.trusted(), "work": text("work")});
        warden.terms.certificates = serde_json::from_value(granted).unwrap();
        Some(Self {
            sites,
            authority,
            warden,
        })
    }

    fn file(&self) -> String {
        fs::read_to_string(self.sites.at(FILE)).unwrap()
    }

    /// Who signed what the port serves, and for which names, by openssl's word.
    fn served(&self) -> String {
        let port = format!("127.0.0.1:{}", self.sites.https);
        let show = format!(
            "openssl s_client -connect {port} -servername shop.example </dev/null 2>/dev/null | openssl x509 -noout -issuer -ext subjectAltName -checkend 2592000"
        );
        let out = Command::new("sh")
            .args(["-c", &show])
            .stdin(Stdio::null())
            .output()
            .unwrap();
        String::from_utf8_lossy(&out.stdout).into_owned()
    }

    fn settle(&self, duty: &Value, seen: &Value) -> Outcome {
        self.warden
            .give(&self.warden.order(Wish::Settle, duty, seen.clone()))
    }

    /// A refusal: the site is as it was, and answers.
    #[track_caller]
    fn refused(&mut self, words: &[&str]) {
        let before = self.file();
        let undone = self.warden.make(&certify());
        for words in words {
            ends(&undone, End::Undone, words);
        }
        assert_eq!(self.file(), before);
        assert!(self.sites.visit("shop.example", "/").contains("the shop"));
    }
}

#[test]
fn a_site_gets_a_certificate_and_is_served_with_it() {
    let Some(mut stage) = Stage::new(&["shop.example", "www.shop.example"]) else {
        return;
    };
    let plain = stage.file();
    let look = stage.warden.look(&certify());
    let shown = format!("{:?}", look.shown);
    for words in [
        "shop.example www.shop.example",
        "ada@shop.example",
        "/dir by certbot",
        "ssl_certificate",
        "^~ /.well-known/acme-challenge/",
    ] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    assert_eq!(stage.file(), plain);

    let done = stage.warden.make(&certify());
    ends(&done, End::Done, "loaded");
    assert_eq!(
        done.data["certificate"]["names"],
        json!(["shop.example", "www.shop.example"])
    );
    let served = stage.served();
    assert!(
        served.contains("Pebble Intermediate") && served.contains("DNS:www.shop.example"),
        "{served}"
    );
    assert!(stage.sites.visit("shop.example", "/").contains("301 Moved"));
    // What an authority asks for is still answered over plain HTTP.
    fs::write(
        stage
            .sites
            .at("work/ai-infra-challenges/.well-known/acme-challenge/x"),
        "proof",
    )
    .unwrap();
    assert!(
        stage
            .sites
            .visit("shop.example", "/.well-known/acme-challenge/x")
            .contains("proof")
    );
    assert!(
        stage
            .sites
            .visit("shop.example", "/.well-known/acme-challenge/")
            .contains("404")
    );

    // It is good for long: nobody is asked for another one.
    let list = stage.warden.ask(&json!({"duty": "certificates"}));
    assert_eq!(
        (&list.data["due"], &list.data["certificates"][0]["served"]),
        (&json!([]), &json!(true)),
        "{list:#?}"
    );
    ends(&stage.warden.make(&renew()), End::Not, "is not renewed yet");
    // Taken back: the site is served as before it.
    let kept = done.data["kept"].clone();
    ends(
        &stage
            .warden
            .make(&json!({"duty": "restore_file", "kept": kept, "over": false})),
        End::Done,
        "",
    );
    assert_eq!(stage.file(), plain);
    // Asked for again, the one that is there is taken.
    let again = stage.warden.make(&certify());
    ends(&again, End::Done, "loaded");
    assert_eq!(
        again.data["certificate"]["sha256"],
        done.data["certificate"]["sha256"]
    );
}

#[test]
fn one_that_ends_soon_is_renewed_and_loaded() {
    let Some(mut stage) = Stage::new(&["shop.example"]) else {
        return;
    };
    ends(
        &stage.warden.make(&renew()),
        End::Not,
        "without a certificate",
    );
    ends(&stage.warden.make(&certify()), End::Done, "");
    stage.sites.age("shop");
    let loaded = wait_until(Duration::from_secs(10), || {
        stage.served().contains("will expire")
    });
    assert!(loaded, "{}", stage.served());
    let list = stage.warden.ask(&json!({"duty": "certificates"}));
    assert_eq!(list.data["due"], json!(["shop"]), "{list:#?}");
    // Its folder is away for the moment: the site is none the worse for a newer certificate, and its file stays.
    let before = stage.file();
    let (shop, away) = (stage.sites.at("www/shop"), stage.sites.at("www/away"));
    fs::rename(&shop, &away).unwrap();
    let renewed = stage.warden.make(&renew());
    ends(&renewed, End::Done, "loaded");
    assert_eq!(stage.file(), before);
    fs::rename(&away, &shop).unwrap();
    let served = stage.served();
    assert!(
        served.contains("Pebble") && served.contains("will not expire"),
        "{served}"
    );
    let list = stage.warden.ask(&json!({"duty": "certificates"}));
    assert_eq!(list.data["due"], json!([]), "{list:#?}");
    // Renewed by somebody else, and not loaded by the server: that is seen, and it is loaded without asking anybody.
    stage.authority.stop();
    stage.sites.age("shop");
    assert!(wait_until(Duration::from_secs(10), || stage
        .served()
        .contains("will expire")));
    ends(&stage.warden.make(&renew()), End::Undone, "does not answer");
    assert!(stage.served().contains("will expire"));
}

#[test]
fn where_none_is_given_the_old_site_still_answers() {
    let Some(mut stage) = Stage::new(&["shop.example", "wrong.example"]) else {
        return;
    };
    // A name that leads elsewhere.
    stage.authority.leads("wrong.example", "127.0.0.9");
    stage.refused(&[
        "wrong.example (connection)",
        "put back as it was and nginx runs with it",
    ]);
    let put = |names: &[&str]| {
        json!({"duty": "put_site", "name": "shop", "over": false,
            "site": {"names": names, "serve": {"root": stage.sites.text("www/shop")}, "only_https": false, "certificate": null}})
    };
    let (blocked, wild, plain) = (
        put(&["shop.example", "blocked.example"]),
        put(&["*.of.example", "shop.example"]),
        put(&["shop.example"]),
    );
    // A name the authority gives none for.
    ends(&stage.warden.make(&blocked), End::Done, "");
    stage.refused(&["rejectedIdentifier", "blocked.example"]);
    // A name that cannot be proven this way: nobody is asked.
    ends(&stage.warden.make(&wild), End::Done, "");
    ends(&stage.warden.make(&certify()), End::Not, "by DNS alone");
    // Too many requests: from when on it can be asked again.
    ends(&stage.warden.make(&plain), End::Done, "");
    stage.authority.is_busy("7200");
    stage.refused(&[
        "takes no more requests for now: ask again in 7200 s",
        "too many certificates",
    ]);
    // Nobody there.
    stage.authority.stop();
    stage.refused(&["does not answer"]);
}

#[test]
fn an_interrupted_one_is_settled() {
    let Some(mut stage) = Stage::new(&["shop.example"]) else {
        return;
    };
    let plain = stage.file();
    stage.warden.number += 1;
    let seen = stage.warden.look(&certify()).before;
    ends(
        &stage.settle(&certify(), &seen),
        End::Not,
        "before anything was changed",
    );
    ends(&stage.warden.make(&certify()), End::Done, "");
    // Done, and nobody heard.
    ends(&stage.settle(&certify(), &seen), End::Done, "loaded");
    // The site shows what the authority asks for, and nothing more happened: it is put back.
    let number = stage.warden.number;
    let put = json!({"duty": "put_site", "name": "shop", "over": false,
        "site": {"names": ["shop.example"], "serve": {"root": stage.sites.text("www/shop")}, "only_https": false, "certificate": null}});
    ends(&stage.warden.make(&put), End::Done, "");
    assert!(stage.file().contains("acme-challenge") && !stage.file().contains("ssl"));
    stage.warden.number = number;
    ends(
        &stage.settle(&certify(), &seen),
        End::Undone,
        "while the certificate was asked for",
    );
    assert_eq!(stage.file(), plain);
    fs::write(stage.sites.at(FILE), "somebody's own").unwrap();
    ends(
        &stage.settle(&certify(), &seen),
        End::Unknown,
        "somebody changed it",
    );
    fs::write(stage.sites.at(FILE), &plain).unwrap();
    ends(&stage.settle(&certify(), &seen), End::Not, "ask again");
}
