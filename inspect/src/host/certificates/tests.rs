//! Planted certificates of an authority made for the test, and what only looks like a served one.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::host::tree::planted::Planted;
use proptest::prelude::*;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

const DAY: i64 = 86_400;

fn at() -> Timestamp {
    "2026-11-21T12:00:00Z".parse().unwrap()
}

struct Authority(CertifiedIssuer<'static, KeyPair>);

fn params(name: &str, names: &[&str], from: i64, until: i64) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    let day = |days: i64| {
        rcgen::date_time_ymd(1970, 1, 1)
            + std::time::Duration::from_secs((at().as_second() + days * DAY) as u64)
    };
    params.not_before = day(from);
    params.not_after = day(until);
    params
}

impl Authority {
    fn new(name: &str) -> Authority {
        let mut params = params(name, &[], -1000, 1000);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Authority(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn signs(&self, names: &[&str], from: i64, until: i64) -> String {
        let key = KeyPair::generate().unwrap();
        params(names[0], names, from, until)
            .signed_by(&key, &self.0)
            .unwrap()
            .pem()
    }

    fn pem(&self) -> String {
        self.0.pem()
    }
}

fn brief(found: &Certificates) -> Vec<String> {
    let one = |c: &Certificate| {
        let mut words = vec![
            c.path.clone(),
            format!("{} days", c.days_left),
            c.names.join(","),
        ];
        words.extend(c.expired.then(|| "expired".to_owned()));
        words.extend(c.self_signed.then(|| "self-signed".to_owned()));
        words.extend(c.problems.clone());
        words.join(" | ")
    };
    found.certificates.iter().map(one).collect()
}

#[test]
fn the_planted_certificates_are_told_and_no_other() {
    let authority = Authority::new("Test Root");
    let other = Authority::new("Other Root");
    let shop = authority.signs(&["shop.example", "*.shop.example"], -30, 12);
    let key = KeyPair::generate().unwrap();
    let own = params("own.example", &["own.example"], -10, 355)
        .self_signed(&key)
        .unwrap()
        .pem();
    let site = "server { server_name shop.example www.shop.example a.b.shop.example; ssl_certificate /etc/letsencrypt/live/shop/fullchain.pem; }
        server { server_name gone.example; ssl_certificate /etc/ssl/gone.pem; }
        server { server_name far.example; ssl_certificate /srv/certs/far.pem; }
        server { server_name own.example; ssl_certificate /etc/ssl/own.pem; }";
    let host = Planted::new(&[
        (
            "/etc/letsencrypt/archive/shop/fullchain3.pem",
            &format!("{shop}{}", authority.pem()),
        ),
        (
            "/etc/letsencrypt/archive/shop/fullchain2.pem",
            &authority.signs(&["shop.example"], -90, -1),
        ), // decoy: renewed since
        ("/etc/nginx/sites-available/shop", site),
        (
            "/etc/nginx/sites-available/off",
            "server { ssl_certificate /etc/ssl/off-missing.pem; }",
        ), // decoy: not enabled
        ("/etc/ssl/own.pem", &format!("{}{own}", key.serialize_pem())),
        (
            "/etc/ssl/old.pem",
            &authority.signs(&["old.example"], -400, -3),
        ),
        (
            "/etc/ssl/mixed.pem",
            &format!(
                "{}{}",
                authority.signs(&["mixed.example"], -1, 60),
                other.pem()
            ),
        ),
        (
            "/etc/ssl/soon.crt",
            &authority.signs(&["soon.example"], 2, 90),
        ),
        ("/etc/ssl/root.pem", &authority.pem()), // decoy: an authority nobody serves
        ("/etc/ssl/notes.txt", "no certificate"),
        (
            "/etc/ssl/certs/ca-certificates.crt",
            &authority.pem().repeat(30),
        ), // decoy: the store
        (
            "/usr/share/ca-certificates/x.crt",
            &authority.signs(&["store.example"], -9, 9),
        ),
        (
            "/etc/ssl/broken.pem",
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        ),
    ]);
    host.link(
        "/etc/letsencrypt/live/shop/fullchain.pem",
        "../../archive/shop/fullchain3.pem",
    );
    host.link(
        "/etc/nginx/sites-enabled/shop",
        "/etc/nginx/sites-available/shop",
    );
    host.link("/etc/ssl/certs/x.pem", "/usr/share/ca-certificates/x.crt");
    let found = scan(&host.tree(), None, at(), &Limits::default()).unwrap();
    assert_eq!(
        brief(&found),
        [
            "/etc/ssl/old.pem | -3 days | old.example | expired",
            "/etc/letsencrypt/live/shop/fullchain.pem | 12 days | shop.example,*.shop.example | /etc/nginx/sites-enabled/shop serves it as a.b.shop.example, which it does not name",
            "/etc/ssl/mixed.pem | 60 days | mixed.example | its chain is out of order: certificate 2 of its file did not sign the one before",
            "/etc/ssl/soon.crt | 90 days | soon.example | it does not hold yet",
            "/etc/ssl/own.pem | 355 days | own.example | self-signed",
        ]
    );
    assert_eq!(
        found.missing,
        ["/etc/ssl/gone.pem, named in /etc/nginx/sites-enabled/shop"]
    );
    assert_eq!(
        found.elsewhere,
        ["/srv/certs/far.pem, named in /etc/nginx/sites-enabled/shop"]
    );
    let shop = &found.certificates[1];
    assert_eq!(
        (shop.issuer.as_str(), shop.chain, shop.used_by.len()),
        ("Test Root", 2, 1)
    );
    assert_eq!(found.unread.len(), 1, "{:?}", found.unread);
    assert_eq!(found.unread[0].path, "/etc/ssl/broken.pem");
}

#[test]
fn where_one_asks_and_where_there_is_nothing() {
    let authority = Authority::new("Test Root");
    let host = Planted::new(&[
        ("/srv/a/b/c.pem", &authority.signs(&["c.example"], -1, 5)),
        ("/etc/ssl/x.pem", &authority.signs(&["x.example"], -1, 5)),
    ]);
    let found = scan(&host.tree(), Some("/srv"), at(), &Limits::default()).unwrap();
    assert_eq!(brief(&found), ["/srv/a/b/c.pem | 5 days | c.example"]);
    let gone = scan(&host.tree(), Some("/nowhere"), at(), &Limits::default()).unwrap_err();
    assert!(
        gone.to_string().contains("/nowhere does not exist"),
        "{gone}"
    );
    let bare = scan(&Planted::new(&[]).tree(), None, at(), &Limits::default()).unwrap();
    assert_eq!(
        (bare.certificates.len(), bare.files, bare.unread.len()),
        (0, 0, 0)
    );
}

#[test]
fn a_star_stands_for_one_label() {
    for (held, name, expected) in [
        ("a.example", "a.example", true),
        ("*.example", "a.example", true),
        ("*.example", "a.b.example", false),
        ("*.example", "example", false),
    ] {
        assert_eq!(holds(held, name), expected, "{held} {name}");
    }
}

proptest! {
    #[test]
    fn any_file_is_read(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let mut text = b"-----BEGIN CERTIFICATE-----\n".to_vec();
        text.extend(&bytes);
        let host = Planted::new(&[]);
        host.put("/a/a.pem", &text);
        host.put("/a/b.der", [&[0x30][..], &bytes].concat());
        let _ = scan(&host.tree(), Some("/a"), at(), &Limits::default());
    }
}
