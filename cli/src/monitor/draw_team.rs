//! The parts of the monitor's picture, each as lines: head, agents, queues, what waits, tasks, events.

use super::draw::Pen;
use super::state::{Monitor, Row};
use crate::render::text::{count, money, one_line, size};
use crate::tui::Paint;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use protocol::document::TaskLine;
use protocol::ids::Role;
use protocol::task::Class;
use protocol::task_state::TaskState;
use protocol::text::elapsed;
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};

/// Below so many columns there are only the most needed ones.
const NARROW: u16 = 60;
/// From so many columns on, nothing has to be short.
const ROOMY: u16 = 100;
/// Most lines of what waits for a person; the rest is counted.
const WAITS: usize = 5;
/// Most sentences about what is wrong.
const PROBLEMS: usize = 3;

/// Who this is, how it stands, what it has spent; and the machine.
pub fn head(monitor: &Monitor, width: u16, pen: Pen) -> Vec<Line<'static>> {
    let paint = pen.paint;
    let status = monitor.status.as_ref();
    let state = status.map_or("asking", |status| status.state.as_str());
    let version = status
        .and_then(|status| status.team_version.as_deref())
        .unwrap_or_default();
    let tone = match state {
        _ if monitor.is_frozen() => paint.bad(),
        "up" => paint.good(),
        "starting" | "asking" => paint.busy(),
        _ => paint.bad(),
    };
    let shown = match monitor.is_frozen() {
        true => "FROZEN".to_owned(),
        false => one_line(state, 12),
    };
    let mut left = vec![
        Span::styled(
            format!("ai-infra {} ", one_line(version, 12)),
            paint.heading(),
        ),
        Span::styled(shown, tone),
    ];
    let clock = clock(pen.now, pen.zone);
    let right = match &monitor.board {
        Some(board) if width >= NARROW => format!(
            "{} of {} this month  {clock}",
            money(board.spent.dollars()),
            money(board.budget.dollars())
        ),
        _ => clock,
    };
    push_right(&mut left, width, Span::raw(right));
    vec![Line::from(left), gauges(monitor, width, paint)]
}

fn gauges(monitor: &Monitor, width: u16, paint: Paint) -> Line<'static> {
    let gauges = &monitor.gauges;
    let mut spans = Vec::new();
    let mut add = |name: &str, used: Option<f64>, text: String| {
        let tone = match used {
            Some(used) if used > 0.9 => paint.bad(),
            Some(used) if used > 0.75 => paint.warn(),
            _ => Style::new(),
        };
        spans.push(Span::styled(format!("{name} "), paint.dim()));
        spans.push(Span::styled(format!("{text}  "), tone));
    };
    let of = |(used, all): (u64, u64)| used as f64 / all.max(1) as f64;
    let percent = |share: f64| format!("{:.0}%", share * 100.0);
    let amount = |both: (u64, u64)| match width < NARROW {
        true => percent(of(both)),
        false => format!("{} of {}", size(both.0), size(both.1)),
    };
    if let Some(share) = gauges.processor {
        add("cpu", Some(share), percent(share));
    }
    if let Some(memory) = gauges.memory {
        add("memory", Some(of(memory)), amount(memory));
    }
    if let Some(disk) = gauges.disk {
        add("disk", Some(of(disk)), amount(disk));
    }
    if let Some([one, five, fifteen]) = gauges.load {
        let text = match width < ROOMY {
            true => format!("{one:.1}"),
            false => format!("{one:.1} {five:.1} {fifteen:.1}"),
        };
        add("load", None, text);
    }
    Line::from(spans)
}

/// A line for each agent, and what is wrong.
pub fn agents(monitor: &Monitor, width: u16, pen: Pen) -> Vec<Line<'static>> {
    let mut lines: Vec<Line> = Vec::new();
    for role in monitor.agents() {
        lines.push(agent(monitor, &role, width, pen));
    }
    let mut problems: Vec<String> = monitor.away.iter().cloned().collect();
    if let Some(status) = &monitor.status {
        // Agents of one host are held back by the same; who they are stands above.
        if let Some(line) = status.held_back.first() {
            let why = format!("held back: {}; only urgent tasks are begun", line.why);
            problems.push(why);
        }
        problems.extend(status.problems.iter().cloned());
        let backups = status.backups.iter();
        problems.extend(backups.flat_map(|backups| backups.alarms.iter().cloned()));
    }
    let more = problems.len().saturating_sub(PROBLEMS);
    for problem in problems.iter().take(PROBLEMS) {
        let text = one_line(&format!("! {problem}"), usize::from(width));
        lines.push(Line::styled(text, pen.paint.bad()));
    }
    if more > 0 {
        let text = format!("! and {more} more: ai-infra status");
        lines.push(Line::styled(text, pen.paint.bad()));
    }
    lines
}

