//! Measures criteria against the world: each check is a fresh call in a throwaway copy of the
//! clone; what the work said about itself is never read.

mod file;
mod told;

use crate::stop::Stop;
use crate::toolbox::{Toolbox, is_alone};
use crate::tries::Tries;
use crate::workspace::Under;
use guard::act::{Act, Place};
use guard::executor::{Executor, Outcome};
use guard::gate::{Decision, Leave, judge};
use guard::plan::plan;
use jiff::Timestamp;
use pai::playbook::render;
use protocol::criterion::{Check, Criterion, Evidence, EvidenceSource, Verdict};
use protocol::effect::EffectClass;
use protocol::envelope::micros;
use protocol::tool::{HOST, ToolCall};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use told::{head, masked, seen, tail};

/// What the record calls the step of a check.
const STEP: &str = "check";
/// Longest restore of a backup.
const RESTORE: Duration = Duration::from_secs(6 * 3600);

/// The sandbox of one VERIFY.
pub struct Measure {
    /// None once it ended under a check.
    executor: Option<Executor>,
    on_host: bool,
    tree: Option<String>,
    /// Fresh answers of this VERIFY: criteria that look at the same thing share one look.
    seen: Vec<(ToolCall, Outcome)>,
}

impl Measure {
    /// Opens a throwaway copy of the clone as it is now (or the host's facts, without one).
    pub async fn open(toolbox: &mut Toolbox, on_host: bool) -> Result<Self, Stop> {
        let tree = toolbox.tree().await?;
        toolbox.stop().await;
        let copy = if on_host {
            None
        } else {
            toolbox.sandboxes.copy().await?
        };
        let executor = toolbox.sandboxes.open(copy.as_ref()).await?;
        Ok(Self {
            executor: Some(executor),
            on_host,
            tree,
            seen: Vec::new(),
        })
    }

    /// Measures one criterion. Where the sandbox ended under the check, it is made again in a new
    /// copy while the task is still held.
    pub async fn check(
        &mut self,
        toolbox: &mut Toolbox,
        criterion: &Criterion,
        context: &Value,
    ) -> Result<Evidence, Stop> {
        let (verdict, source, observed) = match render::render_check(&criterion.check, context) {
            Ok(check) => self.measure(toolbox, &check, context).await?,
            Err(error) => (Verdict::Unknown, EvidenceSource::Process, error.to_string()),
        };
        Ok(Evidence {
            criterion: criterion.id.clone(),
            verdict,
            source,
            observed: seen(&toolbox.redactor, &observed),
            measured: micros(Timestamp::now()),
            tree: self.tree.clone(),
        })
    }

    async fn measure(
        &mut self,
        toolbox: &mut Toolbox,
        check: &Check,
        context: &Value,
    ) -> Result<(Verdict, EvidenceSource, String), Stop> {
        let call = call_of(check);
        let source = source_of(check);
        let mut tries = Tries::default();
        loop {
            let hold = toolbox.sandboxes.hold.clone();
            let lapses = hold.lapses();
            hold.surely().await?;
            let began = Instant::now();
            match self.run(toolbox, &call, timeout_of(check)).await {
                Ok(outcome) => {
                    let masked = masked(outcome, &toolbox.redactor);
                    let (verdict, observed) = judge_outcome(check, &masked, context);
                    return Ok((verdict, source, observed));
                }
                Err(Unmade::Refused(why)) => return Ok((Verdict::Unknown, source, why)),
                Err(Unmade::Stopped(stop)) => return Err(stop),
                Err(Unmade::Ended { why, apart }) => {
                    let more = tries.again(hold.lapsed_since(lapses), began.elapsed());
                    hold.still().await?;
                    if !more {
                        return Ok((Verdict::Unknown, source, why));
                    }
                    if !apart {
                        // It works in the copy still, as far as anybody knows: nobody else gets that before it is gone.
                        self.stop().await;
                        *self = Self::open(toolbox, self.on_host).await?;
                    }
                }
            }
        }
    }

