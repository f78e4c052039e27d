//! Workflows: what GitHub runs, started and watched from here.

use crate::client::GitHub;
use crate::error::ForgeError;
use crate::repositories::Named;
use reqwest::Method;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A workflow.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Workflow {
    /// Its number.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// Its file.
    pub path: String,
    /// `active`, or why it is not.
    pub state: String,
}

/// A run of one.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Run {
    /// Its number.
    pub id: u64,
    /// The workflow's name.
    #[serde(default)]
    pub name: Option<String>,
    /// `queued`, `in_progress`, `completed`, …
    #[serde(default)]
    pub status: Option<String>,
    /// `success`, `failure`, `cancelled`, … where it is over.
    #[serde(default)]
    pub conclusion: Option<String>,
    /// The branch.
    #[serde(default)]
    pub head_branch: Option<String>,
    /// What began it, such as `workflow_dispatch`.
    pub event: String,
    /// When, RFC 3339.
    pub created_at: String,
    /// Where a person looks at it.
    pub html_url: String,
}

/// Which runs are meant.
#[derive(Debug, Clone, Copy, Default)]
pub struct Which<'a> {
    /// Of this branch.
    pub branch: Option<&'a str>,
    /// Begun by this.
    pub event: Option<&'a str>,
    /// In this state, or with this end.
    pub status: Option<&'a str>,
}

#[derive(Serialize)]
struct Dispatch<'a> {
    #[serde(rename = "ref")]
    at: &'a str,
    inputs: &'a BTreeMap<String, String>,
}

impl GitHub {
    /// The workflows of a repository.
    pub async fn workflows(&self, of: &Named, most: usize) -> Result<Vec<Workflow>, ForgeError> {
        let parts = ["repos", &of.owner, &of.name, "actions", "workflows"];
        let what = format!("reading workflows of {of}");
        self.list(&what, &parts, &[], Some("workflows"), most).await
    }

    /// Starts a workflow, named by its file or number, on a branch or tag; answers the run's number, where
    /// GitHub says it (an older Enterprise does not: look for it among [`GitHub::runs`]).
    pub async fn dispatch(
        &self,
        of: &Named,
        workflow: &str,
        at: &str,
        inputs: &BTreeMap<String, String>,
    ) -> Result<Option<u64>, ForgeError> {
        let parts = [
            "repos",
            of.owner.as_str(),
            &of.name,
            "actions",
            "workflows",
            workflow,
            "dispatches",
        ];
        let what = format!("starting {workflow} of {of}");
        let words = Dispatch { at, inputs };
        let said: serde_json::Value = self.send(Method::POST, &what, &parts, &words).await?;
        Ok(said
            .get("workflow_run_id")
            .and_then(serde_json::Value::as_u64))
    }

    /// The newest runs.
    pub async fn runs(
        &self,
        of: &Named,
        which: Which<'_>,
        most: usize,
    ) -> Result<Vec<Run>, ForgeError> {
        let parts = ["repos", &of.owner, &of.name, "actions", "runs"];
        let query: Vec<(&str, &str)> = [
            ("branch", which.branch),
            ("event", which.event),
            ("status", which.status),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .collect();
        let what = format!("reading runs of {of}");
        self.list(&what, &parts, &query, Some("workflow_runs"), most)
            .await
    }

    /// A run by its number; `None` where there is none.
    pub async fn run(&self, of: &Named, id: u64) -> Result<Option<Run>, ForgeError> {
        let id = id.to_string();
        let parts = ["repos", &of.owner, &of.name, "actions", "runs", &id];
        self.find(&format!("reading run {id} of {of}"), &parts, &[])
            .await
    }
}
