//! Pages and certificates of a real server, through the sandbox that reaches the hosts that were granted: each fault that
//! was planted is named, nothing else is, and no other host is asked.

use super::outside::{carry_out, carry_out_within, open, worker};
use super::*;
use guard::outside::{Outside, WebHost};
use serde_json::json;
use tests::nginx::{self, Nginx};

const PAGES: [(&str, &str); 5] = [
    (
        "index.html",
        "<title>The shop</title><link rel=stylesheet href=/s.css><img src=logo.png><h1>Welcome to <b>the shop</b></h1>",
    ),
    ("s.css", "b {}"),
    ("logo.png", "png"),
    (
        "broken.html",
        "<title>Broken</title><img src=/gone.png><script src='https://elsewhere.example/x.js'></script><img src='http://localhost:PLAIN/logo.png'>",
    ),
    ("cut.html", "<title>Cut"),
];

const LOCATIONS: &str = "
    location = /old { return 301 /older; }
    location = /older { return 302 https://localhost:GOOD/; }
    location = /round { return 302 /round2; }
    location = /round2 { return 302 /round; }
    location = /away { return 302 https://elsewhere.example/; }
    location = /fails { return 500 'no'; }
    location = /login { return 401 'no'; }
";

fn granted(server: &Nginx) -> Outside {
    let host = WebHost {
        authority: Some(server.authority()),
    };
    let ports = [server.plain, server.good, server.expired, server.strange];
    let hosts = ports.map(|port| (format!("localhost:{port}"), host.clone()));
    Outside {
        hosts: hosts.into(),
        ..Outside::default()
    }
}

async fn look(outside: &Outside, operation: Operation) -> Outcome {
    let folder = tempfile::tempdir().unwrap();
    let reach = outside.reach(&operation).unwrap();
    let mut executor = open(reach, worker(folder.path())).await;
    let outcome = carry_out(&mut executor, operation, outside).await;
    executor.stop().await;
    outcome
}

fn page(url: String, text: Option<&str>) -> Operation {
    Operation::CheckPage {
        url,
        text: text.map(str::to_owned),
    }
}

#[tokio::test]
async fn a_page_is_got_as_a_visitor_gets_it() {
    let Some(server) = can_sandbox()
        .then(|| nginx::start(&PAGES, LOCATIONS))
        .flatten()
    else {
        return;
    };
    let outside = granted(&server);
    let (good, plain) = (
        format!("https://localhost:{}", server.good),
        format!("http://localhost:{}", server.plain),
    );
    let healthy = look(
        &outside,
        page(format!("{plain}/old"), Some("welcome to the Shop")),
    )
    .await;
    assert!(!healthy.is_error, "{}", healthy.text);
    let data = &healthy.data;
    assert_eq!(data["faults"], json!([]), "{}", healthy.text);
    assert_eq!(
        data["hops"],
        json!([
            {"url": format!("{plain}/old"), "status": 301}, {"url": format!("{plain}/older"), "status": 302}, {"url": format!("{good}/"), "status": 200},
        ])
    );
    assert_eq!(
        (
            &data["title"],
            &data["text_found"],
            &data["assets"],
            &data["tried"]
        ),
        (&json!("The shop"), &json!(true), &json!(2), &json!(2))
    );
    assert_eq!(data["certificates"][0]["issuer"], "Authority of the tests");
    for (url, text, faults) in [
        (
            format!("{good}/fails"),
            None,
            vec!["it answers 500, the server failed".to_owned()],
        ),
        (
            format!("{good}/login"),
            None,
            vec!["it answers 401, it wants a login".to_owned()],
        ),
        (
            format!("{good}/nowhere"),
            None,
            vec!["it answers 404, there is no such page".to_owned()],
        ),
        (
            format!("{good}/"),
            Some("Sold out"),
            vec!["the text \"Sold out\" is not on it".to_owned()],
        ),
        (
            format!("{good}/round"),
            None,
            vec![format!("it redirects in a circle, back to {good}/round")],
        ),
        (
            format!("{good}/broken.html"),
            None,
            vec![
                "1 thing on it does not come".to_owned(),
                "1 of what belongs to it is fetched without protection".to_owned(),
            ],
        ),
        (
            format!("https://localhost:{}/", server.strange),
            None,
            vec![format!(
                "the certificate of localhost:{}: it does not name localhost",
                server.strange
            )],
        ),
    ] {
        let outcome = look(&outside, page(url.clone(), text)).await;
        assert_eq!(
            outcome.data["faults"],
            json!(faults),
            "{url}: {}",
            outcome.text
        );
    }
    let ended = look(
        &outside,
        page(format!("https://localhost:{}/", server.expired), None),
    )
    .await;
    let fault = ended.data["faults"][0].as_str().unwrap();
    assert!(
        fault.contains("ended") && fault.ends_with("days ago"),
        "{fault}"
    );
    assert_eq!(
        (
            &ended.data["status"],
            ended.data["faults"].as_array().unwrap().len()
        ),
        (&json!(200), 1)
    );
    let away = look(&outside, page(format!("{good}/away"), None)).await;
    let fault = away.data["faults"][0].as_str().unwrap();
    assert!(
        fault.contains("redirects to https://elsewhere.example/, which was not followed"),
        "{fault}"
    );
    let broken = look(&outside, page(format!("{good}/broken.html"), None)).await;
    assert_eq!(broken.data["elsewhere"], 1);
    assert_eq!(
        broken.data["broken"],
        json!([{"url": format!("{good}/gone.png"), "kind": "image", "why": "404"}])
    );
    // What is not granted is not asked, and the sentence says what to write.
    let why = outside
        .reach(&page("https://elsewhere.example/".to_owned(), None))
        .unwrap_err();
    assert!(
        why.contains("write `hosts: {\"elsewhere.example\": {agents: [qa, infra]}}`"),
        "{why}"
    );
    let port = outside
        .reach(&page("https://localhost/".to_owned(), None))
        .unwrap_err();
    assert!(port.contains("granted are localhost:"), "{port}");
    drop(server);
    let gone = look(&outside, page(format!("{good}/"), None)).await;
    assert!(
        gone.data["status"].is_null()
            && gone.data["faults"][0]
                .as_str()
                .unwrap()
                .contains("cannot be reached"),
        "{}",
        gone.text
    );
}

#[tokio::test]
async fn certificates_of_other_hosts_are_told_with_what_is_wrong() {
    let Some(server) = can_sandbox()
        .then(|| nginx::start(&PAGES, LOCATIONS))
        .flatten()
    else {
        return;
    };
    let outside = granted(&server);
    let host = |port: u16| format!("localhost:{port}");
    let asked = Operation::HostCertificates {
        hosts: [server.good, server.strange, server.expired, server.plain]
            .map(host)
            .to_vec(),
        at: Some("2024-02-20T00:00:00Z".parse().unwrap()),
    };
    let outcome = look(&outside, asked.clone()).await;
    assert!(!outcome.is_error, "{}", outcome.text);
    let told = |outcome: &Outcome| -> Vec<String> {
        let all = outcome.data["certificates"].as_array().unwrap().clone();
        let line = |one: serde_json::Value| {
            format!(
                "{} {} {} {}",
                one["host"].as_str().unwrap(),
                one["days_left"],
                one["expired"],
                one["problems"]
            )
        };
        all.into_iter().map(line).collect()
    };
    let lines = told(&outcome);
    assert_eq!(
        lines[0],
        format!("localhost:{} 10 false []", server.expired)
    );
    assert!(
        lines.contains(&format!(
            "localhost:{} 27344 false [\"it does not name localhost\"]",
            server.strange
        )),
        "{lines:?}"
    );
    assert_eq!(lines.len(), 3);
    assert_eq!(outcome.data["silent"][0]["host"], host(server.plain));
    // Without the authority, nobody knows who signed.
    let mut without = outside.clone();
    without
        .hosts
        .values_mut()
        .for_each(|host| host.authority = None);
    let outcome = look(&without, asked).await;
    let lines = told(&outcome);
    assert!(
        lines.iter().all(
            |line| line.contains("nobody whom this host trusts signed it")
                || line.contains("does not name")
        ),
        "{lines:?}"
    );
    assert!(
        !server.asked().contains("HTTP"),
        "nothing was asked but a handshake: {}",
        server.asked()
    );
}

/// Answers each path in its own way until the test ends: what no well-behaved server would do.
fn unruly() -> (u16, impl Drop) {
    use std::io::{BufRead, BufReader, Write};
    use std::net::{Shutdown, TcpListener, TcpStream};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    struct Ends(Arc<AtomicBool>, u16);
    impl Drop for Ends {
        fn drop(&mut self) {
            self.0.store(true, Ordering::SeqCst);
            let _ = TcpStream::connect(("127.0.0.1", self.1));
        }
    }
    fn answer(mut stream: TcpStream) -> std::io::Result<()> {
        let mut asked = String::new();
        BufReader::new(stream.try_clone()?).read_line(&mut asked)?;
        let path = asked.split(' ').nth(1).unwrap_or_default().to_owned();
        let head = |more: &str| {
            format!("HTTP/1.1 200 OK\r\ncontent-type: text/html\r\nconnection: close\r\n{more}\r\n")
        };
        // "<title>Packed</title>Hello" as gzip makes it.
        let packed: [u8; 41] = [
            31, 139, 8, 0, 0, 0, 0, 0, 2, 3, 179, 41, 201, 44, 201, 73, 181, 11, 72, 76, 206, 78,
            77, 177, 209, 135, 240, 60, 82, 115, 114, 242, 1, 139, 216, 48, 227, 26, 0, 0, 0,
        ];
        match path.as_str() {
            "/drip" => {
                stream.write_all(head("content-length: 100000\r\n").as_bytes())?;
                // Byte after byte, until the other side leaves.
                stream.set_read_timeout(Some(Duration::from_millis(50)))?;
                while !matches!(std::io::Read::read(&mut stream, &mut [0]), Ok(0)) {
                    stream.write_all(b"x")?;
                }
            }
            "/silent" => {
                // Until the other side leaves.
                let mut rest = Vec::new();
                std::io::Read::read_to_end(&mut stream, &mut rest).map(drop)?;
            }
            "/huge" => {
                stream.write_all(head("").as_bytes())?;
                stream.write_all(b"<title>Huge</title>")?;
                for _ in 0..64 {
                    stream.write_all(&[b'x'; 1 << 20])?;
                }
            }
            "/packed" => {
                stream.write_all(head("content-encoding: gzip\r\n").as_bytes())?;
                stream.write_all(&packed)?;
            }
            "/torn" => {
                stream.write_all(head("content-encoding: gzip\r\n").as_bytes())?;
                stream.write_all(&packed[..25])?;
            }
            "/short" => {
                stream.write_all(head("content-length: 5000\r\n").as_bytes())?;
                stream.write_all(b"<title>Short</title>")?;
            }
            "/garbage" => stream.write_all(b"\x16\x03\x01 this is no HTTP\r\n\r\n")?,
            on => {
                let next = on.trim_start_matches('/').parse::<u64>().unwrap_or(0) + 1;
                let to = format!(
                    "HTTP/1.1 302 Found\r\nlocation: /{next}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
                );
                stream.write_all(to.as_bytes())?;
            }
        }
        stream.shutdown(Shutdown::Write)
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let ends = Arc::new(AtomicBool::new(false));
    let seen = ends.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            if seen.load(Ordering::SeqCst) {
                break;
            }
            std::thread::spawn(move || answer(stream));
        }
    });
    (port, Ends(ends, port))
}

