//! Single files of a repository, read and written without a clone. A file is written over only where the
//! one who writes names what was there.

use crate::client::GitHub;
use crate::error::ForgeError;
use crate::repositories::Named;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use serde::{Deserialize, Serialize};

/// A file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Git's name of its content; whoever writes over it names it.
    pub sha: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(rename = "type")]
    kind: String,
    sha: String,
    #[serde(default)]
    encoding: String,
    #[serde(default)]
    content: String,
}

#[derive(Deserialize)]
struct Written {
    content: Option<Sha>,
    commit: Sha,
}

#[derive(Deserialize)]
struct Sha {
    #[serde(default)]
    sha: String,
}

#[derive(Serialize)]
struct New<'a> {
    message: &'a str,
    content: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    sha: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    branch: Option<&'a str>,
}

/// What a file is to become.
#[derive(Debug, Clone, Copy)]
pub struct Change<'a> {
    /// Its path.
    pub path: &'a str,
    /// Its new bytes.
    pub bytes: &'a [u8],
    /// What is said about it.
    pub message: &'a str,
    /// What is there now; `None` where nothing is.
    pub before: Option<&'a str>,
    /// The branch; `None` = the repository's own.
    pub branch: Option<&'a str>,
}

impl GitHub {
    /// Reads a file of at most 1 MB on a branch, tag or commit (`None` = the repository's own branch); `None`
    /// where there is none.
    ///
    /// # Errors
    /// When it is a folder, a link, or larger.
    pub async fn file(
        &self,
        of: &Named,
        path: &str,
        at: Option<&str>,
    ) -> Result<Option<File>, ForgeError> {
        let what = format!("reading {path} of {of}");
        let parts = ["repos", &of.owner, &of.name, "contents", path];
        let query: Vec<(&str, &str)> = at.map(|at| ("ref", at)).into_iter().collect();
        let Some(found) = self
            .find::<serde_json::Value>(&what, &parts, &query)
            .await?
        else {
            return Ok(None);
        };
        let refused = |why: &str| ForgeError::Refused {
            what: what.clone(),
            why: why.to_owned(),
        };
        let answer: Answer =
            serde_json::from_value(found).map_err(|_| refused("it is a folder, not a file"))?;
        if answer.kind != "file" {
            return Err(refused("it is a link or a submodule, not a file"));
        }
        // Larger files come without their content.
        if answer.encoding != "base64" {
            return Err(refused("it is larger than 1 MB: clone the repository"));
        }
        let text: String = answer.content.split_ascii_whitespace().collect();
        let bytes = STANDARD
            .decode(text)
            .map_err(|_| refused("its content is no base64"))?;
        Ok(Some(File {
            sha: answer.sha,
            bytes,
        }))
    }

    /// Writes a file; answers git's names of the content and of the commit.
    ///
    /// # Errors
    /// [`ForgeError::Changed`] where something else is there than `before`.
    pub async fn put_file(
        &self,
        of: &Named,
        change: &Change<'_>,
    ) -> Result<(String, String), ForgeError> {
        let what = format!("writing {} of {of}", change.path);
        let parts = ["repos", &of.owner, &of.name, "contents", change.path];
        let new = New {
            message: change.message,
            content: STANDARD.encode(change.bytes),
            sha: change.before,
            branch: change.branch,
        };
        let written: Written = self.send(Method::PUT, &what, &parts, &new).await?;
        let content = written
            .content
            .map_or_else(String::new, |content| content.sha);
        Ok((content, written.commit.sha))
    }
}
