//! The one door: plan → gate → intent → executor → result. Nothing else in the agents runs a
//! tool. A call with a recorded result is not made again; one that was interrupted is recovered
//! by its effect class before anything else happens.

use crate::outbox::Outbox;
use crate::record::Record;
use crate::steps::Steps;
use crate::stop::{self, Stop, Watch};
use crate::workspace::Sandboxes;
use guard::act::Act;
use guard::executor::{Executor, Outcome};
use guard::gate::{Decision, Grant, judge};
use guard::plan::{View, plan};
use guard::redact::Redactor;
use protocol::effect::{EffectClass, Recovery, after_probe};
use protocol::journal::EntryKind;
use protocol::report::{CallLine, Progress};
use protocol::tool::{ToolAnswer, ToolCall};
use serde_json::{Value, json};
use std::time::Duration;

/// Longest run of one tool where the call does not say.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(900);

/// How often a call is carried out when its sandbox ends under it.
const TRIES: usize = 2;

/// The door of one task.
pub struct Toolbox {
    /// What the task may do.
    pub grant: Grant,
    /// Whether the clone may be written.
    pub writable: bool,
    /// Hides secrets in whatever comes out.
    pub redactor: Redactor,
    /// Opens sandboxes.
    pub sandboxes: Sandboxes,
    /// Signals from outside.
    pub watch: Watch,
    executor: Option<Executor>,
}

impl Toolbox {
    /// A door with no sandbox open yet.
    pub fn new(
        grant: Grant,
        writable: bool,
        redactor: Redactor,
        sandboxes: Sandboxes,
        watch: Watch,
    ) -> Self {
        Self {
            grant,
            writable,
            redactor,
            sandboxes,
            watch,
            executor: None,
        }
    }

    /// What a plan may count on.
    pub fn view(&self) -> View {
        View {
            workspace: self.sandboxes.clone.is_some(),
            writable: self.writable,
            host: self.grant.host_read,
        }
    }

    /// Makes a call, or takes its recorded answer.
    pub async fn call(
        &mut self,
        steps: &mut Steps,
        outbox: &Outbox,
        record: &mut Record,
        step: &str,
        call: &ToolCall,
        timeout: Option<Duration>,
    ) -> Result<ToolAnswer, Stop> {
        if let Some(answer) = steps.recorded::<ToolAnswer>(step)? {
            record.calls.push(line(record, call, &answer));
            return Ok(answer);
        }
        stop::check(&self.watch)?;
        let answer = self.admit(steps, outbox, step, call, timeout).await?;
        steps.record(step, EntryKind::Result, &answer).await?;
        let line = line(record, call, &answer);
        record.calls.push(line.clone());
        outbox.progress(&Progress::Call { line }).await?;
        Ok(answer)
    }

    async fn admit(
        &mut self,
        steps: &mut Steps,
        outbox: &Outbox,
        step: &str,
        call: &ToolCall,
        timeout: Option<Duration>,
    ) -> Result<ToolAnswer, Stop> {
        let act = match plan(call, &self.view()) {
            Ok(act) => act,
            Err(error) => return Ok(refusal(call, &error.to_string())),
        };
        let mut died = String::new();
        for _ in 0..TRIES {
            let leave = match judge(&act, &self.grant) {
                Decision::Allow(leave) => leave,
                Decision::Deny(why) => return Ok(refusal(call, &format!("refused: {why}"))),
                Decision::Ask(question) => {
                    let text = format!(
                        "refused: {question} needs a person's leave, and approvals are not built yet"
                    );
                    return Ok(refusal(call, &text));
                }
            };
            if let Some(answer) = self.recover(steps, step, call, &act).await? {
                return Ok(answer);
            }
            let timeout = timeout.unwrap_or(DEFAULT_TIMEOUT);
            match self.executor(&act).await?.run(&act, leave, timeout).await {
                Ok(outcome) => return Ok(self.answer(call, outcome)),
                // The sandbox ended under the call: by its deadline, because this process was
                // stopped for longer than its lease, or by the kernel. While the task is still
                // held, the call is recovered as a new holder would.
                Err(error) => {
                    self.executor = None;
                    died = error.to_string();
                    outbox.still_held().await?;
                }
            }
        }
        Ok(refusal(call, &format!("the sandbox ended: {died}")))
    }

    /// Deals with an interrupted call; `Some` when its effect turned out to be there already.
    /// Where nothing was begun, writes the intent.
    async fn recover(
        &mut self,
        steps: &mut Steps,
        step: &str,
        call: &ToolCall,
        act: &Act,
    ) -> Result<Option<ToolAnswer>, Stop> {
        if act.effect == EffectClass::Pure {
            return Ok(None);
        }
        let Some(seen) = steps.interrupted(step)? else {
            let seen = self.look_before(act).await?;
            steps.intent(step, EntryKind::Intent, seen).await?;
            return Ok(None);
        };
        match act.effect.recovery() {
            Recovery::RunAgain => Ok(None),
            Recovery::ResetAndRun => {
                self.reset(act, &seen["tree"]).await?;
                Ok(None)
            }
            Recovery::Probe => {
                let executor = self.executor(act).await?;
                let answer = executor
                    .probe(act, &seen["before"])
                    .await
                    .map_err(|e| Stop::Fail(e.to_string()))?;
                match after_probe(answer) {
                    Ok(true) => Ok(Some(ToolAnswer {
                        id: call.id.clone(),
                        is_error: false,
                        text: "done before the interruption; the world shows its effect".to_owned(),
                        data: Value::Null,
                        took_ms: 0,
                    })),
                    Ok(false) => Ok(None),
                    Err(_) => Err(ask_person(act)),
                }
            }
            Recovery::AskPerson => Err(ask_person(act)),
        }
    }