    async fn run(
        &mut self,
        toolbox: &Toolbox,
        call: &ToolCall,
        timeout: Duration,
    ) -> Result<Outcome, Unmade> {
        if let Some((_, outcome)) = self.seen.iter().find(|(asked, _)| asked == call) {
            return Ok(outcome.clone());
        }
        let act = plan(call, &toolbox.view(STEP)).map_err(|e| Unmade::Refused(e.to_string()))?;
        let leave = match judge(&act, &toolbox.grant) {
            Decision::Allow(leave) => leave,
            Decision::Ask(kind) => {
                let why = format!("the check was refused: a check never does {kind}");
                return Err(Unmade::Refused(why));
            }
            Decision::Deny(why) => {
                toolbox.witness.refused(STEP, call, Some(&act), &why).await;
                return Err(Unmade::Refused(format!("the check was refused: {why}")));
            }
        };
        let outside = matches!(act.operation.place(), Place::Outside | Place::Warden);
        if outside && act.effect != EffectClass::Pure {
            let why = "a check changes nothing outside";
            toolbox.witness.refused(STEP, call, Some(&act), why).await;
            return Err(Unmade::Refused(why.to_owned()));
        }
        if !is_alone(&act) {
            let begun = toolbox.witness.before(STEP, call, &act, None).await;
            begun.map_err(Unmade::Refused)?;
        }
        let ran = self.make(toolbox, call, &act, leave, timeout).await;
        let said = match &ran {
            Ok(outcome) if outcome.is_error => "error",
            Ok(_) => "ok",
            Err(_) => "not made",
        };
        match &ran {
            Err(Unmade::Refused(why)) if is_alone(&act) => {
                toolbox.witness.refused(STEP, call, Some(&act), why).await;
            }
            _ => toolbox.witness.after(STEP, call, &act, said).await,
        }
        let outcome = ran?;
        if call.name != "Bash" {
            self.seen.push((call.clone(), outcome.clone()));
        }
        Ok(outcome)
    }

    async fn make(
        &mut self,
        toolbox: &Toolbox,
        call: &ToolCall,
        act: &Act,
        leave: Leave,
        timeout: Duration,
    ) -> Result<Outcome, Unmade> {
        let apart = is_alone(act);
        let ran = match (act.operation.place(), &mut self.executor) {
            _ if apart => {
                let under = Under {
                    trial: false,
                    ticket: None,
                    entry: toolbox.witness.begins(STEP, call, act),
                };
                let mut opened = match toolbox.sandboxes.open_for(act, under).await {
                    Err(Stop::Refuse(why)) => return Err(Unmade::Refused(why)),
                    opened => opened.map_err(Unmade::Stopped)?,
                };
                let ran = opened.run(act, leave, timeout).await;
                opened.stop().await;
                ran
            }
            (Place::Warden, _) => {
                let ran = toolbox.witness.carry_out(STEP, act, leave).await;
                return ran.map_err(Unmade::Refused);
            }
            (_, Some(executor)) => executor.run(act, leave, timeout).await,
            (_, None) => {
                let why = "its sandbox ended".to_owned();
                return Err(Unmade::Ended { why, apart });
            }
        };
        ran.map_err(|e| Unmade::Ended {
            why: e.to_string(),
            apart,
        })
    }

    async fn stop(&mut self) {
        if let Some(executor) = self.executor.take() {
            executor.stop().await;
        }
    }

    /// Ends the sandbox.
    pub async fn close(mut self) {
        self.stop().await;
    }
}

/// Why a check was not made.
enum Unmade {
    /// It may not be.
    Refused(String),
    /// The sandbox ended under it.
    Ended {
        /// What was said.
        why: String,
        /// It was the check's own, and not that of all of them.
        apart: bool,
    },
    /// Nothing more may be done.
    Stopped(Stop),
}

/// Whether every criterion reads the host alone.
pub fn on_host(criteria: &[Criterion]) -> bool {
    criteria
        .iter()
        .all(|c| matches!(&c.check, Check::Tool { name, .. } if HOST.contains(&name.as_str())))
}

fn timeout_of(check: &Check) -> Duration {
    match check {
        Check::Command { timeout_s, .. } => Duration::from_secs(*timeout_s),
        Check::File { .. } => Duration::from_secs(30),
        // How long a restore takes, the database says.
        Check::Tool { name, .. } if name == "TryBackup" => RESTORE,
        Check::Tool { .. } => crate::toolbox::DEFAULT_TIMEOUT,
    }
}

