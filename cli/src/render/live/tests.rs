//! The live line and a pipe's lines, by what the supervisor tells.
#![allow(clippy::unwrap_used, clippy::expect_used)]
use super::*;
use jiff::Timestamp;
use serde_json::json;

fn event(value: serde_json::Value) -> Reply {
    Reply::Event {
        progress: serde_json::from_value(value).unwrap(),
    }
}

fn story() -> Vec<Reply> {
    let at = Timestamp::UNIX_EPOCH.to_string();
    let mut told = vec![Reply::State {
        state: TaskState::Queued,
    }];
    let phase = |what: &str, phase: &str| event(json!({"event": what, "phase": phase, "at": at}));
    for name in ["observe", "think", "plan"] {
        told.push(phase("phase_started", name));
        told.push(phase("phase_ended", name));
    }
    told.push(phase("phase_started", "build"));
    let check = json!({"file": {"path": "x"}});
    told.push(event(json!({"event": "criteria", "criteria": [
        {"id": "c1", "text": "it holds", "check": check},
        {"id": "c2", "text": "that too", "check": check},
    ]})));
    told.push(phase("phase_ended", "build"));
    told.push(phase("phase_started", "execute"));
    told.push(event(json!({"event": "call", "line": {
        "phase": "execute", "tool": "Bash", "summary": "cargo fmt\x1b[2J --check", "took_ms": 1400, "is_error": false}})));
    told.push(phase("phase_ended", "execute"));
    told.push(phase("phase_started", "verify"));
    told.push(event(json!({"event": "evidence", "evidence": {
        "criterion": "c1", "verdict": "passed", "source": "file", "observed": "x", "measured": at, "tree": null}})));
    told
}

fn live() -> Live {
    Live::new(ShortId(1), "code".parse().unwrap())
}

#[test]
fn a_pipe_sees_plain_lines() {
    let mut live = live();
    let lines: Vec<String> = story().iter().filter_map(|r| live.take(r)).collect();
    assert_eq!(
        lines.join("\n"),
        "code              queued\n\
         code     BUILD    2 criteria written\n\
         code     EXECUTE  Bash cargo fmt\\u{1b}[2J --check · 1.4 s\n\
         code     VERIFY   ✓ c1 it holds"
    );
}

#[test]
fn a_terminal_sees_one_line() {
    let mut live = live();
    assert_eq!(
        live.line(Duration::from_millis(50), 100),
        "  code     waits in the queue …   50 ms"
    );
    for reply in story() {
        live.take(&reply);
    }
    assert_eq!(
        live.line(Duration::from_millis(1400), 100),
        "  code     OBSERVE ✓ THINK ✓ PLAN ✓ BUILD ✓ EXECUTE ✓ VERIFY 1/2 …   1.4 s"
    );
    for (width, expected) in [
        (
            72,
            "  code     ✓OBSERVE ✓THINK ✓PLAN ✓BUILD ✓EXECUTE …VERIFY 1/2   1.4 s",
        ),
        (40, "  code     VERIFY 1/2 …   1.4 s"),
    ] {
        assert_eq!(live.line(Duration::from_millis(1400), width), expected);
    }
    let back = json!({"event": "phase_started", "phase": "execute", "at": "1970-01-01T00:00:01Z"});
    live.take(&event(back));
    assert_eq!(
        live.line(Duration::from_secs(2), 100),
        "  code     OBSERVE ✓ THINK ✓ PLAN ✓ BUILD ✓ EXECUTE …   2.0 s"
    );
}

#[test]
fn a_plan_shows_its_parts() {
    let of = |name: &str, task: u64, told: Reply| Reply::Part {
        part: name.to_owned(),
        task: ShortId(task),
        agent: "qa".parse().unwrap(),
        told: Box::new(told),
    };
    let mut live = Live::new(ShortId(1), Role::supervisor());
    let mut lines = Vec::new();
    for reply in story() {
        lines.extend(live.take(&of("tests", 2, reply)));
    }
    let state = |state| Reply::State { state };
    lines.extend(live.take(&of("scan", 3, state(TaskState::Queued))));
    assert_eq!(lines[1], "t2    qa       BUILD    2 criteria written");
    assert_eq!(
        live.line(Duration::from_secs(2), 100),
        "  tests VERIFY 1/2 …   scan queued   2.0 s"
    );
    live.take(&of("scan", 3, state(TaskState::Cancelled)));
    live.take(&of("tests", 4, state(TaskState::Done)));
    assert_eq!(
        live.line(Duration::from_secs(2), 100),
        "  scan ✗   tests ✓   2.0 s"
    );
}

#[test]
fn what_is_told_again_after_a_reconnection_is_passed_over() {
    let mut live = live();
    for reply in story() {
        live.take(&reply);
    }
    live.reconnected();
    assert!(story().iter().all(|reply| live.take(reply).is_none()));
    let new = event(json!({"event": "claimed", "holder": "code@h", "epoch": 2, "replayed": 3}));
    assert_eq!(
        live.take(&new).unwrap(),
        "code              resumed t1 (3 steps taken from the journal; nothing repeated)"
    );
}
