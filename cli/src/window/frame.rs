//! The monitor's picture: what was seen of the team, as at most 24 lines of 80 columns. Pure.

use crate::render::text::one_line;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use protocol::document::{ProcessLine, TaskLine, TeamStatus};
use std::fmt::Write;

/// Columns of the picture.
pub const COLUMNS: usize = 80;
/// Lines of the picture.
pub const ROWS: usize = 24;
/// Processes shown before the rest is counted.
const MOST_PROCESSES: usize = 10;
/// Problems shown before the rest is counted.
const MOST_PROBLEMS: usize = 3;

/// How a line is to be painted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// As it is.
    Plain,
    /// A heading.
    Heading,
    /// Something is wrong.
    Bad,
}

/// A line of the picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Tamed text of at most [`COLUMNS`] characters.
    pub text: String,
    /// How it is painted.
    pub tone: Tone,
}

fn line(tone: Tone, text: impl AsRef<str>) -> Line {
    // Columns are separated by runs of blanks, so words are not joined here.
    let text: String = text.as_ref().trim_end().chars().take(COLUMNS).collect();
    Line { text, tone }
}

/// What was seen of the team. What does not answer leaves its last answer here, marked as away.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// What the daemon said last.
    pub daemon: Option<TeamStatus>,
    /// Whether it is away now.
    pub daemon_away: bool,
    /// What the supervisor said last.
    pub supervisor: Option<TeamStatus>,
    /// Whether it is away now.
    pub supervisor_away: bool,
    /// The newest tasks, newest first.
    pub tasks: Vec<TaskLine>,
}

/// The picture at a moment.
pub fn frame(seen: &Seen, now: Timestamp, zone: &TimeZone) -> Vec<Line> {
    let mut lines = heading(seen, now, zone);
    lines.push(line(Tone::Plain, ""));
    processes(seen, &mut lines);
    lines.push(line(Tone::Plain, ""));
    lines.push(queue(seen));
    lines.push(line(Tone::Plain, ""));
    let problems = problems(seen);
    let room = ROWS.saturating_sub(lines.len() + problems.len() + 1);
    lines.extend(tasks(seen, now, room));
    lines.extend(problems);
    lines.truncate(ROWS);
    lines
}

fn heading(seen: &Seen, now: Timestamp, zone: &TimeZone) -> Vec<Line> {
    let status = seen.daemon.as_ref().or(seen.supervisor.as_ref());
    let state = match status {
        _ if seen.daemon_away && seen.supervisor_away => "no answer",
        Some(status) => status.state.as_str(),
        None => "asking",
    };
    let version = status
        .and_then(|status| status.team_version.as_deref())
        .unwrap_or_default();
    let left = one_line(&format!("ai-infra {version} - {state}"), 60);
    let clock = now.to_zoned(zone.clone()).strftime("%H:%M:%S").to_string();
    let gap = COLUMNS.saturating_sub(left.chars().count() + clock.len());
    let home = status
        .map(|status| status.home.as_str())
        .unwrap_or_default();
    vec![
        line(Tone::Heading, format!("{left}{}{clock}", " ".repeat(gap))),
        line(Tone::Plain, one_line(home, COLUMNS)),
    ]
}

fn processes(seen: &Seen, lines: &mut Vec<Line>) {
    lines.push(line(
        Tone::Heading,
        format!(
            "{:<16}{:<14}{:>9}{:>10}  {}",
            "PROCESS", "STATE", "PID", "RESTARTS", "TASK"
        ),
    ));
    let all: &[ProcessLine] = [&seen.daemon, &seen.supervisor]
        .into_iter()
        .flatten()
        .map(|status| status.processes.as_slice())
        .find(|processes| !processes.is_empty())
        .unwrap_or_default();
    for process in all.iter().take(MOST_PROCESSES) {
        let held = process.task.or_else(|| task_of(seen, &process.name));
        let text = format!(
            "{:<16}{:<14}{:>9}{:>10}  {}",
            one_line(&process.name, 15),
            one_line(&process.state, 13),
            process
                .pid
                .map_or_else(|| "-".to_owned(), |pid| pid.to_string()),
            process.restarts,
            held.map(|task| task.to_string()).unwrap_or_default(),
        );
        let tone = match process.state.as_str() {
            "up" | "starting" => Tone::Plain,
            _ => Tone::Bad,
        };
        lines.push(line(tone, text));
    }
    if all.len() > MOST_PROCESSES {
        let more = format!("and {} more: ai-infra status", all.len() - MOST_PROCESSES);
        lines.push(line(Tone::Plain, more));
    }
    if all.is_empty() {
        lines.push(line(Tone::Plain, "nothing is known yet"));
    }
}

/// The supervisor knows who holds what; the daemon only knows processes.
fn task_of(seen: &Seen, name: &str) -> Option<protocol::ids::ShortId> {
    let known = seen.supervisor.as_ref()?;
    let process = known
        .processes
        .iter()
        .find(|process| process.name == name)?;
    process.task
}

