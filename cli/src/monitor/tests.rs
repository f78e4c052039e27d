//! The monitor without a terminal: a team is seen, keys go in, the picture and the wishes are read.
#![allow(clippy::unwrap_used)]

use super::draw::{Pen, draw};
use super::host::Gauges;
use super::state::{Monitor, Wish};
use crate::tui::Paint;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use proptest::prelude::*;
use protocol::board::{Board, EventLine, LaneLine, PhaseLine};
use protocol::control::Verb;
use protocol::document::{BrakeLine, ProcessLine, QuestionDocument, TaskLine, TeamStatus};
use protocol::ids::{ShortId, TaskId};
use protocol::money::MicroUsd;
use protocol::phase::Phase;
use protocol::question::Choice;
use protocol::task::Class;
use protocol::task_state::{TaskState, WaitReason};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{KeyCode, KeyEvent};
use ratatui::style::Color;
use serde_json::json;

fn at(text: &str) -> Timestamp {
    format!("2026-03-01T{text}Z").parse().unwrap()
}

fn process(name: &str, state: &str, restarts: u64, task: Option<u64>) -> ProcessLine {
    ProcessLine {
        name: name.into(),
        pid: Some(4000),
        state: state.into(),
        restarts,
        task: task.map(ShortId),
    }
}

fn task(number: u64, agent: &str, state: TaskState, accepted: &str, request: &str) -> TaskLine {
    TaskLine {
        task_id: TaskId::new(),
        short_id: ShortId(number),
        state,
        due: None,
        agent: agent.parse().unwrap(),
        request: request.into(),
        accepted: at(accepted),
        ended: None,
        cost: MicroUsd(0),
        parent: None,
    }
}

fn question(number: u64, choices: &[Choice]) -> QuestionDocument {
    serde_json::from_value(json!({
        "task": format!("t{number}"), "number": 2, "step": "s",
        "text": "did this happen: POST hooks/deploy?", "known": [], "choices": choices,
        "asked": "2026-03-01T11:50:00Z", "answer": null,
    }))
    .unwrap()
}

fn team() -> Monitor {
    let waits = TaskState::Waiting {
        on: WaitReason::Input,
    };
    let works = TaskState::Running {
        phase: Phase::Execute,
    };
    let failed = TaskState::Failed {
        reason: "no".into(),
    };
    let status = TeamStatus {
        state: "up".into(),
        home: "/srv/team".into(),
        team_version: Some("0.1.0".into()),
        processes: vec![
            process("daemon", "up", 0, None),
            process("redis", "up", 0, None),
            process("supervisor", "up", 0, None),
            process("code", "up", 0, Some(12)),
            process("infra", "up", 2, None),
            process("qa", "crash loop", 5, None),
            process("chat", "up", 0, None),
            process("monitor", "up", 0, None),
        ],
        questions: vec![question(9, &Choice::ALL)],
        paused: vec![BrakeLine {
            role: "infra".parse().ok(),
            since: at("11:00:00"),
            by: "ada".into(),
        }],
        delayed: 2,
        dead_letters: 1,
        problems: vec!["qa ends again and again: see logs/agent-qa.log".into()],
        ..TeamStatus::default()
    };
    let event = |second: u32, task: u64, agent: &str, text: &str| EventLine {
        at: at(&format!("11:59:{second:02}")),
        task: Some(ShortId(task)),
        agent: agent.parse().ok(),
        text: text.into(),
    };
    let board = Board {
        status: status.clone(),
        tasks: vec![
            task(
                12,
                "code",
                works,
                "11:58:00",
                "run the tests\nof \x1b[2Jthis",
            ),
            task(11, "qa", failed, "09:00:00", &"long ".repeat(40)),
            task(9, "infra", waits, "11:40:00", "deploy the shop"),
        ],
        lanes: vec![
            LaneLine {
                role: "code".parse().unwrap(),
                class: Class::Urgent,
                waiting: 1,
            },
            LaneLine {
                role: "code".parse().unwrap(),
                class: Class::Normal,
                waiting: 3,
            },
        ],
        phases: vec![PhaseLine {
            task: ShortId(12),
            since: at("11:59:53"),
        }],
        events: vec![
            event(50, 12, "code", "taken"),
            event(53, 12, "code", "EXECUTE"),
            event(59, 9, "infra", "waiting(input)"),
        ],
        spent: MicroUsd(140_000),
        budget: MicroUsd(20_000_000),
        ..Board::default()
    };
    Monitor {
        status: Some(status),
        board: Some(board),
        gauges: Gauges {
            processor: Some(0.12),
            memory: Some((4_100_000_000, 23_000_000_000)),
            disk: Some((190_000_000_000, 200_000_000_000)),
            load: Some([0.4, 0.3, 0.2]),
        },
        ..Monitor::default()
    }
}

