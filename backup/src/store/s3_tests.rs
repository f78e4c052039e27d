//! A bucket that answers badly: what passes is tried again, what does not is said at once, and half of an object
//! is none. (Real storage, with its rights on, is asked in `tests/cases/places.rs`.)

#![allow(clippy::unwrap_used)]

use super::*;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How the bucket answers a request.
#[derive(Clone, Copy)]
enum Answer {
    /// With this, whole.
    Whole(u16, &'static str),
    /// With half of ten bytes.
    Half,
    /// Not at all, until the other side gives up.
    Still,
    /// Not at all, at once.
    Gone,
}

/// A server of these answers, one a request and the last one for ever; and how often it was asked.
fn server(answers: &'static [Answer]) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let number = count.fetch_add(1, Ordering::SeqCst);
            let answer = answers[number.min(answers.len() - 1)];
            std::thread::spawn(move || {
                let mut head = [0; 16 * 1024];
                let _read = stream.read(&mut head);
                let close = "connection: close\r\n";
                let said = match answer {
                    Answer::Whole(status, body) => format!(
                        "HTTP/1.1 {status} x\r\n{close}content-length: {}\r\n\r\n{body}",
                        body.len()
                    ),
                    Answer::Half => {
                        format!("HTTP/1.1 200 OK\r\n{close}content-length: 10\r\n\r\nhalf.")
                    }
                    Answer::Gone => String::new(),
                    Answer::Still => {
                        let _until_they_go = stream.read(&mut head);
                        String::new()
                    }
                };
                let _gone = stream.write_all(said.as_bytes());
            });
        }
    });
    (url, asked)
}

/// What reading an object comes to, and how often it was asked for.
fn read(answers: &'static [Answer]) -> (Result<Option<Vec<u8>>, String>, usize) {
    const PAUSES: [Duration; 2] = [Duration::from_millis(1); 2];
    let (url, asked) = server(answers);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _inside = runtime.enter();
    let access = Access {
        endpoint: Some(url),
        region: "r".to_owned(),
        access_key: Some(Secret::new("key")),
        secret_key: Some(Secret::new("hunter2-hunter2")),
        session_token: None,
    };
    let patience = (Duration::from_secs(5), Duration::from_millis(300));
    let mut s3 = S3::patient("kept", "", &access, patience).unwrap();
    s3.pauses = &PAUSES;
    let got = s3.get("packs/x").map_err(|error| error.to_string());
    (got, asked.load(Ordering::SeqCst))
}

#[test]
fn what_passes_is_tried_again_and_half_an_object_is_none() {
    use Answer::{Gone, Half, Still, Whole};
    for answers in [
        &[Whole(500, ""), Whole(503, ""), Whole(200, "0123456789")] as &[Answer],
        &[
            Whole(400, "<Code>RequestTimeout</Code>"),
            Whole(200, "0123456789"),
        ],
        &[Half, Half, Whole(200, "0123456789")],
        &[Still, Gone, Whole(200, "0123456789")],
    ] {
        let (got, asked) = read(answers);
        assert_eq!((got.unwrap().unwrap().len(), asked), (10, answers.len()));
    }
}

#[test]
fn what_stays_wrong_is_said_and_what_cannot_pass_is_said_at_once() {
    use Answer::{Half, Still, Whole};
    for (answers, tries, part) in [
        (
            &[Whole(503, "<Code>SlowDown</Code>")] as &[Answer],
            3,
            "it is asked too often (503, SlowDown), tried 3 times",
        ),
        (
            &[Whole(500, "")],
            3,
            "it has a trouble of its own (500), tried 3 times",
        ),
        (&[Half], 3, "does not answer"),
        (&[Still], 3, "does not answer"),
        (
            &[Whole(400, "<Code>ExpiredToken</Code>")],
            1,
            "the key has expired",
        ),
        (
            &[Whole(403, "<Code>AccessDenied</Code>")],
            1,
            "the key may not do this",
        ),
        (&[Whole(403, "")], 1, "the key may not do this"),
    ] {
        let (got, asked) = read(answers);
        let said = got.unwrap_err();
        assert!(said.contains(part) && !said.contains("hunter2"), "{said}");
        assert_eq!(asked, tries, "{said}");
    }
    assert_eq!(read(&[Whole(404, "")]), (Ok(None), 1));
}
