//! The window's picture: what the view says, within the lines and columns there are. Pure. At 80x24
//! everything has its place; a smaller window keeps the request, the phase, the newest calls and as
//! many criteria as fit.

use super::line::{Line, Tone, fit, wrap};
use super::view::{Held, Left, View, seconds};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use protocol::criterion::{Criterion, Verdict};
use protocol::phase::Phase;
use protocol::report::CallLine;
use protocol::text::{elapsed, time};
use std::time::Duration;

/// Below so many lines the window has no room for blank ones.
const ROOMY: usize = 20;
/// Below so many columns the phases are not spelled out.
const WIDE: usize = 72;

/// The picture at a moment.
pub fn draw(
    view: &View,
    now: Timestamp,
    zone: &TimeZone,
    columns: usize,
    rows: usize,
) -> Vec<Line> {
    let mut lines = match &view.held {
        Some(held) => working(view, held, now, columns, rows),
        None => idle(view, zone, columns, rows),
    };
    lines.truncate(rows);
    if let Some((hint, until)) = &view.hint
        && *until > now
        && rows > 0
    {
        lines.resize(rows - 1, Line::default());
        lines.push(Line::of(Tone::Busy, fit(hint, columns)));
    }
    lines.into_iter().map(|line| line.cut(columns)).collect()
}

fn blank(lines: &mut Vec<Line>, rows: usize) {
    if rows >= ROOMY {
        lines.push(Line::default());
    }
}

fn heading(view: &View, columns: usize) -> Line {
    let line = Line::of(Tone::Bold, fit(&view.agent, columns));
    match view.frozen {
        true => line.right(columns, Tone::Bad, "FROZEN until ai-infra thaw"),
        false => line,
    }
}

fn idle(view: &View, zone: &TimeZone, columns: usize, rows: usize) -> Vec<Line> {
    let since = clock(view.since, zone);
    let mut lines = vec![heading(view, columns)];
    for line in wrap(&view.about, columns, if rows >= ROOMY { 3 } else { 1 }) {
        lines.push(Line::of(Tone::Dim, line));
    }
    blank(&mut lines, rows);
    lines.push(Line::of(
        Tone::Plain,
        fit(
            &format!("idle since {since}: waits for work, ai-infra run \"…\""),
            columns,
        ),
    ));
    if let Some(why) = &view.held_back {
        let what = format!("held back: {why}; only urgent tasks are begun");
        lines.push(Line::of(Tone::Bad, fit(&what, columns)));
    }
    if !view.results.is_empty() {
        blank(&mut lines, rows);
        lines.push(Line::of(Tone::Bold, "last results"));
        let room = rows.saturating_sub(lines.len());
        let results = view.results.iter().take(room);
        lines.extend(results.map(|left| result(left, zone, columns)));
    }
    lines
}

fn result(left: &Left, zone: &TimeZone, columns: usize) -> Line {
    let tone = if left.good { Tone::Good } else { Tone::Bad };
    let proven = match left.proven {
        (_, 0) => String::new(),
        (holds, of) => format!(" {holds}/{of}"),
    };
    let line = Line::of(Tone::Dim, clock(left.at, zone))
        .and(Tone::Plain, format!(" {:<5}", left.short_id.to_string()))
        .and(tone, fit(&format!("{}{proven}", left.state), columns / 2))
        .and(Tone::Dim, format!(" {}", time(left.took)));
    let rest = columns.saturating_sub(line.width() + 2);
    line.and(Tone::Plain, format!("  {}", fit(&left.request, rest)))
}

fn working(view: &View, held: &Held, now: Timestamp, columns: usize, rows: usize) -> Vec<Line> {
    let mut lines = vec![heading(view, columns)];
    let number = format!("{} ", held.short_id);
    let indent = number.len();
    let request = wrap(
        &held.request,
        columns.saturating_sub(indent),
        if rows >= ROOMY { 2 } else { 1 },
    );
    for (at, line) in request.into_iter().enumerate() {
        lines.push(match at {
            0 => Line::of(Tone::Bold, &number).and(Tone::Plain, line),
            _ => Line::of(Tone::Plain, format!("{}{line}", " ".repeat(indent))),
        });
    }
    lines.push(way(held, columns));
    blank(&mut lines, rows);
    lines.push(phase(held, now, columns));
    lines.push(doing(view, held, now, columns));
    blank(&mut lines, rows);
    // The calls have their lines for sure; the criteria share what is left.
    let calls = calls(held, columns);
    let spare = usize::from(rows >= ROOMY);
    let room = rows.saturating_sub(lines.len() + calls.len() + spare);
    lines.extend(criteria(held, columns, room));
    if !held.criteria.is_empty() {
        blank(&mut lines, rows);
    }
    lines.extend(calls);
    lines
}

