//! Window 7: every process's log, merged by time. On a terminal one can scroll, search and pause; on a
//! pipe the lines are printed as they come.

use super::flow::Flow;
use super::history::History;
use super::viewer::{KEPT, Viewer, Wish};
use super::viewer_draw::draw;
use crate::terminal;
use crate::tui::{Input, Paint, Tui, told_to_stop};
use config::home::Home;
use jiff::tz::TimeZone;
use std::collections::VecDeque;
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};

/// Between two looks at the files.
const EVERY: Duration = Duration::from_millis(500);

/// Shows logs until it is told to stop. Gives the exit code.
pub async fn run(home: &Home, colour: bool) -> u8 {
    let folder = home.logs();
    let zone = TimeZone::system();
    let mut history = History::open(&folder);
    let mut lines = VecDeque::new();
    for line in history.by_ref() {
        if lines.len() == KEPT {
            lines.pop_front();
        }
        lines.push_back(line);
    }
    let flow = Flow::after(&folder, history);
    let tui = match terminal::is_terminal() {
        true => Tui::open().ok(),
        false => None,
    };
    let Some(tui) = tui else {
        for line in &lines {
            terminal::line(&line.pretty(&zone, false));
        }
        return print(flow, &zone).await;
    };
    let mut viewer = Viewer::new();
    viewer.take(lines.into());
    view(tui, viewer, flow, &zone, Paint { colour }).await
}

async fn view(
    mut tui: Tui,
    mut viewer: Viewer,
    mut flow: Flow,
    zone: &TimeZone,
    paint: Paint,
) -> u8 {
    let mut tick = interval(EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let told = told_to_stop();
    tokio::pin!(told);
    let mut fresh = true;
    loop {
        if fresh
            && tui
                .draw(|frame| draw(&mut viewer, frame, zone, paint))
                .is_err()
        {
            return protocol::exit::DONE;
        }
        fresh = tokio::select! {
            () = &mut told => return protocol::exit::DONE,
            input = tui.input() => match input {
                None => return protocol::exit::DONE,
                Some(Input::Resize) => true,
                Some(Input::Key(key)) => match viewer.press(key) {
                    Wish::Quit => return protocol::exit::DONE,
                    Wish::Draw => true,
                },
            },
            _ = tick.tick() => {
                let lines = flow.look();
                let some = !lines.is_empty();
                viewer.take(lines);
                some
            }
        };
    }
}

/// Prints lines as they come, for ever.
async fn print(mut flow: Flow, zone: &TimeZone) -> u8 {
    let mut tick = interval(EVERY);
    let told = told_to_stop();
    tokio::pin!(told);
    loop {
        tokio::select! {
            () = &mut told => return protocol::exit::DONE,
            _ = tick.tick() => {}
        }
        for line in flow.look() {
            terminal::line(&line.pretty(zone, false));
        }
    }
}
