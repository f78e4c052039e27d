//! The talk with the supervisor: keys in a real tmux window, lines on a pipe. What is typed is whole
//! whatever the team writes meanwhile, and the window is only a client.

use crate::AI_INFRA;
use nix::sys::signal::Signal;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;
use tests::processes::{self, wait_until};
use tests::team::{Ran, Team};
use tests::terminal::Window;

/// A small folder to talk about.
fn project(team: &Team) -> PathBuf {
    let folder = team.scratch("shop");
    std::fs::write(folder.join("README.md"), "# Shop\n\nSells things.\n").expect("a file");
    std::fs::write(folder.join("orders.csv"), "id,total\n1,20\n2,30\n").expect("a file");
    folder
}

/// A team in tmux, and its window 0 once it can be typed in.
fn window(team: &Team) -> Window<'_> {
    team.ai(&["up"]).expect(0);
    let window = Window::of(team, 0, 80, 24);
    window.until("you ›");
    window
}

fn requests(team: &Team) -> Vec<String> {
    let listed = team.ai(&["task", "list", "--json"]).expect(0).json();
    let tasks = listed["tasks"].as_array().cloned().unwrap_or_default();
    let words = |task: &serde_json::Value| task["request"].as_str().map(str::to_owned);
    tasks.iter().filter_map(words).collect()
}

#[test]
fn what_the_team_writes_never_garbles_what_is_typed() {
    let team = Team::new(AI_INFRA);
    let folder = project(&team);
    let window = window(&team);
    window.says(&format!("/workspace {}", folder.display()));
    window.until("requests are about");
    // Half a line; then others keep the team busy; then the rest of it.
    window.types("look over this rep");
    for _ in 0..3 {
        team.run(&folder, "how are disk and memory of this host?");
    }
    window.until_that("three tasks of others, begun and ended", |shown| {
        shown.matches("handed in elsewhere").count() == 3 && shown.matches(" done: ").count() == 3
    });
    assert_eq!(window.last_line(), "you › look over this rep");
    window.says("ository");
    window.until("criteria proven");
    let shown = window.has_shown();
    let typed: Vec<&str> = shown
        .lines()
        .filter(|line| line.starts_with("you ›") && line.contains("look"))
        .collect();
    assert_eq!(typed, ["you › look over this repository"], "{shown}");
    assert!(!shown.contains("\\u{"), "{shown}");
    assert_eq!(requests(&team)[0], "look over this repository");
    // The plan came before the work, the work before the result.
    let at = |words: &str| {
        shown
            .find(words)
            .unwrap_or_else(|| panic!("{words}: {shown}"))
    };
    assert!(at("code does this by the playbook look-over") < at("EXECUTE"));
    assert!(at("EXECUTE") < at("sup › t4 done in"));
    // A number alone rates the last result, and words with it are remembered.
    window.says("9");
    window.until("t4 is rated 9 of 10");
    window.says("/rate t4 3 it missed the licence");
    window.until("your words are remembered");
    let page = team.ai(&["task", "show", "t4"]).expect(0).stdout;
    assert!(
        page.contains("3 of 10") && page.contains("it missed the licence"),
        "{page}"
    );
    team.ai(&["task", "rate", "t4", "11"]).expect(2);
    team.ai(&["task", "rate", "t4", "4", "and", "the tests"])
        .expect(0);
    let page = team.ai(&["task", "show", "t4"]).expect(0).stdout;
    assert!(page.contains("and the tests"), "{page}");
    // A word about a task that cannot begin yet stands on a line of its own.
    team.ai(&["agents", "pause", "infra"]).expect(0);
    window.says("how are disk and memory of this host?");
    window.until("it is t5");
    let shown = window.shows();
    assert!(
        shown.contains("\nnote: ") && !shown.contains("› note"),
        "{shown}"
    );
    team.down();
}

#[test]
fn keys_history_search_paste_and_completion() {
    let team = Team::new(AI_INFRA);
    let window = window(&team);
    // Typed ahead, faster than anybody reads.
    window.types("/tasks 7\r/memory nothing at all\r");
    window.until_that("both were answered", |shown| {
        shown.lines().filter(|l| l.starts_with("you ›")).count() == 3
    });
    window.presses(&["Up", "Up"]);
    window.until_that("an earlier line", |shown| shown.ends_with("you › /tasks 7"));
    window.presses(&["C-c"]);
    window.presses(&["C-r"]);
    window.types("nothing");
    window.until("/memory nothing at all");
    window.presses(&["C-c"]);
    window.until_that("an empty line", |shown| shown.ends_with("you ›"));
    window.types("/wor");
    window.presses(&["Tab"]);
    window.until_that("the whole command", |shown| {
        shown.ends_with("you › /workspace")
    });
    window.presses(&["C-u"]);
    // Two hundred lines are one line of the conversation.
    let lines: Vec<String> = (1..=200)
        .map(|n| format!("line {n} of what was pasted"))
        .collect();
    window.pastes(&lines.join("\n"));
    window.until("line 200 of what was pasted");
    window.presses(&["Enter"]);
    window.until("no playbook covers this");
    let history = team.home().join("chat/history");
    let kept = std::fs::read_to_string(&history).expect("a history");
    let pasted = kept.lines().last().unwrap_or_default();
    assert!(
        pasted.contains("line 1 of") && pasted.contains("line 200 of"),
        "{pasted}"
    );
    let mode = std::fs::metadata(&history)
        .expect("a history")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    // Nothing was started by it, and the window stays where Ctrl-D would leave.
    assert!(requests(&team).is_empty());
    window.presses(&["C-d"]);
    window.until("this window stays");
    team.down();
}

