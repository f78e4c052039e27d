//! What the chat hears of the team: every line about the tasks it follows, and what others hand in.
//! Each task is followed over a connection of its own, without a gap; a supervisor that is away is
//! waited for, and said once.

use super::voice::Voice;
use crate::commands::follow;
use crate::context::Context;
use crate::render::live::Live;
use crate::render::text::one_line;
use crate::render::turn;
use protocol::control::{Answer, Reply, Verb};
use protocol::document::{QuestionDocument, RunDocument, TaskPage};
use protocol::ids::{Role, ShortId, TaskRef};
use protocol::report::Progress;
use protocol::task_state::{TaskState, WaitReason};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use supervisor::client::{self, Client, ClientError};
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::{Instant, sleep, sleep_until};

/// Pause before a lost connection is made again.
const AGAIN: Duration = Duration::from_millis(200);
/// How long a new task may take to be known as the chat's own before it is another's.
const OWN: Duration = Duration::from_millis(600);
/// Most tasks of others that are told in a second; the rest is counted.
const FOREIGN: usize = 5;
/// Most tasks of others that are remembered.
const REMEMBERED: usize = 200;

/// What is heard.
#[derive(Debug)]
pub enum Heard {
    /// A followed task rests.
    Rests(Box<RunDocument>),
    /// A task cannot be followed any more.
    Lost(ShortId, String),
    /// A task of somebody else asks a person.
    Asks(Box<QuestionDocument>),
}

/// The tasks that are the chat's own. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Own(Arc<Mutex<BTreeSet<ShortId>>>);

impl Own {
    /// Notes a task.
    pub fn add(&self, task: ShortId) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(task);
    }

    fn has(&self, task: ShortId) -> bool {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .contains(&task)
    }
}

/// Follows a task until it rests.
pub async fn follow(
    context: Context,
    voice: Voice,
    (task, agent): (ShortId, Role),
    heard: UnboundedSender<Heard>,
) {
    let mut live = Live::new(task, agent.clone());
    let mut client = None;
    let ended = loop {
        match follow::next(&mut client, &context, task).await {
            Ok(Reply::Done { answer }) => match *answer {
                Answer::Run { document } => break Heard::Rests(document),
                _ => break Heard::Lost(task, "the supervisor answered something else".to_owned()),
            },
            Ok(reply) => {
                let own = matches!(&reply, Reply::Event { progress } if matches!(**progress, Progress::Said { .. }));
                // Who typed it was answered already.
                let line = live.take(&reply).filter(|_| !own);
                voice.tell("told", &json!({"task": task, "told": reply}));
                if let (Some(line), false) = (line, voice.is_json()) {
                    voice.say(&turn::event(
                        task,
                        &agent,
                        &line,
                        voice.width(),
                        voice.paint,
                    ));
                }
            }
            Err(error) if error.is_passing() => {
                if client.take().is_some() {
                    live.reconnected();
                }
                sleep(AGAIN).await;
            }
            Err(error) => break Heard::Lost(task, error.to_string()),
        }
    };
    let _chat_is_gone = heard.send(ended);
}

/// Hears of everybody's tasks for ever.
pub async fn watch(context: Context, voice: Voice, own: Own, heard: UnboundedSender<Heard>) {
    let mut away = false;
    let mut foreign = Foreign::default();
    loop {
        let error = match connect(&context).await {
            Ok(mut client) => {
                if std::mem::take(&mut away) {
                    voice.say(&voice.paint.good("the supervisor is back"));
                }
                loop {
                    tokio::select! {
                        reply = client.next() => match reply {
                            Ok(reply) => foreign.take(reply, &voice),
                            Err(error) => break error,
                        },
                        () = sleep_until(foreign.next()) => {
                            foreign.look(&context, &voice, &own, &heard).await;
                        }
                    }
                }
            }
            Err(error) => {
                if !std::mem::replace(&mut away, true) {
                    let words = "the supervisor does not answer; running tasks go on, and what you type is kept until it is back (ai-infra up)";
                    voice.say(&voice.paint.waits(words));
                }
                error
            }
        };
        tracing::debug!(%error, "the watch was lost");
        sleep(AGAIN).await;
    }
}

