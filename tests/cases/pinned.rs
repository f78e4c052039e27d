//! A task is worked by the text that its playbook had when the task was accepted, whatever becomes
//! of the file before somebody begins it; done again, it is worked by the text of now.

use crate::AI_INFRA;
use crate::hosts::{MARKER, with_marker};
use std::time::Duration;
use tests::processes::wait_until;
use tests::team::Team;

#[test]
fn a_playbook_changed_after_the_request_changes_only_later_tasks() {
    let team = with_marker(Team::new(AI_INFRA));
    team.up();
    team.ai(&["agents", "pause", "code"]).expect(0);
    let work = team.scratch("work").display().to_string();
    let ask = ["run", "leave a mark", "--workspace", &work, "--no-wait"];
    team.ai(&ask).expect(0);
    let file = team.home().join("playbooks/marker.yaml");
    let changed = MARKER.replace("sleep 3; echo two", "echo three");
    let changed = changed.replace("onetwo", "onethree");
    std::fs::write(&file, changed).expect("a playbook");
    team.ai(&["agents", "resume", "code"]).expect(0);
    let done = |task: &str| {
        let shown = || team.ai(&["task", "show", task, "--json"]).json();
        let done = || shown()["task"]["document"]["state"] == "done";
        assert!(wait_until(Duration::from_secs(20), done), "{:#}", shown());
        team.ai(&["task", "diff", task]).expect(0).stdout
    };
    let diff = done("t1");
    assert!(diff.contains("+two") && !diff.contains("+three"), "{diff}");
    team.ai(&["task", "retry", "t1"]).expect(0);
    let diff = done("t2");
    assert!(diff.contains("+three") && !diff.contains("+two"), "{diff}");
    team.down();
}