#[tokio::test]
async fn a_server_that_behaves_badly_is_told_and_holds_nobody_up() {
    if !can_sandbox() {
        return;
    }
    let (port, _server) = unruly();
    let mut outside = Outside::default();
    let name = format!("localhost:{port}");
    outside.hosts.insert(name, WebHost { authority: None });
    for (path, text, faults) in [
        ("drip", None, vec!["it begins and does not end in time"]),
        ("silent", None, vec!["it does not answer in time"]),
        ("huge", None, vec![]),
        (
            "huge",
            Some("the end"),
            vec!["the text \"the end\" is not in the part of it that was read"],
        ),
        ("1", None, vec!["it redirects more than 10 times"]),
        ("packed", Some("Hello"), vec![]),
        (
            "torn",
            None,
            vec!["it says that it is packed as gzip, and cannot be unpacked"],
        ),
        ("short", None, vec!["the page breaks off"]),
        ("garbage", None, vec!["the connection broke off"]),
    ] {
        let operation = page(format!("http://localhost:{port}/{path}"), text);
        let folder = tempfile::tempdir().unwrap();
        let reach = outside.reach(&operation).unwrap();
        let mut executor = open(reach, worker(folder.path())).await;
        let most = match path {
            "drip" | "silent" => Duration::from_secs(5),
            _ => LONG,
        };
        let outcome = carry_out_within(&mut executor, operation, &outside, most).await;
        executor.stop().await;
        assert!(!outcome.is_error, "{path}: {}", outcome.text);
        let told = outcome.data["faults"].as_array().unwrap();
        let right = told.len() == faults.len()
            && told
                .iter()
                .zip(&faults)
                .all(|(t, f)| t.as_str().unwrap().starts_with(f));
        assert!(right, "{path}: {told:?}");
        if path == "huge" {
            assert_eq!(
                (&outcome.data["cut"], &outcome.data["title"]),
                (&json!(true), &json!("Huge"))
            );
        }
        if path == "packed" {
            assert_eq!(outcome.data["title"], "Packed");
        }
    }
}

#[tokio::test]
async fn a_port_that_begins_without_tls_is_asked_in_its_own_words() {
    let Some(cluster) = can_sandbox().then(tests::postgres::cluster).flatten() else {
        return;
    };
    let mut outside = Outside::default();
    let host = format!("localhost:{}", cluster.port());
    let authority = Some(cluster.authority());
    outside.hosts.insert(host.clone(), WebHost { authority });
    let asked = |scheme: &str| Operation::HostCertificates {
        hosts: vec![format!("{scheme}{host}")],
        at: None,
    };
    let seen = look(&outside, asked("postgres://")).await;
    assert_eq!(seen.data["silent"], json!([]), "{}", seen.text);
    let one = &seen.data["certificates"][0];
    assert_eq!(
        (&one["host"], &one["problems"]),
        (&json!(host), &json!([])),
        "{}",
        seen.text
    );
    // Without the word, PostgreSQL takes the handshake for one of its own messages.
    let blind = look(&outside, asked("")).await;
    assert_eq!(blind.data["certificates"], json!([]));
    let why = blind.data["silent"][0]["why"].as_str().unwrap();
    assert!(why.starts_with("the handshake failed"), "{why}");
}