fn buffer(monitor: &mut Monitor, columns: u16, rows: u16, colour: bool) -> ratatui::buffer::Buffer {
    let mut terminal = Terminal::new(TestBackend::new(columns, rows)).unwrap();
    let pen = Pen {
        now: at("12:00:05"),
        zone: &TimeZone::UTC,
        paint: Paint { colour },
    };
    let drawn = terminal.draw(|frame| draw(monitor, frame, pen)).unwrap();
    drawn.buffer.clone()
}

fn picture(monitor: &mut Monitor, columns: u16, rows: u16) -> String {
    let buffer = buffer(monitor, columns, rows, true);
    let row = |y: u16| {
        let row: String = (0..columns).map(|x| buffer[(x, y)].symbol()).collect();
        row.trim_end().to_owned() + "\n"
    };
    (0..rows).map(row).collect()
}

fn press(monitor: &mut Monitor, keys: &str) -> Wish {
    let mut wish = Wish::Draw;
    for key in keys.chars() {
        let code = match key {
            '\n' => KeyCode::Enter,
            '\x1b' => KeyCode::Esc,
            '\t' => KeyCode::Tab,
            '\x08' => KeyCode::Backspace,
            letter => KeyCode::Char(letter),
        };
        wish = monitor.press(KeyEvent::from(code));
    }
    wish
}

