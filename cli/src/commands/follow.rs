//! Watching a task until it rests: shows what happens, goes on when the supervisor is started
//! again, and knows what Ctrl-C and a deadline mean.

use super::strange;
use crate::context::Context;
use crate::failure::Failure;
use crate::interrupt::Own;
use crate::render::live::Live;
use crate::render::result;
use crate::terminal;
use protocol::control::{Answer, Reply, Verb};
use protocol::document::RunDocument;
use protocol::ids::{Role, ShortId, TaskRef};
use protocol::task_state::TaskState;
use std::time::Duration;
use supervisor::client::{self, Client, ClientError};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, interval, sleep, sleep_until};

/// How long a supervisor may be away while a task is followed.
const AWAY: Duration = Duration::from_secs(60);
/// How long it may be away without a word about it.
const PATIENT: Duration = Duration::from_secs(6);
/// How long after the first Ctrl-C a second one cancels the task.
const SECOND: Duration = Duration::from_secs(3);
/// How often the line of a terminal is drawn.
const DRAW: Duration = Duration::from_millis(100);
const RETRY: Duration = Duration::from_millis(50);

/// How watching ended.
#[derive(Debug)]
pub enum Ended {
    /// The task rests.
    Rests(Box<RunDocument>),
    /// The person left; the task goes on.
    Left,
    /// The person cancelled it.
    Cancelled,
    /// It was cancelled because its time was over.
    TimedOut,
}

/// One watch.
pub struct Follow {
    task: ShortId,
    live: Live,
    quiet: bool,
    draws: bool,
    drawn: bool,
    said_away: bool,
    began: Instant,
    until: Option<Instant>,
}

impl Follow {
    /// `quiet` shows nothing. `timeout` counts from now.
    pub fn new(task: ShortId, agent: Role, quiet: bool, timeout: Option<Duration>) -> Self {
        let began = Instant::now();
        Self {
            task,
            live: Live::new(task, agent),
            quiet,
            draws: !quiet && terminal::is_terminal(),
            drawn: false,
            said_away: false,
            began,
            until: timeout.map(|timeout| began + timeout),
        }
    }

    /// Watches to the end.
    pub async fn run(mut self, context: &Context) -> Result<Ended, Failure> {
        let mut interrupts = signal(SignalKind::interrupt())
            .map_err(|error| Failure::usage(format!("cannot listen for Ctrl-C: {error}")))?;
        let _own = Own::take();
        let far = Instant::now() + Duration::from_secs(365 * 86_400);
        let until = self.until.unwrap_or(far);
        let mut leave: Option<Instant> = None;
        let mut client: Option<Client> = None;
        let mut lost_at: Option<Instant> = None;
        let mut draw = interval(DRAW);
        loop {
            tokio::select! {
                _ = interrupts.recv() => {
                    if leave.is_some() {
                        self.cancel(context).await?;
                        return Ok(Ended::Cancelled);
                    }
                    self.wipe();
                    let task = self.task;
                    terminal::complain(&format!(
                        "\n{task} goes on; follow it: ai-infra task follow {task} · Ctrl-C again within 3 s cancels it\n"
                    ));
                    leave = Some(Instant::now() + SECOND);
                }
                () = sleep_until(leave.unwrap_or(far)) => return Ok(Ended::Left),
                () = sleep_until(until) => {
                    self.cancel(context).await?;
                    return Ok(Ended::TimedOut);
                }
                _ = draw.tick(), if self.draws && leave.is_none() => self.draw(),
                told = next(&mut client, context, self.task) => match told {
                    Ok(Reply::Done { answer }) => {
                        if matches!(&*answer, Answer::Run { document } if document.state == TaskState::Done) {
                            self.live.done();
                        }
                        self.wipe();
                        return match *answer {
                            Answer::Run { document } => Ok(Ended::Rests(document)),
                            _ => Err(strange()),
                        };
                    }
                    Ok(reply) => {
                        lost_at = None;
                        self.said_away = false;
                        self.show(&reply);
                    }
                    Err(error) => self.lost(&error, &mut client, &mut lost_at).await?,
                }
            }
        }
    }

    /// Waits a little for a supervisor that is being started again; gives up after a while.
    async fn lost(
        &mut self,
        error: &ClientError,
        client: &mut Option<Client>,
        lost_at: &mut Option<Instant>,
    ) -> Result<(), Failure> {
        let since = *lost_at.get_or_insert_with(Instant::now);
        if error.is_passing() && !self.said_away && since.elapsed() > PATIENT {
            self.said_away = true;
            self.wipe();
            terminal::complain(&format!(
                "the team does not answer; {} is kept and goes on when it is up again (ai-infra up); waiting …\n",
                self.task
            ));
        }
        if !error.is_passing() || since.elapsed() > AWAY {
            self.wipe();
            let failure = Failure::new(error.exit_code(), error);
            let hint = format!("{} is kept; follow it: ai-infra task follow {0}", self.task);
            return Err(failure.hint(hint));
        }
        if client.take().is_some() {
            self.live.reconnected();
        }
        sleep(RETRY).await;
        Ok(())
    }

    fn show(&mut self, reply: &Reply) {
        let line = self.live.take(reply);
        if let (Some(line), false, false) = (line, self.quiet, self.draws) {
            terminal::line(&line);
        }
    }

    /// Draws the line in place; automatic margins are off while it is written, so that a narrow
    /// terminal cuts it instead of scrolling.
    fn draw(&mut self) {
        let width = terminal::size().map_or(usize::MAX, |(columns, _)| columns);
        let line = self.live.line(self.began.elapsed(), width);
        terminal::exact(&format!("\r\x1b[?7l{line}\x1b[K\x1b[?7h"));
        self.drawn = true;
    }

    /// Ends the drawn line, its last state left standing.
    fn wipe(&mut self) {
        if self.drawn {
            self.draw();
            terminal::print("\n\n");
            self.drawn = false;
        }
    }

    async fn cancel(&mut self, context: &Context) -> Result<(), Failure> {
        self.wipe();
        let task = TaskRef::Short(self.task);
        client::ask(&context.home, Verb::TaskCancel { task }).await?;
        terminal::complain(&format!("{} is cancelled\n", self.task));
        Ok(())
    }
}

/// The next line about the task, over a connection that is made when there is none. Cancel-safe
/// but for the connection's making, which is simply made again.
pub(crate) async fn next(
    client: &mut Option<Client>,
    context: &Context,
    task: ShortId,
) -> Result<Reply, ClientError> {
    let client = match client {
        Some(client) => client,
        None => {
            let mut fresh = Client::connect(&context.home).await?;
            let task = TaskRef::Short(task);
            fresh.send(Verb::Follow { task }).await?;
            client.insert(fresh)
        }
    };
    client.next().await
}

/// Prints how a task ended; the exit code says it too.
pub fn told(
    context: &Context,
    document: &RunDocument,
    json: bool,
    took: Option<Duration>,
) -> Result<u8, Failure> {
    if json {
        super::json(document)?;
    } else {
        let took = took.unwrap_or_else(|| result::worked(&document.phases));
        terminal::print(&result::text(document, took, terminal::sheet(&context.env)));
    }
    Ok(document.state.exit_code())
}