    /// What recovery will need to know about the world before the effect.
    async fn look_before(&mut self, act: &Act) -> Result<Value, Stop> {
        let fail = |e: guard::executor::ExecutorError| Stop::Fail(e.to_string());
        let preview = act.preview.clone();
        let seen = match act.effect {
            EffectClass::Contained if self.sandboxes.clone.is_some() => {
                let tree = self.executor(act).await?.snapshot().await.map_err(fail)?;
                json!({"act": preview, "tree": tree})
            }
            EffectClass::Probed => {
                let before = self.executor(act).await?.before(act).await.map_err(fail)?;
                json!({"act": preview, "before": before})
            }
            _ => json!({"act": preview}),
        };
        Ok(seen)
    }

    async fn reset(&mut self, act: &Act, tree: &Value) -> Result<(), Stop> {
        let Some(tree) = tree.as_str().map(str::to_owned) else {
            return Ok(());
        };
        let executor = self.executor(act).await?;
        executor
            .reset(&tree)
            .await
            .map_err(|e| Stop::Fail(e.to_string()))
    }

    async fn executor(&mut self, act: &Act) -> Result<&mut Executor, Stop> {
        let on_host = act.operation.of_host();
        if on_host && self.sandboxes.clone.is_some() {
            // A host reading never shares a sandbox with workspace code.
            self.stop().await;
        }
        if self.executor.is_none() {
            let on = if on_host {
                None
            } else {
                self.sandboxes.clone.as_ref()
            };
            let executor = self.sandboxes.open(on, self.writable).await?;
            self.executor = Some(executor);
        }
        self.executor
            .as_mut()
            .ok_or_else(|| Stop::Fail("no sandbox is open".to_owned()))
    }

    /// The tree of the clone as it is now.
    pub async fn tree(&mut self) -> Result<Option<String>, Stop> {
        if self.sandboxes.clone.is_none() {
            return Ok(None);
        }
        let executor = self.workspace_executor().await?;
        let tree = executor.snapshot().await;
        tree.map(Some).map_err(|e| Stop::Fail(e.to_string()))
    }

    /// The change between two trees of the clone.
    pub async fn patch(&mut self, from: &str, to: &str) -> Result<String, Stop> {
        let executor = self.workspace_executor().await?;
        let patch = executor.patch(from, to).await;
        patch.map_err(|e| Stop::Fail(e.to_string()))
    }

    async fn workspace_executor(&mut self) -> Result<&mut Executor, Stop> {
        if self.executor.is_none() {
            let executor = self
                .sandboxes
                .open(self.sandboxes.clone.as_ref(), self.writable)
                .await?;
            self.executor = Some(executor);
        }
        self.executor
            .as_mut()
            .ok_or_else(|| Stop::Fail("no sandbox is open".to_owned()))
    }

    /// Ends the sandbox and everything in it.
    pub async fn stop(&mut self) {
        if let Some(executor) = self.executor.take() {
            executor.stop().await;
        }
    }

    /// An outcome as an answer, with secrets hidden.
    pub fn answer(&self, call: &ToolCall, outcome: Outcome) -> ToolAnswer {
        ToolAnswer {
            id: call.id.clone(),
            is_error: outcome.is_error,
            text: self.redactor.text(&outcome.text),
            data: self.redactor.value(outcome.data),
            took_ms: outcome.took.as_millis() as u64,
        }
    }
}

fn ask_person(act: &Act) -> Stop {
    Stop::AskPerson(format!(
        "`{}` was begun and it is not known whether it happened: look, then retry or cancel the task",
        act.preview
    ))
}

fn refusal(call: &ToolCall, text: &str) -> ToolAnswer {
    ToolAnswer {
        id: call.id.clone(),
        is_error: true,
        text: text.to_owned(),
        data: Value::Null,
        took_ms: 0,
    }
}

fn line(record: &Record, call: &ToolCall, answer: &ToolAnswer) -> CallLine {
    CallLine {
        phase: record.phase(),
        tool: call.name.clone(),
        summary: summary(call),
        took_ms: answer.took_ms,
        is_error: answer.is_error,
    }
}

/// One line about a call: its main argument, cut to 120 characters, control characters out.
pub fn summary(call: &ToolCall) -> String {
    let input = &call.input;
    let text = ["command", "file_path", "pattern", "suite"]
        .iter()
        .find_map(|key| input[*key].as_str().map(str::to_owned))
        .or_else(|| {
            let argv = input["argv"].as_array()?;
            let words: Vec<&str> = argv.iter().filter_map(Value::as_str).collect();
            Some(words.join(" "))
        })
        .unwrap_or_default();
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(120)
        .collect()
}
