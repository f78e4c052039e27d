//! A playbook being carried out, as a pure function of what was done: given the answers so far,
//! the next call, or the end. A new holder of the task asks with the journaled answers and goes
//! on at the step where the old one stopped.

use super::context::{self, Done};
use super::grammar::{self, OnError, Playbook, Step};
use super::params;
use super::render::{self, RenderError};
use super::{PlaybookError, filters};
use protocol::criterion::Criterion;
use protocol::tool::{ToolAnswer, ToolCall};
use serde_json::{Map, Value};
use std::time::Duration;

/// Most calls of one run, all rounds of every `foreach` together.
pub const MOST_CALLS: usize = 5000;

/// What to do next.
#[derive(Debug, Clone, PartialEq)]
pub enum Next {
    /// Make this call, within this time. Its id is the step's, `step[2]` in a `foreach`,
    /// `step.undo` when it takes a step back.
    Call(ToolCall, Option<Duration>),
    /// Every step has run.
    Finished {
        /// The report for the person.
        report: String,
    },
    /// A step failed that must not.
    Failed {
        /// Why, as a sentence.
        reason: String,
    },
}

/// A playbook with its parameters.
#[derive(Debug, Clone)]
pub struct Run<'p> {
    playbook: &'p Playbook,
    params: Map<String, Value>,
}

/// A step that ran, for taking it back.
struct Ran<'p> {
    step: &'p Step,
    item: Option<(usize, Value)>,
}

/// How far a walk through the steps came.
enum Walked {
    /// All steps have their answers.
    All,
    /// It stopped at a call that has none, or at a failure.
    At(Next),
}

