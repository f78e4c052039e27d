//! What is done on a host that joined a team is done by that host's own warden: by the rules that stand there, after a yes that
//! is given there, on the record that is kept there.

use crate::AI_INFRA;
use crate::duty_stage::{PATIENCE, PIN, Stage};
use crate::hosts::{first_host, join};
use serde_json::Value;
use tests::processes::wait_until;
use tests::sites::Sites;
use tests::team::Team;

fn granted(sites: &Sites, names: &str) -> String {
    let granted = sites.granted(names);
    format!("acts: {{site.change: ask}}\noperations:\n  sites: {granted}\n")
}

#[test]
fn a_host_does_its_duties_by_its_own_rules_and_its_own_persons_yes() {
    let (Some(here), Some(there)) = (Sites::start(), Sites::start()) else {
        return;
    };
    let permissions = granted(&here, "shop.example, other.example");
    let first = Stage::prepared(first_host(Team::new(AI_INFRA)), here, &permissions);
    let permissions = granted(&there, "shop.example");
    let second = Stage::prepared(Team::new(AI_INFRA), there, &permissions);
    first.team.up();
    let file = first.team.scratch("invitations").join("web2");
    let path = file.display().to_string();
    let invite = [
        "host", "invite", "web2", "--agents", "infra", "--out", &path,
    ];
    first.team.ai(&invite).expect(0);
    join(&second.team, &file).expect(0);
    second.typed(&["approvals", "pin"], &format!("{PIN}\n"));

    let work = second.team.scratch("work").display().to_string();
    let root = second.sites.text("www/shop");
    let put = |name: &str| {
        let (host, root) = (format!("host={name}"), format!("root={root}"));
        let words = [
            "run",
            "--playbook",
            "put-site",
            "--host",
            "web2",
            "--workspace",
            &work,
            "--no-wait",
            "--json",
            "--param",
            &host,
            "--param",
            &root,
        ];
        let said = first.team.ai(&words).expect(0).json();
        said["short_id"].as_str().expect("a task").to_owned()
    };
    // What the first host grants is granted there alone: nobody is even asked.
    let refused = put("other.example");
    let failed = first.comes_to(&refused, "failed");
    assert!(
        failed.to_string().contains("other.example is not granted"),
        "{failed:#}"
    );

    let task = put("shop.example");
    let waits = wait_until(PATIENCE, || {
        first.task(&task)["document"]["on"] == "approval"
    });
    assert!(waits, "{:#}", first.task(&task));
    let tickets = |stage: &Stage| -> Vec<Value> {
        let list = stage
            .team
            .ai(&["approvals", "list", "--json"])
            .expect(0)
            .json();
        list["tickets"].as_array().cloned().unwrap_or_default()
    };
    assert!(tickets(&first).is_empty());
    let ticket = tickets(&second).remove(0);
    let text = |key: &str| ticket[key].as_str().expect("text").to_owned();
    let (id, mark) = (text("id"), text("mark"));
    let page = second.team.ai(&["approvals", "show", &id]).expect(0).stdout;
    assert!(page.contains("+    server_name shop.example;"), "{page}");
    second.says_yes(&(id, mark));
    first.comes_to(&task, "done");
    assert!(second.sites.visit("shop.example", "/").contains("the shop"));
    assert!(first.sites.visit("shop.example", "/").contains("404") && !first.placed());
    assert_eq!(second.record(), ["PutSite before ", "PutSite after done"]);
    assert!(first.record().is_empty());
    second.team.down();
    first.team.down();
}
