//! What an agent may do at a host of code repositories, over its API and with the token of the grant: offer a branch as a
//! pull request, list those that are open, start a workflow, look at runs. One pull request a branch: it is looked for
//! before one is made, and again when an answer did not come.

use super::Failed;
use crate::bring::{ForgeAsk, ForgeRepository};
use crate::executor::inside::serve::Done;
use forge::pulls::{NewPull, Pull};
use forge::repositories::Named;
use forge::workflows::{Run, Which};
use forge::{ForgeError, GitHub, Led, Secret};
use serde_json::{Value, json};

/// Most that is listed.
const MOST: usize = 30;

/// Carries a question or a change out.
pub(super) async fn carry_out(ask: &ForgeAsk, at: &ForgeRepository) -> Result<Done, Failed> {
    let token = Secret::new(at.token.reveal());
    let github = GitHub::at(&at.url, Some(token), Led::Nowhere).map_err(failed)?;
    let (owner, name) = at.repository.split_once('/').unwrap_or_default();
    let of = Named {
        owner: owner.to_owned(),
        name: name.to_owned(),
    };
    match ask {
        ForgeAsk::OpenPull {
            head,
            base,
            title,
            body,
            draft,
        } => {
            let base = match base {
                Some(base) => base.clone(),
                None => default_branch(&github, &of).await?,
            };
            let new = NewPull {
                title,
                body,
                head,
                base: &base,
                draft: *draft,
            };
            open(&github, &of, &new).await
        }
        ForgeAsk::ListPulls { state } => {
            let pulls = github.pulls(&of, state, MOST).await.map_err(failed)?;
            let lines = pulls.iter().map(line);
            Ok(listed(
                "pull requests",
                lines.collect(),
                pulls.iter().map(data).collect(),
            ))
        }
        ForgeAsk::StartWorkflow {
            workflow,
            branch,
            inputs,
        } => {
            let run = github
                .dispatch(&of, workflow, branch, inputs)
                .await
                .map_err(failed)?;
            let text = match run {
                Some(run) => format!("{workflow} was started on {branch}: run {run}"),
                None => format!("{workflow} was started on {branch}; WorkflowRuns shows its run"),
            };
            Ok(Done::good(
                text,
                json!({"workflow": workflow, "branch": branch, "run": run}),
            ))
        }
        ForgeAsk::WorkflowRuns { branch } => {
            let which = Which {
                branch: branch.as_deref(),
                ..Which::default()
            };
            let runs = github.runs(&of, which, MOST).await.map_err(failed)?;
            Ok(listed(
                "runs",
                runs.iter().map(of_run).collect(),
                runs.iter().map(run).collect(),
            ))
        }
    }
}

async fn default_branch(github: &GitHub, of: &Named) -> Result<String, Failed> {
    let found = github.repository(of).await.map_err(failed)?;
    let found = found.filter(|repository| !repository.default_branch.is_empty());
    let missing = || Failed::Refused(format!("{of} is not there, or the token does not see it"));
    Ok(found.ok_or_else(missing)?.default_branch)
}

/// Offers a branch, once.
async fn open(github: &GitHub, of: &Named, new: &NewPull<'_>) -> Result<Done, Failed> {
    if let Some(pull) = github
        .pull_from(of, new.head, new.base)
        .await
        .map_err(failed)?
    {
        return Ok(opened(&pull, true));
    }
    let error = match github.create_pull(of, new).await {
        Ok(pull) => return Ok(opened(&pull, false)),
        Err(error) => error,
    };
    // It may be there all the same: an answer was lost, or somebody else was faster.
    match github.pull_from(of, new.head, new.base).await {
        Ok(Some(pull)) => Ok(opened(&pull, false)),
        _ => Err(failed(error)),
    }
}

fn opened(pull: &Pull, before: bool) -> Done {
    let text = match before {
        true => format!(
            "pull request {} is there already: {}",
            pull.number, pull.html_url
        ),
        false => format!("pull request {}: {}", pull.number, pull.html_url),
    };
    let mut data = data(pull);
    data["before"] = Value::Bool(before);
    Done::good(text, data)
}

fn data(pull: &Pull) -> Value {
    json!({"number": pull.number, "title": pull.title, "state": pull.state, "draft": pull.draft,
        "merged_at": pull.merged_at, "url": pull.html_url})
}

fn line(pull: &Pull) -> String {
    format!(
        "#{} {} ({}) {}",
        pull.number, pull.title, pull.state, pull.html_url
    )
}

fn run(run: &Run) -> Value {
    json!({"id": run.id, "name": run.name, "status": run.status, "conclusion": run.conclusion,
        "branch": run.head_branch, "event": run.event, "created_at": run.created_at, "url": run.html_url})
}

fn of_run(run: &Run) -> String {
    let end = run.conclusion.as_deref().or(run.status.as_deref());
    format!(
        "{} {} on {}: {} ({}) {}",
        run.id,
        run.name.as_deref().unwrap_or("run"),
        run.head_branch.as_deref().unwrap_or("?"),
        end.unwrap_or("unknown"),
        run.created_at,
        run.html_url
    )
}

fn listed(what: &str, lines: Vec<String>, data: Vec<Value>) -> Done {
    let text = match lines.is_empty() {
        true => format!("no {what}"),
        false => lines.join("\n"),
    };
    Done::good(text, json!({"found": data}))
}

/// Whether it may have been done all the same decides what becomes of the task.
fn failed(error: ForgeError) -> Failed {
    match error.in_doubt() {
        true => Failed::Unknown(error.to_string()),
        false => Failed::Refused(error.to_string()),
    }
}
