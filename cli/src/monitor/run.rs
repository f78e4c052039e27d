//! The monitor's one loop: asks the team, draws, takes keys, carries wishes out. Whoever is away is asked
//! again; the last answer stays on the screen and is marked.

use super::draw::{Pen, draw};
use super::host::Look;
use super::state::{Monitor, Wish};
use crate::render::{status, text};
use crate::terminal;
use crate::tui::{Input, Paint, Tui, told_to_stop};
use config::home::Home;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use protocol::control::{Answer, Verb};
use protocol::ids::TaskRef;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use std::time::Duration;
use supervisor::client::{self, ClientError};
use tokio::time::{Instant, sleep_until, timeout};

/// Between two pictures while something goes on.
const BUSY: Duration = Duration::from_secs(1);
/// Between two pictures while nothing does and nobody presses a key.
const CALM: Duration = Duration::from_secs(2);
/// So long after a key somebody is taken to look.
const LOOKS: Duration = Duration::from_secs(30);
/// Longest wait for one answer.
const PATIENCE: Duration = Duration::from_millis(900);
/// The same for what a person asked for.
const WISHED: Duration = Duration::from_secs(10);

/// Shows the team until the person has seen enough; on a pipe, once. Gives the exit code.
pub async fn run(home: &Home, colour: bool) -> u8 {
    let mut eyes = Eyes {
        home: home.clone(),
        look: Look::default(),
        monitor: Monitor::default(),
    };
    let zone = TimeZone::system();
    let paint = Paint { colour };
    if terminal::is_terminal()
        && let Ok(tui) = Tui::open()
    {
        watch(tui, eyes, &zone, paint).await;
        return protocol::exit::DONE;
    }
    eyes.look().await;
    terminal::print(&once(&mut eyes.monitor, &zone));
    protocol::exit::DONE
}

/// The team, and what is seen of it.
struct Eyes {
    home: Home,
    look: Look,
    monitor: Monitor,
}

async fn watch(mut tui: Tui, mut eyes: Eyes, zone: &TimeZone, paint: Paint) {
    let told = told_to_stop();
    tokio::pin!(told);
    let mut looked_at = Instant::now();
    let mut pressed: Option<Instant> = None;
    eyes.look().await;
    loop {
        let now = Timestamp::now();
        let pen = Pen { now, zone, paint };
        if tui
            .draw(|frame| draw(&mut eyes.monitor, frame, pen))
            .is_err()
        {
            return;
        }
        let calm = pressed.is_none_or(|at| at.elapsed() > LOOKS) && !eyes.something_goes_on();
        let next = looked_at + if calm { CALM } else { BUSY };
        let input = tokio::select! {
            () = &mut told => return,
            () = sleep_until(next) => None,
            input = tui.input() => match input {
                None => return,
                some => some,
            },
        };
        match input {
            None => {
                looked_at = Instant::now();
                tokio::select! {
                    () = &mut told => return,
                    () = eyes.look() => {}
                }
            }
            Some(Input::Resize) => {}
            Some(Input::Key(key)) => {
                pressed = Some(Instant::now());
                match eyes.monitor.press(key) {
                    Wish::Quit => return,
                    Wish::Draw => {}
                    Wish::Look(_) => eyes.look_into().await,
                    Wish::Do(verb) => eyes.carry_out(verb).await,
                }
            }
        }
    }
}

/// One picture as plain text.
fn once(monitor: &mut Monitor, zone: &TimeZone) -> String {
    let now = Timestamp::now();
    let paint = Paint { colour: false };
    // Far down, so that the cursor does not matter; there is none on a pipe.
    let Ok(mut terminal) = Terminal::new(TestBackend::new(100, 40));
    let Ok(drawn) = terminal.draw(|frame| draw(monitor, frame, Pen { now, zone, paint }));
    let area = drawn.buffer.area;
    let mut text = String::new();
    for y in 0..area.height.saturating_sub(1) {
        let row: String = (0..area.width)
            .filter_map(|x| drawn.buffer.cell((x, y)))
            .map(|cell| cell.symbol())
            .collect();
        text.push_str(row.trim_end());
        text.push('\n');
    }
    format!("{}\n", text.trim_end())
}

impl Eyes {
    fn something_goes_on(&self) -> bool {
        self.monitor.page.is_some()
            || self
                .monitor
                .board
                .as_ref()
                .is_none_or(|board| board.status.running + board.status.queued > 0)
    }

    /// Asks everybody at once; who does not answer keeps the last answer.
    async fn look(&mut self) {
        let (daemon, board) = tokio::join!(
            timeout(PATIENCE, client::ask_daemon(&self.home, Verb::Status)),
            timeout(PATIENCE, client::ask(&self.home, Verb::Board)),
        );
        self.monitor.gauges = self.look.at(&self.home.root);
        let daemon = match daemon {
            Ok(Ok(Answer::Status { status })) => Some(*status),
            _ => None,
        };
        self.monitor.away = None;
        match board {
            Ok(Ok(Answer::Board { board })) => self.monitor.board = Some(*board),
            Ok(Ok(_)) | Ok(Err(ClientError::Strange { .. })) => {
                self.say_away("the team is of another version than this program: ai-infra restart");
            }
            Ok(Err(ClientError::Refused { message, .. })) => self.say_away(&message),
            Ok(Err(_)) if daemon.is_none() => {
                self.say_away("the team does not answer: ai-infra up");
            }
            Ok(Err(_)) | Err(_) => self.say_away("the supervisor does not answer; asking again"),
        }
        let known = self
            .monitor
            .board
            .as_ref()
            .map(|board| board.status.clone());
        let place = self.home.root.to_string_lossy();
        let mut status = status::merge(daemon, known, Vec::new(), &place);
        if self.monitor.away.is_some() {
            // Said above already, in words for who looks now.
            status
                .problems
                .retain(|said| !said.contains("does not answer"));
        }
        let kept = backup::sync::Report::last(&self.home);
        status
            .problems
            .extend(kept.and_then(|report| report.problem()));
        self.monitor.status = Some(status);
        if self.monitor.page.is_some() {
            self.look_into().await;
        }
    }

    fn say_away(&mut self, why: &str) {
        self.monitor.away = Some(why.to_owned());
    }

    /// Asks for the page that is looked into.
    async fn look_into(&mut self) {
        let Some(page) = &self.monitor.page else {
            return;
        };
        let task = TaskRef::Short(page.task);
        let asked = timeout(PATIENCE, client::ask(&self.home, Verb::TaskShow { task })).await;
        match (asked, &mut self.monitor.page) {
            (Ok(Ok(Answer::Task { page })), Some(shown)) => shown.page = Some(page),
            (Ok(Err(error)), Some(shown)) if shown.page.is_none() => {
                self.monitor.said = Some(error.to_string());
                self.monitor.page = None;
            }
            _ => {}
        }
    }

    /// Does what was wished for, says what came of it, and looks again.
    async fn carry_out(&mut self, verb: Verb) {
        let said = match timeout(WISHED, client::ask(&self.home, verb)).await {
            Ok(Ok(Answer::Ok { message })) => text::safe(&message),
            Ok(Ok(_)) => "done".to_owned(),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "no answer in time: look again in a moment".to_owned(),
        };
        self.look().await;
        self.monitor.said = Some(said);
    }
}