fn way(held: &Held, columns: usize) -> Line {
    let mut words = held.way.clone();
    if held.words > 0 {
        words.push_str(&format!(" · heard {} of your words", held.words));
    }
    if held.requests > 0 {
        words.push_str(&format!(" · {} model calls · {}", held.requests, held.cost));
    }
    if held.attempt > 1 {
        words.push_str(&format!(
            " · attempt {}, {} steps from the journal",
            held.attempt, held.replayed
        ));
    }
    Line::of(Tone::Dim, fit(&words, columns))
}

fn phase(held: &Held, now: Timestamp, columns: usize) -> Line {
    let whole = elapsed(seconds(held.taken, now));
    let Some((phase, since)) = held.phase else {
        return Line::of(Tone::Bold, "taken").and(Tone::Plain, format!(" {whole} ago"));
    };
    let mut line = Line::default();
    if columns >= WIDE {
        for done in Phase::ALL.iter().filter(|one| **one < phase) {
            line = line.and(Tone::Good, "✓").and(Tone::Dim, format!("{done} "));
        }
    }
    line.and(Tone::Bold, phase.to_string())
        .and(Tone::Plain, format!(" {}", elapsed(seconds(since, now))))
        .right(columns, Tone::Dim, &format!("task {whole}"))
}

fn doing(view: &View, held: &Held, now: Timestamp, columns: usize) -> Line {
    match &held.doing {
        _ if view.frozen => Line::of(Tone::Bad, "▸ stopped in place, waits for ai-infra thaw"),
        None => Line::of(Tone::Dim, "▸ between two steps"),
        Some((what, since)) => {
            let took = elapsed(seconds(*since, now));
            let room = columns.saturating_sub(took.len() + 3);
            Line::of(Tone::Busy, "▸ ")
                .and(Tone::Busy, fit(what, room))
                .right(columns, Tone::Plain, &took)
        }
    }
}

fn criteria(held: &Held, columns: usize, room: usize) -> Vec<Line> {
    if held.criteria.is_empty() || room < 2 {
        return Vec::new();
    }
    let (holds, of) = held.proven();
    let heading =
        Line::of(Tone::Bold, "criteria").and(Tone::Dim, format!(" {holds} of {of} proven"));
    let shown = match room - 1 {
        room if of <= room => of,
        room => room - 1,
    };
    let mut lines = vec![heading];
    // What went wrong is never left out, and what holds goes first.
    let rank = |at: &usize| match held.criteria[*at].1 {
        Some(Verdict::Failed | Verdict::Unknown) => 0,
        None => 1,
        Some(Verdict::Passed) => 2,
    };
    let mut chosen: Vec<usize> = (0..of).collect();
    chosen.sort_by_key(rank);
    chosen.truncate(shown);
    chosen.sort_unstable();
    lines.extend(
        chosen
            .into_iter()
            .map(|at| criterion(&held.criteria[at], columns)),
    );
    if shown < of {
        lines.push(Line::of(Tone::Dim, format!("  … and {} more", of - shown)));
    }
    lines
}

fn criterion((criterion, verdict): &(Criterion, Option<Verdict>), columns: usize) -> Line {
    let (tone, mark) = match verdict {
        None => (Tone::Dim, "…"),
        Some(Verdict::Passed) => (Tone::Good, "✓"),
        Some(Verdict::Failed) => (Tone::Bad, "✗"),
        Some(Verdict::Unknown) => (Tone::Bad, "?"),
    };
    let text = format!("{} {}", criterion.id, criterion.text);
    Line::of(tone, format!("  {mark} ")).and(Tone::Plain, fit(&text, columns.saturating_sub(4)))
}

fn calls(held: &Held, columns: usize) -> Vec<Line> {
    let (all, failed) = held.counted;
    if all == 0 {
        return vec![Line::of(Tone::Dim, "no calls yet")];
    }
    let failed = match failed {
        0 => String::new(),
        some => format!(", {some} failed"),
    };
    let mut lines = vec![Line::of(Tone::Bold, "calls").and(Tone::Dim, format!(" {all}{failed}"))];
    lines.extend(held.calls.iter().map(|line| call(line, columns)));
    lines
}

fn call(line: &CallLine, columns: usize) -> Line {
    let (tone, mark) = match line.is_error {
        true => (Tone::Bad, "✗"),
        false => (Tone::Good, "✓"),
    };
    let took = time(Duration::from_millis(line.took_ms));
    let room = columns.saturating_sub(took.len() + 5);
    let what = format!("{} {}", line.tool, line.summary);
    Line::of(tone, format!("  {mark} "))
        .and(Tone::Plain, fit(&what, room))
        .right(columns, Tone::Dim, &took)
}

fn clock(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%H:%M:%S").to_string()
}
