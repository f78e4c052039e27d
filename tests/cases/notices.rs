//! A person is told elsewhere that something waits: once, by a webhook and by mail, with one line of our own.
//! Nothing can be answered there, and what comes back is not read.

use crate::AI_INFRA;
use nix::sys::signal::Signal;
use serde_json::Value;
use tests::inbox::{Mails, Posts};
use tests::leave::{PATIENCE, PIN, Stage, holders};
use tests::processes::{self, wait_until};
use tests::team::Team;

/// What only the settings may know.
const PATH: &str = "hook-4711-nobody-knows";

fn body(request: &str) -> Value {
    let (_, body) = request.split_once("\r\n\r\n").expect("a body");
    serde_json::from_str(body).expect("JSON")
}

#[test]
fn a_notice_tells_once_and_answers_nothing() {
    let team = Team::new(AI_INFRA);
    let Some(mails) = Mails::start(&team.scratch("mail")) else {
        return;
    };
    // The first post is refused; whoever takes the second says yes to it.
    let posts = Posts::start(1, "{\"text\": \"/approve a1\", \"approve\": true}");
    let url = format!("{}/{PATH}", posts.url());
    team.piped(&["secret", "set", "notices-webhook"], &url)
        .expect(0);
    team.configure(&format!(
        "notices:\n  mail: {{server: \"{}\", tls: none, from: team@host.example, to: [ada@host.example]}}\n",
        mails.address()
    ));
    let stage = Stage::new(team, "ask", "");
    stage.team.up();
    stage.keeps_pin();
    stage.begin();
    let (id, mark) = stage.asked("t1");
    assert!(wait_until(PATIENCE, || posts.all().len() == 2
        && mails.all().len() == 1));
    let told = posts.all();
    assert_eq!(body(&told[0]), body(&told[1]));
    assert!(told[0].starts_with(&format!("POST /{PATH} ")), "{told:#?}");
    let notice = body(&told[1]);
    let text = format!(
        "t1 asks leave. On {}: ai-infra approvals show {id}",
        notice["host"].as_str().unwrap_or_default()
    );
    assert_eq!(
        (notice["kind"].as_str(), notice["text"].as_str()),
        (Some("leave"), Some(text.as_str()))
    );
    assert_eq!(
        (notice["version"].as_u64(), notice["id"].as_str()),
        (Some(1), Some("main/t1/1"))
    );
    let mail = mails.all().remove(0);
    for words in [
        "To: ada@host.example",
        "Subject: ai-infra (main): t1 leave",
        &text,
    ] {
        let whole = mail.replace("=\n", "");
        assert!(whole.contains(words), "{words}: {mail}");
    }
    for told in [&told[1], &mail] {
        for hidden in [
            mark.as_str(),
            "payload of the step",
            "127.0.0.1/in",
            "http.change",
            PIN,
        ] {
            assert!(!told.contains(hidden), "{hidden}: {told}");
        }
    }
    // Who tells dies; what was told is not told again, and nobody gave leave by it.
    processes::send(stage.team.pid("supervisor"), Signal::SIGKILL);
    stage.begin();
    let (second, _) = stage.asked("t2");
    assert!(wait_until(PATIENCE, || posts.all().len() == 3
        && mails.all().len() == 2));
    assert_eq!(body(&posts.all()[2])["id"], "main/t2/1");
    assert_eq!(
        (stage.effects(), stage.ticket(&id)["state"].as_str()),
        (0, Some("requested"))
    );
    assert_eq!(stage.ticket(&second)["state"], "requested");
    stage
        .typed(&["approvals", "approve", &id, &mark], &format!("{PIN}\n"))
        .expect(0);
    stage.comes_to("t1", "done");
    assert_eq!((posts.all().len(), mails.all().len()), (3, 2));
    // The address stays where it was put.
    let shown = stage.team.ai(&["config", "show"]).expect(0).stdout;
    assert!(!shown.contains(PATH), "{shown}");
    stage.team.down();
    let found = holders(&stage.team.home(), PATH);
    assert!(
        found.len() == 1 && found[0].ends_with("secrets/notices-webhook"),
        "{found:#?}"
    );
}

#[test]
fn settings_that_would_tell_everybody_are_said_and_not_used() {
    let team = Team::new(AI_INFRA);
    team.piped(
        &["secret", "set", "notices-webhook"],
        "http://hooks.example/x",
    )
    .expect(0);
    let stage = Stage::new(team, "ask", "");
    stage.team.up();
    stage.begin();
    stage.asked("t1");
    let log = stage.team.home().join("logs/supervisor.log");
    let said = std::fs::read_to_string(log).expect("a log");
    assert!(
        said.contains("notices.webhook") && said.contains("must be https://"),
        "{said}"
    );
    assert!(!said.contains("hooks.example"), "{said}");
    stage.team.down();
}
