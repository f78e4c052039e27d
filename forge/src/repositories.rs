//! Repositories, and where they are written down: the URLs that git takes.

use crate::client::GitHub;
use crate::error::ForgeError;
use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::fmt;

/// A repository's owner and name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// Who it belongs to.
    pub owner: String,
    /// Its name.
    pub name: String,
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.owner, self.name)
    }
}

/// A repository.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Repository {
    /// `owner/name`.
    pub full_name: String,
    /// Whether only those who are let in see it.
    pub private: bool,
    /// The branch that is shown first.
    #[serde(default)]
    pub default_branch: String,
    /// Where a person looks at it.
    pub html_url: String,
}

#[derive(Deserialize)]
struct User {
    login: String,
}

#[derive(Serialize)]
struct New<'a> {
    name: &'a str,
    private: bool,
    description: &'a str,
    auto_init: bool,
}

impl Named {
    /// Of a URL that git takes, where it is one of this host: `https://HOST/owner/name.git`,
    /// `git@HOST:owner/name`, `ssh://git@HOST/owner/name`.
    pub fn of_url(url: &str, host: &str) -> Option<Self> {
        let rest = match url.split_once("://") {
            Some(("https" | "ssh", rest)) => {
                let (at, path) = rest.split_once('/')?;
                let at = at.rsplit('@').next()?;
                // Another port is another service.
                (at.eq_ignore_ascii_case(host)).then_some(path)?
            }
            Some(_) => return None,
            None => {
                let (at, path) = url.split_once(':')?;
                let at = at.rsplit('@').next()?;
                (at.eq_ignore_ascii_case(host)).then_some(path)?
            }
        };
        let path = rest.trim_matches('/');
        let path = path.strip_suffix(".git").unwrap_or(path);
        let (owner, name) = path.split_once('/')?;
        let plain = |text: &str| {
            !text.is_empty()
                && text != "."
                && text != ".."
                && text
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
        };
        (plain(owner) && plain(name)).then(|| Self {
            owner: owner.to_owned(),
            name: name.to_owned(),
        })
    }
}

impl GitHub {
    /// Who the token belongs to.
    pub async fn login(&self) -> Result<String, ForgeError> {
        let user: User = self.get("asking whose token it is", &["user"], &[]).await?;
        Ok(user.login)
    }

    /// A repository; `None` where there is none, or the token does not see it.
    pub async fn repository(&self, named: &Named) -> Result<Option<Repository>, ForgeError> {
        let parts = ["repos", &named.owner, &named.name];
        self.find(&format!("reading {named}"), &parts, &[]).await
    }

    /// Makes a repository, empty, of the token's own user or of an organisation.
    pub async fn create_repository(
        &self,
        named: &Named,
        private: bool,
        description: &str,
    ) -> Result<Repository, ForgeError> {
        let new = New {
            name: &named.name,
            private,
            description,
            auto_init: false,
        };
        let own = self.login().await?.eq_ignore_ascii_case(&named.owner);
        let of_organisation = ["orgs", named.owner.as_str(), "repos"];
        let parts: &[&str] = if own {
            &["user", "repos"]
        } else {
            &of_organisation
        };
        let what = format!("making {named}");
        self.send(Method::POST, &what, parts, &json!(new)).await
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn urls_of_git_name_a_repository() {
        for (url, expected) in [
            ("https://github.com/me/kept.git", Some("me/kept")),
            ("https://x-access-token@github.com/me/kept", Some("me/kept")),
            ("https://GitHub.com/me/kept/", Some("me/kept")),
            ("git@github.com:me/kept.git", Some("me/kept")),
            ("ssh://git@github.com/me/my.kept", Some("me/my.kept")),
            ("https://github.com.evil.example/me/kept", None),
            ("https://evil.example/github.com/me", None),
            ("https://github.com:8443/me/kept", None),
            ("http://github.com/me/kept", None),
            ("https://github.com/me", None),
            ("https://github.com/me/kept/tree", None),
            ("https://github.com/me/..", None),
            ("https://github.com/me/a%2Fb", None),
            ("file:///srv/github.com/me/kept", None),
            ("/srv/kept", None),
        ] {
            let named = Named::of_url(url, "github.com").map(|named| named.to_string());
            assert_eq!(named.as_deref(), expected, "{url}");
        }
    }
}
