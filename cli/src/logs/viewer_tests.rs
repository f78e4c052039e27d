//! Window 7 without a terminal: keys go in, the picture is read.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::logs::line::parse;
use crate::logs::viewer_draw::draw;
use crate::tui::Paint;
use jiff::tz::TimeZone;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use serde_json::json;

fn line(number: u32, level: &str, message: &str) -> LogLine {
    let at = format!("2026-03-01T12:{:02}:{:02}Z", number / 60, number % 60);
    parse(
        if number.is_multiple_of(2) {
            "code"
        } else {
            "supervisor"
        },
        &json!({"timestamp": at, "level": level, "fields": {"message": message}}).to_string(),
    )
}

fn picture(viewer: &mut Viewer, columns: u16, rows: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(columns, rows)).unwrap();
    let paint = Paint { colour: true };
    let drawn = terminal.draw(|frame| draw(viewer, frame, &TimeZone::UTC, paint));
    let buffer = drawn.unwrap().buffer.clone();
    let row = |y: u16| {
        let row: String = (0..columns).map(|x| buffer[(x, y)].symbol()).collect();
        row.trim_end().to_owned() + "\n"
    };
    (0..rows).map(row).collect()
}

fn press(viewer: &mut Viewer, keys: &str) {
    for key in keys.chars() {
        let code = match key {
            '\n' => KeyCode::Enter,
            '\x1b' => KeyCode::Esc,
            '\x08' => KeyCode::Backspace,
            '\t' => KeyCode::Tab,
            letter => KeyCode::Char(letter),
        };
        assert_eq!(viewer.press(KeyEvent::from(code)), Wish::Draw);
    }
}

fn filled(many: u32) -> Viewer {
    let mut viewer = Viewer::new();
    viewer.height = 3;
    viewer.take(
        (0..many)
            .map(|n| {
                let level = if n % 5 == 0 { "WARN" } else { "INFO" };
                line(n, level, &format!("message {n}"))
            })
            .collect(),
    );
    viewer
}

#[test]
fn it_follows_the_newest_lines() {
    let expected = "\
12:00:07 supervisor INFO  message 7
12:00:08 code       INFO  message 8
12:00:09 supervisor INFO  message 9
following · 10 of 10 · info   ? help
";
    assert_eq!(picture(&mut filled(10), 80, 4), expected);
    let narrow = "\
12:00:08 code       message 8
12:00:09 supervisor message 9
following · 10 of 10 · info   ? help
";
    assert_eq!(picture(&mut filled(10), 40, 3), narrow);
    let mut empty = Viewer::new();
    assert!(picture(&mut empty, 60, 4).starts_with("no line yet"));
}

#[test]
fn what_is_typed_filters_at_once_and_is_forgotten_again() {
    let mut viewer = filled(30);
    press(&mut viewer, "/ssage 2");
    let typed = picture(&mut viewer, 60, 4);
    assert!(
        typed.contains("message 29") && typed.contains("/ssage 2"),
        "{typed}"
    );
    press(&mut viewer, "1\n");
    let expected = "\
12:00:21 supervisor INFO  message 21


following · 1 of 30 · info · /ssage 21   ? help
";
    assert_eq!(picture(&mut viewer, 60, 4), expected);
    // All lines, with what was found among them.
    press(&mut viewer, "\tN");
    let marked = picture(&mut viewer, 60, 4);
    assert!(
        marked.starts_with("12:00:21") && marked.contains("marked /"),
        "{marked}"
    );
    press(&mut viewer, "/x\x08\x08");
    assert_eq!(viewer.search, "");
    press(&mut viewer, "/nothing\n\t");
    assert!(picture(&mut viewer, 70, 4).starts_with("no line is shown"));
    press(&mut viewer, "\x1b");
    assert_eq!(viewer.counts(), (30, 30));
}

#[test]
fn a_pause_holds_the_lines_still_until_they_are_followed_again() {
    let mut viewer = filled(10);
    picture(&mut viewer, 60, 4);
    press(&mut viewer, " ");
    let before = picture(&mut viewer, 60, 3);
    viewer.take(vec![line(50, "INFO", "later")]);
    let paused = picture(&mut viewer, 60, 3);
    assert_eq!(before.lines().next(), paused.lines().next());
    assert!(paused.contains("paused, 1 new"), "{paused}");
    press(&mut viewer, " ");
    assert!(picture(&mut viewer, 60, 3).contains("later"));
    press(&mut viewer, "g");
    assert!(picture(&mut viewer, 60, 3).contains("message 0"));
    press(&mut viewer, "jk");
    assert!(picture(&mut viewer, 60, 3).contains("message 0"));
    press(&mut viewer, "ffffffffffff");
    assert_eq!(viewer.top, None);
}

#[test]
fn a_long_line_is_cut_or_shown_whole() {
    let mut viewer = filled(3);
    viewer.take(vec![line(
        50,
        "INFO",
        &format!("{} end", "word ".repeat(20)),
    )]);
    assert!(!picture(&mut viewer, 60, 4).contains("end"));
    press(&mut viewer, "w");
    let whole = picture(&mut viewer, 60, 4);
    assert!(
        whole.lines().nth(2).is_some_and(|row| row.contains("end")),
        "{whole}"
    );
}

#[test]
fn the_level_goes_round_and_no_more_than_enough_is_kept() {
    let mut viewer = filled(10);
    press(&mut viewer, "l");
    assert_eq!(viewer.counts(), (2, 10));
    press(&mut viewer, "l");
    assert_eq!(viewer.counts(), (0, 10));
    press(&mut viewer, "ll");
    assert_eq!((viewer.counts(), viewer.least), ((10, 10), Level::Info));
    press(&mut viewer, "g");
    let many = KEPT as u32 + 5;
    viewer.take(
        (0..many)
            .map(|n| line(n % 60, "INFO", &format!("more {n}")))
            .collect(),
    );
    assert_eq!(viewer.counts(), (KEPT, KEPT));
    assert!(picture(&mut viewer, 60, 3).contains("more 5"));
    press(&mut viewer, "?");
    assert!(picture(&mut viewer, 60, 20).contains("Esc forgets it"));
}
