//! `freeze` stops every effect within a second, whatever is killed it stays so, and `thaw` lets each
//! task go on where it stood.

use crate::AI_INFRA;
use nix::sys::signal::Signal;
use std::path::PathBuf;
use std::process::Child;
use std::time::{Duration, Instant};
use tests::processes::{self, wait_until};
use tests::team::Team;

/// A step that writes a line every 20 ms, for less time than it was given.
const TICKER: &str = r#"
playbook: 1
name: ticker
agent: code
level: 1
intents: ["tick for a while"]
steps:
  - {id: tick, timeout: 6s, tool: Bash, args: {command: "for i in $(seq 120); do echo x >> /workspace/ticks.txt; sleep 0.02; done"}}
criteria:
  - {id: c1, text: "every tick is there once", check: {command: {argv: [sh, -c, "test $(wc -l < ticks.txt) = 120"]}}}
report: "ticked"
tests: [{ask: "tick for a while"}]
"#;

/// Who a process started.
fn children(pid: u32) -> Vec<u32> {
    let list = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
    let list = list.unwrap_or_default();
    list.split_whitespace()
        .filter_map(|pid| pid.parse().ok())
        .collect()
}

struct Story {
    team: Team,
    work: String,
}

impl Story {
    fn begin() -> (Story, Child) {
        let team = Team::new(AI_INFRA);
        let playbooks = team.home().join("playbooks");
        std::fs::create_dir_all(&playbooks).expect("a folder");
        std::fs::write(playbooks.join("ticker.yaml"), TICKER).expect("a playbook");
        let work = team.scratch("work");
        std::fs::write(work.join("README.md"), "ticking\n").expect("a file");
        team.up();
        let work = work.display().to_string();
        let story = Story { team, work };
        let run = story
            .team
            .start(&["run", "tick for a while", "--workspace", &story.work]);
        let ticks = wait_until(Duration::from_secs(10), || story.ticks() > 10);
        assert!(ticks, "it does not tick");
        (story, run)
    }

    fn file(&self) -> PathBuf {
        self.team.home().join("tasks/t1/work/ticks.txt")
    }

    /// How many ticks there were.
    fn ticks(&self) -> u64 {
        std::fs::metadata(self.file()).map_or(0, |file| file.len() / 2)
    }

    /// Freezes, and says how long effects went on after the command was started.
    fn freeze(&self) -> Duration {
        let began = Instant::now();
        let said = self.team.ai(&["freeze"]).expect(0);
        assert!(said.stdout.contains("ai-infra thaw"), "{said:#?}");
        let mut last = (self.ticks(), Instant::now());
        while last.1.elapsed() < Duration::from_millis(400) {
            let now = self.ticks();
            if now != last.0 {
                last = (now, Instant::now());
            }
            assert!(began.elapsed() < Duration::from_secs(5), "it ticks on");
            std::thread::sleep(Duration::from_millis(2));
        }
        last.1 - began
    }

    /// Nothing ticks for a while.
    fn stands(&self, after: &str) {
        let seen = self.ticks();
        std::thread::sleep(Duration::from_millis(600));
        assert_eq!(self.ticks(), seen, "an effect while frozen, after {after}");
    }

    /// It ended as it should; a holder may have lost its lease where Redis was killed too.
    fn ends_well(&self, run: Child, attempts: std::ops::RangeInclusive<usize>) {
        let output = run.wait_with_output().expect("run ends");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{said}");
        let page = self.team.ai(&["task", "show", "t1", "--json"]).json();
        let all = page["task"]["attempts"].as_array().map(Vec::len);
        assert!(all.is_some_and(|all| attempts.contains(&all)), "{page:#}");
    }
}

#[test]
fn a_frozen_task_stands_still_and_goes_on_at_the_thaw() {
    let (story, run) = Story::begin();
    let took = story.freeze();
    assert!(
        took < Duration::from_secs(1),
        "effects went on for {took:?}"
    );
    eprintln!("effects stopped {} ms after the word", took.as_millis());
    let team = &story.team;
    let status = team.ai(&["status"]).expect(0).stdout;
    assert!(status.contains("FROZEN since"), "{status}");
    let later = team.ai(&[
        "run",
        "tick for a while",
        "--workspace",
        &story.work,
        "--no-wait",
    ]);
    assert!(
        later.stderr.contains("the team is frozen since"),
        "{later:#?}"
    );
    team.ai(&["task", "apply", "t1"]).expect(4);
    story.stands("freeze");
    processes::send(team.pid("supervisor"), Signal::SIGKILL);
    processes::send(team.pid("redis"), Signal::SIGKILL);
    story.stands("the supervisor and redis were killed");
    // Longer than the step may run: frozen time is not counted.
    std::thread::sleep(Duration::from_secs(4));
    story.stands("a while");
    assert!(
        team.status()["frozen"]["by"].is_string(),
        "{:#}",
        team.status()
    );
    team.ai(&["thaw"]).expect(0);
    story.ends_well(run, 1..=2);
    let second = wait_until(Duration::from_secs(10), || {
        team.ai(&["task", "show", "t2", "--json"]).json()["task"]["document"]["state"] == "done"
    });
    assert!(second, "what was handed in while frozen did not run");
    team.down();
}

#[test]
fn a_sandbox_that_does_not_obey_and_a_killed_agent_are_recovered_after_the_thaw() {
    let (story, run) = Story::begin();
    let team = &story.team;
    let runners: Vec<u32> = processes::of_home(&team.home())
        .into_iter()
        .filter(|seen| seen.command.starts_with("bwrap"))
        .flat_map(|seen| children(seen.pid))
        .collect();
    assert!(!runners.is_empty(), "no runner is seen");
    runners
        .iter()
        .for_each(|pid| processes::send(*pid, Signal::SIGSTOP));
    let took = story.freeze();
    assert!(
        took < Duration::from_millis(1500),
        "effects went on for {took:?}"
    );
    let ended = wait_until(Duration::from_secs(2), || {
        runners.iter().all(|pid| !processes::alive(*pid))
    });
    assert!(ended, "a sandbox that does not obey was not ended");
    processes::send(team.pid("code"), Signal::SIGKILL);
    story.stands("the agent was killed");
    team.ai(&["thaw"]).expect(0);
    story.ends_well(run, 2..=2);
    team.down();
}
