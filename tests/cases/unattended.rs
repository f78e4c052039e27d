//! A run that began by itself meets a bound of the rules: it is refused with the bound in the words, the database is as
//! it was, nobody is asked, and the history says so. The same bound asks the person who is there.

use crate::databases::Stage;
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::time::Duration;
use tests::clock::Clock;
use tests::processes::wait_until;
use tests::team::Team;

const PATIENCE: Duration = Duration::from_secs(60);

/// A playbook of one change, and a schedule that comes round at every full hour.
fn job(team: &Team, work: &Path, name: &str, statement: &str) {
    let text = format!(
        "playbook: 1\nname: {name}\nagent: data\nlevel: 1\nintents: [\"do {name}\"]\n\
         steps:\n  - {{id: step, tool: SqlExecute, args: {{source: shop, statement: \"{statement}\"}}}}\n\
         criteria:\n  - {{id: c1, text: the folder is whole, check: {{file: {{path: README.md}}}}}}\n\
         report: changed\ntests: [{{ask: \"do {name}\"}}]\n"
    );
    let folder = team.home().join("playbooks");
    fs::create_dir_all(&folder).expect("a folder");
    fs::write(folder.join(format!("{name}.yaml")), text).expect("a playbook");
    schedule(team, work, name, &format!("playbook: {name}"));
}

fn schedule(team: &Team, work: &Path, name: &str, what: &str) {
    let text = format!(
        "schedule: 1\nname: {name}\nwhen: \"0 * * * *\"\nzone: UTC\n{what}\nworkspace: {}\n",
        work.display()
    );
    let folder = team.home().join("schedules");
    fs::create_dir_all(&folder).expect("a folder");
    fs::write(folder.join(format!("{name}.yaml")), text).expect("a schedule");
}

/// The last run of a schedule. To ask for the list makes the team look at its schedules.
fn last(team: &Team, name: &str) -> Value {
    team.ai(&["schedule", "list"]);
    let page = team.ai(&["schedule", "show", name, "--json"]);
    page.expect(0).json()["runs"][0].take()
}

fn ends(team: &Team, name: &str, state: &str) -> Value {
    let ended = wait_until(PATIENCE, || last(team, name)["state"]["state"] == state);
    assert!(ended, "{name}: {:#}", last(team, name));
    last(team, name)
}

fn tickets(team: &Team) -> Vec<Value> {
    let list = team.ai(&["approvals", "list", "--all", "--json"]);
    let list = list.expect(0).json();
    list["tickets"].as_array().cloned().unwrap_or_default()
}

#[test]
fn what_is_too_much_is_refused_where_nobody_is_there_to_ask() {
    let Some(stage) = Stage::new() else { return };
    let Stage {
        team,
        database,
        workspace: work,
    } = stage;
    let Some(clock) = Clock::build(&team.scratch("clock")) else {
        return;
    };
    clock.set(10, 20, 0);
    let team = clock.of(team);
    database.sql(
        "CREATE TABLE orders (id int PRIMARY KEY); INSERT INTO orders SELECT generate_series(1, 200)",
    );
    let rules = team.home().join("config/permissions.yaml");
    let granted = fs::read_to_string(&rules).expect("the rules");
    let bound = "acts: {sql.change: allow}\nat_most: {sql.change: {count: 20}}\n";
    fs::write(&rules, granted + bound).expect("a file");
    job(&team, &work, "few", "DELETE FROM orders WHERE id > 195");
    job(&team, &work, "many", "DELETE FROM orders WHERE id <= 30");
    let plan = "plan: {plan: 1, name: tidy, tasks: [{id: all, playbook: many}]}";
    schedule(&team, &work, "planned", plan);
    team.up();
    for name in ["few", "many", "planned"] {
        // From now on it counts.
        team.ai(&["schedule", "pause", name]).expect(0);
        team.ai(&["schedule", "resume", name]).expect(0);
    }
    clock.set(11, 0, 1);
    // Within the bound nobody need be there.
    ends(&team, "few", "done");
    let words = [
        "30 rows, and 20 are allowed",
        "a schedule began this, so nobody is there to say yes",
        "nothing was changed",
    ];
    let many = ends(&team, "many", "failed");
    let planned = ends(&team, "planned", "failed");
    for run in [&many, &planned] {
        let said = run["state"]["reason"].as_str().unwrap_or_default();
        for words in words {
            assert!(said.contains(words), "{words}: {run:#}");
        }
    }
    let history = team.ai(&["schedule", "show", "many"]).expect(0).stdout;
    assert!(history.contains(words[0]), "{history}");
    let count = || database.sql("SELECT count(*) FROM orders");
    assert_eq!((count().as_str(), tickets(&team).len()), ("195", 0));
    // The control: the same job asks where a person began it.
    let work = work.display().to_string();
    let begin = ["run", "--playbook", "many", "--workspace", &work];
    let begun = team.ai(&[&begin[..], &["--no-wait", "--json"]].concat());
    let task = begun.expect(0).json()["short_id"].take();
    let task = task.as_str().expect("a task").to_owned();
    let asked = wait_until(PATIENCE, || tickets(&team).len() == 1);
    let page = team.ai(&["task", "show", &task]).expect(0).stdout;
    assert!(asked, "{page}");
    let id = tickets(&team)[0]["id"].as_str().expect("text").to_owned();
    let page = team.ai(&["approvals", "show", &id]).expect(0).stdout;
    assert!(page.contains(words[0]), "{page}");
    assert_eq!(count(), "195");
    let record = team.ai(&["audit", "verify", "--json"]).expect(0).json();
    assert_eq!(record["intact"], true, "{record:#}");
    team.down();
}