fn queue(seen: &Seen) -> Line {
    if seen.supervisor_away {
        return line(Tone::Bad, "supervisor does not answer; trying again");
    }
    let Some(status) = &seen.supervisor else {
        return line(Tone::Plain, "asking the supervisor");
    };
    let text = format!(
        "{} queued, {} running, {} waiting for you, {} dead letters",
        status.queued, status.running, status.waiting, status.dead_letters
    );
    let tone = if status.dead_letters > 0 {
        Tone::Bad
    } else {
        Tone::Plain
    };
    line(tone, text)
}

fn tasks(seen: &Seen, now: Timestamp, room: usize) -> Vec<Line> {
    let mut lines = vec![line(
        Tone::Heading,
        format!(
            "{:<7}{:<20}{:<11}{:>5}  {}",
            "TASK", "STATE", "AGENT", "AGE", "REQUEST"
        ),
    )];
    for task in seen.tasks.iter().take(room) {
        let mut text = format!(
            "{:<7}{:<20}{:<11}{:>5}  ",
            one_line(&task.short_id.to_string(), 6),
            one_line(&task.state.to_string(), 19),
            one_line(task.agent.as_str(), 10),
            age(task.accepted, now),
        );
        let left = COLUMNS.saturating_sub(text.chars().count());
        let _infallible = write!(text, "{}", one_line(&task.request, left));
        lines.push(line(Tone::Plain, text));
    }
    if seen.tasks.is_empty() && room > 0 && !seen.supervisor_away {
        lines.push(line(Tone::Plain, "no tasks yet: ai-infra run \"...\""));
    }
    lines
}

/// `5s`, `12m`, `3h`, `40d`; nothing for a moment to come.
fn age(then: Timestamp, now: Timestamp) -> String {
    match now.as_second() - then.as_second() {
        ..0 => "0s".to_owned(),
        seconds @ 0..60 => format!("{seconds}s"),
        seconds @ 60..3600 => format!("{}m", seconds / 60),
        seconds @ 3600..172_800 => format!("{}h", seconds / 3600),
        seconds => format!("{}d", seconds / 86_400),
    }
}

fn problems(seen: &Seen) -> Vec<Line> {
    let mut sentences: Vec<&str> = Vec::new();
    if seen.daemon_away {
        sentences.push("daemon does not answer; trying again");
    }
    let held = seen.supervisor.iter().flat_map(|status| &status.held_back);
    let held: Vec<String> = held
        .map(|line| format!("held back: {}", line.why))
        .collect();
    for sentence in &held {
        if !sentences.contains(&sentence.as_str()) {
            sentences.push(sentence);
        }
    }
    for status in [&seen.daemon, &seen.supervisor].into_iter().flatten() {
        for problem in &status.problems {
            if !sentences.contains(&problem.as_str()) {
                sentences.push(problem);
            }
        }
    }
    if sentences.is_empty() {
        return Vec::new();
    }
    let mut lines = vec![line(Tone::Plain, "")];
    for sentence in sentences.iter().take(MOST_PROBLEMS) {
        lines.push(line(Tone::Bad, one_line(&format!("! {sentence}"), COLUMNS)));
    }
    if sentences.len() > MOST_PROBLEMS {
        let more = sentences.len() - MOST_PROBLEMS;
        lines.push(line(
            Tone::Bad,
            format!("! and {more} more: ai-infra status"),
        ));
    }
    lines
}

/// The picture as what a terminal is sent: every line at its place, cleared first (clearing behind
/// a line that fills the screen would take its last character), then everything below cleared.
/// Nothing scrolls, whatever the size.
pub fn painted(lines: &[Line]) -> String {
    let mut out = String::from("\x1b[?7l\x1b[?25l");
    for (number, line) in lines.iter().enumerate() {
        let (on, off) = match line.tone {
            Tone::Plain => ("", ""),
            Tone::Heading => ("\x1b[1m", "\x1b[0m"),
            Tone::Bad => ("\x1b[31m", "\x1b[0m"),
        };
        let _infallible = write!(out, "\x1b[{};1H\x1b[K{on}{}{off}", number + 1, line.text);
    }
    let below = lines.len() + 1;
    if below <= ROWS {
        let _infallible = write!(out, "\x1b[{below};1H\x1b[J");
    }
    out
}