impl<'p> Run<'p> {
    /// A run with checked parameters.
    ///
    /// # Errors
    /// [`PlaybookError::Param`] when they do not fit.
    pub fn new(
        playbook: &'p Playbook,
        params: &Map<String, Value>,
    ) -> Result<Run<'p>, PlaybookError> {
        let params = params::check_all(&playbook.params, params).map_err(|problem| {
            PlaybookError::Param {
                name: playbook.name.clone(),
                problem,
            }
        })?;
        Ok(Run { playbook, params })
    }

    /// The parameters as checked, defaults filled in.
    pub fn params(&self) -> &Map<String, Value> {
        &self.params
    }

    /// The criteria with the parameters in their texts. Checks keep their templates: fill them
    /// with [`render::render_check`] and the context when the work is done.
    ///
    /// # Errors
    /// [`PlaybookError::Render`].
    pub fn criteria(&self) -> Result<Vec<Criterion>, PlaybookError> {
        let ctx = context::context(&self.params, Map::new());
        let fill = |criterion: &Criterion| {
            let text = render::render(&criterion.text, &ctx)
                .map_err(|problem| self.wrong(format!("criterion {}", criterion.id), problem))?;
            Ok(Criterion {
                text,
                ..criterion.clone()
            })
        };
        self.playbook.criteria.iter().map(fill).collect()
    }

    /// What to do next, given everything that was done.
    ///
    /// # Errors
    /// [`PlaybookError::Render`] when a template fails, [`PlaybookError::Run`] when a limit is
    /// reached or the answers belong to another version of the playbook.
    pub fn next(&self, done: &[(ToolCall, ToolAnswer)]) -> Result<Next, PlaybookError> {
        let (walked, _) = self.walk(&Done::new(done))?;
        match walked {
            Walked::At(next) => Ok(next),
            Walked::All => Ok(Next::Finished {
                report: self.report(done)?,
            }),
        }
    }

    /// What templates and checks see: `{params, steps}` and each parameter by its name.
    ///
    /// # Errors
    /// As [`Run::next`].
    pub fn context(&self, done: &[(ToolCall, ToolAnswer)]) -> Result<Value, PlaybookError> {
        let (_, steps) = self.walk(&Done::new(done))?;
        Ok(context::context(&self.params, steps))
    }

    /// The report, with runs of empty lines made one and without control characters.
    ///
    /// # Errors
    /// [`PlaybookError::Render`], for example when a step it speaks of has not run yet.
    pub fn report(&self, done: &[(ToolCall, ToolAnswer)]) -> Result<String, PlaybookError> {
        let ctx = self.context(done)?;
        let text = render::render(&self.playbook.report, &ctx)
            .map_err(|problem| self.wrong("report".to_owned(), problem))?;
        Ok(tidy(&text))
    }

    fn wrong(&self, place: String, problem: RenderError) -> PlaybookError {
        PlaybookError::Render {
            name: self.playbook.name.clone(),
            place,
            problem,
        }
    }

    fn at_step<T>(&self, step: &Step, result: Result<T, RenderError>) -> Result<T, PlaybookError> {
        result.map_err(|problem| self.wrong(format!("step {}", step.id), problem))
    }

    fn broken(&self, step: &Step, problem: String) -> PlaybookError {
        PlaybookError::Run {
            name: self.playbook.name.clone(),
            step: step.id.clone(),
            problem,
        }
    }

    /// Goes through the steps as far as there are answers; what the steps so far look like.
    fn walk(&self, done: &Done<'_>) -> Result<(Walked, Map<String, Value>), PlaybookError> {
        let mut seen = Map::new();
        let mut ran: Vec<Ran<'p>> = Vec::new();
        for step in &self.playbook.steps {
            let ctx = context::context(&self.params, seen.clone());
            if let Some(when) = &step.when
                && !self.at_step(step, render::holds(when, &ctx))?
            {
                seen.insert(step.id.clone(), context::left_out());
                continue;
            }
            let (at, look) = self.step(step, &ctx, done, &mut ran)?;
            seen.extend(look.map(|look| (step.id.clone(), look)));
            match at {
                None => {}
                Some(Stop::Next(next)) => return Ok((Walked::At(next), seen)),
                Some(Stop::Failure(reason)) => {
                    let next = self.take_back(reason, step, &seen, &ran, done)?;
                    return Ok((Walked::At(next), seen));
                }
            }
        }
        Ok((Walked::All, seen))
    }

    /// One step: where it stops, if it does, and how it looks if anything of it ran.
    fn step(
        &self,
        step: &'p Step,
        ctx: &Value,
        done: &Done<'_>,
        ran: &mut Vec<Ran<'p>>,
    ) -> Result<(Option<Stop>, Option<Value>), PlaybookError> {
        let items = self.items(step, ctx)?;
        let rounds: Vec<Option<(usize, Value)>> = match items {
            None => vec![None],
            Some(items) => items.into_iter().enumerate().map(Some).collect(),
        };
        let mut answers = Vec::new();
        let mut stop = None;
        for item in rounds {
            let id = context::call_id(step, item.as_ref().map(|(index, _)| *index));
            let Some(answer) = self.answer(step, &id, &step.tool, done)? else {
                if ran.len() >= MOST_CALLS {
                    return Err(self.broken(
                        step,
                        format!("the run has made {MOST_CALLS} calls: use fewer items"),
                    ));
                }
                let call = self.call(step, id, &step.tool, &step.args, ctx, item.as_ref())?;
                stop = Some(Stop::Next(Next::Call(call, timeout(step))));
                break;
            };
            answers.push(answer);
            ran.push(Ran { step, item });
            if answer.is_error && step.on_error != OnError::Continue {
                stop = Some(Stop::Failure(format!(
                    "step {id} ({}) failed: {}",
                    step.tool,
                    filters::line(&answer.text, 400)
                )));
                break;
            }
        }
        let look = match (step.foreach.is_some(), answers.first()) {
            (true, _) => Some(context::many(&answers)),
            (false, Some(answer)) => Some(context::answered(answer)),
            (false, None) => None,
        };
        Ok((stop, look))
    }

    fn items(&self, step: &Step, ctx: &Value) -> Result<Option<Vec<Value>>, PlaybookError> {
        let list = match &step.foreach {
            None => return Ok(None),
            Some(Value::String(expression)) => {
                self.at_step(step, render::value_of(expression, ctx))?
            }
            Some(list) => self.at_step(step, render::render_value(list, ctx))?,
        };
        match list {
            Value::Array(items) if items.len() <= grammar::MOST_ITEMS => Ok(Some(items)),
            Value::Array(items) => Err(self.broken(
                step,
                format!(
                    "`foreach` has {} items: use at most {}",
                    items.len(),
                    grammar::MOST_ITEMS
                ),
            )),
            _ => Err(self.broken(step, "`foreach` does not give a list".to_owned())),
        }
    }

    /// The answer to a call, if there is one and it belongs to this playbook.
    fn answer<'d>(
        &self,
        step: &Step,
        id: &str,
        tool: &str,
        done: &Done<'d>,
    ) -> Result<Option<&'d ToolAnswer>, PlaybookError> {
        match done.get(id) {
            Some((call, _)) if call.name != tool => Err(self.broken(
                step,
                format!("an earlier attempt called {} where the playbook now says {tool}: retry the task from its start", call.name),
            )),
            Some((_, answer)) => Ok(Some(answer)),
            None => Ok(None),
        }
    }

    fn call(
        &self,
        step: &Step,
        id: String,
        tool: &str,
        args: &Value,
        ctx: &Value,
        item: Option<&(usize, Value)>,
    ) -> Result<ToolCall, PlaybookError> {
        let inner = item.map(|(index, item)| context::with_item(ctx, item, *index));
        let input = match self.at_step(
            step,
            render::render_value(args, inner.as_ref().unwrap_or(ctx)),
        )? {
            Value::Null => Value::Object(Map::new()),
            input => input,
        };
        Ok(ToolCall {
            id,
            name: tool.to_owned(),
            input,
        })
    }

    /// After a failure: the next undo that has no answer, newest first, or the end. An undo whose
    /// input cannot be filled, or that fails, is named and does not keep the others from running.
    fn take_back(
        &self,
        reason: String,
        failed: &Step,
        seen: &Map<String, Value>,
        ran: &[Ran<'p>],
        done: &Done<'_>,
    ) -> Result<Next, PlaybookError> {
        if failed.on_error != OnError::Undo {
            return Ok(Next::Failed { reason });
        }
        let ctx = context::context(&self.params, seen.clone());
        let (mut undone, mut left) = (Vec::new(), Vec::new());
        for ran in ran.iter().rev() {
            let Some(undo) = &ran.step.undo else { continue };
            let of = context::call_id(ran.step, ran.item.as_ref().map(|(index, _)| *index));
            let id = format!("{of}.undo");
            match self.answer(ran.step, &id, &undo.tool, done)? {
                Some(answer) if answer.is_error => {
                    left.push(format!("{of} ({})", filters::line(&answer.text, 200)))
                }
                Some(_) => undone.push(of),
                None => match self.call(
                    ran.step,
                    id,
                    &undo.tool,
                    &undo.args,
                    &ctx,
                    ran.item.as_ref(),
                ) {
                    Ok(call) => return Ok(Next::Call(call, timeout(ran.step))),
                    Err(problem) => left.push(format!("{of} ({problem})")),
                },
            }
        }
        let mut reason = reason;
        if !undone.is_empty() {
            reason.push_str(&format!("; taken back: {}", undone.join(", ")));
        }
        if !left.is_empty() {
            reason.push_str(&format!("; could not be taken back: {}", left.join(", ")));
        }
        Ok(Next::Failed { reason })
    }
}

/// Why a step goes no further.
enum Stop {
    Next(Next),
    Failure(String),
}

fn timeout(step: &Step) -> Option<Duration> {
    step.timeout
        .as_deref()
        .and_then(|text| grammar::duration(text).ok())
}

/// No control characters, no trailing spaces, at most one empty line in a row, none at the ends.
fn tidy(text: &str) -> String {
    let clean: String = text
        .chars()
        .filter(|c| *c == '\n' || *c == '\t' || !c.is_control())
        .collect();
    let mut lines: Vec<&str> = Vec::new();
    for line in clean.lines().map(str::trim_end) {
        if !(line.is_empty() && lines.last().is_none_or(|last| last.is_empty())) {
            lines.push(line);
        }
    }
    lines.join("\n").trim_end().to_owned()
}

#[cfg(test)]
#[path = "run_tests.rs"]
mod tests;
