//! Measures criteria against the world: each check is a fresh call in a throwaway copy of the
//! clone; what the work said about itself is never read.

use crate::stop::Stop;
use crate::toolbox::Toolbox;
use guard::executor::{Executor, Outcome};
use guard::gate::{Decision, judge};
use guard::plan::plan;
use jiff::Timestamp;
use pai::playbook::render;
use protocol::criterion::{Check, Criterion, Evidence, EvidenceSource, Verdict};
use protocol::envelope::micros;
use protocol::tool::ToolCall;
use serde_json::{Value, json};
use std::time::Duration;

/// Most characters of what was seen that evidence keeps.
const OBSERVED: usize = 600;

/// The sandbox of one VERIFY.
pub struct Measure {
    executor: Executor,
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
        let executor = toolbox.sandboxes.open(copy.as_ref(), true).await?;
        Ok(Self {
            executor,
            tree,
            seen: Vec::new(),
        })
    }

    /// Measures one criterion.
    pub async fn check(
        &mut self,
        toolbox: &Toolbox,
        criterion: &Criterion,
        context: &Value,
    ) -> Evidence {
        let (verdict, source, observed) = match render::render_check(&criterion.check, context) {
            Ok(check) => self.measure(toolbox, &check, context).await,
            Err(error) => (Verdict::Unknown, EvidenceSource::Process, error.to_string()),
        };
        Evidence {
            criterion: criterion.id.clone(),
            verdict,
            source,
            observed: toolbox.redactor.text(&cut(&observed)),
            measured: micros(Timestamp::now()),
            tree: self.tree.clone(),
        }
    }

    async fn measure(
        &mut self,
        toolbox: &Toolbox,
        check: &Check,
        context: &Value,
    ) -> (Verdict, EvidenceSource, String) {
        let call = call_of(check);
        let source = source_of(check);
        match self.run(toolbox, &call, timeout_of(check)).await {
            Ok(outcome) => {
                let (verdict, observed) = judge_outcome(check, &outcome, context);
                (verdict, source, observed)
            }
            Err(why) => (Verdict::Unknown, source, why),
        }
    }

    async fn run(
        &mut self,
        toolbox: &Toolbox,
        call: &ToolCall,
        timeout: Duration,
    ) -> Result<Outcome, String> {
        if let Some((_, outcome)) = self.seen.iter().find(|(asked, _)| asked == call) {
            return Ok(outcome.clone());
        }
        let act = plan(call, &toolbox.view()).map_err(|e| e.to_string())?;
        let leave = match judge(&act, &toolbox.grant) {
            Decision::Allow(leave) => leave,
            Decision::Deny(why) | Decision::Ask(why) => {
                return Err(format!("the check was refused: {why}"));
            }
        };
        let ran = self.executor.run(&act, leave, timeout).await;
        let outcome = ran.map_err(|e| e.to_string())?;
        if call.name != "Bash" {
            self.seen.push((call.clone(), outcome.clone()));
        }
        Ok(outcome)
    }

    /// Ends the sandbox.
    pub async fn close(self) {
        self.executor.stop().await;
    }
}

/// Whether every criterion reads the host alone.
pub fn on_host(criteria: &[Criterion]) -> bool {
    criteria
        .iter()
        .all(|c| matches!(&c.check, Check::Tool { name, .. } if name == "HostFacts"))
}

fn timeout_of(check: &Check) -> Duration {
    match check {
        Check::Command { timeout_s, .. } => Duration::from_secs(*timeout_s),
        Check::File { .. } => Duration::from_secs(30),
        Check::Tool { .. } => crate::toolbox::DEFAULT_TIMEOUT,
    }
}

fn source_of(check: &Check) -> EvidenceSource {
    match check {
        Check::Command { .. } => EvidenceSource::Process,
        Check::File { .. } => EvidenceSource::File,
        Check::Tool { name, .. } => match name.as_str() {
            "Tests" | "Bash" | "QuickChecks" | "GitStatus" | "GitDiff" => EvidenceSource::Process,
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
        Check::File { path, .. } => ("Read", json!({"file_path": path})),
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
            let exit = outcome.data["exit"].as_i64();
            let stdout = outcome.data["stdout"].as_str().unwrap_or_default();
            let holds = exit == Some(i64::from(expect.exit))
                && expect
                    .stdout_contains
                    .as_ref()
                    .is_none_or(|text| stdout.contains(text));
            let status = exit.map_or("ended by a signal or its time limit".to_owned(), |code| {
                format!("exit {code}")
            });
            (verdict(holds), format!("{status}; {}", tail(&outcome.text)))
        }
        Check::File {
            exists,
            contains,
            lacks,
            sha256,
            ..
        } => {
            let there = !outcome.is_error;
            if !there || !exists {
                let said = if there {
                    "the file exists"
                } else {
                    "the file does not exist"
                };
                return (verdict(there == *exists), said.to_owned());
            }
            let text = outcome.data["text"].as_str().unwrap_or_default();
            let digest = outcome.data["sha256"].as_str().unwrap_or_default();
            let holds = contains.as_ref().is_none_or(|t| text.contains(t))
                && lacks.as_ref().is_none_or(|t| !text.contains(t))
                && sha256.as_ref().is_none_or(|want| want == digest);
            let bytes = outcome.data["bytes"].as_u64().unwrap_or_default();
            (verdict(holds), format!("{bytes} bytes, sha256 {digest}"))
        }
        Check::Tool { expect, .. } => {
            if outcome.is_error {
                return (Verdict::Unknown, outcome.text.clone());
            }
            match render::tool_check_holds(expect, context, &outcome.data) {
                Ok(holds) => (verdict(holds), outcome.text.clone()),
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

fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().filter(|l| !l.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(6)..].join("\n")
}

fn cut(text: &str) -> String {
    let text = text.trim();
    if text.chars().count() <= OBSERVED {
        return text.to_owned();
    }
    let head: String = text.chars().take(OBSERVED).collect();
    format!("{head} …")
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
        let file = |exists, contains: Option<&str>| Check::File {
            path: "a".to_owned(),
            exists,
            contains: contains.map(str::to_owned),
            lacks: None,
            sha256: None,
        };
        let read = || outcome(false, json!({"text": "hello", "bytes": 5, "sha256": "x"}));
        check(file(true, None), read(), Verdict::Passed);
        check(file(false, None), read(), Verdict::Failed);
        check(file(true, Some("hell")), read(), Verdict::Passed);
        check(file(true, Some("heaven")), read(), Verdict::Failed);
        check(
            file(true, None),
            outcome(true, Value::Null),
            Verdict::Failed,
        );
        check(
            file(false, None),
            outcome(true, Value::Null),
            Verdict::Passed,
        );
    }
}
