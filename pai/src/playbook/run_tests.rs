//! Runs told as stories: the calls a playbook makes, given the answers.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::*;
use serde_json::json;

const HEAD: &str = "playbook: 1\nname: demo\nagent: code\nlevel: 1\nintents: [\"demo {unit}\", \"demo\"]\n\
    params: {unit: {type: unit, default: shop}, days: {type: int, default: 2}}\n\
    criteria: [{id: c1, text: \"{{ unit }} holds\", check: {tool: {name: Read, input: {file_path: \"{{ unit }}\"}, expect: \"result.lines == 1\"}}}]\n";

fn playbook(steps: &str, report: &str) -> Playbook {
    Playbook::parse(&format!(
        "{HEAD}steps:\n{steps}\nreport: {}\n",
        json!(report)
    ))
    .unwrap()
}

/// Runs a playbook, answering each call by `answer`; the calls and the end.
fn play(
    playbook: &Playbook,
    answer: impl Fn(&ToolCall) -> Result<Value, String>,
) -> (Vec<String>, Next) {
    let run = Run::new(playbook, &Map::new()).unwrap();
    let mut done = Vec::new();
    for _ in 0..100 {
        match run.next(&done).unwrap() {
            Next::Call(call, _) => {
                assert_eq!(
                    run.next(&done).unwrap(),
                    run.next(&done).unwrap(),
                    "the same answers, the same next call"
                );
                let (is_error, text, data) = match answer(&call) {
                    Ok(data) => (false, "fine".to_owned(), data),
                    Err(text) => (true, text, Value::Null),
                };
                let id = call.id.clone();
                done.push((
                    call,
                    ToolAnswer {
                        id,
                        is_error,
                        text,
                        data,
                        took_ms: 1,
                    },
                ));
            }
            end => {
                let calls = done
                    .iter()
                    .map(|(call, _)| format!("{} {} {}", call.id, call.name, call.input));
                return (calls.collect(), end);
            }
        }
    }
    panic!("it does not end");
}

fn fine(_: &ToolCall) -> Result<Value, String> {
    Ok(json!({"paths": ["a", "b"], "lines": 7}))
}

#[test]
fn steps_run_in_order_with_filled_arguments() {
    let demo = playbook(
        "  - {id: find, tool: Glob, args: {pattern: \"{{ unit }}/*\", path: null}}\n  - {id: read, tool: Read, args: {file_path: \"{{ item }}\", limit: \"{{ days }}\"}, foreach: steps.find.paths, timeout: 10s}\n  - {id: skipped, tool: GitStatus, when: days > 5}",
        "{{ steps.read.count }} files, {{ steps.read.items[1].lines }} lines, {{ steps.skipped.ran }}",
    );
    let (calls, end) = play(&demo, fine);
    assert_eq!(
        calls,
        [
            r#"find Glob {"pattern":"shop/*"}"#,
            r#"read[0] Read {"file_path":"a","limit":2}"#,
            r#"read[1] Read {"file_path":"b","limit":2}"#
        ]
    );
    assert_eq!(
        end,
        Next::Finished {
            report: "2 files, 7 lines, False".to_owned()
        }
    );
}

#[test]
fn an_error_stops_or_goes_on_as_the_step_says() {
    let fail = |call: &ToolCall| {
        if call.id == "one" {
            Err("no\nsuch".to_owned())
        } else {
            fine(call)
        }
    };
    let stop = playbook(
        "  - {id: one, tool: GitStatus}\n  - {id: two, tool: GitDiff}",
        "x",
    );
    let (calls, end) = play(&stop, fail);
    assert_eq!(calls.len(), 1);
    assert_eq!(
        end,
        Next::Failed {
            reason: "step one (GitStatus) failed: no".to_owned()
        }
    );
    let on = playbook(
        "  - {id: one, tool: GitStatus, on_error: continue}\n  - {id: two, tool: GitDiff}",
        "{{ steps.one.ok }} {{ steps.two.ok }}",
    );
    let (calls, end) = play(&on, fail);
    assert_eq!(calls.len(), 2);
    assert_eq!(
        end,
        Next::Finished {
            report: "False True".to_owned()
        }
    );
}

#[test]
fn undo_takes_back_newest_first_and_names_what_it_could_not() {
    let demo = playbook(
        "  - {id: one, tool: Write, args: {file_path: a, content: b}, undo: {tool: Bash, args: {argv: [rm, a]}}}\n  - {id: two, tool: Write, args: {file_path: \"{{ item }}\", content: b}, foreach: [x, y], undo: {tool: Bash, args: {argv: [rm, \"{{ item }}\"]}}, on_error: undo}",
        "x",
    );
    let fail = |call: &ToolCall| match call.id.as_str() {
        "two[1]" => Err("disk full".to_owned()),
        "two[0].undo" => Err("gone".to_owned()),
        _ => fine(call),
    };
    let (calls, end) = play(&demo, fail);
    let ids: Vec<&str> = calls
        .iter()
        .map(|call| call.split(' ').next().unwrap())
        .collect();
    assert_eq!(
        ids,
        [
            "one",
            "two[0]",
            "two[1]",
            "two[1].undo",
            "two[0].undo",
            "one.undo"
        ]
    );
    assert!(calls[3].contains(r#"["rm","y"]"#), "{}", calls[3]);
    let reason = "step two[1] (Write) failed: disk full; taken back: two[1], one; could not be taken back: two[0] (gone)";
    assert_eq!(
        end,
        Next::Failed {
            reason: reason.to_owned()
        }
    );
    assert!(demo.writes());
}

#[test]
fn limits_and_changed_playbooks_are_refused() {
    let many = playbook(
        "  - {id: one, tool: Read, args: {file_path: a}, foreach: \"range(1001) | list\"}",
        "x",
    );
    let run = Run::new(&many, &Map::new()).unwrap();
    assert!(
        run.next(&[])
            .unwrap_err()
            .to_string()
            .contains("at most 1000")
    );

    let one = playbook("  - {id: one, tool: GitStatus}", "x");
    let run = Run::new(&one, &Map::new()).unwrap();
    let call = ToolCall {
        id: "one".to_owned(),
        name: "Bash".to_owned(),
        input: json!({}),
    };
    let answer = ToolAnswer {
        id: "one".to_owned(),
        is_error: false,
        text: String::new(),
        data: Value::Null,
        took_ms: 0,
    };
    assert!(
        run.next(&[(call, answer)])
            .unwrap_err()
            .to_string()
            .contains("GitStatus")
    );
}

#[test]
fn criteria_and_reports_are_filled() {
    let demo = playbook("  - {id: one, tool: GitStatus}", "a\n\n\n\nb\u{1b}[0m   \n");
    let run = Run::new(&demo, json!({"unit": "db"}).as_object().unwrap()).unwrap();
    assert_eq!(run.criteria().unwrap()[0].text, "db holds");
    assert_eq!(run.report(&[]).unwrap(), "a\n\nb[0m");
    assert!(Run::new(&demo, json!({"unit": "a b"}).as_object().unwrap()).is_err());
}
