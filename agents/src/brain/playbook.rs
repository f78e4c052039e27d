//! A playbook as the decider: every answer is a pure function of the playbook and of what its
//! steps gave. Nothing is asked of a model.

mod text;

use crate::attached::Kept;
use crate::record::Record;
use crate::stop::Stop;
use crate::workbench::Workbench;
use pai::algorithm::{Choice, Plan, WorkEnd, Worked};
use pai::playbook::Playbook;
use pai::playbook::run::{Next, Run};
use protocol::criterion::{Check, Criterion};
use protocol::level::Level;
use protocol::task::Task;
use protocol::tool::{AWAY, HOST, OUTSIDE, ToolAnswer, ToolCall};
use serde_json::{Map, Value};
use text::Text;

/// A playbook with its parameters, and what was done so far.
pub struct PlaybookBrain {
    playbook: Playbook,
    params: Map<String, Value>,
    done: Vec<(ToolCall, ToolAnswer)>,
}

fn fail(error: impl std::fmt::Display) -> Stop {
    Stop::Fail(error.to_string())
}

impl PlaybookBrain {
    /// Finds the playbook once; a later holder uses the very text the first one found, even when
    /// the file was changed in between.
    pub async fn new(
        bench: &mut Workbench,
        name: &str,
        params: Map<String, Value>,
        sha256: Option<&str>,
    ) -> Result<Self, Stop> {
        let kept = Kept {
            disk: bench.toolbox.sandboxes.disk.clone(),
            hold: bench.toolbox.sandboxes.hold.clone(),
            bus: bench.bus.clone(),
            role: bench.task.agent.clone(),
        };
        let found = Text {
            kept,
            name: name.to_owned(),
        };
        let yaml: String = bench
            .steps
            .once("observe/playbook", found.find(sha256))
            .await?;
        let playbook = Playbook::parse(&yaml).map_err(fail)?;
        bench.toolbox.grant.level = bench.toolbox.grant.level.min(playbook.level);
        for file in bench.task.attachments.iter().filter(|f| f.is_for_eyes()) {
            let text = format!(
                "{} is there as a file: a playbook does not look at pictures and pages, a model does",
                file.name
            );
            bench.note(text).await?;
        }
        Ok(Self {
            playbook,
            params,
            done: Vec::new(),
        })
    }

    fn run(&self) -> Result<Run<'_>, Stop> {
        Run::new(&self.playbook, &self.params).map_err(fail)
    }

    /// The playbook's name.
    pub fn name(&self) -> &str {
        &self.playbook.name
    }

    /// Whether it changes the workspace.
    pub fn writes(&self) -> bool {
        self.playbook.writes()
    }

    /// The most its steps do.
    pub fn level(&self) -> Level {
        self.playbook.level
    }

    /// Whether any step or any criterion looks at the workspace.
    pub fn needs_workspace(&self) -> bool {
        let elsewhere = |tool: &str| HOST.contains(&tool) || AWAY.contains(&tool);
        let mut steps = self.playbook.steps.iter();
        let mut criteria = self.playbook.criteria.iter();
        steps.any(|step| !elsewhere(&step.tool))
            || criteria.any(|c| !matches!(&c.check, Check::Tool { name, .. } if elsewhere(name)))
    }

    /// OBSERVE.
    pub fn observe(&self, task: &Task) -> String {
        format!("{}: {}", self.playbook.name, task.routed_because)
    }

    /// THINK.
    pub fn options(&self) -> Vec<Choice> {
        vec![Choice {
            name: self.playbook.name.clone(),
            summary: format!(
                "{} steps a person wrote and read",
                self.playbook.steps.len()
            ),
            risk: if self.writes() {
                "changes the clone".to_owned()
            } else {
                "changes nothing".to_owned()
            },
        }]
    }

    /// PLAN.
    pub fn plan(&self) -> Plan {
        Plan {
            choice: self.playbook.name.clone(),
            steps: self
                .playbook
                .steps
                .iter()
                .map(|step| format!("{} ({})", step.id, step.tool))
                .collect(),
            complaint: None,
        }
    }

    /// BUILD.
    pub fn criteria(&self) -> Result<Vec<Criterion>, Stop> {
        self.run()?.criteria().map_err(fail)
    }

    /// EXECUTE: step after step, each through the door.
    pub async fn work(
        &mut self,
        bench: &mut Workbench,
        record: &mut Record,
        round: u32,
    ) -> Result<Worked, Stop> {
        self.done.clear();
        if round > 1 {
            // The same again, from the same start: else what one round added is there twice.
            let step = format!("execute/{round}/start-over");
            bench.start_over(&step).await?;
        }
        loop {
            match self.run()?.next(&self.done).map_err(fail)? {
                Next::Call(call, timeout) => {
                    // What reaches outside is done once a task: another round takes its answer.
                    let turn = match OUTSIDE.contains(&call.name.as_str()) {
                        true => "outside".to_owned(),
                        false => round.to_string(),
                    };
                    let step = format!("execute/{turn}/{}", call.id);
                    let answer = bench.call(record, &step, &call, timeout).await?;
                    self.done.push((call, answer));
                }
                Next::Finished { report } => {
                    return Ok(Worked {
                        text: report,
                        ended: WorkEnd::Finished,
                        added: Vec::new(),
                    });
                }
                Next::Failed { reason } => {
                    return Ok(Worked {
                        text: String::new(),
                        ended: WorkEnd::Failed(reason),
                        added: Vec::new(),
                    });
                }
            }
        }
    }

    /// What checks and the report refer to.
    pub fn context(&self) -> Result<Value, Stop> {
        self.run()?.context(&self.done).map_err(fail)
    }
}