fn agent(monitor: &Monitor, role: &Role, width: u16, pen: Pen) -> Line<'static> {
    let paint = pen.paint;
    let status = monitor.status.as_ref();
    let process = status
        .iter()
        .flat_map(|status| &status.processes)
        .find(|process| process.name == role.as_str());
    let held = process.and_then(|process| process.task);
    let room = if width < NARROW { 6 } else { 10 };
    let alive = process.is_none_or(|process| process.state == "up");
    let (state, tone) = match process.map(|process| process.state.as_str()) {
        Some(state) if !alive => (one_line(state, room), paint.bad()),
        _ if held.is_some() => ("works".to_owned(), paint.busy()),
        _ if monitor.is_paused(role) => ("paused".to_owned(), paint.warn()),
        _ if monitor.is_held_back(role) => (one_line("held back", room), paint.warn()),
        _ => ("idle".to_owned(), paint.dim()),
    };
    let mut spans = vec![
        Span::raw(format!("{:<10} ", one_line(role.as_str(), 10))),
        Span::styled(format!("{state:<room$} "), tone),
    ];
    let line = held.and_then(|task| monitor.task(task));
    if let Some(task) = held {
        spans.push(Span::styled(
            format!("{:<6}", task.to_string()),
            paint.heading(),
        ));
    }
    if let Some(line) = line {
        let phase = match &line.state {
            TaskState::Running { phase } => phase.to_string(),
            other => one_line(&other.to_string(), 9),
        };
        let since = monitor.phase_since(line.short_id).unwrap_or(line.accepted);
        if width >= NARROW {
            spans.push(Span::raw(format!("{phase:<8} ")));
        }
        let (since, room) = (ago(since, pen.now), if width < NARROW { 5 } else { 9 });
        spans.push(Span::raw(format!("{since:<room$} ")));
        fill(&mut spans, width, &line.request);
    } else if let Some(process) = process.filter(|process| process.restarts > 0) {
        let times = if process.restarts == 1 {
            "time"
        } else {
            "times"
        };
        fill(
            &mut spans,
            width,
            &format!("started again {} {times}", process.restarts),
        );
    }
    chosen(Line::from(spans), monitor, &Row::Agent(role.clone()), paint)
}

/// What waits in the queues, on one line.
pub fn queues(monitor: &Monitor, width: u16, paint: Paint) -> Vec<Line<'static>> {
    let Some(board) = &monitor.board else {
        return Vec::new();
    };
    let mut parts: Vec<String> = Vec::new();
    for role in monitor.agents() {
        let lanes = board.lanes.iter().filter(|lane| lane.role == role);
        let (mut all, mut urgent) = (0, 0);
        for lane in lanes {
            all += lane.waiting;
            urgent += if lane.class == Class::Urgent {
                lane.waiting
            } else {
                0
            };
        }
        match (all, urgent) {
            (0, _) => {}
            (all, 0) => parts.push(format!("{role} {all}")),
            (all, urgent) => parts.push(format!("{role} {all} ({urgent} urgent)")),
        }
    }
    let status = &board.status;
    if parts.is_empty() {
        parts.push(match status.queued {
            0 => "empty".to_owned(),
            queued => format!("{queued} queued"),
        });
    }
    if status.delayed > 0 {
        parts.push(format!("{} delayed", status.delayed));
    }
    if status.dead_letters > 0 {
        parts.push(count(status.dead_letters, "dead letter", "dead letters"));
    }
    let mut spans = vec![Span::styled("queues  ".to_owned(), paint.heading())];
    fill(&mut spans, width, &parts.join(" · "));
    vec![Line::from(spans)]
}

/// Questions and paused tasks.
pub fn waits(monitor: &Monitor, width: u16, pen: Pen) -> Vec<Line<'static>> {
    let waits = monitor.waits();
    if waits.is_empty() {
        return Vec::new();
    }
    let paint = pen.paint;
    let mut lines = vec![Line::styled("waits for you", paint.heading())];
    let cursor = waits
        .iter()
        .position(|task| monitor.chosen() == Some(Row::Waits(*task)));
    let first = window(waits.len(), WAITS, cursor);
    for task in waits.iter().skip(first).take(WAITS) {
        let mut spans = vec![Span::styled(
            format!("  {:<6}", task.to_string()),
            paint.warn(),
        )];
        match (monitor.question(*task), monitor.task(*task)) {
            (Some(asked), _) => {
                let ago = ago(asked.asked, pen.now);
                spans.push(Span::raw(format!("asks, {ago}: ")));
                fill(&mut spans, width, &asked.question.text);
            }
            (None, Some(line)) => {
                spans.push(Span::raw(format!("{}: ", line.state)));
                fill(&mut spans, width, &line.request);
            }
            (None, None) => {}
        }
        lines.push(chosen(
            Line::from(spans),
            monitor,
            &Row::Waits(*task),
            paint,
        ));
    }
    if waits.len() > WAITS {
        let more = format!("  {} in all", waits.len());
        lines.push(Line::styled(more, paint.dim()));
    }
    lines
}

