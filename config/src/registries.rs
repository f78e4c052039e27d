//! Private registries and git hosts of `permissions.yaml`: programs fetch from them through the proxy of their task, which
//! adds the token outside the sandbox. None is shipped.

use crate::grants::RegistryGrant;
use crate::layers::Layers;
use crate::outside::{is_for, names, text, value};
use crate::remotes::protected;
use crate::secret::Secret;
use protocol::ids::Role;
use protocol::registry::RegistryKind;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;

const SECTION: &str = "registries";

/// The registries that programs of an agent may fetch from.
pub(crate) fn registries(layers: &Layers, role: &Role) -> BTreeMap<String, RegistryGrant> {
    names(layers, SECTION)
        .into_iter()
        .filter(|name| is_for(layers, SECTION, name, role) && judge(layers, name).is_ok())
        .filter_map(|name| {
            let say = |key: &str| text(layers, SECTION, &name, key);
            let grant = RegistryGrant {
                url: say("url")?,
                kind: RegistryKind::parse(&say("kind")?)?,
                token: Secret::new(say("token")?),
                user: say("user"),
                index: say("index"),
                scope: say("scope"),
                authority: say("authority").map(PathBuf::from),
            };
            Some((name, grant))
        })
        .collect()
}

/// What is wrong with one: the key, and why.
pub(crate) fn judge(layers: &Layers, name: &str) -> Result<(), (&'static str, String)> {
    let say = |key: &str| text(layers, SECTION, name, key);
    let plain = |text: &str, also: &[u8]| {
        let good = |b: u8| b.is_ascii_alphanumeric() || also.contains(&b);
        !text.is_empty() && text.len() <= 100 && text.bytes().all(good)
    };
    if !plain(name, b"-") || name.bytes().any(|b| b.is_ascii_uppercase()) {
        return Err((
            "url",
            "stands below a name that is none: write small letters, digits and hyphens".into(),
        ));
    }
    let url = say("url").unwrap_or_default();
    if !protected(&url) {
        let why = "must begin with https://, so that nobody on the way reads the token";
        return Err(("url", why.into()));
    }
    if url.contains(['?', '#']) || url.split('/').any(|part| part == ".." || part == ".") {
        return Err(("url", "is a folder: it has no `?`, `#` or `..`".into()));
    }
    let words = RegistryKind::WORDS.join(", ");
    let kind = say("kind").and_then(|word| RegistryKind::parse(&word));
    let Some(kind) = kind else {
        return Err((
            "kind",
            format!("is missing: say whose clients fetch from it, one of {words}"),
        ));
    };
    // A secret that cannot be read is said already, and one that is not looked up yet is none yet.
    match value(layers, SECTION, name, "token") {
        Some(Value::String(token)) if !token.bytes().all(|b| (0x20..0x7f).contains(&b)) => {
            let why = "holds what no header can: take out line ends and letters with accents";
            return Err(("token", why.into()));
        }
        Some(_) => {}
        None => {
            let why = "is missing: keep it with `ai-infra secret set NAME` and write `token: {secret: NAME}`; a registry without \
                a token is named in `permissions.programs.hosts`";
            return Err(("token", why.into()));
        }
    }
    if say("user").is_some_and(|user| !user.bytes().all(|b| (0x21..0x7f).contains(&b) && b != b':'))
    {
        return Err(("user", "is no user's name: no spaces and no colon".into()));
    }
    if say("index").is_some_and(|index| {
        !plain(&index, b"-+._/")
            || index.starts_with('/')
            || index.split('/').any(|part| part == "..")
    }) {
        return Err(("index", "is a path below `url`, such as simple/".into()));
    }
    if say("index").is_some() && !matches!(kind, RegistryKind::Pip | RegistryKind::Cargo) {
        return Err(("index", "is for pip and cargo".into()));
    }
    if say("scope").is_some_and(|scope| !scope.starts_with('@') || !plain(&scope[1..], b"-._")) {
        return Err(("scope", "is a scope of npm, such as @shop".into()));
    }
    if say("scope").is_some() && kind != RegistryKind::Npm {
        return Err(("scope", "is for npm".into()));
    }
    match say("authority").is_none_or(|path| path.starts_with('/')) {
        true => Ok(()),
        false => Err(("authority", "must be the absolute path of a file".into())),
    }
}