#[test]
fn a_narrow_terminal_is_bearable() {
    let team = Team::new(AI_INFRA);
    let folder = project(&team);
    let window = window(&team);
    window.resize(40, 20);
    window.says(&format!("/workspace {}", folder.display()));
    window.says("profile orders.csv");
    window.until_has_shown("criteria proven");
    window.until_that("a line to type in", |shown| shown.ends_with("you ›"));
    let shown = window.has_shown();
    let of_us = shown
        .lines()
        .skip_while(|line| !line.contains("profile orders.csv"))
        .skip(1);
    let wide: Vec<&str> = of_us.filter(|line| line.chars().count() > 76).collect();
    assert!(wide.is_empty(), "{wide:#?}");
    team.down();
}

#[test]
fn what_is_missing_is_asked_for_and_a_number_chooses() {
    let team = Team::new(AI_INFRA);
    let folder = project(&team);
    let window = window(&team);
    window.says(&format!("/workspace {}", folder.display()));
    window.says("profile my data");
    window.until("needs `file`");
    window.says("orders.txt");
    window.until("must end in .csv");
    window.says("orders.csv");
    window.until("criteria proven");
    assert_eq!(requests(&team), ["profile my data"]);
    team.down();
}

#[test]
fn the_window_is_a_client_and_the_supervisor_stands_behind_it() {
    let team = Team::new(AI_INFRA);
    let window = window(&team);
    let (chat, supervisor) = (team.pid("chat"), team.pid("supervisor"));
    processes::send(chat, Signal::SIGKILL);
    let back = wait_until(Duration::from_secs(10), || {
        team.noted_pid("window-chat").is_some_and(|pid| pid != chat)
    });
    assert!(back, "the chat did not come back");
    assert_eq!(team.pid("supervisor"), supervisor);
    window.until_that("a new prompt", |shown| shown.ends_with("you ›"));
    // The supervisor is away for a while: what is typed stays, and goes on when it is back.
    window.types("how are disk and memory of ");
    processes::send(supervisor, Signal::SIGKILL);
    window.says("this host?");
    window.until("criteria proven");
    assert_eq!(requests(&team), ["how are disk and memory of this host?"]);
    team.down();
}

/// Talks over a pipe.
fn piped(team: &Team, args: &[&str], lines: &str) -> Ran {
    team.piped(&[&["chat"][..], args].concat(), lines)
}

#[test]
fn a_pipe_asks_a_request_a_line_and_the_team_is_started() {
    let team = Team::new(AI_INFRA);
    let folder = project(&team).display().to_string();
    let lines = "look over this repository\nprofile orders.csv\n";
    let ran = piped(&team, &["--workspace", &folder], lines).expect(0);
    assert!(
        ran.stderr.contains("the team is not up; starting it"),
        "{ran:#?}"
    );
    assert_eq!(ran.stdout.matches("criteria proven").count(), 2, "{ran:#?}");
    assert!(!ran.stdout.contains('\u{1b}'), "{ran:#?}");
    let (first, second) = (ran.stdout.find("t1 done in"), ran.stdout.find("t2 done in"));
    assert!(
        first.is_some() && first < second,
        "one after the other: {ran:#?}"
    );
    // What is not understood ends with an exit code; a question that stays open with another.
    piped(
        &team,
        &[],
        "write me a poem about the sea and its colours\nnever mind\n",
    )
    .expect(2);
    let open = piped(&team, &["--workspace", &folder], "profile my data\n").expect(3);
    assert!(open.stdout.contains("needs `file`"), "{open:#?}");
    // As JSON, every line is a document.
    let ran = piped(
        &team,
        &["--workspace", &folder, "--json"],
        "profile orders.csv\n",
    )
    .expect(0);
    let kinds: Vec<String> = ran
        .stdout
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("a document"))
        .inspect(|document| assert_eq!(document["version"], 1))
        .map(|document| document["kind"].as_str().unwrap_or_default().to_owned())
        .collect();
    assert_eq!(
        kinds.first().map(String::as_str),
        Some("proposal"),
        "{kinds:?}"
    );
    assert_eq!(
        kinds.last().map(String::as_str),
        Some("result"),
        "{kinds:?}"
    );
    team.down();
}
