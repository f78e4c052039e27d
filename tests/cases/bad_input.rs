//! Wrong words get one clear sentence, the nearest right name, and exit code 2.

use crate::AI_INFRA;
use tests::team::Team;

fn check(team: &Team, args: &[&str], code: i32, said: &[&str]) {
    let ran = team.ai(args);
    assert_eq!(ran.code, code, "{args:?}: {ran:#?}");
    for word in said {
        assert!(
            ran.stderr.contains(word),
            "{args:?} must say `{word}`: {}",
            ran.stderr
        );
    }
    assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
}

#[test]
fn wrong_words_end_in_exit_2() {
    let team = Team::new(AI_INFRA);
    team.up();
    let work = team.scratch("work");
    let work = work.to_str().expect("utf-8");
    check(&team, &["runn"], 2, &["run"]);
    check(&team, &["run", "x", "--agnet", "code"], 2, &["--agent"]);
    check(
        &team,
        &[
            "run",
            "any leaked secrets?",
            "--workspace",
            "/nowhere/at/all",
        ],
        2,
        &["/nowhere/at/all"],
    );
    check(
        &team,
        &["run", "any leaked secrets?", "--workspace", "/etc"],
        2,
        &["/etc"],
    );
    check(
        &team,
        &[
            "run",
            "any leaked secrets?",
            "--agent",
            "cod",
            "--workspace",
            work,
        ],
        2,
        &["code"],
    );
    check(&team, &["run", "", "--workspace", work], 2, &[]);
    check(&team, &["task", "show", "t999"], 2, &["t999"]);
    check(&team, &["task", "show", "banana"], 2, &["banana"]);
    let home = team.home();
    check(
        &team,
        &[
            "run",
            "any leaked secrets?",
            "--workspace",
            home.to_str().expect("utf-8"),
        ],
        2,
        &["home"],
    );
    team.down();
}

#[test]
fn without_a_key_three_playbooks_are_named() {
    let team = Team::new(AI_INFRA);
    let work = team.scratch("work");
    let work = work.to_str().expect("utf-8");
    let ran = team.ai(&["run", "write a poem about the sea", "--workspace", work]);
    assert_eq!(ran.code, 2, "{ran:#?}");
    assert!(
        ran.stderr.contains("ai-infra secret set anthropic-api-key"),
        "{}",
        ran.stderr
    );
    let near = |line: &&str| line.starts_with("    ") && line.contains(": \"");
    let count = ran.stderr.lines().filter(near).count();
    assert_eq!(count, 3, "{}", ran.stderr);
    team.down();
}

#[test]
fn a_wrong_setting_names_the_nearest() {
    let team = Team::new(AI_INFRA);
    team.configure("team:\n  leese_ms: 1500\n");
    check(&team, &["up", "--no-tmux"], 2, &["leese_ms", "lease_ms"]);
    team.configure("team: [\n");
    check(&team, &["up", "--no-tmux"], 2, &["ai-infra.yaml"]);
}