/// The newest tasks, at most `room` lines with their heading; the chosen one is among them.
pub fn tasks(monitor: &Monitor, width: u16, room: usize, pen: Pen) -> Vec<Line<'static>> {
    let paint = pen.paint;
    let mut lines = vec![Line::styled("tasks", paint.heading())];
    let tasks = monitor.tasks();
    if tasks.is_empty() {
        lines.push(Line::styled("  none yet: ai-infra run \"…\"", paint.dim()));
        return lines;
    }
    let room = room.saturating_sub(1);
    let cursor = tasks
        .iter()
        .position(|task| monitor.chosen() == Some(Row::Task(task.short_id)));
    let first = window(tasks.len(), room, cursor);
    for task in tasks.iter().skip(first).take(room) {
        let row = Row::Task(task.short_id);
        lines.push(chosen(self::task(task, width, pen), monitor, &row, paint));
    }
    lines
}

fn task(line: &TaskLine, width: u16, pen: Pen) -> Line<'static> {
    let paint = pen.paint;
    let tone = match &line.state {
        TaskState::Done => paint.good(),
        TaskState::Failed { .. } | TaskState::Refused { .. } => paint.bad(),
        TaskState::Running { .. } | TaskState::Cancelling => paint.busy(),
        TaskState::Waiting { .. } => paint.warn(),
        _ => paint.dim(),
    };
    let name = line.state.to_string();
    let (name, room) = match name.split('(').next() {
        // The phase and the reason are for wider windows.
        Some(short) if width < NARROW => (short, 9),
        _ => (name.as_str(), 18),
    };
    let mut spans = vec![
        Span::styled(
            format!("  {:<6}", line.short_id.to_string()),
            paint.heading(),
        ),
        Span::styled(format!("{:<room$} ", one_line(name, room)), tone),
    ];
    if width >= NARROW {
        let agent = one_line(line.agent.as_str(), 10);
        spans.push(Span::raw(format!("{agent:<10} ")));
        let age = ago(line.accepted, pen.now);
        spans.push(Span::styled(format!("{age:>11}  "), paint.dim()));
    }
    if line.cost.0 > 0 && width >= NARROW {
        spans.push(Span::raw(format!("{} ", line.cost)));
    }
    fill(&mut spans, width, &line.request);
    Line::from(spans)
}

/// What happened last, newest below, in at most `room` lines with their heading.
pub fn events(monitor: &Monitor, width: u16, room: usize, pen: Pen) -> Vec<Line<'static>> {
    let paint = pen.paint;
    let events = monitor.board.iter().flat_map(|board| &board.events);
    let events: Vec<_> = events.collect();
    let mut lines = vec![Line::styled("events", paint.heading())];
    let from = events.len().saturating_sub(room.saturating_sub(1));
    for event in events.into_iter().skip(from) {
        let task = event.task.map(|task| task.to_string()).unwrap_or_default();
        let agent = event
            .agent
            .as_ref()
            .map(Role::to_string)
            .unwrap_or_default();
        let mut spans = vec![
            Span::styled(format!("  {} ", clock(event.at, pen.zone)), paint.dim()),
            Span::styled(format!("{task:<6}"), paint.heading()),
        ];
        if width >= NARROW {
            let name = format!("{:<10} ", one_line(&agent, 10));
            spans.push(Span::styled(name, paint.name(&agent)));
        }
        fill(&mut spans, width, &event.text);
        lines.push(Line::from(spans));
    }
    lines
}

/// The first of `all` rows to show in `room`, so that the cursor is among them.
fn window(all: usize, room: usize, cursor: Option<usize>) -> usize {
    let least = cursor.map_or(0, |cursor| (cursor + 1).saturating_sub(room));
    least.min(all.saturating_sub(room))
}

fn chosen(line: Line<'static>, monitor: &Monitor, row: &Row, paint: Paint) -> Line<'static> {
    match monitor.chosen().as_ref() == Some(row) {
        // One style for the whole line: a colour reversed is hard to read.
        true => {
            let text: String = line
                .spans
                .iter()
                .map(|span| span.content.as_ref())
                .collect();
            Line::styled(text, paint.chosen().add_modifier(Modifier::BOLD))
        }
        false => line,
    }
}

/// A text in the columns that are left.
fn fill(spans: &mut Vec<Span<'static>>, width: u16, text: &str) {
    let used: usize = spans.iter().map(Span::width).sum();
    let room = usize::from(width).saturating_sub(used);
    if room > 1 {
        spans.push(Span::raw(one_line(text, room)));
    }
}

/// A piece at the right edge, where there is room for it.
fn push_right(spans: &mut Vec<Span<'static>>, width: u16, span: Span<'static>) {
    let used: usize = spans.iter().map(Span::width).sum::<usize>() + span.width();
    if let Some(gap) = usize::from(width).checked_sub(used).filter(|gap| *gap > 0) {
        spans.push(Span::raw(" ".repeat(gap)));
        spans.push(span);
    }
}

fn ago(then: Timestamp, now: Timestamp) -> String {
    elapsed(u64::try_from(now.as_second() - then.as_second()).unwrap_or(0))
}

fn clock(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%H:%M:%S").to_string()
}
