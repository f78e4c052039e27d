//! Another host of the team: two homes that share nothing but an address with TLS. It joins by an
//! invitation, works where its folder is, and what it made comes back; wrong invitations are
//! refused in words.

use crate::AI_INFRA;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tests::leave::{PATIENCE, PIN, Stage};
use tests::processes::wait_until;
use tests::team::Team;

pub(crate) const MARKER: &str = r#"
playbook: 1
name: marker
agent: code
level: 1
intents: ["leave a mark"]
steps:
  - {id: first, tool: Bash, args: {argv: [sh, -c, "echo one >> marks; seq 1 2000 > many"]}}
  - {id: second, tool: Bash, args: {argv: [sh, -c, "touch begun; sleep 3; echo two >> marks"]}}
criteria:
  - {id: c1, text: "both marks are there", check: {command: {argv: [sh, -c, "test $(cat marks | tr -d '\\n') = onetwo"], expect: {exit: 0}}}}
report: "marked"
tests: [{ask: "leave a mark"}]
"#;

pub(crate) fn with_marker(team: Team) -> Team {
    let playbooks = team.home().join("playbooks");
    std::fs::create_dir_all(&playbooks).expect("a folder");
    std::fs::write(playbooks.join("marker.yaml"), MARKER).expect("a playbook");
    team
}

/// Its Redis listens for other hosts.
pub(crate) fn first_host(team: Team) -> Team {
    let port = tests::port::free();
    team.with_env("AI_INFRA__REDIS__LISTEN__ADDRESS", "127.0.0.1")
        .with_env("AI_INFRA__REDIS__LISTEN__PORT", &port.to_string())
}

fn first() -> Team {
    let team = first_host(with_marker(Team::new(AI_INFRA)));
    team.up();
    team
}

pub(crate) fn invitation(team: &Team, name: &str) -> PathBuf {
    let file = team.scratch("invitations").join(name);
    let path = file.display().to_string();
    team.ai(&["host", "invite", name, "--agents", "code", "--out", &path])
        .expect(0);
    file
}

pub(crate) fn join(team: &Team, invitation: &Path) -> tests::team::Ran {
    let path = invitation.display().to_string();
    team.ai(&["up", "--no-tmux", "--join", &path])
}

fn changed(invitation: &Path, to: &Path, change: impl FnOnce(&mut Value)) -> PathBuf {
    let mut text: Value =
        serde_json::from_slice(&std::fs::read(invitation).expect("an invitation")).expect("json");
    change(&mut text);
    std::fs::copy(invitation, to).expect("a private copy");
    std::fs::write(to, text.to_string()).expect("an invitation");
    to.to_owned()
}

#[test]
fn work_is_done_where_its_folder_is_and_comes_back() {
    let team = first();
    let there = Team::new(AI_INFRA);
    let file = invitation(&team, "web2");
    join(&there, &file).expect(0);
    let status = there.status();
    assert!(
        status["joined"]
            .as_str()
            .is_some_and(|said| said.contains("host web2")),
        "{status:#}"
    );
    let hosts = team.ai(&["host", "list", "--json"]).expect(0).json();
    assert_eq!(hosts["hosts"][0]["state"], "up", "{hosts:#}");
    let folder = there.scratch("work");
    let work = folder.display().to_string();
    let ran = team.ai(&[
        "run",
        "leave a mark",
        "--host",
        "web2",
        "--workspace",
        &work,
        "--json",
    ]);
    let document = ran.expect(0).json();
    assert_eq!(document["state"], "done", "{document:#}");
    let diff = team.ai(&["task", "diff", "t1"]).expect(0).stdout;
    assert!(diff.contains("+one") && diff.contains("+two"), "{diff}");
    comes_back(&team, &folder);
    // A playbook of the same name there is another one, and is not the one that is worked by.
    let playbooks = there.home().join("playbooks");
    std::fs::create_dir_all(&playbooks).expect("a folder");
    let other = MARKER.replace("echo two", "echo three");
    std::fs::write(playbooks.join("marker.yaml"), other).expect("a playbook");
    let asked = there.ai(&["run", "leave a mark", "--workspace", &work]);
    assert!(
        asked.code == 2 && asked.stderr.contains("ask there"),
        "{asked:#?}"
    );
    // Down there is down there alone.
    there.down();
    assert_eq!(team.status()["state"], "up");
    // Its work waits for it, and for nobody else.
    let begun = team.start(&[
        "run",
        "leave a mark",
        "--host",
        "web2",
        "--workspace",
        &work,
        "--json",
    ]);
    assert!(
        wait_until(Duration::from_secs(10), || {
            team.ai(&["task", "show", "t2", "--json"]).code == 0
        }),
        "t2 was not kept"
    );
    there.ai(&["up", "--no-tmux"]).expect(0);
    let ended = begun.wait_with_output().expect("run ends");
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    let diff = team.ai(&["task", "diff", "t2"]).expect(0).stdout;
    assert!(diff.contains("+two") && !diff.contains("+three"), "{diff}");
    there.down();
    let left = there.ai(&["host", "leave"]).expect(0).stdout;
    assert!(left.contains("tasks-of-main-1"), "{left}");
    assert!(
        !there.home().join("tasks").exists(),
        "the next team counts from t1 too"
    );
    team.down();
}

