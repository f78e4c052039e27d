//! The warden over its real socket.

#![allow(clippy::unwrap_used)]
use super::*;
use crate::audit::line::tests::entry;
use crate::audit::reader::check;
use crate::client::{Client, WardenError};
use std::time::Instant;

async fn with_warden<F: Future<Output = ()>>(work: impl FnOnce(Home) -> F) {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::at(folder.path().join("h"));
    home.ensure().unwrap();
    tokio::select! {
        ended = run(home.clone(), "web1".to_owned()) => panic!("{ended:?}"),
        () = work(home.clone()) => {}
    }
}

fn client(home: &Home) -> Client {
    Client::new(home, Duration::from_secs(5))
}

#[tokio::test]
async fn lines_of_many_are_one_chain() {
    with_warden(|home| async move {
        let mut all = tokio::task::JoinSet::new();
        for who in 0..4 {
            let mut warden = client(&home);
            all.spawn(async move {
                for n in 0..25 {
                    let entry = entry(&format!("{who}/{n}"));
                    warden.note(&entry, n % 5 == 0).await.unwrap();
                }
            });
        }
        all.join_all().await;
        let head = client(&home).head().await.unwrap();
        assert_eq!(head.seq, 101);
        let checked = check(&AuditPlace::of(&home), Vec::new(), &mut |_, _| ()).unwrap();
        assert_eq!(checked.whole.head, head);
        assert!(checked.sealed);
    })
    .await;
}

#[tokio::test]
async fn a_line_costs_an_act_little() {
    with_warden(|home| async move {
        let mut warden = client(&home);
        warden.note(&entry("first"), true).await.unwrap();
        let began = Instant::now();
        for n in 0..200 {
            warden.note(&entry(&n.to_string()), false).await.unwrap();
        }
        // Unoptimised, on a machine that builds other things: the point is that no disk is waited for.
        let each = began.elapsed() / 200;
        assert!(each < Duration::from_millis(20), "{each:?}");
    })
    .await;
}

#[tokio::test]
async fn what_is_no_request_is_said_and_the_rest_goes_on() {
    with_warden(|home| async move {
        client(&home).head().await.unwrap();
        let say = async |line: Vec<u8>| {
            let mut stream = BufReader::new(UnixStream::connect(home.warden_sock()).await.unwrap());
            // It may answer and hang up before everything was taken.
            let _cut = stream.get_mut().write_all(&line).await;
            let mut answer = String::new();
            let _reset = stream.read_line(&mut answer).await;
            answer
        };
        for (line, words) in [
            (b"{}\n".to_vec(), "no request"),
            (b"\xff\xfe\n".to_vec(), "no request"),
            (b"{\"v\":9,\"ask\":\"head\"}\n".to_vec(), "older than this"),
        ] {
            let said = say(line).await;
            assert!(said.contains(words), "{said}");
        }
        say(vec![b'x'; 2 * LINE_BYTES]).await;
        client(&home).head().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_warden_that_is_away_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::at(folder.path().join("h"));
    home.ensure().unwrap();
    let mut warden = Client::new(&home, Duration::from_millis(60));
    let said = warden.note(&entry("x"), false).await.unwrap_err();
    assert!(matches!(said, WardenError::Away { .. }), "{said}");
    assert!(said.to_string().contains("does not answer at"), "{said}");
}
