//! A request that leaves something open is asked about: on a terminal there, else with the command
//! that answers it and exit code 3. Nothing is kept meanwhile.

use crate::AI_INFRA;
use std::io::Write;
use std::process::Stdio;
use tests::team::Team;

#[test]
fn what_is_open_is_asked_and_what_nobody_does_is_said() {
    let team = Team::new(AI_INFRA);
    let work = team.scratch("work");
    std::fs::write(work.join("my data.csv"), "id,city\n1,Ulm\n2,Bonn\n").expect("a file");
    let folder = work.to_str().expect("utf-8");
    let ran = team
        .ai(&["run", "profile the data", "--workspace", folder])
        .expect(3);
    let command =
        format!("ai-infra run --playbook profile-data --param file=… --workspace {folder}");
    assert!(ran.stderr.contains(&command), "{ran:#?}");
    let ran = team
        .ai(&[
            "run",
            "memory usage of nginx",
            "--workspace",
            folder,
            "--json",
        ])
        .expect(3);
    let document = ran.json();
    assert_eq!(document["version"], 1, "{document:#}");
    assert_eq!(document["asks"]["proposal"], "several", "{document:#}");
    assert_eq!(document["asks"]["candidates"][0]["playbook"], "host-health");
    assert_eq!(document["asks"]["candidates"][0]["beside"][0], "nginx");
    let request = "run the tests and write a poem about the sea";
    let ran = team.ai(&["run", request, "--workspace", folder]).expect(2);
    assert!(
        ran.stderr
            .contains("needs a model: \"write a poem about the sea\""),
        "{ran:#?}"
    );
    let tasks = team.ai(&["task", "list", "--json"]).expect(0).json();
    assert_eq!(
        tasks["tasks"].as_array().map(Vec::len),
        Some(0),
        "{tasks:#}"
    );
    for (typed, code, said) in [
        ("my data.csv\n", 0, "2 rows"),
        ("\n", 130, "nothing was started"),
    ] {
        let (got, shown) = on_a_terminal(&team, folder, typed);
        assert_eq!(got, code, "{shown}");
        assert!(shown.contains("file (The CSV"), "{shown}");
        assert!(shown.contains(said), "{shown}");
    }
    team.down();
}

/// `run "profile the data"` on a terminal of its own, with what is typed; exit code and screen.
fn on_a_terminal(team: &Team, folder: &str, typed: &str) -> (i32, String) {
    let run = team.command(&["run", "profile the data", "--workspace", folder]);
    let line = format!(
        "{} run 'profile the data' --workspace '{folder}'",
        run.get_program().to_str().expect("utf-8")
    );
    let mut script = std::process::Command::new("script");
    script
        .args(["-qec", &line, "/dev/null"])
        .env_clear()
        .envs(
            run.get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        )
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut child = script
        .spawn()
        .expect("script (util-linux) gives a terminal");
    let mut stdin = child.stdin.take().expect("its input");
    stdin.write_all(typed.as_bytes()).expect("typed");
    let output = child.wait_with_output().expect("it ends");
    drop(stdin);
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    (output.status.code().unwrap_or(255), shown)
}
