//! Pull requests: changes that are offered.

use crate::client::GitHub;
use crate::error::ForgeError;
use crate::repositories::Named;
use reqwest::Method;
use serde::{Deserialize, Serialize};

/// A pull request.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Pull {
    /// Its number.
    pub number: u64,
    /// Its title.
    pub title: String,
    /// `open` or `closed`.
    pub state: String,
    /// Whether it is not meant to be merged yet.
    #[serde(default)]
    pub draft: bool,
    /// When it was merged, RFC 3339.
    #[serde(default)]
    pub merged_at: Option<String>,
    /// Where a person looks at it.
    pub html_url: String,
}

/// A pull request that is to be.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct NewPull<'a> {
    /// Its title.
    pub title: &'a str,
    /// What is said about it.
    pub body: &'a str,
    /// The branch with the changes; `owner:branch` of another repository.
    pub head: &'a str,
    /// The branch they are for.
    pub base: &'a str,
    /// Whether it is not meant to be merged yet.
    pub draft: bool,
}

impl GitHub {
    /// Offers changes.
    pub async fn create_pull(&self, of: &Named, new: &NewPull<'_>) -> Result<Pull, ForgeError> {
        let parts = ["repos", of.owner.as_str(), &of.name, "pulls"];
        let what = format!("making a pull request in {of}");
        self.send(Method::POST, &what, &parts, new).await
    }

    /// The newest, `state` being `open`, `closed` or `all`.
    pub async fn pulls(
        &self,
        of: &Named,
        state: &str,
        most: usize,
    ) -> Result<Vec<Pull>, ForgeError> {
        let parts = ["repos", &of.owner, &of.name, "pulls"];
        let what = format!("reading pull requests of {of}");
        self.list(&what, &parts, &[("state", state)], None, most)
            .await
    }

    /// The open one that offers this branch of the repository itself; `None` where there is none.
    pub async fn pull_from(
        &self,
        of: &Named,
        head: &str,
        base: &str,
    ) -> Result<Option<Pull>, ForgeError> {
        let parts = ["repos", &of.owner, &of.name, "pulls"];
        let head = format!("{}:{head}", of.owner);
        let query = [("state", "open"), ("head", head.as_str()), ("base", base)];
        let what = format!("looking for the pull request of {head} in {of}");
        let found: Vec<Pull> = self.list(&what, &parts, &query, None, 1).await?;
        Ok(found.into_iter().next())
    }

    /// One by its number; `None` where there is none.
    pub async fn pull(&self, of: &Named, number: u64) -> Result<Option<Pull>, ForgeError> {
        let number = number.to_string();
        let parts = ["repos", &of.owner, &of.name, "pulls", &number];
        self.find(
            &format!("reading pull request {number} of {of}"),
            &parts,
            &[],
        )
        .await
    }
}
