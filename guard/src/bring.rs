//! Where a task's work may be brought: remotes that take a push, and repositories at a host with an API. Calls name them;
//! addresses and tokens come from the grant alone.

use crate::act::Operation;
use crate::outside::{Credential, Outside, Reach, no};
use protocol::branch::{is_commit, is_of_a_task};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// A remote of git.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remote {
    /// Its address.
    pub url: String,
    /// Shown to it and to nobody else.
    pub token: Credential,
    /// Who the token belongs to; `None` = `x-access-token`.
    pub user: Option<String>,
    /// File with the certificates that vouch for it.
    pub authority: Option<PathBuf>,
    /// Branches that may be pushed besides a task's own.
    pub branches: Vec<String>,
    /// Whether a branch may change what others obey without being asked.
    pub control_files: bool,
}

/// A repository at a host with an API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForgeRepository {
    /// Address of the API.
    pub url: String,
    /// `owner/name`.
    pub repository: String,
    /// Shown to it and to nobody else.
    pub token: Credential,
}

/// What is asked of a host with an API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case")]
pub enum ForgeAsk {
    /// Offer a branch as a pull request, once.
    OpenPull {
        /// The branch.
        head: String,
        /// The branch it is for; the repository's own first one where none is said.
        base: Option<String>,
        /// One line.
        title: String,
        /// What is said about it.
        body: String,
        /// Whether it is not meant to be merged yet.
        draft: bool,
    },
    /// List pull requests.
    ListPulls {
        /// `open`, `closed` or `all`.
        state: String,
    },
    /// Start a workflow.
    StartWorkflow {
        /// Its file or number.
        workflow: String,
        /// The branch it runs on.
        branch: String,
        /// What it is given.
        inputs: BTreeMap<String, String>,
    },
    /// The newest runs of workflows.
    WorkflowRuns {
        /// Of this branch.
        branch: Option<String>,
    },
}

impl ForgeAsk {
    /// The tool's name.
    pub fn tool(&self) -> &'static str {
        match self {
            ForgeAsk::OpenPull { .. } => "OpenPull",
            ForgeAsk::ListPulls { .. } => "ListPulls",
            ForgeAsk::StartWorkflow { .. } => "StartWorkflow",
            ForgeAsk::WorkflowRuns { .. } => "WorkflowRuns",
        }
    }

    /// One line for people, of a repository.
    pub(crate) fn preview(&self, repository: &str) -> String {
        match self {
            ForgeAsk::OpenPull {
                head, base, title, ..
            } => {
                let base = base.as_deref().unwrap_or("its first branch");
                format!("offer {head} for {base} of {repository}: {title}")
            }
            ForgeAsk::ListPulls { state } => format!("list {state} pull requests of {repository}"),
            ForgeAsk::StartWorkflow {
                workflow, branch, ..
            } => format!("start {workflow} of {repository} on {branch}"),
            ForgeAsk::WorkflowRuns { .. } => format!("look at runs of {repository}"),
        }
    }
}

/// What an operation of this kind reaches, where it is granted; else why not. `None` = it is of another kind.
pub(crate) fn reach(granted: &Outside, operation: &Operation) -> Option<Result<Reach, String>> {
    match operation {
        Operation::GitPush {
            remote,
            url,
            branch,
            commit,
        } => {
            let Some(to) = granted.remotes.get(remote) else {
                return Some(Err(no("remote", remote, granted.remotes.keys())));
            };
            let allowed =
                (is_of_a_task(branch) || to.branches.contains(branch)) && is_commit(commit);
            Some(match allowed && *url == to.url {
                true => Ok(Reach::Remote {
                    remote: to.clone(),
                    shown: Vec::new(),
                }),
                false => Err(format!(
                    "the push leaves what the remote `{remote}` is granted for"
                )),
            })
        }
        Operation::Forge {
            forge, repository, ..
        } => {
            let Some(at) = granted.forges.get(forge) else {
                return Some(Err(no("repository", forge, granted.forges.keys())));
            };
            Some(match *repository == at.repository {
                true => Ok(Reach::Forge { at: at.clone() }),
                false => Err(format!(
                    "`{forge}` is another repository now: plan it again"
                )),
            })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_push_stays_with_its_remote_and_its_branch() {
        let remote = Remote {
            url: "https://h/x.git".to_owned(),
            token: Credential::new("hunter2"),
            user: None,
            authority: None,
            branches: vec!["preview".to_owned()],
            control_files: false,
        };
        let granted = Outside {
            remotes: [("origin".to_owned(), remote)].into(),
            ..Outside::default()
        };
        for (name, url, branch, expected) in [
            ("origin", "https://h/x.git", "ai-infra/t7", true),
            ("origin", "https://h/x.git", "preview", true),
            ("origin", "https://h/x.git", "main", false),
            ("origin", "https://h/x.git", "ai-infra/t7/x", false),
            ("origin", "https://h/y.git", "ai-infra/t7", false),
            ("other", "https://h/x.git", "ai-infra/t7", false),
        ] {
            let push = Operation::GitPush {
                remote: name.to_owned(),
                url: url.to_owned(),
                branch: branch.to_owned(),
                commit: "a".repeat(40),
            };
            let got = reach(&granted, &push).is_some_and(|reach| reach.is_ok());
            assert_eq!(got, expected, "{name} {url} {branch}");
        }
        let push = Operation::GitPush {
            remote: "origin".to_owned(),
            url: "https://h/x.git".to_owned(),
            branch: "preview".to_owned(),
            commit: "+HEAD".to_owned(),
        };
        assert!(reach(&granted, &push).is_some_and(|reach| reach.is_err()));
        assert!(!format!("{granted:?}").contains("hunter2"));
    }
}
