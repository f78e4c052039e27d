//! A model as the decider. One call answers THINK, PLAN and BUILD together; EXECUTE is a
//! conversation with tools. Every reply is in the journal before anything it asks for is done,
//! so a new holder pays for nothing twice. What people say meanwhile is in `spoken`, what a trusted workspace says in `obeyed`.

mod obeyed;
mod pictures;
mod reply;
mod spoken;

use super::claude;
use super::money::spent;
use super::patience::{self, Failed, Next, Patience};
use super::refused;
use crate::context;
use crate::hearing::Hearing;
use crate::launcher::wish::Wish;
use crate::record::Record;
use crate::stop::Stop;
use crate::tool_specs;
use crate::workbench::Workbench;
use engine::conversation::{Message, ModelReply, ModelRequest, ToolChoice};
use engine::engine::{Engine, EngineError};
use engine::scripted::Scripted;
use guard::redact::Redactor;
use jiff::Timestamp;
use pai::algorithm::{Choice, Plan, WorkEnd, Worked};
use pictures::Pictures;
use protocol::criterion::{Criterion, Evidence};
use protocol::envelope::micros;
use protocol::journal::EntryKind;
use protocol::memory::FoundMemory;
use protocol::money::MicroUsd;
use protocol::task::Effort;
use protocol::tool::ToolCall;
use reply::{Proposal, cut_off, finished, plan_of, read_proposal, turns};
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;

/// How often a reply that was cut off or empty is asked for again in one round.
const NUDGES: u32 = 3;

/// A model and the conversation so far.
pub struct ModelBrain {
    engine: Engine,
    model: String,
    max_tokens: u32,
    opening: String,
    pictures: Pictures,
    proposals: u32,
    proposal: Option<Proposal>,
    /// The plan was made anew since the last round.
    replanned: bool,
    messages: Vec<Message>,
    hearing: Hearing,
    /// Criteria that were added since the work began.
    added: Vec<Criterion>,
}

impl ModelBrain {
    /// Claude, by the team's settings.
    pub fn anthropic(bench: &Workbench) -> Result<Self, Stop> {
        Ok(Self::new(bench, claude::engine(&bench.settings)?))
    }

    /// Canned replies, for tests.
    pub fn scripted(bench: &Workbench, script: &Path) -> Result<Self, Stop> {
        let wish = Wish::Script {
            script: script.to_owned(),
        };
        let fail = |why: &dyn std::fmt::Display| Stop::Fail(why.to_string());
        let asked = bench.toolbox.sandboxes.hatch.ask::<String>(&wish, b"");
        let (text, _) = asked.map_err(|e| fail(&e))?;
        let engine = Scripted::parse(&text).map_err(|e| fail(&e))?;
        Ok(Self::new(bench, Engine::Scripted(engine)))
    }

    fn new(bench: &Workbench, engine: Engine) -> Self {
        let settings = &bench.settings.engine;
        let model = bench.agent.model.clone();
        Self {
            engine,
            model: model.unwrap_or_else(|| settings.model.clone()),
            max_tokens: settings.max_tokens,
            opening: String::new(),
            pictures: Pictures::default(),
            proposals: 0,
            proposal: None,
            replanned: false,
            messages: Vec::new(),
            hearing: Hearing::default(),
            added: Vec::new(),
        }
    }

    /// The model's name.
    pub fn model_name(&self) -> &str {
        &self.model
    }

    /// OBSERVE: the facts of the workspace, without a model.
    pub async fn observe(
        &mut self,
        bench: &mut Workbench,
        record: &mut Record,
        memories: &[FoundMemory],
    ) -> Result<String, Stop> {
        let mut facts = String::new();
        for name in ["Overview", "GitStatus"] {
            let call = ToolCall {
                id: format!("observe-{name}"),
                name: name.to_owned(),
                input: json!({}),
            };
            let step = format!("observe/{name}");
            let answer = bench.call(record, &step, &call, None).await?;
            facts.push_str(&answer.text);
            facts.push('\n');
        }
        let trusted = obeyed::trusted(bench, record).await?;
        self.pictures = pictures::of(bench).await?;
        let note = |name: &str| self.pictures.note(name);
        let hide = |text: &str| bench.toolbox.hide(text);
        self.opening = context::opening(&bench.task, facts.trim(), &trusted, memories, note, hide);
        Ok(facts)
    }

