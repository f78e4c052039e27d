//! The client against GitHub's own description of its API, served by a mock that others wrote (prism), and
//! against a server that refuses, is busy and breaks off.

#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "judged/prism.rs"]
mod prism;
#[path = "judged/server.rs"]
mod server;

use config::secret::Secret;
use forge::contents::Change;
use forge::pulls::NewPull;
use forge::releases::NewRelease;
use forge::repositories::Named;
use forge::workflows::Which;
use forge::{ForgeError, GitHub, Led};
use prism::Prism;
use server::{Reply, Server};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

fn named() -> Named {
    Named {
        owner: "octocat".to_owned(),
        name: "Hello-World".to_owned(),
    }
}

/// A client whose waits are noted and not spent.
fn client(base: &str) -> (GitHub, Arc<Mutex<Vec<Duration>>>) {
    led(base, Led::AsUsual)
}

fn led(base: &str, led: Led) -> (GitHub, Arc<Mutex<Vec<Duration>>>) {
    let waits = Arc::new(Mutex::new(Vec::new()));
    let noted = waits.clone();
    let token = Some(Secret::new("a-token"));
    let pause = Arc::new(move |wait: Duration| {
        noted.lock().unwrap().push(wait);
        let done: std::pin::Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(async {});
        done
    });
    (GitHub::with_pause(base, token, led, pause).unwrap(), waits)
}

/// Everything that is asked for is what the description allows, and its answers are understood.
#[tokio::test]
async fn every_request_is_one_that_the_description_allows() {
    let Some(prism) = Prism::start() else { return };
    let (github, waits) = client(&prism.url);
    let of = named();
    assert_eq!(github.login().await.unwrap(), "octocat");
    let repository = github.repository(&of).await.unwrap().unwrap();
    assert_eq!(repository.full_name, "octocat/Hello-World");
    github
        .create_repository(&of, true, "kept by ai-infra")
        .await
        .unwrap();
    let elsewhere = Named {
        owner: "an-organisation".to_owned(),
        ..of.clone()
    };
    github
        .create_repository(&elsewhere, true, "kept")
        .await
        .unwrap();

    // The description's example of a file is served, whose content is no base64.
    let file = github.file(&of, "README.md", Some("main")).await;
    assert!(
        matches!(&file, Err(ForgeError::Refused { why, .. }) if why.contains("no base64")),
        "{file:?}"
    );
    let change = Change {
        path: "notes/hello.txt",
        bytes: b"my new file contents",
        message: "a message",
        before: Some("95b966ae1c166bd92f8ae7d1c313e738c731dfc3"),
        branch: Some("main"),
    };
    let (_, commit) = github.put_file(&of, &change).await.unwrap();
    assert_eq!(commit.len(), 40);

    let new = NewRelease {
        tag_name: "v1.0.0",
        name: "v1.0.0",
        body: "a snapshot",
        draft: false,
        prerelease: true,
    };
    let mut release = github.create_release(&of, &new).await.unwrap();
    assert!(
        release
            .upload_url
            .starts_with("https://uploads.github.com/")
    );
    release.upload_url = format!(
        "{}/repos/octocat/Hello-World/releases/1/assets{{?name,label}}",
        prism.url
    );
    // The mock answers with the size of its example, not with ours.
    let sealed = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(sealed.path(), b"sealed").unwrap();
    let upload = github.upload(&release, "memory.tar", sealed.path()).await;
    assert!(
        matches!(&upload, Err(ForgeError::Broken(why)) if why.contains("1024 of 6 bytes")),
        "{upload:?}"
    );
    assert_eq!(
        github
            .release(&of, "v1.0.0")
            .await
            .unwrap()
            .unwrap()
            .tag_name,
        "v1.0.0"
    );
    assert_eq!(github.releases(&of, 5).await.unwrap().len(), 1);
    github.publish(&of, &release).await.unwrap();
    github.delete_release(&of, &release).await.unwrap();

    let pull = NewPull {
        title: "Amazing new feature",
        body: "please",
        head: "octocat:new-feature",
        base: "main",
        draft: false,
    };
    let made = github.create_pull(&of, &pull).await.unwrap();
    assert_eq!(
        github.pull(&of, made.number).await.unwrap().unwrap().number,
        made.number
    );
    assert!(!github.pulls(&of, "all", 3).await.unwrap().is_empty());
    let offered = github.pull_from(&of, "ai-infra/t7", "main").await;
    assert!(offered.unwrap().is_some());

    assert!(!github.workflows(&of, 10).await.unwrap().is_empty());
    let inputs = BTreeMap::from([("name".to_owned(), "Mona".to_owned())]);
    let run = github.dispatch(&of, "nightly.yml", "main", &inputs).await;
    assert_eq!(run.unwrap(), Some(1));
    let which = Which {
        branch: Some("main"),
        event: Some("workflow_dispatch"),
        status: Some("completed"),
    };
    let runs = github.runs(&of, which, 10).await.unwrap();
    assert!(!runs.is_empty());
    assert!(github.run(&of, runs[0].id).await.unwrap().is_some());
    let waits = waits.lock().unwrap().clone();
    assert!(
        waits.is_empty(),
        "something was refused on the way: {waits:?}"
    );

    // The control: the mock does refuse what the description does not allow.
    let refused = github.pulls(&of, "nonsense", 3).await;
    assert!(
        matches!(refused, Err(ForgeError::Refused { .. })),
        "{refused:?}"
    );
}