/// The patch of t1 is brought into the folder there, once, and thrown away.
fn comes_back(team: &Team, folder: &Path) {
    std::fs::write(folder.join("marks"), "another\n").expect("a file of the person's");
    let conflict = team.ai(&["task", "apply", "t1"]).expect(1);
    assert!(
        conflict.stderr.contains("host web2 says") && conflict.stderr.contains("does not fit"),
        "{conflict:#?}"
    );
    assert!(!folder.join("many").exists(), "nothing was changed");
    std::fs::remove_file(folder.join("marks")).expect("taken back");
    let applied = team.ai(&["task", "apply", "t1"]).expect(0).stdout;
    assert!(applied.contains("on web2: 3 files"), "{applied}");
    let marks = std::fs::read_to_string(folder.join("marks")).expect("marks");
    assert_eq!(marks, "one\ntwo\n");
    let again = team.ai(&["task", "apply", "t1"]).expect(1).stderr;
    assert!(again.contains("applied already"), "{again}");
    let gone = team.ai(&["task", "discard", "t1"]).expect(0).stdout;
    assert!(gone.contains("there on web2 and here"), "{gone}");
    for name in ["marks", "many", "begun"] {
        std::fs::remove_file(folder.join(name)).expect("the next task finds what this one did");
    }
}

#[test]
fn wrong_invitations_are_refused_in_words() {
    let team = first();
    let other = Team::new(AI_INFRA);
    let file = invitation(&team, "web2");
    let folder = team.scratch("invitations");
    let stranger = first();
    let strange = invitation(&stranger, "web2");
    let strange: Value =
        serde_json::from_slice(&std::fs::read(strange).expect("a file")).expect("json");
    let refused = |file: &Path, word: &str| {
        let ran = join(&other, file);
        assert!(
            ran.code == 5 && ran.stderr.contains(word),
            "{word}: {ran:#?}"
        );
        assert!(!other.home().join("join.json").exists());
    };
    let wrong = changed(&file, &folder.join("ca"), |text| {
        text["ca"] = strange["ca"].clone();
    });
    refused(&wrong, "certificate");
    let wrong = changed(&file, &folder.join("team"), |text| {
        text["team"] = "other".into();
    });
    refused(&wrong, "another team");
    let wrong = changed(&file, &folder.join("password"), |text| {
        text["users"]["daemon"]["password"] = "x".into();
    });
    refused(&wrong, "does not let this host in");
    // A newer invitation makes the older one worthless, and putting out ends it.
    let newer = team.scratch("newer").join("web2");
    let path = newer.display().to_string();
    team.ai(&["host", "invite", "web2", "--agents", "code", "--out", &path])
        .expect(0);
    refused(&file, "does not let this host in");
    join(&other, &newer).expect(0);
    team.ai(&["host", "remove", "web2"]).expect(0);
    let noticed = wait_until(Duration::from_secs(15), || {
        other.status()["problems"].to_string().contains("redis")
    });
    assert!(noticed, "{:#}", other.status());
    other.down();
    stranger.down();
    team.down();
}

