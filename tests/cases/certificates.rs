//! Certificates of web sites, as a person sees them: asked for after a yes, served by the port, renewed by a schedule. And what
//! becomes of one when the warden is killed, or the team frozen, while the authority is being asked.

use crate::duty_stage::{FILE, PATIENCE, PIN, Stage};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use std::fs;
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::time::{Duration, Instant};
use tests::acme::Authority;
use tests::processes::{self, wait_until};
use tests::sites::Sites;

/// Longest an authority and two reloads of a server take here.
const LONG: Duration = Duration::from_secs(90);

struct Story {
    stage: Stage,
    authority: Authority,
}

impl Story {
    /// A team with a site over plain HTTP.
    fn new(issue: &str) -> Option<Self> {
        let sites = Sites::start()?;
        let authority = Authority::start(sites.http)?;
        let (granted, certificates) = sites.granted_with("shop.example", &authority);
        let permissions = format!(
            "acts: {{site.change: allow, certificate.issue: {issue}, certificate.renew: allow}}\n\
             operations:\n  sites: {granted}\n  certificates: {certificates}\n"
        );
        let story = Self {
            stage: Stage::with(sites, &permissions),
            authority,
        };
        let put = story.stage.put();
        story.stage.comes_to(&put, "done");
        Some(story)
    }

    fn certify(&self) -> String {
        self.stage
            .begin("certify-site", &[("host", "shop.example")])
    }

    /// What openssl says of the certificate that the port serves.
    fn served(&self) -> String {
        let port = format!("127.0.0.1:{}", self.stage.sites.https);
        let show = format!(
            "openssl s_client -connect {port} -servername shop.example </dev/null 2>/dev/null | openssl x509 -noout -issuer -checkend 2592000"
        );
        let out = Command::new("sh").args(["-c", &show]).output();
        String::from_utf8_lossy(&out.expect("a shell").stdout).into_owned()
    }

    fn file(&self) -> String {
        fs::read_to_string(self.stage.sites.at(FILE)).expect("the site's file")
    }

    /// Processes of certbot that work on this server's folder.
    fn certbots(&self) -> Vec<u32> {
        let folder = self.stage.sites.text("work");
        let all = fs::read_dir("/proc").expect("processes").flatten();
        all.filter_map(|one| one.file_name().to_str()?.parse::<u32>().ok())
            .filter(|pid| {
                let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
                let line = String::from_utf8_lossy(&line).replace('\0', " ");
                line.contains("certbot") && line.contains(&folder)
            })
            .collect()
    }

    /// The task waits in certbot, which waits for an authority that says nothing.
    fn in_the_middle(&self) -> String {
        self.authority.hold(true);
        let task = self.certify();
        let asked = wait_until(PATIENCE, || !self.certbots().is_empty());
        assert!(asked, "{:#}", self.stage.task(&task));
        task
    }
}

#[test]
fn a_site_is_certified_after_a_yes_and_renewed_by_a_schedule() {
    let Some(story) = Story::new("ask") else {
        return;
    };
    let stage = &story.stage;
    stage.typed(&["approvals", "pin"], &format!("{PIN}\n"));
    let plain = story.file();
    let task = story.certify();
    let ticket = stage.asked(&task);
    let page = stage.team.ai(&["approvals", "show", &ticket.0]).expect(0);
    for words in [
        "get a certificate for the site shop.example",
        &story.authority.directory(),
        "ada@shop.example",
        "+    ssl_certificate ",
        "certificate.issue = ask",
    ] {
        assert!(page.stdout.contains(words), "{words}: {}", page.stdout);
    }
    assert_eq!(story.file(), plain);
    stage.says_yes(&ticket);
    let done = stage.comes_within(LONG, &task, "done");
    let report = done["document"]["result"].as_str().unwrap_or_default();
    assert!(
        report.contains("served over HTTPS") && report.contains("Pebble"),
        "{report}"
    );
    assert!(
        story.served().contains("Pebble Intermediate"),
        "{}",
        story.served()
    );
    assert!(
        stage
            .sites
            .visit("shop.example", "/a")
            .contains("301 Moved")
    );

    // It ends soon: the schedule's run renews it, with nobody there.
    stage.sites.age("shop.example");
    assert!(wait_until(PATIENCE, || story
        .served()
        .contains("will expire")));
    let add = [
        "schedule",
        "add",
        "renew",
        "--when",
        "0 4 1 1 *",
        "renew the certificates",
    ];
    stage.team.ai(&add).expect(0);
    let run = stage
        .team
        .ai(&["schedule", "run", "renew", "--json"])
        .expect(0)
        .json();
    let renewed = wait_until(LONG, || story.served().contains("will not expire"));
    assert!(renewed, "{run:#} {}", story.served());
    let tasks = || stage.team.ai(&["task", "list", "--json"]).expect(0).json();
    let ended = |tasks: &Value| {
        let all = tasks["tasks"].as_array().cloned().unwrap_or_default();
        all.len() == 3 && all.iter().all(|task| task["state"] == "done")
    };
    assert!(wait_until(PATIENCE, || ended(&tasks())), "{:#}", tasks());
    assert_eq!(
        stage.record(),
        [
            "PutSite before ",
            "PutSite after done",
            "CertifySite before ",
            "CertifySite after done",
            "RenewCertificate before ",
            "RenewCertificate after done",
        ]
    );
}