#[tokio::test]
async fn it_says_who_it_is_and_in_which_version() {
    let server = Server::start(vec![Reply::json(200, r#"{"login":"me"}"#)]);
    let (github, _) = client(&server.url);
    assert_eq!(github.login().await.unwrap(), "me");
    let asked = server.asked();
    assert!(
        asked[0].starts_with("GET /user HTTP/1.1\r\n"),
        "{}",
        asked[0]
    );
    let lines = asked[0].to_ascii_lowercase();
    for line in [
        "x-github-api-version: 2022-11-28\r\n",
        "authorization: bearer a-token\r\n",
        "accept: application/vnd.github+json, application/json;q=0.9\r\n",
        "user-agent: ai-infra/",
    ] {
        assert!(lines.contains(line), "{line}: {lines}");
    }
}

#[tokio::test]
async fn it_waits_as_long_as_it_is_told_and_no_longer_than_is_useful() {
    let busy = || Reply::json(429, "{}").with("retry-after", "7");
    let good = || Reply::json(200, r#"{"login":"me"}"#);
    let server = Server::start(vec![busy(), Reply::json(502, ""), good()]);
    let (github, waits) = client(&server.url);
    assert_eq!(github.login().await.unwrap(), "me");
    assert_eq!(*waits.lock().unwrap(), [7, 2].map(Duration::from_secs));
    // An hour is too long.
    let server = Server::start(vec![
        Reply::json(403, "{}").with("retry-after", "3600"),
        good(),
    ]);
    let (github, waits) = client(&server.url);
    let later = github.login().await.unwrap_err();
    assert!(matches!(later, ForgeError::Later { .. }), "{later}");
    assert!(waits.lock().unwrap().is_empty());
    // And it ends.
    let server = Server::start(vec![Reply::json(500, "{}"); 9]);
    let (github, _) = client(&server.url);
    assert!(matches!(github.login().await, Err(ForgeError::Broken(_))));
    assert_eq!(server.asked().len(), 5);
}

#[tokio::test]
async fn what_may_have_been_done_is_not_done_twice() {
    let new = NewPull {
        title: "t",
        body: "b",
        head: "h",
        base: "main",
        draft: false,
    };
    for reply in [Reply::json(502, "{}"), Reply::cut_off()] {
        let server = Server::start(vec![reply, Reply::json(201, "{}")]);
        let (github, _) = client(&server.url);
        let said = github
            .create_pull(&named(), &new)
            .await
            .unwrap_err()
            .to_string();
        assert!(
            said.contains("whether it was done cannot be known"),
            "{said}"
        );
        assert_eq!(server.asked().len(), 1);
    }
    // What was refused for its number was not done.
    let pull = r#"{"number":3,"title":"t","state":"open","html_url":"https://x"}"#;
    let server = Server::start(vec![
        Reply::json(429, "{}").with("retry-after", "1"),
        Reply::json(201, pull),
    ]);
    let (github, _) = client(&server.url);
    assert_eq!(github.create_pull(&named(), &new).await.unwrap().number, 3);
    // A reading that was cut off is read again.
    let server = Server::start(vec![
        Reply::cut_off(),
        Reply::json(200, r#"{"login":"me"}"#),
    ]);
    let (github, _) = client(&server.url);
    assert_eq!(github.login().await.unwrap(), "me");
}

#[tokio::test]
async fn every_page_is_read_and_none_elsewhere() {
    let run = |id: u64| {
        format!(
            r#"{{"id":{id},"event":"push","created_at":"2026-11-21T10:00:00Z","html_url":"https://x"}}"#
        )
    };
    let page = |id: u64| {
        Reply::json(
            200,
            &format!(r#"{{"total_count":3,"workflow_runs":[{}]}}"#, run(id)),
        )
    };
    let server = Server::start(vec![
        page(1).with_next("/repos/octocat/Hello-World/actions/runs?page=2"),
        page(2).with("link", r#"<https://evil.example/runs?page=3>; rel="next""#),
        page(3),
    ]);
    let (github, _) = client(&server.url);
    let runs = github.runs(&named(), Which::default(), 100).await.unwrap();
    let ids: Vec<u64> = runs.iter().map(|run| run.id).collect();
    assert_eq!(ids, [1, 2], "a token is not sent to another place");
    assert!(server.asked()[1].starts_with("GET /repos/octocat/Hello-World/actions/runs?page=2 "));
}

#[tokio::test]
async fn a_file_is_what_it_is() {
    let file = r#"{"type":"file","sha":"abc","encoding":"base64","content":"aGVs\nbG8=\n"}"#;
    let large = r#"{"type":"file","sha":"abc","encoding":"none","content":""}"#;
    let server = Server::start(vec![
        Reply::json(200, file),
        Reply::json(404, r#"{"message":"Not Found"}"#),
        Reply::json(200, "[]"),
        Reply::json(200, large),
        Reply::json(409, r#"{"message":"is at a but expected b"}"#),
        Reply::json(200, "not json"),
    ]);
    let (github, _) = client(&server.url);
    let found = github.file(&named(), "a/b", None).await.unwrap().unwrap();
    assert_eq!(
        (found.sha.as_str(), found.bytes.as_slice()),
        ("abc", b"hello".as_slice())
    );
    assert_eq!(github.file(&named(), "a", None).await.unwrap(), None);
    let said = github
        .file(&named(), "a", None)
        .await
        .unwrap_err()
        .to_string();
    assert!(said.contains("it is a folder"), "{said}");
    let said = github
        .file(&named(), "a", None)
        .await
        .unwrap_err()
        .to_string();
    assert!(said.contains("larger than 1 MB"), "{said}");
    let change = Change {
        path: "a",
        bytes: b"x",
        message: "m",
        before: Some("b"),
        branch: None,
    };
    let changed = github.put_file(&named(), &change).await;
    assert!(
        matches!(changed, Err(ForgeError::Changed(_))),
        "{changed:?}"
    );
    let said = github.login().await.unwrap_err().to_string();
    assert!(said.contains("not what its description says"), "{said}");
}

#[tokio::test]
async fn a_repository_that_moved_is_told_and_nothing_is_sent_after_it() {
    let elsewhere = Server::start(vec![Reply::json(201, "{}"), Reply::json(200, "[]")]);
    for status in [301, 302, 303, 307, 308] {
        let to = format!("{}/repositories/7/pulls", elsewhere.url);
        let moved = || Reply::json(status, "{}").with("location", &to);
        let here = Server::start(vec![moved(), moved()]);
        let (github, _) = led(&here.url, Led::Nowhere);
        let new = NewPull {
            title: "t",
            body: "b",
            head: "h",
            base: "main",
            draft: false,
        };
        let changed = github.create_pull(&named(), &new).await.unwrap_err();
        let read = github.pulls(&named(), "open", 10).await.unwrap_err();
        for error in [changed, read] {
            assert!(!error.in_doubt(), "{status}: {error}");
            let said = error.to_string();
            assert!(said.contains(&format!("it has moved to {to}")), "{said}");
        }
    }
    assert_eq!(elsewhere.asked(), Vec::<String>::new());
}

#[tokio::test]
async fn what_a_person_begins_goes_where_answers_lead() {
    let elsewhere = Server::start(vec![Reply::json(200, "[]")]);
    let to = format!("{}/repositories/7/pulls", elsewhere.url);
    let here = Server::start(vec![Reply::json(307, "{}").with("location", &to)]);
    let (github, _) = client(&here.url);
    assert_eq!(github.pulls(&named(), "open", 10).await.unwrap().len(), 0);
    assert_eq!(elsewhere.asked().len(), 1);
}
