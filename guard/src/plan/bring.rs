//! Calls that bring a task's work elsewhere: a push of its branch, a pull request, a workflow; and those that look how it
//! stands there. Remotes and repositories by name alone; addresses and tokens come from the grant.

use super::{PlanError, View, input, wrong};
use crate::act::Operation;
use crate::bring::ForgeAsk;
use protocol::branch::{is_commit, is_plain};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// The tools of this kind.
pub(super) const NAMES: [&str; 5] = [
    "GitPush",
    "OpenPull",
    "ListPulls",
    "StartWorkflow",
    "WorkflowRuns",
];

const TITLE_BYTES: usize = 250;
const BODY_BYTES: usize = 60 * 1024;
const INPUTS: usize = 10;
const STATES: [&str; 3] = ["open", "closed", "all"];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PushInput {
    remote: String,
    commit: String,
    #[serde(default)]
    branch: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OpenInput {
    forge: String,
    title: String,
    #[serde(default)]
    body: String,
    #[serde(default)]
    head: Option<String>,
    #[serde(default)]
    base: Option<String>,
    #[serde(default)]
    draft: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ListInput {
    forge: String,
    #[serde(default)]
    state: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StartInput {
    forge: String,
    workflow: String,
    #[serde(default)]
    branch: Option<String>,
    #[serde(default)]
    inputs: BTreeMap<String, Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RunsInput {
    forge: String,
    #[serde(default)]
    branch: Option<String>,
}

pub(super) fn bring(name: &str, value: &Value, view: &View) -> Result<Operation, PlanError> {
    match name {
        "GitPush" => push(value, view),
        "OpenPull" => open(value, view),
        "ListPulls" => {
            const TOOL: &str = "ListPulls";
            let given: ListInput = input(TOOL, value)?;
            let state = given.state.unwrap_or_else(|| "open".to_owned());
            match STATES.contains(&state.as_str()) {
                true => Ok(ask(given.forge, ForgeAsk::ListPulls { state }, view)),
                false => Err(wrong(TOOL, "`state` is open, closed or all")),
            }
        }
        "StartWorkflow" => start(value, view),
        _ => {
            const TOOL: &str = "WorkflowRuns";
            let given: RunsInput = input(TOOL, value)?;
            if given
                .branch
                .as_deref()
                .is_some_and(|branch| !is_plain(branch))
            {
                return Err(wrong(TOOL, "`branch` is the plain name of a branch"));
            }
            let branch = given.branch;
            Ok(ask(given.forge, ForgeAsk::WorkflowRuns { branch }, view))
        }
    }
}

/// What is asked, with the repository that stands behind the name now: a leave is for exactly that one.
fn ask(forge: String, ask: ForgeAsk, view: &View) -> Operation {
    // One that is not granted is told by the gate, with those that are.
    let repository = view.outside.forges.get(&forge);
    Operation::Forge {
        repository: repository.map_or_else(String::new, |at| at.repository.clone()),
        forge,
        ask,
    }
}

fn push(value: &Value, view: &View) -> Result<Operation, PlanError> {
    const TOOL: &str = "GitPush";
    let given: PushInput = input(TOOL, value)?;
    if !is_commit(&given.commit) {
        return Err(wrong(
            TOOL,
            "`commit` is the whole id of a commit, as GitCommit tells it",
        ));
    }
    let branch = given.branch.unwrap_or_else(|| view.branch.clone());
    if !is_plain(&branch) {
        return Err(wrong(TOOL, "`branch` is the plain name of a branch"));
    }
    let granted = view.outside.remotes.get(&given.remote);
    let named = granted.is_none_or(|remote| remote.branches.contains(&branch));
    if branch != view.branch && !named {
        return Err(wrong(
            TOOL,
            format!(
                "this task pushes its own branch, {}: another one stands in `branches` of the remote in permissions.yaml",
                view.branch
            ),
        ));
    }
    Ok(Operation::GitPush {
        url: granted.map_or_else(String::new, |remote| remote.url.clone()),
        remote: given.remote,
        branch,
        commit: given.commit,
    })
}

fn open(value: &Value, view: &View) -> Result<Operation, PlanError> {
    const TOOL: &str = "OpenPull";
    let given: OpenInput = input(TOOL, value)?;
    let title = given.title.trim();
    if title.is_empty() || title.len() > TITLE_BYTES || title.chars().any(char::is_control) {
        return Err(wrong(TOOL, "`title` is one line of at most 250 bytes"));
    }
    if given.body.len() > BODY_BYTES || given.body.contains('\0') {
        return Err(wrong(TOOL, "`body` has at most 60 kB"));
    }
    let head = given.head.unwrap_or_else(|| view.branch.clone());
    let plain = |branch: &String| is_plain(branch);
    if !plain(&head) || !given.base.as_ref().is_none_or(plain) {
        return Err(wrong(TOOL, "`head` and `base` are plain names of branches"));
    }
    let open = ForgeAsk::OpenPull {
        head,
        base: given.base,
        title: title.to_owned(),
        body: given.body,
        draft: given.draft,
    };
    Ok(ask(given.forge, open, view))
}

fn start(value: &Value, view: &View) -> Result<Operation, PlanError> {
    const TOOL: &str = "StartWorkflow";
    let given: StartInput = input(TOOL, value)?;
    let file = |name: &str| {
        let good = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
        !name.is_empty() && name.len() <= 100 && !name.starts_with('.') && name.bytes().all(good)
    };
    if !file(&given.workflow) {
        return Err(wrong(
            TOOL,
            "`workflow` is the name of its file, such as tests.yml, or its number",
        ));
    }
    let branch = given.branch.unwrap_or_else(|| view.branch.clone());
    if !is_plain(&branch) {
        return Err(wrong(TOOL, "`branch` is the plain name of a branch"));
    }
    let text = |value: Value| match value {
        Value::String(text) if text.len() <= 1024 => Some(text),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        _ => None,
    };
    let inputs: Option<BTreeMap<String, String>> = given
        .inputs
        .into_iter()
        .map(|(name, value)| Some((name, text(value)?)))
        .collect();
    let inputs = inputs.filter(|all| all.len() <= INPUTS && all.keys().all(|name| file(name)));
    let Some(inputs) = inputs else {
        return Err(wrong(TOOL, "`inputs` are at most 10 plain values by name"));
    };
    let start = ForgeAsk::StartWorkflow {
        workflow: given.workflow,
        branch,
        inputs,
    };
    Ok(ask(given.forge, start, view))
}