#[test]
fn a_warden_that_dies_while_an_authority_is_asked_leaves_nothing_half() {
    let Some(story) = Story::new("allow") else {
        return;
    };
    let plain = story.file();
    let task = story.in_the_middle();
    let warden = story.stage.team.pid("warden");
    processes::send(warden, Signal::SIGKILL);
    // Nobody goes on with it: neither certbot nor the site that shows what it asked for.
    let back = wait_until(PATIENCE, || {
        story.certbots().is_empty() && story.file() == plain
    });
    assert!(back, "{:?}", story.certbots());
    assert!(
        story
            .stage
            .sites
            .visit("shop.example", "/")
            .contains("the shop")
    );
    // It was not done, so it is done when the authority answers, and once.
    story.authority.hold(false);
    story.stage.comes_within(LONG, &task, "done");
    assert!(
        story.served().contains("Pebble Intermediate"),
        "{}",
        story.served()
    );
    assert_ne!(story.stage.team.pid("warden"), warden);
    let record = story.stage.record();
    assert_eq!(record[2], "CertifySite before ");
    assert_eq!(
        record.last().map(String::as_str),
        Some("CertifySite after done")
    );
    let done = record
        .iter()
        .filter(|line| *line == "CertifySite after done");
    assert_eq!(done.count(), 1, "{record:#?}");
}

#[test]
fn freeze_stops_what_the_warden_does_within_a_second() {
    let Some(story) = Story::new("allow") else {
        return;
    };
    let plain = story.file();
    let task = story.in_the_middle();
    let began = Instant::now();
    story.stage.team.ai(&["freeze"]).expect(0);
    let stopped = wait_until(PATIENCE, || story.certbots().is_empty());
    let took = began.elapsed();
    assert!(stopped && took < Duration::from_secs(2), "{took:?}");
    // What was changed is put back; the site never stopped to answer.
    let undone =
        || story.stage.record().last().map(String::as_str) == Some("CertifySite after undone");
    assert!(wait_until(PATIENCE, undone), "{:#?}", story.stage.record());
    assert_eq!(story.file(), plain);
    assert!(
        story
            .stage
            .sites
            .visit("shop.example", "/")
            .contains("the shop")
    );
    // Whoever says the words to the warden itself waits too; a warden that starts anew knows.
    let old = story.stage.team.pid("warden");
    processes::send(old, Signal::SIGKILL);
    story.authority.hold(false);
    let forged = json!({"task": "0197-x", "short": "t9", "step": "s", "agent": "infra", "principal": "x", "level": 2, "kind": "certificate.issue",
        "undo": null, "claimed": "", "action": {"do": "duty", "key": "aa12", "duty": {"duty": "certify_site", "name": "shop.example"}}});
    let home = story.stage.team.home();
    let asked = std::thread::scope(|scope| {
        let up = wait_until(PATIENCE, || {
            let new = story.stage.team.noted_pid("warden");
            let answers = || UnixStream::connect(home.join("run/warden.sock")).is_ok();
            !processes::alive(old) && new.is_some_and(|new| new != old) && answers()
        });
        assert!(up, "the warden is back");
        let asked = scope.spawn(|| {
            story
                .stage
                .forged(&json!({"v": 1, "ask": "operate", "wanted": forged}))
        });
        // The control: it is waiting, and does it once the team goes on.
        assert!(!asked.is_finished() && story.certbots().is_empty() && story.file() == plain);
        story.stage.team.ai(&["thaw"]).expect(0);
        asked.join().expect("an answer")
    });
    assert!(asked.contains("\"end\":\"done\""), "{asked}");
    assert!(story.served().contains("Pebble Intermediate"));
    let ended = wait_until(LONG, || {
        let state = story.stage.task(&task)["document"]["state"].clone();
        ["failed", "done"].iter().any(|known| state == *known)
    });
    let task = story.stage.task(&task);
    assert!(
        ended && task.to_string().contains("told to stop (freeze)"),
        "{task:#}"
    );
}