/// The picture as plain text, for a pipe.
pub fn plain(lines: &[Line]) -> String {
    let mut out = String::new();
    for line in lines {
        out.push_str(&line.text);
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use protocol::ids::{ShortId, TaskId};
    use protocol::money::MicroUsd;
    use protocol::phase::Phase;
    use protocol::task_state::TaskState;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn process(name: &str, state: &str, pid: Option<u32>, restarts: u64) -> ProcessLine {
        ProcessLine {
            name: name.into(),
            pid,
            state: state.into(),
            restarts,
            task: None,
        }
    }

    fn task(number: u64, state: TaskState, accepted: &str, request: &str) -> TaskLine {
        TaskLine {
            task_id: TaskId::new(),
            short_id: ShortId(number),
            state,
            due: None,
            agent: "code".parse().unwrap(),
            request: request.into(),
            accepted: at(accepted),
            ended: None,
            cost: MicroUsd(0),
            parent: None,
        }
    }

    fn team() -> Seen {
        let daemon = TeamStatus {
            state: "up".into(),
            home: "/srv/team".into(),
            team_version: Some("0.1.0".into()),
            processes: vec![
                process("redis", "up", Some(4001), 0),
                process("supervisor", "up", Some(4002), 1),
                process("code", "up", Some(4003), 0),
                process("qa", "crash loop", None, 5),
            ],
            problems: vec!["qa ends again and again: see logs/qa.log".into()],
            ..TeamStatus::default()
        };
        let mut holder = process("code", "up", None, 0);
        holder.task = Some(ShortId(12));
        let supervisor = TeamStatus {
            queued: 3,
            running: 1,
            processes: vec![holder],
            ..TeamStatus::default()
        };
        let running = TaskState::Running {
            phase: Phase::Execute,
        };
        Seen {
            daemon: Some(daemon),
            supervisor: Some(supervisor),
            tasks: vec![
                task(
                    12,
                    running,
                    "2026-03-01T11:58:00Z",
                    "run the tests\nof \x1b[2Jthis",
                ),
                task(
                    11,
                    TaskState::Done,
                    "2026-02-27T12:00:00Z",
                    &"long ".repeat(40),
                ),
            ],
            ..Seen::default()
        }
    }

    fn picture(seen: &Seen) -> String {
        plain(&frame(seen, at("2026-03-01T12:00:05Z"), &TimeZone::UTC))
    }

    #[test]
    fn a_working_team() {
        let expected = "\
ai-infra 0.1.0 - up                                                     12:00:05
/srv/team

PROCESS         STATE               PID  RESTARTS  TASK
redis           up                 4001         0
supervisor      up                 4002         1
code            up                 4003         0  t12
qa              crash loop            -         5

3 queued, 1 running, 0 waiting for you, 0 dead letters

TASK   STATE               AGENT        AGE  REQUEST
t12    running(execute)    code          2m  run the tests of \\u{1b}[2Jthis
t11    done                code          2d  long long long long long long long…

! qa ends again and again: see logs/qa.log
";
        assert_eq!(picture(&team()), expected);
    }

    #[test]
    fn nobody_answers_yet() {
        let seen = Seen {
            daemon_away: true,
            supervisor_away: true,
            ..Seen::default()
        };
        let expected = "\
ai-infra - no answer                                                    12:00:05


PROCESS         STATE               PID  RESTARTS  TASK
nothing is known yet

supervisor does not answer; trying again

TASK   STATE               AGENT        AGE  REQUEST

! daemon does not answer; trying again
";
        assert_eq!(picture(&seen), expected);
    }

    #[test]
    fn any_team_fits_the_screen() {
        let mut seen = team();
        for number in 0..40 {
            let name = format!("agent-with-a-long-name-{number}");
            let status = seen.daemon.as_mut().unwrap();
            status
                .processes
                .push(process(&name, "up", Some(u32::MAX), u64::MAX));
            status.problems.push("x".repeat(300));
            seen.tasks
                .push(task(u64::MAX, TaskState::Done, "2026-03-01T12:00:00Z", "r"));
        }
        let lines = frame(&seen, at("2026-03-01T12:00:05Z"), &TimeZone::UTC);
        assert_eq!(lines.len(), ROWS);
        for line in &lines {
            assert!(line.text.chars().count() <= COLUMNS, "{}", line.text);
            assert!(!line.text.chars().any(char::is_control), "{}", line.text);
        }
    }

    #[test]
    fn ages() {
        for (seconds, expected) in [
            (-5, "0s"),
            (59, "59s"),
            (60, "1m"),
            (3600, "1h"),
            (172_799, "47h"),
            (172_800, "2d"),
        ] {
            let then = at("2026-03-01T12:00:00Z");
            let now = Timestamp::from_second(then.as_second() + seconds).unwrap();
            assert_eq!(age(then, now), expected);
        }
    }

    #[test]
    fn painting_places_every_line_and_clears_the_rest() {
        let lines = [line(Tone::Heading, "a"), line(Tone::Bad, "b")];
        let expected = "\x1b[?7l\x1b[?25l\x1b[1;1H\x1b[K\x1b[1ma\x1b[0m\x1b[2;1H\x1b[K\x1b[31mb\x1b[0m\x1b[3;1H\x1b[J";
        assert_eq!(painted(&lines), expected);
    }
}