async fn connect(context: &Context) -> Result<Client, ClientError> {
    let mut client = Client::connect(&context.home).await?;
    client.send(Verb::Watch).await?;
    Ok(client)
}

/// Tasks that others handed in.
#[derive(Default)]
struct Foreign {
    /// New ones that may turn out to be the chat's own.
    fresh: VecDeque<(Instant, ShortId, TaskState)>,
    /// Those that were told, with their words.
    told: BTreeMap<ShortId, (Role, String)>,
    since: Option<Instant>,
    in_this_second: usize,
}

impl Foreign {
    fn take(&mut self, reply: Reply, voice: &Voice) {
        match reply {
            Reply::Happened { task, told, .. } => {
                let Reply::State { state } = *told else {
                    return;
                };
                let tells = match &state {
                    TaskState::Queued => true,
                    TaskState::Waiting { on } => {
                        matches!(
                            on,
                            WaitReason::Input | WaitReason::Approval | WaitReason::Children
                        )
                    }
                    state => state.is_final(),
                };
                if tells {
                    self.fresh.push_back((Instant::now() + OWN, task, state));
                }
            }
            Reply::Event { progress } => {
                if let Progress::Note { text } = *progress {
                    voice.say(&voice.paint.waits(&one_line(&text, 400)));
                }
            }
            _ => {}
        }
    }

    /// When there is something to be looked at.
    fn next(&self) -> Instant {
        let far = Instant::now() + Duration::from_secs(3600);
        self.fresh.front().map_or(far, |(at, ..)| *at)
    }

    async fn look(
        &mut self,
        context: &Context,
        voice: &Voice,
        own: &Own,
        heard: &UnboundedSender<Heard>,
    ) {
        let Some((_, task, state)) = self.fresh.pop_front() else {
            return;
        };
        if own.has(task) {
            return;
        }
        let known = self.told.contains_key(&task);
        // A plan waits for its parts from the start.
        let begins = match &state {
            TaskState::Queued => true,
            TaskState::Waiting { on } => *on == WaitReason::Children,
            _ => false,
        };
        match state {
            _ if begins && known => {}
            TaskState::Waiting { .. } if !begins => {
                let question = page(context, task).await.and_then(|page| {
                    page.document
                        .questions
                        .into_iter()
                        .rfind(|asked| asked.answer.is_none())
                });
                if let Some(question) = question {
                    let _gone = heard.send(Heard::Asks(Box::new(question)));
                }
            }
            _ if begins && self.may_tell() => {
                let Some(page) = page(context, task).await else {
                    return;
                };
                // The parts of a plan are told with the plan.
                if page.task.parent.as_ref().is_some() {
                    return;
                }
                let words = one_line(&page.task.request, 200);
                let line = format!(
                    "{:<8} handed in elsewhere: {words}",
                    page.task.agent.as_str()
                );
                voice.say(&turn::event(
                    task,
                    &page.task.agent,
                    &line,
                    voice.width(),
                    voice.paint,
                ));
                if self.told.len() >= REMEMBERED {
                    self.told.pop_first();
                }
                self.told.insert(task, (page.task.agent, words));
            }
            state if state.is_final() => {
                let Some((agent, words)) = self.told.remove(&task) else {
                    return;
                };
                let state = one_line(&state.to_string(), 120);
                let line = format!("{:<8} {state}: {words}", agent.as_str());
                voice.say(&turn::event(
                    task,
                    &agent,
                    &line,
                    voice.width(),
                    voice.paint,
                ));
            }
            _ => {}
        }
    }

    /// Many at once are not told one by one.
    fn may_tell(&mut self) -> bool {
        let now = Instant::now();
        let fresh = self
            .since
            .is_none_or(|since| now.duration_since(since) > Duration::from_secs(1));
        if fresh {
            self.since = Some(now);
            self.in_this_second = 0;
        }
        self.in_this_second += 1;
        self.in_this_second <= FOREIGN
    }
}

/// One task, whole; `None` where it cannot be had.
pub async fn page(context: &Context, task: ShortId) -> Option<TaskPage> {
    let task = TaskRef::Short(task);
    match client::ask(&context.home, Verb::TaskShow { task }).await {
        Ok(Answer::Task { page }) => Some(*page),
        _ => None,
    }
}
