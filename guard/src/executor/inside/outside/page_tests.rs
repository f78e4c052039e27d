//! What a page may lead to, told with names of somebody else's name server.
#![allow(clippy::unwrap_used)]

use super::*;
use std::io::{Read, Write};
use std::net::{IpAddr, TcpListener};
use std::sync::atomic::{AtomicUsize, Ordering};

/// A server on this host that answers every question with the same words, and counts them.
fn server(answer: String) -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (count, counted) = (Arc::new(AtomicUsize::new(0)), port);
    let seen = count.clone();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 4096]);
            seen.fetch_add(1, Ordering::SeqCst);
            let _ = stream.write_all(answer.replace("PORT", &counted.to_string()).as_bytes());
        }
    });
    (port, count)
}

fn ok(body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
    )
}

fn hosts(names: &[String]) -> Hosts {
    let one = |name: &String| (name.clone(), WebHost::default());
    names.iter().map(one).collect()
}

/// A name server of somebody else: each question about a name gets the next answer.
fn told(answers: &'static [(&'static str, &'static str)]) -> (Names, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let names = Names::with(String::new(), move |host| {
        let at = count.fetch_add(1, Ordering::SeqCst);
        let mut of_host = answers.iter().filter(|(name, _)| *name == host);
        let answer = of_host.clone().nth(at).or(of_host.next());
        let to: Option<IpAddr> = answer.map(|(_, to)| to.parse().unwrap());
        Ok(to.into_iter().collect())
    });
    (names, asked)
}

#[tokio::test]
async fn a_name_that_leads_to_credentials_or_into_this_host_is_not_asked() {
    let (_, count) = server(ok("secret"));
    for (grant, to, why) in [
        (
            "evil.example",
            &[("evil.example", "127.0.0.1")][..],
            "no public address",
        ),
        (
            "evil.example",
            &[("evil.example", "10.0.0.5")],
            "no public address",
        ),
        (
            "evil.example",
            &[("evil.example", "169.254.169.254")],
            "credentials",
        ),
        (
            "evil.example:80",
            &[("evil.example", "169.254.169.254")],
            "credentials",
        ),
    ] {
        let hosts = hosts(&[grant.to_owned()]);
        let (names, _) = told(to);
        let page = check(
            "http://evil.example/",
            Some("secret"),
            (&hosts, names),
            PATIENCE,
        );
        let said = page.await.unwrap_err();
        assert!(said.contains(why), "{grant}: {said}");
    }
    let hosts = hosts(&["169.254.169.254".to_owned()]);
    let (names, _) = told(&[]);
    let page = check("http://169.254.169.254/", None, (&hosts, names), PATIENCE).await;
    assert!(page.unwrap_err().contains("credentials"));
    assert_eq!(count.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_site_of_this_host_is_looked_at_where_its_grant_names_the_port_and_is_looked_up_once() {
    let (port, count) = server(ok("<title>Own</title><img src=/a.png><img src=/b.png>"));
    let hosts = hosts(&[format!("own.example:{port}")]);
    let (names, asked) = told(&[("own.example", "127.0.0.1"), ("own.example", "127.0.0.2")]);
    let url = format!("http://own.example:{port}/");
    let page = check(&url, None, (&hosts, names), PATIENCE).await.unwrap();
    assert_eq!(page.title.as_deref(), Some("Own"));
    assert_eq!((page.tried, page.broken.len()), (2, 0), "{page:?}");
    assert_eq!(count.load(Ordering::SeqCst), 3);
    assert_eq!(
        asked.load(Ordering::SeqCst),
        1,
        "one look-up for the whole check"
    );
}

#[tokio::test]
async fn a_name_without_an_address_is_a_fault_of_the_page() {
    let hosts = hosts(&["gone.example".to_owned()]);
    let (names, _) = told(&[]);
    let page = check("https://gone.example/", None, (&hosts, names), PATIENCE).await;
    let faults = page.unwrap().faults;
    assert_eq!(faults, ["it cannot be reached: its name leads nowhere"]);
}

#[tokio::test]
async fn what_a_page_leads_to_lies_no_nearer_than_the_page() {
    let granted = [
        "far.example",
        "lan.example:443",
        "own.example:443",
        "meta.example:443",
    ];
    let granted = hosts(&granted.map(str::to_owned));
    let answers = &[
        ("far.example", "192.0.2.1"),
        ("lan.example", "10.0.0.5"),
        ("own.example", "127.0.0.1"),
        ("meta.example", "169.254.169.254"),
    ];
    for (own, host, expected) in [
        (Nearness::World, "far.example", true),
        (Nearness::World, "lan.example", false),
        (Nearness::World, "own.example", false),
        (Nearness::Network, "lan.example", true),
        (Nearness::Network, "own.example", false),
        (Nearness::Host, "far.example", true),
        (Nearness::Host, "lan.example", true),
        (Nearness::Host, "own.example", true),
        (Nearness::Host, "meta.example", false),
    ] {
        let (names, _) = told(answers);
        let url = Url::parse(&format!("https://{host}/")).unwrap();
        let led = led(&url, (&granted, &names), Some(own)).await;
        assert_eq!(led.is_ok(), expected, "{own:?} {host}: {led:?}");
    }
}

#[tokio::test]
async fn a_redirect_and_an_asset_lead_to_no_credentials() {
    let (port, _) = server(
        "HTTP/1.1 302 Found\r\nlocation: http://meta.example:8080/latest\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".to_owned(),
    );
    let hosts = hosts(&[
        format!("own.example:{port}"),
        "meta.example:8080".to_owned(),
    ]);
    let answers = &[
        ("own.example", "127.0.0.1"),
        ("meta.example", "169.254.169.254"),
    ];
    let (names, _) = told(answers);
    let url = format!("http://own.example:{port}/");
    let page = check(&url, None, (&hosts, names), PATIENCE).await.unwrap();
    let why = page.error.unwrap();
    assert!(
        why.contains("was not followed") && why.contains("credentials"),
        "{why}"
    );
    let (port, _) = server(ok("<img src='http://meta.example:8080/latest'>"));
    let hosts = self::hosts(&[
        format!("own.example:{port}"),
        "meta.example:8080".to_owned(),
    ]);
    let (names, _) = told(answers);
    let url = format!("http://own.example:{port}/");
    let page = check(&url, None, (&hosts, names), PATIENCE).await.unwrap();
    assert_eq!((page.elsewhere, page.tried), (1, 0), "{page:?}");
}

#[test]
fn of_what_does_not_come_only_so_much_is_told() {
    let mut page = empty(&Url::parse("https://h/").unwrap(), None);
    for _ in 0..5000 {
        broken(&mut page, "image", "https://h/x", "404");
    }
    assert_eq!(page.broken.len(), BROKEN);
}