    /// THINK.
    pub async fn options(
        &mut self,
        bench: &mut Workbench,
        record: &mut Record,
    ) -> Result<Vec<Choice>, Stop> {
        Ok(self.proposal(bench, record, None).await?.options)
    }

    /// PLAN. A plan that is asked for again is a new proposal.
    pub async fn plan(&mut self, bench: &mut Workbench, record: &mut Record) -> Result<Plan, Stop> {
        let again = self.messages.len() > 1;
        let complaint = again.then(|| "the plan did not lead to criteria that hold".to_owned());
        let judged_by = self.proposal.as_ref().map(|old| old.criteria.clone());
        self.proposal(bench, record, complaint).await?;
        if let (true, Some(proposal), Some(criteria)) = (again, self.proposal.as_mut(), judged_by) {
            // The criteria stay those that were accepted before the work.
            proposal.criteria = criteria;
            self.replanned = true;
        }
        let proposal = self.proposal(bench, record, None).await?;
        Ok(plan_of(&proposal))
    }

    /// BUILD.
    pub async fn criteria(
        &mut self,
        bench: &mut Workbench,
        record: &mut Record,
        complaint: Option<String>,
    ) -> Result<Vec<Criterion>, Stop> {
        Ok(self.proposal(bench, record, complaint).await?.criteria)
    }

    /// The current proposal, or a new one where there is none or a complaint about it.
    async fn proposal(
        &mut self,
        bench: &mut Workbench,
        record: &mut Record,
        complaint: Option<String>,
    ) -> Result<Proposal, Stop> {
        if let (Some(proposal), None) = (&self.proposal, &complaint) {
            return Ok(proposal.clone());
        }
        self.proposals += 1;
        let effort = bench.task.effort;
        let mut said = complaint;
        for attempt in 1..=2 {
            let question = context::proposal_question(effort, said.as_deref());
            let step = format!("think/{}/{attempt}", self.proposals);
            self.hear_before_proposal(bench, record, &step).await?;
            let mut request = self.request(bench, vec![self.first(&question)]);
            request.tools = vec![tool_specs::propose()];
            request.tool_choice = ToolChoice::Tool("propose".to_owned());
            let reply = self.ask(bench, record, &step, &request).await?;
            match read_proposal(&reply) {
                Ok(proposal) => {
                    self.proposal = Some(proposal.clone());
                    return Ok(proposal);
                }
                Err(error) => said = Some(error),
            }
        }
        let why = said.unwrap_or_default();
        Err(Stop::Fail(format!("the model gave no usable plan: {why}")))
    }

