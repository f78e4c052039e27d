//! The monitor's picture. At 80x24 everything has its place; a wider window shows the events beside the
//! tasks, a narrow one leaves columns out. What does not fit is counted, never wrapped.

use super::draw_team as team;
use super::state::{Monitor, Page, Row};
use crate::render;
use crate::render::text::one_line;
use crate::tui::{self, Paint};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

/// From so many columns on, the events stand beside the tasks.
const WIDE: u16 = 120;

/// What `?` shows.
const HELP: &[&str] = &[
    "↑ ↓ j k   choose           Tab  the next part",
    "Enter     look into the task; q or Esc comes back",
    "p         pause or resume the agent or task",
    "a         answer the question that waits",
    "c         stop the task, after asking",
    "f         freeze or thaw the team, after asking",
    "q         quit (in the team's window it comes back)",
];

/// What a picture is made with.
#[derive(Debug, Clone, Copy)]
pub struct Pen<'a> {
    /// The time.
    pub now: Timestamp,
    /// Where people are.
    pub zone: &'a TimeZone,
    /// The colours.
    pub paint: Paint,
}

/// Draws it.
pub fn draw(monitor: &mut Monitor, frame: &mut Frame, pen: Pen) {
    let [head, body, foot] = Layout::vertical([
        Constraint::Length(2),
        Constraint::Min(0),
        Constraint::Length(1),
    ])
    .areas(frame.area());
    frame.render_widget(Paragraph::new(team::head(monitor, head.width, pen)), head);
    match monitor.page.take() {
        Some(mut page) => {
            look_into(&mut page, frame, body, pen);
            monitor.page = Some(page);
        }
        None => whole_team(monitor, frame, body, pen),
    }
    frame.render_widget(Paragraph::new(footer(monitor, foot.width, pen.paint)), foot);
    if monitor.help {
        tui::help(frame, body, pen.paint, HELP);
    }
}

/// Agents, queues, what waits, tasks and events.
fn whole_team(monitor: &Monitor, frame: &mut Frame, body: Rect, pen: Pen) {
    let agents = team::agents(monitor, body.width, pen);
    let queues = team::queues(monitor, body.width, pen.paint);
    let waits = team::waits(monitor, body.width, pen);
    let fixed = agents.len() + queues.len() + waits.len();
    let below = usize::from(body.height).saturating_sub(fixed);
    let mut lines = agents;
    lines.extend(queues);
    lines.extend(waits);
    let height = u16::try_from(lines.len())
        .unwrap_or(u16::MAX)
        .min(body.height);
    let [top, rest] =
        Layout::vertical([Constraint::Length(height), Constraint::Min(0)]).areas(body);
    frame.render_widget(Paragraph::new(lines), top);
    if body.width >= WIDE {
        let [left, right] =
            Layout::horizontal([Constraint::Fill(3), Constraint::Fill(2)]).areas(rest);
        let tasks = team::tasks(monitor, left.width.saturating_sub(2), below, pen);
        frame.render_widget(Paragraph::new(tasks), left);
        let events = team::events(monitor, right.width, below, pen);
        frame.render_widget(Paragraph::new(events), right);
        return;
    }
    // A third of what is left, at least where there is room for a heading and a line.
    let few = monitor.board.as_ref().map_or(0, |b| b.events.len() + 1);
    let events = match below / 3 {
        0 | 1 => 0,
        some => some
            .max(below.saturating_sub(monitor.tasks().len() + 1))
            .min(few),
    };
    let mut lines = team::tasks(monitor, rest.width, below - events, pen);
    if events > 1 {
        lines.extend(team::events(monitor, rest.width, events, pen));
    }
    frame.render_widget(Paragraph::new(lines), rest);
}

/// One task, as `task show` tells it.
fn look_into(page: &mut Page, frame: &mut Frame, body: Rect, pen: Pen) {
    let Some(known) = &page.page else {
        let asking = format!("asking for {} …", page.task);
        frame.render_widget(Paragraph::new(asking).style(pen.paint.dim()), body);
        return;
    };
    let text = render::page::text(known, render::sheet::Sheet::Pipe);
    let width = usize::from(body.width).max(1);
    let folded = render::fold::fold(&text, width);
    let lines: Vec<String> = folded.lines().map(str::to_owned).collect();
    page.size = (lines.len(), usize::from(body.height));
    page.top = page.top.min(lines.len().saturating_sub(page.size.1));
    let heading = |line: &str| !line.starts_with(' ') && !line.is_empty();
    let shown: Vec<Line> = lines
        .into_iter()
        .skip(page.top)
        .take(page.size.1)
        .map(|line| match heading(&line) {
            true => Line::styled(line, pen.paint.heading()),
            false => Line::from(line),
        })
        .collect();
    frame.render_widget(Paragraph::new(shown), body);
}

fn footer(monitor: &Monitor, width: u16, paint: Paint) -> Line<'static> {
    let width = usize::from(width);
    if let Some(prompt) = &monitor.prompt {
        return Line::styled(one_line(&prompt.text(), width), paint.warn());
    }
    if let Some(said) = &monitor.said {
        return Line::styled(one_line(said, width), paint.heading());
    }
    let keys: &[(&str, &str)] = match (&monitor.page, monitor.chosen()) {
        (Some(_), _) => &[
            ("q", "back"),
            ("↑↓", "scroll"),
            ("a", "answer"),
            ("c", "stop it"),
        ],
        (None, Some(Row::Agent(_))) => &[("Enter", "look"), ("p", "pause"), ("f", "freeze")],
        (None, Some(Row::Waits(_))) => &[("Enter", "look"), ("a", "answer"), ("c", "stop it")],
        (None, _) => &[
            ("Enter", "look"),
            ("p", "pause"),
            ("c", "stop it"),
            ("f", "freeze"),
        ],
    };
    let asks = monitor.page.is_none() && monitor.questions().next().is_some();
    let answers = asks && !keys.iter().any(|(key, _)| *key == "a");
    let mut spans = Vec::new();
    let answer = answers.then_some(&("a", "answer"));
    for (key, what) in answer.into_iter().chain(keys).chain(&[("?", "help")]) {
        let what = match (*what, monitor.is_frozen()) {
            ("freeze", true) => "thaw",
            (what, _) => what,
        };
        spans.push(Span::styled((*key).to_owned(), paint.heading()));
        spans.push(Span::styled(format!(" {what}  "), paint.dim()));
    }
    Line::from(spans)
}
