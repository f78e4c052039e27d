//! A file is checked before it is put in place: what kind it is, and each mistake with its line,
//! its column and the nearest right word.

use crate::AI_INFRA;
use tests::team::Team;

#[test]
fn a_file_is_checked_before_it_is_put_in_place() {
    let team = Team::new(AI_INFRA);
    let folder = team.scratch("new");
    let check = |name: &str, text: &str, code: i32, said: &str| {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(&path, text).expect("a file");
        let path = path.display().to_string();
        let ran = team.ai(&["config", "check", &path]).expect(code);
        let expected = said.replace("FILE", &path);
        assert!(ran.stdout.contains(&expected), "{expected}\n{ran:#?}");
    };
    // What is right says what it is; what is wrong says where.
    check(
        "ai-infra.yaml",
        "team: {lease_ms: 2000}\n",
        0,
        "✓ FILE is right: settings, as config/ai-infra.yaml",
    );
    check(
        "ai-infra.yaml",
        "team:\n  leese_ms: 2000\n",
        2,
        "FILE:2:3: unknown key `team.leese_ms`; did you mean `lease_ms`?",
    );
    check(
        "backup.yaml.new",
        "keep: {daily: many}\n",
        2,
        "FILE:1:8: `backup.keep.daily` is `many`",
    );
    check(
        "any.yaml",
        "models: {m: {input: 1}}\n",
        2,
        "`prices.models.m` lacks `cache_write`",
    );
    check("session.yaml", "windows: [\n", 2, "FILE:");
    check(
        "permissions.yaml",
        "agents:\n  coed: {level: 1}\n",
        2,
        "FILE:2:10: `permissions.agents.coed` names no agent; did you mean `code`?",
    );
    check(
        "playbooks/mine.yaml",
        "playbook: 1\nname: mine\nagnet: code\n",
        2,
        "FILE:3:1: unknown key `agnet`",
    );
    check(
        "night.yaml",
        "schedule: 1\nname: night\nwhen: '30 25 * * *'\nask: \"run the tests\"\n",
        2,
        "FILE:3:7: `when` ",
    );
    check(
        "night.yaml",
        "schedule: 1\nname: night\nwhen: '@daily'\naks: \"run the tests\"\n",
        2,
        "FILE:4:1: unknown key `aks`",
    );
    check(
        "night.yaml",
        "schedule: 1\nname: night\nwhen: '@daily'\nask: \"run the tests\"\n",
        0,
        "✓ FILE is right: a schedule",
    );
    check(
        "release.yaml",
        "plan: 1\nname: release\ntasks:\n  - {id: tests, playbook: run-tests}\n  - {id: scan, ask: look, after: [test]}\n",
        2,
        "FILE:5:10: the plan's task `scan`",
    );
    check(
        "reviewer/AGENT.md",
        "---\nname: reviewer\ndescription: d\nlevle: 1\n---\nYou review.\n",
        2,
        "FILE:4:1: unknown key `levle`; did you mean `level`?",
    );
    check(
        "reviewer/AGENT.md",
        "---\nname: reviewer\ndescription: d\ntools: Raed\n---\nYou review.\n",
        2,
        "`Raed` that does not exist; did you mean `Read`?",
    );
    check(
        "reviewer/AGENT.md",
        "---\nname: reviewer\ndescription: d\n---\nYou review.\n",
        0,
        "✓ FILE is right: an agent's text",
    );
    check(
        "what.yaml",
        "colour: blue\n",
        2,
        "neither name nor content says what it is for: add --as settings|agents|",
    );
    let huge = "x".repeat(1_100_000);
    check("huge.yaml", &huge, 2, "FILE: is larger than 1 MB");
    // Hostile text is tamed, and nothing was put anywhere.
    check(
        "ai-infra.yaml",
        "\"te\\e[2Jam\": 1\n",
        2,
        "FILE:1:1: unknown key `te\u{fffd}[2Jam`",
    );
    assert!(!team.home().join("agents/reviewer").exists());
    let kind = folder.join("what.yaml").display().to_string();
    let said = team
        .ai(&["config", "check", &kind, "--as", "tmux", "--json"])
        .expect(2)
        .json();
    assert_eq!(said["files"][0]["kind"], "tmux", "{said:#}");
    let problem = said["files"][0]["findings"][0]["problem"].as_str();
    assert!(
        problem.is_some_and(|p| p.contains("unknown key `tmux.colour`")),
        "{said:#}"
    );
    team.ai(&["config", "check", "--json"]).expect(0);
}
