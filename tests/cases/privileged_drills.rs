//! What becomes of a program on the host when somebody dies in its middle, the team is frozen, nobody is there to say yes, or the
//! host is another one: it is run once or not at all, and nothing of it stays.

use crate::AI_INFRA;
use crate::duty_stage::record_of;
use crate::hosts::{first_host, join};
use crate::privileged_stage::Runs;
use nix::sys::signal::Signal;
use serde_json::Value;
use std::fs;
use std::time::{Duration, Instant};
use tests::clock::Clock;
use tests::leave::{PATIENCE, PIN};
use tests::processes::{self, wait_until};
use tests::team::Team;

/// A second, and one for a machine that does other things.
const SOON: Duration = Duration::from_secs(2);

/// The processes that a process started.
fn children(pid: u32) -> Vec<u32> {
    let threads = fs::read_dir(format!("/proc/{pid}/task"))
        .expect("its threads")
        .flatten();
    let lists = threads
        .map(|thread| fs::read_to_string(thread.path().join("children")).unwrap_or_default());
    let all: Vec<String> = lists.collect();
    all.iter()
        .flat_map(|list| list.split_whitespace())
        .filter_map(|pid| pid.parse().ok())
        .collect()
}

#[test]
fn whoever_dies_in_the_middle_it_is_run_once_and_asked_about() {
    for name in ["infra", "warden", "hands", "both"] {
        let runs = Runs::new();
        let stage = &runs.stage;
        let task = runs.at_work("sleep 3; echo came to its end >> end");
        match name {
            "hands" => {
                let hands = children(stage.team.pid("warden"));
                assert_eq!(hands.len(), 1, "hands at work");
                processes::send(hands[0], Signal::SIGKILL);
            }
            "both" => {
                let warden = stage.team.pid("warden");
                let hands = children(warden);
                for pid in hands.into_iter().chain([warden]) {
                    processes::send(pid, Signal::SIGKILL);
                }
            }
            name => processes::send(stage.team.pid(name), Signal::SIGKILL),
        }
        if name == "infra" {
            // The warden goes on, and tells the next one what came of it: there is nothing to ask.
            stage.comes_to(&task, "done");
            assert_eq!(runs.read("end"), "came to its end\n");
        } else {
            let seen = runs.is_asked_about(&task);
            assert!(
                seen.contains("nobody knows how far it came"),
                "{name}: {seen}"
            );
            let again = stage.team.ai(&["task", "answer", &task, "again"]);
            assert!(
                again.code != 0 && again.stderr.contains("no answer to this"),
                "{name}: {again:#?}"
            );
            std::thread::sleep(Duration::from_secs(3));
            assert_eq!(runs.read("end"), "", "{name}");
            stage
                .team
                .ai(&["task", "answer", &task, "happened"])
                .expect(0);
            let over = wait_until(PATIENCE, || {
                ["done", "failed"]
                    .map(Value::from)
                    .contains(&stage.task(&task)["document"]["state"])
            });
            assert!(over, "{name}: {:#}", stage.task(&task));
        }
        assert_eq!(runs.read("count"), "once\n", "{name}");
        runs.ends();
    }
}

#[test]
fn a_freeze_ends_it_with_all_that_it_started() {
    let runs = Runs::new();
    let stage = &runs.stage;
    let task =
        runs.at_work("(setsid sleep 300 & echo $! > deep); trap : TERM; sleep 300; sleep 300");
    assert!(wait_until(PATIENCE, || runs.read("deep").ends_with('\n')));
    let deep: u32 = runs.read("deep").trim().parse().expect("a number");
    assert!(processes::alive(deep));
    let began = Instant::now();
    stage.team.ai(&["freeze"]).expect(0);
    assert!(
        wait_until(SOON, || !processes::alive(deep)),
        "{:?}",
        began.elapsed()
    );
    stage.team.ai(&["thaw"]).expect(0);
    stage.comes_to(&task, "failed");
    let seen = stage.task(&task).to_string();
    assert!(seen.contains("it was told to stop (freeze)"), "{seen}");
    assert_eq!(runs.read("count"), "once\n");
    assert_eq!(
        record_of(&stage.team),
        ["HostRun before ", "HostRun after failed"]
    );
    runs.ends();
}