#[test]
fn a_working_team_at_80_by_24() {
    let expected = "\
ai-infra 0.1.0 up                           $0.14 of $20.00 this month  12:00:05
cpu 12%  memory 4.1 GB of 23.0 GB  disk 190.0 GB of 200.0 GB  load 0.4
code       works      t12   EXECUTE  12 s      run the tests of \\u{1b}[2Jthis
infra      paused     started again 2 times
qa         crash loop started again 5 times
! qa ends again and again: see logs/agent-qa.log
queues  code 4 (1 urgent) · 2 delayed · 1 dead letter
waits for you
  t9    asks, 10 min 5 s: did this happen: POST hooks/deploy?
tasks
  t12   running(execute)   code         2 min 5 s  run the tests of \\u{1b}[2Jth…
  t11   failed             qa           3 h 0 min  long long long long long lon…
  t9    waiting(input)     infra       20 min 5 s  deploy the shop
events
  11:59:50 t12   code       taken
  11:59:53 t12   code       EXECUTE
  11:59:59 t9    infra      waiting(input)






a answer  Enter look  p pause  f freeze  ? help
";
    assert_eq!(picture(&mut team(), 80, 24), expected);
}

#[test]
fn a_working_team_at_40_by_15() {
    let expected = "\
ai-infra 0.1.0 up               12:00:05
cpu 12%  memory 18%  disk 95%  load 0.4
code       works  t12   12 s  run the t…
infra      paused started again 2 times
qa         crash… started again 5 times
! qa ends again and again: see logs/age…
queues  code 4 (1 urgent) · 2 delayed ·…
waits for you
  t9    asks, 10 min 5 s: did this happ…
tasks
  t12   running   run the tests of \\u{1…
  t11   failed    long long long long l…
  t9    waiting   deploy the shop

a answer  Enter look  p pause  f freeze
";
    assert_eq!(picture(&mut team(), 40, 15), expected);
}

#[test]
fn a_wide_window_shows_events_beside_the_tasks() {
    let shown = picture(&mut team(), 140, 30);
    let line = shown
        .lines()
        .find(|line| line.starts_with("tasks"))
        .unwrap();
    assert!(line.ends_with("events"), "{shown}");
}

#[test]
fn nobody_answers() {
    let mut monitor = Monitor {
        away: Some("the team does not answer: ai-infra up".into()),
        ..Monitor::default()
    };
    let shown = picture(&mut monitor, 80, 24);
    assert!(shown.contains("asking") && shown.contains("! the team does not answer: ai-infra up"));
}

#[test]
fn keys_ask_for_what_they_say() {
    let pause = |role: &str| {
        let role = role.parse().unwrap();
        Wish::Do(Verb::AgentPause { role })
    };
    let resume = |role: &str| {
        let role = role.parse().unwrap();
        Wish::Do(Verb::AgentResume { role })
    };
    let check = |keys: &str, expected: Wish| {
        assert_eq!(press(&mut team(), keys), expected, "{keys:?}");
    };
    let t = |number| protocol::ids::TaskRef::Short(ShortId(number));
    check("q", Wish::Quit);
    check("p", pause("code"));
    check("jp", resume("infra"));
    check("\n", Wish::Look(ShortId(12)));
    // An agent that holds nothing has nothing to look into.
    check("j\n", Wish::Draw);
    check("\t\n", Wish::Look(ShortId(9)));
    check("\t\tj\n", Wish::Look(ShortId(11)));
    check("G\n", Wish::Look(ShortId(9)));
    check("c", Wish::Draw);
    check("cy", Wish::Do(Verb::TaskCancel { task: t(12) }));
    check("cn", Wish::Draw);
    // It has ended: nobody is asked whether it is to be stopped.
    check("\t\tjcy", Wish::Draw);
    check("fy", Wish::Do(Verb::Freeze));
    check("f\x1b", Wish::Draw);
    check("\t\tp", Wish::Do(Verb::TaskPause { task: t(12) }));
    check("?q", Wish::Draw);
    check("?qq", Wish::Quit);
    check("\nq", Wish::Draw);
    check("\nqq", Wish::Quit);
}

#[test]
fn a_question_is_answered_by_its_number() {
    let said = |wish: Wish| match wish {
        Wish::Do(Verb::TaskAnswer { question, said, .. }) => (question, said.choice, said.text),
        other => panic!("no answer: {other:?}"),
    };
    // From anywhere, and on the question itself.
    for keys in ["as", "\tas"] {
        let (number, choice, text) = said(press(&mut team(), keys));
        assert_eq!((number, choice, text), (Some(2), Some(Choice::Stop), None));
    }
    let mut monitor = team();
    press(&mut monitor, "a");
    assert!(picture(&mut monitor, 80, 24).contains("answer t9: h happened · a again · s stop"));
    assert_eq!(press(&mut monitor, "x"), Wish::Draw);
    assert!(
        monitor.prompt.is_some(),
        "another key leaves the question standing"
    );
    // One that wants words: empty ones are not sent.
    let mut monitor = team();
    monitor.status.as_mut().unwrap().questions = vec![question(9, &[])];
    press(&mut monitor, "a\n");
    let (number, choice, text) = said(press(&mut monitor, "bluex\x08\n"));
    assert_eq!(
        (number, choice, text.as_deref()),
        (Some(2), None, Some("blue"))
    );
    monitor.status.as_mut().unwrap().questions.clear();
    press(&mut monitor, "a");
    assert_eq!(
        monitor.said.as_deref(),
        Some("no question waits for an answer")
    );
}

#[test]
fn a_frozen_team_says_so_and_is_thawed() {
    let mut monitor = team();
    let frozen = BrakeLine {
        role: None,
        since: at("11:00:00"),
        by: "ada".into(),
    };
    monitor.status.as_mut().unwrap().frozen = Some(frozen);
    assert!(picture(&mut monitor, 80, 24).starts_with("ai-infra 0.1.0 FROZEN"));
    assert_eq!(press(&mut monitor, "fy"), Wish::Do(Verb::Thaw));
}

#[test]
fn without_colour_nothing_is_coloured() {
    let mut monitor = team();
    press(&mut monitor, "c");
    let drawn = buffer(&mut monitor, 100, 30, false);
    assert!(
        drawn
            .content
            .iter()
            .all(|cell| cell.fg == Color::Reset && cell.bg == Color::Reset)
    );
    let drawn = buffer(&mut monitor, 100, 30, true);
    assert!(drawn.content.iter().any(|cell| cell.fg != Color::Reset));
}

proptest! {
    #[test]
    fn any_team_at_any_size_is_drawn_and_tame(
        words in ".{0,120}", columns in 1u16..160, rows in 1u16..50, keys in "[jk\tacpfhs?q\n]{0,12}",
        many in 0u64..40,
    ) {
        let mut monitor = team();
        if let Some(board) = &mut monitor.board {
            let line = |n| task(100 - n, "code", TaskState::Queued, "10:00:00", &words);
            board.tasks.extend((0..many).map(line));
        }
        if let Some(status) = &mut monitor.status {
            status.problems.extend((0..many).map(|_| words.clone()));
            status.questions.extend((0..many).map(|n| question(n, &[])));
        }
        press(&mut monitor, &keys);
        let shown = picture(&mut monitor, columns, rows);
        prop_assert!(!shown.chars().any(|c| c.is_control() && c != '\n'), "{shown:?}");
    }
}
