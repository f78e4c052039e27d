//! The tools that bring a task's work elsewhere, as a model sees them.

use super::spec;
use engine::conversation::ToolSpec;
use serde_json::json;

/// All of them. An agent has those for which something is granted.
pub(super) fn of_bringing() -> Vec<ToolSpec> {
    let text = json!({"type": "string"});
    vec![
        spec(
            "GitPush",
            "Push a commit (the whole id, as GitCommit tells it) to a granted remote, as this task's own branch ai-infra/tN. Never by \
             force; another branch only where it is granted. Only when the request asks for it. A person may have to say yes.",
            json!({"remote": text, "commit": text, "branch": text}),
            &["remote", "commit"],
        ),
        spec(
            "OpenPull",
            "Offer a pushed branch (this task's own, unless head names one) as a pull request in a granted repository. One that is \
             open already is found and not made again. A person may have to say yes.",
            json!({"forge": text, "title": text, "body": text, "head": text, "base": text, "draft": {"type": "boolean"}}),
            &["forge", "title"],
        ),
        spec(
            "ListPulls",
            "Pull requests of a granted repository; state: open, closed or all.",
            json!({"forge": text, "state": text}),
            &["forge"],
        ),
        spec(
            "StartWorkflow",
            "Start a workflow of a granted repository, by the name of its file, on a branch (this task's own unless one is named). It \
             is started once. A person may have to say yes.",
            json!({"forge": text, "workflow": text, "branch": text, "inputs": {"type": "object"}}),
            &["forge", "workflow"],
        ),
        spec(
            "WorkflowRuns",
            "The newest runs of workflows in a granted repository and how they ended; branch: only those of one.",
            json!({"forge": text, "branch": text}),
            &["forge"],
        ),
    ]
}
