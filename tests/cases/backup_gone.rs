//! A folder of the list that is gone, because it was removed or its disk is not there: every backup says so, `doctor`
//! says so, and the newest snapshot that holds it stays, until it is back or a person says that it is over.

use crate::AI_INFRA;
use std::fs;
use tests::team::Team;

#[test]
fn a_workspace_that_is_gone_is_said_and_can_be_had_back() {
    let team = Team::new(AI_INFRA).backs_up_by_hand();
    let place = team.scratch("kept").display().to_string();
    let team = team.with_env("AI_INFRA__BACKUP__REMOTE", &place);
    // Of each job only the newest one stays, but for what is gone.
    let keep = "keep: {last: 1, daily: 1, weekly: 1, monthly: 1}\n";
    team.up();
    fs::write(team.home().join("config/backup.yaml"), keep).unwrap();
    let (shop, site) = (team.scratch("shop"), team.scratch("site"));
    for folder in [&shop, &site] {
        fs::write(folder.join("a.txt"), "kept\n").unwrap();
        let folder = folder.display().to_string();
        team.ai(&["workspace", "add", &folder]).expect(0);
    }
    let run = || team.ai(&["backup", "run", "code", "--json"]);
    let first = run().expect(0).json()["jobs"][0]["snapshot"].clone();
    let first = first.as_str().unwrap().to_owned();
    let aside = team.scratch("aside").join("shop");
    fs::rename(&shop, &aside).unwrap();
    for _ in 0..3 {
        let ran = run().expect(1).json();
        let alarm = ran["jobs"][0]["alarm"].as_str().unwrap_or_default();
        let gone = format!("{} is gone", shop.display());
        assert!(alarm.contains(&gone) && alarm.contains(&first), "{ran}");
    }
    let said = team.ai(&["doctor"]).stdout;
    assert!(said.contains("is gone"), "{said}");
    // It is as good as its word.
    let to = team.scratch("back").join("all");
    let back = to.display().to_string();
    let at = ["backup", "restore", "code", "--at", &first, "--to", &back];
    team.ai(&at).expect(0);
    let file = shop.strip_prefix("/").unwrap().join("a.txt");
    let file = to.join("workspaces").join(file);
    assert_eq!(fs::read_to_string(file).unwrap(), "kept\n");
    // Back again: nothing is alarming, and nothing holds the old one any more.
    fs::rename(&aside, &shop).unwrap();
    run().expect(0);
    run().expect(0);
    let list = team.ai(&["backup", "list"]).expect(0).stdout;
    assert!(!list.contains(&first), "{list}");
    fs::remove_dir_all(&shop).unwrap();
    run().expect(1);
    team.ai(&["workspace", "forget", "shop"]).expect(0);
    run().expect(0);
    team.down();
}
