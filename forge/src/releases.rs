//! Releases: a tag with files beside it. A backup that is to be kept apart is one.

use crate::client::GitHub;
use crate::error::ForgeError;
use crate::repositories::Named;
use reqwest::{Method, Url};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::path::Path;

/// Largest file beside a release, in bytes: GitHub's limit is 2 GiB.
pub const ASSET_BYTES: u64 = 2 * 1024 * 1024 * 1024 - 1;

/// A release.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Release {
    /// Its number.
    pub id: u64,
    /// Its tag.
    pub tag_name: String,
    /// Where a person looks at it.
    pub html_url: String,
    /// Whether nobody else sees it yet.
    #[serde(default)]
    pub draft: bool,
    /// Where files are sent to, with `{?name,label}` at its end.
    pub upload_url: String,
    /// The files beside it.
    #[serde(default)]
    pub assets: Vec<Asset>,
}

/// A file beside a release.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Asset {
    /// Its number.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// Its size, in bytes.
    pub size: u64,
    /// `uploaded` where it is whole.
    pub state: String,
}

/// A release that is to be.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct NewRelease<'a> {
    /// Its tag; made where it is not there.
    pub tag_name: &'a str,
    /// Its title.
    pub name: &'a str,
    /// What is said about it.
    pub body: &'a str,
    /// Whether nobody else is to see it yet.
    pub draft: bool,
    /// Whether it is not to be shown as the newest good one.
    pub prerelease: bool,
}

impl GitHub {
    /// A release by its tag; `None` where there is none. Drafts have no tag yet and are not found.
    pub async fn release(&self, of: &Named, tag: &str) -> Result<Option<Release>, ForgeError> {
        let parts = ["repos", &of.owner, &of.name, "releases", "tags", tag];
        self.find(&format!("reading release {tag} of {of}"), &parts, &[])
            .await
    }

    /// The newest releases.
    pub async fn releases(&self, of: &Named, most: usize) -> Result<Vec<Release>, ForgeError> {
        let parts = ["repos", &of.owner, &of.name, "releases"];
        self.list(
            &format!("reading releases of {of}"),
            &parts,
            &[],
            None,
            most,
        )
        .await
    }

    /// Makes a release.
    pub async fn create_release(
        &self,
        of: &Named,
        new: &NewRelease<'_>,
    ) -> Result<Release, ForgeError> {
        let parts = ["repos", of.owner.as_str(), &of.name, "releases"];
        let what = format!("making release {} of {of}", new.tag_name);
        self.send(Method::POST, &what, &parts, new).await
    }

    /// From now on everybody sees it.
    pub async fn publish(&self, of: &Named, release: &Release) -> Result<Release, ForgeError> {
        let id = release.id.to_string();
        let parts = ["repos", of.owner.as_str(), &of.name, "releases", &id];
        let what = format!("publishing release {} of {of}", release.tag_name);
        self.send(Method::PATCH, &what, &parts, &json!({"draft": false}))
            .await
    }

    /// Puts a file beside a release; one that did not arrive whole is an error.
    pub async fn upload(
        &self,
        release: &Release,
        name: &str,
        file: &Path,
    ) -> Result<Asset, ForgeError> {
        let what = format!("putting {name} beside release {}", release.tag_name);
        let refused = |why: &str| ForgeError::Refused {
            what: what.clone(),
            why: why.to_owned(),
        };
        let size = std::fs::metadata(file)
            .map_err(|error| refused(&error.to_string()))?
            .len();
        if size > ASSET_BYTES {
            return Err(refused("it is larger than 2 GiB"));
        }
        let address = release.upload_url.split('{').next().unwrap_or_default();
        let mut url: Url = address
            .parse()
            .map_err(|_| refused("its address is none"))?;
        // The token goes along: to the same kind of place alone.
        if url.scheme() != "https" && !self.is_at(&url) {
            return Err(refused("its address is not https://"));
        }
        url.query_pairs_mut().append_pair("name", name);
        let asset: Asset = self.send_file(&what, url, file, size).await?;
        match asset.state == "uploaded" && asset.size == size {
            true => Ok(asset),
            false => Err(ForgeError::Broken(format!(
                "{what}: {} of {size} bytes arrived: remove it there and try again",
                asset.size
            ))),
        }
    }

    /// Reads a file beside a release into a file here; one that did not arrive whole is an error.
    pub async fn download(&self, of: &Named, asset: &Asset, to: &Path) -> Result<(), ForgeError> {
        let id = asset.id.to_string();
        let parts = ["repos", &of.owner, &of.name, "releases", "assets", &id];
        let what = format!("reading {} of {of}", asset.name);
        self.fetch(&what, &parts, to).await?;
        let came = std::fs::metadata(to).map_or(0, |about| about.len());
        match came == asset.size {
            true => Ok(()),
            false => Err(ForgeError::Broken(format!(
                "{what}: {came} of {} bytes came",
                asset.size
            ))),
        }
    }

    /// Removes a release; its tag stays.
    pub async fn delete_release(&self, of: &Named, release: &Release) -> Result<(), ForgeError> {
        let id = release.id.to_string();
        let parts = ["repos", &of.owner, &of.name, "releases", &id];
        self.remove(
            &format!("removing release {} of {of}", release.tag_name),
            &parts,
        )
        .await
    }
}
