//! From a tool call to an [`Act`]: pure, the same answer for the same call. Bad input becomes a
//! sentence that the engine can mend its call by.

mod analysers;
mod away;
mod bring;
mod duties;
mod files;
mod outside;
pub mod paths;
mod search;
mod shell;
mod suites;
mod words;

use crate::act::{Act, Operation, Place};
use crate::outside::Outside;
use protocol::tool::{DATA, HOST, TOOLS, ToolCall};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// What the task can see; calls that need more are refused here, before anyone is asked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct View {
    /// There is a workspace.
    pub workspace: bool,
    /// The host may be looked at.
    pub host: bool,
    /// What may be reached outside.
    pub outside: Outside,
    /// The key of the step: the same on every attempt of the task.
    pub key: String,
    /// The branch that is the task's own.
    pub branch: String,
}

/// Why a call cannot be planned.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// No such tool.
    #[error("there is no tool named `{name}`: use one of {known}")]
    UnknownTool {
        /// As asked for, cut.
        name: String,
        /// The names that exist.
        known: String,
    },
    /// The input has a wrong shape.
    #[error("the input of {tool} is not usable: {why}")]
    Input {
        /// Which tool.
        tool: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// A path leads out of the workspace.
    #[error("`{path}` is not in the workspace: use a path under /workspace, or one relative to it")]
    Outside {
        /// As given, cut.
        path: String,
    },
    /// The tool needs a workspace.
    #[error("{tool} needs a workspace and this task has none: start it with --workspace DIR")]
    NoWorkspace {
        /// Which tool.
        tool: &'static str,
    },
    /// The tool needs the host.
    #[error("{tool} reads the host and this task may not: grant `host.read` to its agent")]
    NoHost {
        /// Which tool.
        tool: &'static str,
    },
}

/// Plans a call. Pure: reads nothing but its arguments.
pub fn plan(call: &ToolCall, view: &View) -> Result<Act, PlanError> {
    let input = &call.input;
    let operation = match call.name.as_str() {
        "Read" => files::read(input)?,
        "Write" => files::write(input)?,
        "Edit" => files::edit(input)?,
        "Bash" => shell::bash(input)?,
        "Glob" => search::glob(input)?,
        "Grep" => search::grep(input)?,
        "Tests" => suites::tests(input)?,
        "GitStatus" => analysers::bare("GitStatus", input, Operation::GitStatus)?,
        "GitDiff" => analysers::bare("GitDiff", input, Operation::GitDiff)?,
        "Overview" => analysers::bare("Overview", input, Operation::Overview)?,
        "AgentFiles" => analysers::bare("AgentFiles", input, Operation::AgentFiles)?,
        "Secrets" => analysers::bare("Secrets", input, Operation::Secrets)?,
        "Marks" => analysers::bare("Marks", input, Operation::Marks)?,
        "Dependencies" => analysers::bare("Dependencies", input, Operation::Dependencies)?,
        "QuickChecks" => analysers::bare("QuickChecks", input, Operation::QuickChecks)?,
        "Unpushed" => analysers::bare("Unpushed", input, Operation::Unpushed)?,
        "Branches" => analysers::branches(input)?,
        "LargeFiles" => analysers::large_files(input)?,
        "Changes" => analysers::changes(input)?,
        "Inventory" => analysers::bare("Inventory", input, Operation::Inventory)?,
        "Links" => analysers::bare("Links", input, Operation::Links)?,
        "Linters" => analysers::bare("Linters", input, Operation::Linters)?,
        "HostFacts" => analysers::bare("HostFacts", input, Operation::HostFacts)?,
        name if HOST.contains(&name) => analysers::host(name, input)?,
        name if DATA.contains(&name) => analysers::data(name, input)?,
        "Profile" => analysers::profile(input)?,
        "GitCommit" => outside::commit(input, view)?,
        "HttpRequest" => outside::http(input, view)?,
        "SqlQuery" => outside::query(input)?,
        "SqlExecute" => outside::execute(input, view)?,
        "BackupDatabase" => away::backup(input, view)?,
        "TryBackup" => away::try_backup(input)?,
        "CheckPage" => away::page(input)?,
        "HostCertificates" => away::certificates(input)?,
        name if bring::NAMES.contains(&name) => bring::bring(name, input, view)?,
        name if protocol::duty::tools::ALL.contains(&name) => duties::duty(name, input, view)?,
        other => {
            return Err(PlanError::UnknownTool {
                name: other.chars().take(60).collect(),
                known: TOOLS.join(", "),
            });
        }
    };
    check_view(&operation, view)?;
    Ok(Act::of(operation))
}

fn check_view(operation: &Operation, view: &View) -> Result<(), PlanError> {
    let tool = operation.tool();
    match operation.place() {
        Place::Host => return view.host.then_some(()).ok_or(PlanError::NoHost { tool }),
        // What is granted is the gate's to say.
        Place::Outside if operation.reads_files() && !view.workspace => {
            return Err(PlanError::NoWorkspace { tool });
        }
        Place::Outside | Place::Warden => return Ok(()),
        Place::Clone => {}
    }
    if !view.workspace {
        return Err(PlanError::NoWorkspace { tool });
    }
    Ok(())
}

/// Reads a tool's input into its typed form; `null` counts as an empty object.
fn input<T: DeserializeOwned>(tool: &'static str, value: &Value) -> Result<T, PlanError> {
    let value = match value {
        Value::Null => Value::Object(serde_json::Map::new()),
        other => other.clone(),
    };
    serde_json::from_value(value).map_err(|e| wrong(tool, e.to_string()))
}

fn wrong(tool: &'static str, why: impl Into<String>) -> PlanError {
    PlanError::Input {
        tool,
        why: why.into(),
    }
}

#[cfg(test)]
mod duty_tests;
#[cfg(test)]
mod tests;