    /// EXECUTE: the conversation, until the model stops asking for tools.
    pub async fn work(
        &mut self,
        bench: &mut Workbench,
        record: &mut Record,
        round: u32,
        feedback: &[Evidence],
    ) -> Result<Worked, Stop> {
        self.open_round(feedback);
        let reply_of = |turn: u32| format!("execute/{round}/reply/{turn}");
        let (mut nudges, most) = (0, turns(bench.task.effort));
        self.hear(bench, record, &reply_of(1), false).await?;
        for turn in 1..=most {
            let mut request = self.request(bench, self.messages.clone());
            request.tools = tool_specs::work_tools(&bench.agent.tools);
            let reply = self.ask(bench, record, &reply_of(turn), &request).await?;
            self.messages.push(Message::assistant(&reply));
            let calls = reply.calls();
            let makes = !calls.is_empty() && reply.stop.is_whole();
            let worked = finished(&reply, &self.added).filter(|_| !makes);
            if makes {
                self.make_calls(bench, record, round, turn, calls).await?;
            } else if worked.is_none() {
                self.nudge(calls);
                nudges += 1;
                if nudges > NUDGES {
                    let why = "the model did not come to an end".to_owned();
                    return Ok(cut_off(why, &self.added));
                }
            }
            // Words that came meanwhile go in before the next reply, also where it thinks it is done.
            let refused = worked
                .as_ref()
                .is_some_and(|w| w.ended != WorkEnd::Finished);
            let (next, done) = (reply_of(turn + 1), worked.is_some());
            let more = turn < most && !refused && self.hear(bench, record, &next, done).await?;
            if let Some(worked) = worked.filter(|_| !more) {
                return Ok(worked);
            }
        }
        let why = format!(
            "the model did not come to an end within {most} turns, the most at this effort (--effort deep allows {})",
            turns(Effort::Deep)
        );
        Ok(cut_off(why, &self.added))
    }

    fn open_round(&mut self, feedback: &[Evidence]) {
        let replanned = std::mem::take(&mut self.replanned);
        let Some(proposal) = &self.proposal else {
            return;
        };
        let order = context::work_order(&plan_of(proposal), &proposal.criteria);
        if feedback.is_empty() || self.messages.is_empty() {
            self.messages = vec![self.first(&order)];
            return;
        }
        let mut text = context::feedback(feedback);
        if replanned {
            text.push_str(&format!("\nThe plan is new. {order}"));
        }
        self.say(vec![json!({"type": "text", "text": text})]);
    }

    /// Adds to the conversation what the user's side says; turns alternate.
    fn say(&mut self, content: Vec<Value>) {
        match self.messages.last_mut() {
            Some(last) if last.role == "user" => last.content.extend(content),
            _ => self.messages.push(Message {
                role: "user".to_owned(),
                content,
            }),
        }
    }

    async fn make_calls(
        &mut self,
        bench: &mut Workbench,
        record: &mut Record,
        round: u32,
        turn: u32,
        calls: Vec<ToolCall>,
    ) -> Result<(), Stop> {
        let mut answers = Vec::with_capacity(calls.len());
        for (at, call) in calls.iter().enumerate() {
            let step = format!("execute/{round}/call/{turn}.{at}/{}", call.id);
            answers.push(match call.name == spoken::ADD {
                true => self.add_criteria(bench, record, &step, call).await?,
                false => bench.call(record, &step, call, None).await?,
            });
        }
        self.messages.push(Message::results(&answers));
        Ok(())
    }

    /// A cut-off or empty reply: its calls are answered as not made, and the model goes on.
    fn nudge(&mut self, calls: Vec<ToolCall>) {
        let mut content: Vec<Value> = calls
            .iter()
            .map(|call| {
                json!({"type": "tool_result", "tool_use_id": call.id, "is_error": true,
                    "content": "Not executed: the reply was cut off."})
            })
            .collect();
        content.push(json!({"type": "text", "text": "Please continue."}));
        // An assistant turn without content may not stand in a conversation.
        if self.messages.last().is_some_and(|m| m.content.is_empty()) {
            self.messages.pop();
        }
        self.say(content);
    }

    fn request(&self, bench: &Workbench, messages: Vec<Message>) -> ModelRequest {
        ModelRequest {
            model: self.model.clone(),
            system: context::system(&bench.agent.prompt),
            messages,
            tools: Vec::new(),
            tool_choice: ToolChoice::Auto,
            max_tokens: self.max_tokens,
        }
    }