#[test]
fn a_host_is_given_only_what_it_runs() {
    let team = first();
    let there = Team::new(AI_INFRA);
    let file = team.scratch("invitations").join("web2");
    let path = file.display().to_string();
    let invite = [
        "host", "invite", "web2", "--agents", "code,qa", "--out", &path,
    ];
    team.ai(&invite).expect(0);
    let up = ["up", "--no-tmux", "--join", &path, "--agents", "code"];
    there.ai(&up).expect(0);
    let work = there.scratch("work").display().to_string();
    let ask = ["run", "any leaked secrets here?", "--host", "web2"];
    let ask = [&ask[..], &["--workspace", &work, "--no-wait"]].concat();
    let refused = || {
        let ran = team.ai(&ask);
        ran.code == 2 && ran.stderr.contains("host web2 runs only code, though")
    };
    // Known as soon as the host has said so.
    assert!(
        wait_until(Duration::from_secs(10), refused),
        "{:#?}",
        team.ai(&ask)
    );
    // A host that is put out is said to be out, and what waits for it can be taken back.
    let ask = [
        "run",
        "leave a mark",
        "--host",
        "web2",
        "--workspace",
        &work,
    ];
    there.down();
    let waiting = team
        .ai(&[&ask[..], &["--no-wait", "--json"]].concat())
        .expect(0);
    let task = waiting.json()["short_id"]
        .as_str()
        .expect("an id")
        .to_owned();
    team.ai(&["host", "remove", "web2"]).expect(0);
    let out = || team.ai(&["status"]).stdout.contains("host web2  out");
    assert!(
        wait_until(Duration::from_secs(15), out),
        "{:#?}",
        team.ai(&["status"])
    );
    let said = team.ai(&["task", "show", &task]).expect(0).stdout;
    assert!(said.contains("put out of the team"), "{said}");
    let cancelled = team.ai(&["task", "cancel", &task]).expect(0).stdout;
    assert!(cancelled.contains("is cancelled"), "{cancelled}");
    team.down();
}

/// Two hosts of a team, and a rule on each that asks.
fn two_that_ask() -> (Stage, Stage) {
    let stage = Stage::new(first_host(Team::new(AI_INFRA)), "ask", "");
    stage.team.up();
    let there = Stage::new(Team::new(AI_INFRA), "ask", "");
    let file = stage.team.scratch("invitations").join("web2");
    let path = file.display().to_string();
    let invite = [
        "host", "invite", "web2", "--agents", "infra", "--out", &path,
    ];
    stage.team.ai(&invite).expect(0);
    join(&there.team, &file).expect(0);
    (stage, there)
}

/// Hands a task in that is worked on on the other host, and waits until it asks there.
fn begin_there(stage: &Stage, there: &Stage, task: &str) {
    let work = there.work.display().to_string();
    let begin = [
        "run",
        "--playbook",
        "tell-hook",
        "--host",
        "web2",
        "--workspace",
        &work,
        "--no-wait",
    ];
    stage.team.ai(&begin).expect(0);
    let waits = wait_until(PATIENCE, || {
        stage.task(task)["document"]["on"] == "approval"
    });
    assert!(waits, "{:#}", stage.task(task));
}