#[test]
fn a_schedule_has_nobody_to_ask_and_runs_nothing() {
    let team = Team::new(AI_INFRA);
    let Some(clock) = Clock::build(&team.scratch("clock")) else {
        return;
    };
    clock.set(10, 20, 0);
    let runs = Runs::prepared(clock.of(team), "privileged: [infra]\n");
    let team = &runs.stage.team;
    let line = runs.line("echo once >> count").replace('\'', "");
    let (_, line) = line.split_once("sh -c ").expect("a line of a shell");
    let playbook = format!(
        "playbook: 1\nname: nightly\nagent: infra\nlevel: 2\nintents: [\"do nightly\"]\n\
         steps:\n  - {{id: step, tool: HostRun, args: {{argv: [sh, -c, \"{line}\"]}}}}\n\
         criteria:\n  - {{id: c1, text: the folder is whole, check: {{file: {{path: README.md}}}}}}\n\
         report: done\ntests: [{{ask: \"do nightly\"}}]\n"
    );
    let schedule = format!(
        "schedule: 1\nname: nightly\nwhen: \"0 * * * *\"\nzone: UTC\nplaybook: nightly\nworkspace: {}\n",
        runs.stage.work.display()
    );
    for (folder, text) in [("playbooks", playbook), ("schedules", schedule)] {
        let folder = team.home().join(folder);
        fs::create_dir_all(&folder).expect("a folder");
        fs::write(folder.join("nightly.yaml"), text).expect("a file");
    }
    team.up();
    // From now on it counts.
    team.ai(&["schedule", "pause", "nightly"]).expect(0);
    team.ai(&["schedule", "resume", "nightly"]).expect(0);
    clock.set(11, 0, 1);
    let last = || {
        team.ai(&["schedule", "list"]);
        let page = team.ai(&["schedule", "show", "nightly", "--json"]);
        page.expect(0).json()["runs"][0].take()
    };
    let ended = wait_until(PATIENCE * 3, || last()["state"]["state"] == "failed");
    let seen = last().to_string();
    assert!(
        ended && seen.contains("nobody is there to say yes: run it yourself"),
        "{seen}"
    );
    let all = team
        .ai(&["approvals", "list", "--all", "--json"])
        .expect(0)
        .json();
    assert_eq!(
        (
            all["tickets"].as_array().map(Vec::len),
            runs.read("count").as_str()
        ),
        (Some(0), "")
    );
    runs.ends();
}

#[test]
fn on_a_joined_host_its_own_warden_runs_it_after_its_own_persons_yes() {
    let first = Runs::prepared(first_host(Team::new(AI_INFRA)), "privileged: [infra]\n");
    let second = Runs::prepared(Team::new(AI_INFRA), "privileged: [infra]\n");
    first.stage.team.up();
    let file = first.stage.team.scratch("invitations").join("web2");
    let path = file.display().to_string();
    let invite = [
        "host", "invite", "web2", "--agents", "infra", "--out", &path,
    ];
    first.stage.team.ai(&invite).expect(0);
    join(&second.stage.team, &file).expect(0);
    second.stage.keeps_pin();
    let work = second.stage.work.display().to_string();
    // Begun on the first host, let by the person of the other one.
    let begin = |line: &str| {
        let command = format!("command={}", second.line(line));
        let words = [
            "run",
            "--playbook",
            "run-on-host",
            "--host",
            "web2",
            "--workspace",
            &work,
            "--no-wait",
            "--json",
            "--param",
            &command,
        ];
        let said = first.stage.team.ai(&words).expect(0).json();
        let task = said["short_id"].as_str().expect("a task").to_owned();
        let waits = wait_until(PATIENCE * 2, || {
            first.stage.task(&task)["document"]["on"] == "approval"
        });
        assert!(waits, "{:#}", first.stage.task(&task));
        assert!(first.stage.tickets().is_empty());
        let ticket = second.stage.tickets().remove(0);
        let text = |key: &str| ticket[key].as_str().expect("text").to_owned();
        let yes = ["approvals", "approve", &text("id"), &text("mark")];
        second.stage.typed(&yes, &format!("{PIN}\n")).expect(0);
        task
    };
    let task = begin("echo once >> count");
    let done = wait_until(PATIENCE * 2, || {
        first.stage.task(&task)["document"]["state"] == "done"
    });
    assert!(done, "{:#}", first.stage.task(&task));
    assert_eq!(second.read("count"), "once\n");
    assert_eq!(
        record_of(&second.stage.team),
        ["HostRun before ", "HostRun after done"]
    );
    // Cancelled on the first host, it ends there too.
    let task = begin("echo $$ > long; exec sleep 300");
    assert!(wait_until(PATIENCE * 2, || second
        .read("long")
        .ends_with('\n')));
    let long = second.read("long").trim().parse().expect("a number");
    first.stage.team.ai(&["task", "cancel", &task]).expect(0);
    assert!(wait_until(SOON, || !processes::alive(long)));
    first.stage.comes_to(&task, "cancelled");
    let result = first.stage.task(&task)["document"]["result"].to_string();
    assert!(result.contains("it was told to stop"), "{result}");
    assert!(record_of(&first.stage.team).is_empty());
    second.stage.team.down();
    first.ends();
}
