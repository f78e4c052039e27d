//! A yes to a kind of duty for a whole task: the next of the kind in that task is done without a ticket of its own being
//! asked, another task asks again, and what the rules bound stays bounded.

use crate::AI_INFRA;
use crate::duty_stage::{PIN, Stage};
use serde_json::Value;
use std::fs;
use tests::sites::Sites;
use tests::team::Team;

/// A playbook that puts sites, one after another.
fn playbook(stage: &Stage, name: &str, sites: &[&str]) {
    let root = stage.sites.text("www/shop");
    let steps: String = sites
        .iter()
        .map(|site| {
            format!("  - {{id: {site}, tool: PutSite, args: {{name: {site}.example, names: {site}.example, root: '{root}'}}}}\n")
        })
        .collect();
    let first = sites[0];
    let text = format!(
        "playbook: 1\nname: {name}\nagent: infra\nlevel: 2\nintents: [\"do {name}\"]\nsteps:\n{steps}\
         criteria:\n  - {{id: c1, text: it answers, check: {{tool: {{name: SiteStatus, input: {{name: {first}.example}}, expect: result.answers}}}}}}\n\
         report: placed\ntests: [{{ask: \"do {name}\"}}]\n"
    );
    let folder = stage.team.home().join("playbooks");
    fs::create_dir_all(&folder).expect("a folder");
    fs::write(folder.join(format!("{name}.yaml")), text).expect("a playbook");
}

fn tickets(stage: &Stage) -> Vec<Value> {
    let list = stage.team.ai(&["approvals", "list", "--all", "--json"]);
    let list = list.expect(0).json();
    list["tickets"].as_array().cloned().unwrap_or_default()
}

/// What a person is shown, and the page's ticket.
fn page(stage: &Stage, task: &str) -> ((String, String), String) {
    let ticket = stage.asked(task);
    let page = stage.team.ai(&["approvals", "show", &ticket.0]).expect(0);
    (ticket, page.stdout)
}

#[test]
fn a_yes_for_a_task_is_for_that_task_and_within_the_rules() {
    let Some(sites) = Sites::start() else { return };
    let names: Vec<String> = ["one", "two", "three", "four", "five"]
        .map(|name| format!("{name}.example"))
        .to_vec();
    let permissions = format!(
        "acts: {{site.change: ask}}\nat_most: {{site.change: {{per_hour: 4}}}}\noperations:\n  sites: {}\n",
        sites.granted(&names.join(", "))
    );
    let stage = Stage::prepared(Team::new(AI_INFRA), sites, &permissions);
    playbook(&stage, "pair", &["one", "two"]);
    playbook(&stage, "single", &["three"]);
    playbook(&stage, "rest", &["four", "five"]);
    stage.team.up();
    stage.typed(&["approvals", "pin"], &format!("{PIN}\n"));
    let says = |(id, mark): &(String, String), more: &[&str]| {
        let words = [&["approvals", "approve", id, mark], more].concat();
        stage.typed(&words, &format!("{PIN}\n"));
    };
    let placed = |name: &str| {
        let there = stage.sites.visit(&format!("{name}.example"), "/");
        there.contains("the shop")
    };

    let pair = stage.begin("pair", &[]);
    let (asked, _) = page(&stage, &pair);
    assert!(!placed("one"));
    says(&asked, &["--for-task"]);
    stage.comes_to(&pair, "done");
    assert!(placed("one") && placed("two"));
    // Each act has a ticket of its own, used once; the second says whose yes it was.
    let all = tickets(&stage);
    let states: Vec<_> = all.iter().map(|one| one["state"].as_str()).collect();
    assert_eq!(states, [Some("used"), Some("used")], "{all:#?}");
    let second = &all[0]["id"].as_str().expect("text").to_owned();
    let second = stage.team.ai(&["approvals", "show", second]).expect(0);
    let by = format!("allowed for this task by {}", asked.0);
    assert!(second.stdout.contains(&by), "{}", second.stdout);

    // Another task asks, and not because of how many there were.
    let single = stage.begin("single", &[]);
    let (asked, shown) = page(&stage, &single);
    assert!(
        !placed("three") && !shown.contains("within the hour"),
        "{shown}"
    );
    says(&asked, &[]);
    stage.comes_to(&single, "done");

    // The fourth in the hour is the last that a yes to the kind covers; the fifth is asked about by itself.
    let rest = stage.begin("rest", &[]);
    let (first, shown) = page(&stage, &rest);
    assert!(!shown.contains("within the hour"), "{shown}");
    says(&first, &["--for-task"]);
    let fifth = || {
        let open = tickets(&stage);
        open.into_iter().find(|one| one["state"] == "requested")
    };
    assert!(tests::processes::wait_until(
        crate::duty_stage::PATIENCE,
        || fifth().is_some()
    ));
    let (asked, shown) = page(&stage, &rest);
    let words = "4 within the hour already, and `permissions.at_most.site.change.per_hour` says 4";
    assert!(asked.0 != first.0 && shown.contains(words), "{shown}");
    assert!(placed("four") && !placed("five"));
    let deny = ["approvals", "deny", &asked.0, "--because", "enough"];
    stage.typed(&deny, &format!("{PIN}\n"));
    let failed = stage.comes_to(&rest, "failed").to_string();
    assert!(failed.contains("enough") && !placed("five"), "{failed}");
    let expected = ["PutSite before ", "PutSite after done"].repeat(4);
    assert_eq!(stage.record(), expected);
    stage.team.down();
}