/// What asks on another host is answered there, by whoever that host's warden can tell apart; the team only hears
/// what became of it, and a word that was forged gives nothing.
#[test]
fn leave_is_given_where_the_act_is_made() {
    let (stage, there) = two_that_ask();
    begin_there(&stage, &there, "t1");
    let status = stage.team.ai(&["status"]).expect(0).stdout;
    assert!(
        status.contains("on web2: ai-infra approvals show a1"),
        "{status}"
    );
    // The first host's warden knows nothing of it; its person's PIN is not asked there.
    assert!(stage.tickets().is_empty());
    let tickets = there.tickets();
    let mark = tickets[0]["mark"].as_str().expect("a mark").to_owned();

    // Somebody with that host's own password at the team's Redis says that it was approved: the task wakes,
    // and waits again.
    let key = "{main}:host:web2";
    let word = stage.team.redis(&["GET", key], "");
    let mut word: Value = serde_json::from_str(word.trim()).expect("a word");
    word["tickets"] = serde_json::json!([{"id": "a1", "task": "t1", "state": "approved", "by": null, "because": ""}]);
    let access = std::fs::read(there.team.home().join("run/bus.json")).expect("run/bus.json");
    let access: Value = serde_json::from_slice(&access).expect("JSON");
    let password = access["users"]["daemon"]["password"].as_str();
    let set = ["SET", key, &word.to_string(), "PX", "60000"];
    let password = password.expect("a password");
    // That host says its own word again and again.
    let again = wait_until(PATIENCE, || {
        assert_eq!(stage.team.redis_as("daemon@web2", password, &set, ""), "OK");
        let asked = stage.task("t1")["document"]["questions"].clone();
        asked.as_array().is_some_and(|asked| asked.len() == 2)
    });
    assert!(again, "{:#}", stage.task("t1"));
    assert_eq!((there.effects(), there.tickets().len()), (0, 1));

    there.keeps_pin();
    let approve = ["approvals", "approve", "a1", &mark];
    there.typed(&approve, "123456\n").expect(4);
    there.typed(&approve, &format!("{PIN}\n")).expect(0);
    stage.comes_to("t1", "done");
    assert_eq!((there.effects(), stage.effects()), (1, 0));
    let anchored = wait_until(PATIENCE, || {
        let known = stage.team.redis(&["HGETALL", "{main}:audit"], "");
        known.contains("web2")
    });
    assert!(anchored);
    there.intact();
    there.team.down();
    stage.team.down();
}

/// What a task asked for on another host is taken back when the task is over, answered or not, though that host was
/// away just then; what still waits stays.
#[test]
fn leave_that_nobody_waits_for_is_taken_back_where_it_is_kept() {
    let (stage, there) = two_that_ask();
    there.keeps_pin();
    for task in ["t1", "t2", "t3"] {
        begin_there(&stage, &there, task);
    }
    let tickets = there.tickets();
    let of = |task: &str| {
        let found = tickets.iter().find(|one| one["task"] == task);
        let text = |key: &str| found.expect("its ticket")[key].as_str().expect("text");
        (text("id"), text("mark"))
    };
    let answers = |id: &str, mark: &str| {
        let words = ["approvals", "approve", id, mark];
        there.typed(&words, &format!("{PIN}\n"))
    };
    // A yes that nobody uses, because nothing is begun.
    stage.team.ai(&["freeze"]).expect(0);
    let (id, mark) = of("t2");
    answers(id, mark).expect(0);
    there.team.down();
    for task in ["t1", "t2"] {
        stage.team.ai(&["task", "cancel", task]).expect(0);
        stage.comes_to(task, "cancelled");
    }
    // Nobody could tell that host, and nothing there did it of itself.
    let kept = there.team.home().join("warden/tickets.jsonl");
    let kept = std::fs::read_to_string(kept).expect("tickets");
    assert!(!kept.contains("\"state\":\"cancelled\""), "{kept}");
    there.team.ai(&["up", "--no-tmux"]).expect(0);
    let state = |task| there.ticket(of(task).0)["state"].clone();
    for task in ["t1", "t2"] {
        let taken = wait_until(PATIENCE, || state(task) == "cancelled");
        assert!(taken, "{task}: {}", state(task));
        let (id, mark) = of(task);
        let said = answers(id, mark).expect(4).stderr;
        assert!(said.contains("cancelled already"), "{said}");
    }
    assert_eq!(state("t3"), "requested");
    stage.team.ai(&["thaw"]).expect(0);
    let (id, mark) = of("t3");
    answers(id, mark).expect(0);
    stage.comes_to("t3", "done");
    assert_eq!((there.effects(), there.tickets().len()), (1, 0));
    there.intact();
    there.team.down();
    stage.team.down();
}
