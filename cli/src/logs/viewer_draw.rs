//! The picture of window 7: the lines, and below them what is shown and which keys there are.

use super::line::{Level, LogLine};
use super::viewer::Viewer;
use crate::tui::{self, Paint};
use jiff::tz::TimeZone;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

/// How far the further rows of a long line stand to the right.
const INDENT: usize = 4;

/// What `?` shows.
const HELP: &[&str] = &[
    "/        search; Enter keeps it, Esc forgets it",
    "Tab      only what was found, or all lines with it marked",
    "n N      the next line that was found, the one before",
    "l        the least level: info, warn, error, debug",
    "w        long lines whole, or cut",
    "space    pause, follow again",
    "↑ ↓ j k  one line     PgUp PgDn b f  a page",
    "g G      the oldest, the newest",
    "q        quit (in the team's window it comes back)",
];

/// Draws it; notes how many lines fit.
pub fn draw(viewer: &mut Viewer, frame: &mut Frame, zone: &TimeZone, paint: Paint) {
    let [body, foot] =
        Layout::vertical([Constraint::Min(0), Constraint::Length(1)]).areas(frame.area());
    viewer.height = usize::from(body.height).max(1);
    let lines: Vec<Line> = viewer
        .page()
        .map(|line| row(line, viewer.found(line), body.width, zone, paint))
        .collect();
    match lines.is_empty() {
        true => {
            let why = match viewer.counts() {
                (_, 0) => "no line yet: what the team's processes log appears here",
                _ => "no line is shown: Esc forgets the search, l changes the level",
            };
            frame.render_widget(Paragraph::new(why).style(paint.dim()), body);
        }
        false if viewer.wrap => {
            let width = usize::from(body.width).max(1);
            let mut rows: Vec<Line> = lines.into_iter().flat_map(|l| folded(l, width)).collect();
            // The newest stand at the bottom while they are followed.
            if viewer.top.is_none() {
                rows.drain(..rows.len().saturating_sub(viewer.height));
            }
            frame.render_widget(Paragraph::new(rows), body);
        }
        false => frame.render_widget(Paragraph::new(lines), body),
    }
    frame.render_widget(Paragraph::new(status(viewer, paint)), foot);
    if viewer.help {
        tui::help(frame, body, paint, HELP);
    }
}

fn row<'a>(line: &'a LogLine, found: bool, width: u16, zone: &TimeZone, paint: Paint) -> Line<'a> {
    let (clock, process, level) = line.columns(zone, false);
    let painted = match line.level {
        Some(Level::Error) => paint.bad(),
        Some(Level::Warn) => paint.warn(),
        _ => paint.dim(),
    };
    let text = match found {
        true => paint.chosen(),
        false => Style::new(),
    };
    let mut spans = vec![
        Span::styled(clock, paint.dim()),
        Span::raw(" "),
        Span::styled(process.clone(), paint.name(&line.process)),
        Span::raw(" "),
    ];
    // A narrow window has no room for what most lines say alike.
    if width >= 60 || line.level.is_some_and(|level| level > Level::Info) {
        spans.push(Span::styled(level, painted));
        spans.push(Span::raw(" "));
    }
    spans.push(Span::styled(&line.text, text));
    Line::from(spans)
}

/// A line in as many rows as its text needs; those after the first stand a little to the right.
fn folded(mut line: Line<'_>, width: usize) -> Vec<Line<'_>> {
    let Some(text) = line.spans.pop() else {
        return vec![line];
    };
    let room = width.saturating_sub(line.width()).max(1);
    let letters: Vec<char> = text.content.chars().collect();
    let (first, rest) = letters.split_at(room.min(letters.len()));
    line.spans
        .push(Span::styled(first.iter().collect::<String>(), text.style));
    let more = rest
        .chunks(width.saturating_sub(INDENT).max(1))
        .map(|piece| {
            let piece: String = piece.iter().collect();
            Line::styled(format!("{}{piece}", " ".repeat(INDENT)), text.style)
        });
    std::iter::once(line).chain(more).collect()
}

fn status(viewer: &Viewer, paint: Paint) -> Line<'static> {
    if let Some(typed) = &viewer.typing {
        return Line::from(format!("/{typed}▏")).style(paint.busy());
    }
    let (shown, all) = viewer.counts();
    let mut spans = vec![match viewer.top {
        None => Span::styled("following", paint.good()),
        Some(_) if viewer.unseen > 0 => {
            Span::styled(format!("paused, {} new", viewer.unseen), paint.warn())
        }
        Some(_) => Span::styled("paused", paint.warn()),
    }];
    let level = viewer.least.as_str().to_lowercase();
    spans.push(Span::raw(format!(" · {shown} of {all} · {level}")));
    if !viewer.search.is_empty() {
        let kind = if viewer.only_found { "/" } else { "marked /" };
        spans.push(Span::raw(" · "));
        spans.push(Span::styled(
            format!("{kind}{}", viewer.search),
            paint.chosen(),
        ));
    }
    spans.push(Span::styled("   ? help", paint.dim()));
    Line::from(spans)
}