fn source_of(check: &Check) -> EvidenceSource {
    match check {
        Check::Command { .. } => EvidenceSource::Process,
        Check::File { .. } => EvidenceSource::File,
        Check::Tool { name, .. } => match name.as_str() {
            "Tests" | "Bash" | "QuickChecks" | "Linters" | "GitStatus" | "GitDiff" | "Unpushed"
            | "Branches" | "Changes" => EvidenceSource::Process,
            _ => EvidenceSource::File,
        },
    }
}

fn call_of(check: &Check) -> ToolCall {
    let (name, input) = match check {
        Check::Command {
            argv, timeout_s, ..
        } => (
            "Bash",
            json!({"argv": argv, "timeout": timeout_s.saturating_mul(1000)}),
        ),
        Check::File { path, .. } => ("Read", json!({"file_path": path, "limit": 100_000})),
        Check::Tool { name, input, .. } => (name.as_str(), input.clone()),
    };
    let input = if input.is_null() { json!({}) } else { input };
    ToolCall {
        id: "check".to_owned(),
        name: name.to_owned(),
        input,
    }
}

/// What an outcome says about a check: pure.
pub fn judge_outcome(check: &Check, outcome: &Outcome, context: &Value) -> (Verdict, String) {
    match check {
        Check::Command { expect, .. } => {
            if outcome.data["error"].is_string() {
                return (Verdict::Unknown, tail(&outcome.text));
            }
            let exit = outcome.data["exit"].as_i64();
            let stdout = outcome.data["stdout"].as_str().unwrap_or_default();
            let said = expect.stdout_contains.as_ref();
            let said = said.is_none_or(|text| stdout.contains(text));
            let status = exit.map_or("ended by a signal or its time limit".to_owned(), |code| {
                format!("exit {code}")
            });
            let observed = format!("{status}; {}", tail(&outcome.text));
            let as_asked = exit == Some(i64::from(expect.exit));
            if as_asked && !said && outcome.data["truncated"] == true {
                return (
                    Verdict::Unknown,
                    format!("{observed}\n(its output was too long to keep whole)"),
                );
            }
            (verdict(as_asked && said), observed)
        }
        Check::File { .. } => file::judge(check, outcome),
        Check::Tool { expect, .. } => {
            if outcome.is_error {
                return (Verdict::Unknown, head(&outcome.text));
            }
            match render::tool_check_holds(expect, context, &outcome.data) {
                Ok(holds) => (verdict(holds), head(&outcome.text)),
                Err(error) => (Verdict::Unknown, error.to_string()),
            }
        }
    }
}

fn verdict(holds: bool) -> Verdict {
    if holds {
        Verdict::Passed
    } else {
        Verdict::Failed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::criterion::CommandExpect;

    fn outcome(is_error: bool, data: Value) -> Outcome {
        Outcome {
            is_error,
            text: String::new(),
            data,
            took: Duration::ZERO,
        }
    }

    fn check(check: Check, outcome: Outcome, expected: Verdict) {
        assert_eq!(judge_outcome(&check, &outcome, &json!({})).0, expected);
    }

    #[test]
    fn outcomes_are_judged() {
        let command = |exit, text: Option<&str>| Check::Command {
            argv: vec!["true".to_owned()],
            expect: CommandExpect {
                exit,
                stdout_contains: text.map(str::to_owned),
            },
            timeout_s: 5,
        };
        let ran = |exit: Value| outcome(false, json!({"exit": exit, "stdout": "3 passed"}));
        check(command(0, None), ran(json!(0)), Verdict::Passed);
        check(command(0, None), ran(json!(1)), Verdict::Failed);
        check(command(1, None), ran(json!(1)), Verdict::Passed);
        check(command(0, None), ran(Value::Null), Verdict::Failed);
        check(command(0, Some("3 passed")), ran(json!(0)), Verdict::Passed);
        check(command(0, Some("4 passed")), ran(json!(0)), Verdict::Failed);
        let cut = |exit: i32| {
            outcome(
                false,
                json!({"exit": exit, "stdout": "3", "truncated": true}),
            )
        };
        check(command(0, Some("4")), cut(0), Verdict::Unknown);
        check(command(0, Some("4")), cut(1), Verdict::Failed);
        let unstarted = outcome(true, json!({"error": "there is no program `x`"}));
        check(command(0, None), unstarted, Verdict::Unknown);
    }
}
