//! Where agents may bring a branch of their own: remotes of git that take a push, and repositories at a host with an API.
//! Named one by one in `permissions.yaml`; none is shipped.

use crate::grants::{ForgeGrant, RemoteGrant};
use crate::layers::Layers;
use crate::outside::{is_for, names, text, value};
use crate::secret::Secret;
use protocol::ids::Role;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;

const REMOTES: &str = "remotes";
const FORGES: &str = "forges";
/// GitHub's own.
const GITHUB: &str = "https://api.github.com";

/// The remotes that an agent may push to.
pub(crate) fn remotes(layers: &Layers, role: &Role) -> BTreeMap<String, RemoteGrant> {
    names(layers, REMOTES)
        .into_iter()
        .filter(|name| is_for(layers, REMOTES, name, role) && judge(layers, REMOTES, name).is_ok())
        .filter_map(|name| {
            let say = |key: &str| text(layers, REMOTES, &name, key);
            let branches = value(layers, REMOTES, &name, "branches").and_then(Value::as_array);
            let branches = branches.into_iter().flatten().filter_map(Value::as_str);
            let grant = RemoteGrant {
                url: say("url")?,
                token: Secret::new(say("token")?),
                user: say("user"),
                authority: say("authority").map(PathBuf::from),
                branches: branches.map(str::to_owned).collect(),
                control_files: value(layers, REMOTES, &name, "control_files")
                    == Some(&Value::Bool(true)),
            };
            Some((name, grant))
        })
        .collect()
}

/// The repositories at hosts with an API that an agent may work with.
pub(crate) fn forges(layers: &Layers, role: &Role) -> BTreeMap<String, ForgeGrant> {
    names(layers, FORGES)
        .into_iter()
        .filter(|name| is_for(layers, FORGES, name, role) && judge(layers, FORGES, name).is_ok())
        .filter_map(|name| {
            let say = |key: &str| text(layers, FORGES, &name, key);
            let grant = ForgeGrant {
                repository: say("repository")?,
                url: say("url").unwrap_or_else(|| GITHUB.to_owned()),
                token: Secret::new(say("token")?),
            };
            Some((name, grant))
        })
        .collect()
}

/// What is wrong with one: the key, and why.
pub(crate) fn judge(
    layers: &Layers,
    section: &str,
    name: &str,
) -> Result<(), (&'static str, String)> {
    let say = |key: &str| text(layers, section, name, key);
    let usual = match section {
        FORGES => GITHUB,
        _ => "",
    };
    let url = say("url").unwrap_or_else(|| usual.to_owned());
    if !protected(&url) {
        let why = "must begin with https://, so that nobody on the way reads the token";
        return Err(("url", why.into()));
    }
    if url.contains(['?', '#']) {
        return Err(("url", "has no `?` and no `#`".into()));
    }
    if value(layers, section, name, "token").is_none() {
        let why =
            "is missing: keep it with `ai-infra secret set NAME` and write `token: {secret: NAME}`";
        return Err(("token", why.into()));
    }
    if section == FORGES {
        let named = say("repository").unwrap_or_default();
        let part = |part: &str| {
            let good = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
            !part.is_empty() && !part.starts_with('.') && part.bytes().all(good)
        };
        return match named.split_once('/') {
            Some((owner, name)) if part(owner) && part(name) => Ok(()),
            _ => Err(("repository", "is owner/name of a repository".into())),
        };
    }
    let branches = value(layers, section, name, "branches").and_then(Value::as_array);
    let odd = branches
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .any(|branch| !protocol::branch::is_plain(branch));
    if odd {
        return Err((
            "branches",
            "names branches in full, without a pattern".into(),
        ));
    }
    if say("user").is_some_and(|user| !user.bytes().all(|b| (0x21..0x7f).contains(&b) && b != b':'))
    {
        return Err(("user", "is no user's name: no spaces and no colon".into()));
    }
    match say("authority").is_none_or(|path| path.starts_with('/')) {
        true => Ok(()),
        false => Err(("authority", "must be the absolute path of a file".into())),
    }
}

/// Whether nobody on the way can read what is sent to an address.
pub(crate) fn protected(url: &str) -> bool {
    let here = ["http://127.0.0.1", "http://localhost", "http://[::1]"]
        .iter()
        .any(|here| {
            url.strip_prefix(here)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with([':', '/']))
        });
    here || url.starts_with("https://")
}