    /// One model call: reserve, write down, call, settle, write down. A reply that is in the
    /// journal is used as it stands.
    async fn ask(
        &self,
        bench: &mut Workbench,
        record: &mut Record,
        step: &str,
        request: &ModelRequest,
    ) -> Result<ModelReply, Stop> {
        // Calls that were in flight when a holder died stay charged at their reservation.
        let lost = bench.steps.lost(step);
        record.lost(step, &lost);
        let failed = bench.steps.failed::<Failed>(step)?;
        failed.iter().for_each(|one| record.spent(&one.spent));
        if let Some(reply) = bench.steps.recorded::<ModelReply>(step)? {
            record.spent(&reply.usage);
            return Ok(reply);
        }
        if let Some(cost) = lost.last() {
            let text = format!("a model call was lost with its holder; it stays charged at {cost}");
            bench.note(text).await?;
        }
        crate::stop::check(&bench.toolbox.watch)?;
        // No call is paid for while the team is frozen.
        bench.toolbox.sandboxes.hold.surely().await?;
        let estimate = self.engine.estimate(request);
        let budget = &bench.settings.budget;
        let task_cap = bench
            .task
            .budget
            .unwrap_or(MicroUsd::from_dollars(budget.task_usd));
        let month_cap = MicroUsd::from_dollars(budget.month_usd);
        let month = Timestamp::now().strftime("%Y-%m").to_string();
        let reservation = bench
            .bus
            .reserve(bench.task.id, estimate, task_cap, month_cap, &month)
            .await?;
        bench
            .steps
            .reserved(step, &request.model, estimate, &bench.outbox)
            .await?;
        let doing = record
            .screen
            .doing(format!("waits for an answer of {}", request.model));
        let reply = self.engine.reply(request, &reservation, &mut |_| {}).await;
        drop(doing);
        let reply = match reply {
            Ok(reply) => masked(reply, &bench.toolbox.redactor),
            Err(error) => {
                let now = Failed::of(&error, micros(Timestamp::now()));
                let told = bench.outbox.word(&spent(step, request, &now.spent, true))?;
                bench
                    .steps
                    .record_and_tell(step, EntryKind::ModelFailed, &now, &[told])
                    .await?;
                bench.bus.settle(reservation, now.spent.cost).await?;
                record.spent(&now.spent);
                return Err(give_up_or_wait(bench, &failed, &error, now.at).await?);
            }
        };
        let told = bench
            .outbox
            .word(&spent(step, request, &reply.usage, false))?;
        bench
            .steps
            .record_and_tell(step, EntryKind::ModelReply, &reply, &[told])
            .await?;
        tracing::info!(step, model = request.model, cost = %reply.usage.cost, "model call");
        bench.bus.settle(reservation, reply.usage.cost).await?;
        record.spent(&reply.usage);
        Ok(reply)
    }
}

/// A reply whose words hold no secret: they are journaled, reported and remembered. Calls stay as they are, because they
/// are carried out.
fn masked(mut reply: ModelReply, redactor: &Redactor) -> ModelReply {
    for block in reply
        .content
        .iter_mut()
        .filter(|block| block["type"] == "text")
    {
        if let Some(text) = block["text"].as_str().map(|text| redactor.text(text)) {
            block["text"] = text.into();
        }
    }
    reply
}

/// A call came to nothing: the task waits and tries again, or fails with what happened.
async fn give_up_or_wait(
    bench: &Workbench,
    before: &[Failed],
    error: &EngineError,
    now: Timestamp,
) -> Result<Stop, Stop> {
    // Once for a reply: another key that is refused too is as wrong as the first.
    if matches!(error, EngineError::Unauthorized(_)) && !before.iter().any(|one| one.refused) {
        let hatch = &bench.toolbox.sandboxes.hatch;
        refused::is_there_another_key(hatch, &bench.toolbox.watch).await?;
    }
    let patience = Patience {
        most: bench.settings.engine.retries,
        first: Duration::from_millis(bench.settings.engine.retry_first_ms),
        deadline: bench.task.deadline,
    };
    Ok(match patience.next(before, error, now) {
        Next::GiveUp(why) => Stop::Fail(why),
        Next::Wait(wait) => {
            bench.note(patience::sentence(&wait)).await?;
            Stop::Wait(Box::new(wait))
        }
    })
}
