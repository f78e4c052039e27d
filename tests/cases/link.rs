//! The link between two hosts is cut in the middle of a task: the task waits for its host and says
//! so, nothing is moved, and once the link is mended it ends once.

use crate::AI_INFRA;
use crate::hosts::{invitation, join, with_marker};
use serde_json::Value;
use std::time::Duration;
use tests::network::{ENDS, Networks};
use tests::processes::wait_until;
use tests::team::Team;

fn page(team: &Team, task: &str) -> Value {
    team.ai(&["task", "show", task, "--json"]).expect(0).json()["task"].clone()
}

fn until(team: &Team, task: &str, state: &str, on: Option<&str>) {
    let stands = || {
        let document = page(team, task)["document"].clone();
        document["state"] == state && on.is_none_or(|on| document["on"] == on)
    };
    let patience = Duration::from_secs(25);
    assert!(wait_until(patience, stands), "{:#}", page(team, task));
}

#[test]
fn a_cut_link_holds_a_task_up_and_does_nothing_twice() {
    let networks = match Networks::new() {
        Ok(networks) => networks,
        Err(why) => return eprintln!("skipped: {why}"),
    };
    let team = with_marker(Team::new(AI_INFRA))
        .inside(networks.inside(0))
        .with_env("AI_INFRA__REDIS__LISTEN__ADDRESS", ENDS[0])
        .with_env("AI_INFRA__REDIS__LISTEN__PORT", "6390");
    team.up();
    let there = Team::new(AI_INFRA).inside(networks.inside(1));
    join(&there, &invitation(&team, "web2")).expect(0);
    let folder = there.scratch("work");
    let work = folder.display().to_string();
    let asked = [
        "run",
        "leave a mark",
        "--host",
        "web2",
        "--workspace",
        &work,
    ];
    let first = team.start(&asked);
    let begun = there.home().join("tasks/t1/work/begun");
    let patience = Duration::from_secs(15);
    assert!(wait_until(patience, || begun.exists()), "t1 was not begun");

    networks.link(false);
    until(&team, "t1", "waiting", Some("host"));
    // What is asked for now waits too, and can be taken back at once: nobody has begun it.
    let asked_later = [&asked[..], &["--no-wait"]].concat();
    let second = team.ai(&asked_later).expect(0);
    assert!(second.stderr.contains("not been seen since"), "{second:#?}");
    until(&team, "t2", "waiting", Some("host"));
    let third = team.ai(&asked_later).expect(0);
    assert!(third.stdout.contains("t3"), "{third:#?}");
    let shown = team.ai(&["task", "show", "t1"]).expect(0).stdout;
    assert!(
        shown.contains("host web2 has not been seen since") && shown.contains("nothing is moved"),
        "{shown}"
    );
    until(&team, "t3", "waiting", Some("host"));
    let cancelled = team.ai(&["task", "cancel", "t3"]).expect(0).stdout;
    assert!(cancelled.contains("t3 is cancelled"), "{cancelled}");
    let hosts = team.ai(&["host", "list", "--json"]).expect(0).json();
    let web2 = &hosts["hosts"][0];
    assert_eq!(
        (&web2["state"], &web2["waiting"]),
        (&"lost".into(), &2.into())
    );
    let status = team.ai(&["status"]).expect(0).stdout;
    for said in [
        "host web2",
        "lost",
        "2 tasks wait for it",
        "2 waiting for a host",
    ] {
        assert!(status.contains(said), "{said}: {status}");
    }
    // Nobody else has touched it.
    let attempts = page(&team, "t1")["attempts"].clone();
    assert_eq!(attempts.as_array().map(Vec::len), Some(1), "{attempts:#}");

    networks.link(true);
    let ended = first.wait_with_output().expect("run ends");
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    let lines = String::from_utf8_lossy(&ended.stdout).into_owned();
    for said in ["has not been seen since", "resumed t1"] {
        assert_eq!(lines.matches(said).count(), 1, "{said}: {lines}");
    }
    until(&team, "t2", "done", None);
    for task in ["t1", "t2"] {
        let diff = team.ai(&["task", "diff", task]).expect(0).stdout;
        let effects = ["+one", "+two"].map(|mark| diff.lines().filter(|l| *l == mark).count());
        assert_eq!(effects, [1, 1], "{diff}");
        let page = page(&team, task);
        let holders = page["attempts"].as_array().expect("attempts");
        let all_there = holders.iter().all(|one| {
            one["holder"]
                .as_str()
                .is_some_and(|holder| holder.contains("@web2"))
        });
        assert!(all_there, "{holders:#?}");
    }
    let up = || team.ai(&["host", "list"]).stdout.contains("up");
    assert!(wait_until(patience, up), "web2 is not shown as up");
    away_again(&team, &there, &networks, &asked);
    there.down();
    team.down();
}

/// What can be asked of a host that is lost is refused in words; a task that was begun there is
/// cancelled once it is back.
fn away_again(team: &Team, there: &Team, networks: &Networks, asked: &[&str]) {
    team.ai(&[asked, &["--no-wait"]].concat()).expect(0);
    let begun = there.home().join("tasks/t4/work/begun");
    assert!(
        wait_until(Duration::from_secs(15), || begun.exists()),
        "t4 was not begun"
    );
    networks.link(false);
    until(team, "t4", "waiting", Some("host"));
    for verb in ["apply", "discard"] {
        let refused = team.ai(&["task", verb, "t1"]).expect(5);
        assert!(
            refused
                .stderr
                .contains("web2, which has not been seen since"),
            "{refused:#?}"
        );
    }
    let told = team.ai(&["task", "tell", "t4", "also"]).expect(4);
    assert!(told.stderr.contains("takes no words"), "{told:#?}");
    let stopped = team.ai(&["task", "cancel", "t4"]).expect(0).stdout;
    assert!(
        stopped.contains("t4 is being stopped; host web2 has not been seen since")
            && stopped.contains("settled when it is back"),
        "{stopped}"
    );
    until(team, "t4", "cancelling", None);
    networks.link(true);
    until(team, "t4", "cancelled", None);
    // Refused, with nothing done, until the supervisor has seen the host too.
    let mut last = team.ai(&["task", "apply", "t1"]);
    let applied = wait_until(Duration::from_secs(15), || {
        if last.code == 5 {
            last = team.ai(&["task", "apply", "t1"]);
        }
        last.code == 0 && last.stdout.contains("on web2")
    });
    assert!(applied, "{last:#?}");
}
