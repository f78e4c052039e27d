//! What `/` lines ask for, as tables.
#![allow(clippy::unwrap_used)]
use super::*;

#[track_caller]
fn check(line: &str, expected: &str) {
    let told = match deed(line, Some(ShortId(7))) {
        Ok(Deed::Cli(words)) => words.join(" "),
        Ok(Deed::Help(slash)) => format!("help {}", slash.map_or("all", |s| s.name)),
        Ok(other) => format!("{other:?}"),
        Err(error) => format!("error: {error}"),
    };
    assert_eq!(told, expected, "{line}");
}

#[test]
fn lines_become_deeds() {
    check("/status", "status");
    check("/tasks", "task list");
    check("/tasks 50", "task list --limit 50");
    check("/show", "task show t7");
    check("/show 12", "task show t12");
    check("/diff @t3", "task diff t3");
    check("/show twelve", "error: `twelve` is no task: /show t12");
    check("/rate 8", "task rate t7 8");
    check("/rate t3 9 well done", "task rate t3 9 --text well done");
    check(
        "/rate",
        "error: say how good it was, from 1 to 10: /rate 8, or /rate t12 8",
    );
    check("/budget 3.00", "task budget t7 3.00");
    check("/budget @t3 $2", "task budget t3 $2");
    check(
        "/budget",
        "error: say how much: /budget 3.00, or /budget t12 3.00",
    );
    check("/budget much 3", "error: `much` is no task: /budget t12");
    check("/pause code", "agents pause code");
    check("/pause t3", "task pause t3");
    check(
        "/resume t3",
        "CliAndFollow([\"task\", \"resume\", \"t3\"], Short(ShortId(3)))",
    );
    check("/pause", "error: say what: /pause t12, or /pause code");
    check("/help show", "help show");
    check("/?", "help all");
    check("/q", "Quit");
    check("/shwo", "error: there is no /shwo: did you mean /show?");
    check("/zzz", "error: there is no /zzz: /help shows what there is");
    check(
        "/workspace /srv/my shop",
        "Workspace(Some(\"/srv/my shop\"))",
    );
    check("/memory who's there", "memory search who's there");
    check("/attach", "Attach(Say)");
    check("/attach none", "Attach(Drop)");
    check(
        "/attach a.csv 'my notes.txt' b\\ c",
        "Attach(Take([\"a.csv\", \"my notes.txt\", \"b c\"]))",
    );
    check("/attach 'a", "error: a quote is not closed in: 'a");
    check("/answer happened", "Answer(None, \"happened\")");
    check(
        "/answer t5 it is blue",
        "Answer(Some(Short(ShortId(5))), \"it is blue\")",
    );
    check("/answer t5", "error: say the answer: /answer [TASK] ANSWER");
}

#[test]
fn without_a_task_the_next_step_is_said() {
    let error = deed("/show", None).unwrap_err();
    assert_eq!(error, "there is no task yet: /show t12");
}

#[test]
fn a_path_is_no_command() {
    for (line, expected) in [
        ("/show", true),
        ("  /help", true),
        ("/srv/shop is slow", false),
        ("/etc", true),
        ("/notes.txt says so", false),
        ("show", false),
        ("/", false),
    ] {
        assert_eq!(is_slash(line), expected, "{line}");
    }
}

#[test]
fn every_command_has_a_deed_and_fits_the_help() {
    for slash in ALL {
        let line = format!("/{} t1", slash.name);
        let error = deed(&line, Some(ShortId(1))).err().unwrap_or_default();
        assert!(
            !error.starts_with(&format!("there is no /{}", slash.name)),
            "{error}"
        );
        assert!(
            slash.name.len() + slash.usage.len() < 26 && slash.about.len() < 54,
            "{}",
            slash.name
        );
    }
}
