//! Settings of the user's cargo that may be shown in a sandbox: those of which everybody on the host may read the file, where root
//! looks, and in which nothing is or is called a credential.

use crate::redact::Redactor;
use nix::libc;
use serde_json::Value;
use std::fs::OpenOptions;
use std::io::Read;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::sync::Once;

/// Largest file that is shown, in bytes.
const BYTES: u64 = 1 << 20;
/// What keys of credentials are called, in small letters.
const TELLING: [&str; 3] = ["token", "password", "secret"];

/// What the file holds, where it may be shown.
pub(super) fn shown(file: &Path) -> Option<String> {
    let text = read(file)?;
    if !is_harmless(&text) {
        static SAID: Once = Once::new();
        SAID.call_once(|| {
            tracing::warn!(file = %file.display(), "holds what looks like a credential, or cannot be read as TOML: no sandbox is shown it");
        });
        return None;
    }
    Some(text)
}

/// The text of a plain file. Root follows no link and reads what all may read: whoever works in the sandbox is somebody else.
fn read(file: &Path) -> Option<String> {
    let root = nix::unistd::geteuid().is_root();
    let links = if root { libc::O_NOFOLLOW } else { 0 };
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(libc::O_NONBLOCK | links);
    let opened = options.open(file).ok()?;
    let about = opened.metadata().ok()?;
    let to_all = about.permissions().mode() & 0o004 != 0;
    if !about.is_file() || about.len() > BYTES || (root && !to_all) {
        return None;
    }
    let mut text = String::new();
    opened.take(BYTES).read_to_string(&mut text).ok()?;
    Some(text)
}

/// Whether they name no credential: by a key, by its shape, or in an address. Pure.
fn is_harmless(settings: &str) -> bool {
    let masked = Redactor::new([]).text(settings);
    masked == settings && inspect::toml_text::parse(settings).is_ok_and(|all| plain(&all))
}

fn plain(value: &Value) -> bool {
    match value {
        Value::Object(all) => all.iter().all(|(key, value)| {
            let key = key.to_ascii_lowercase();
            let told = TELLING.iter().any(|word| key.contains(word));
            // `KEY = {value = …}` is a variable; `[source.secrets]` only a name.
            let holds = value
                .as_object()
                .is_none_or(|all| all.contains_key("value"));
            plain(value) && !(told && holds)
        }),
        Value::Array(all) => all.iter().all(plain),
        Value::String(text) => !has_password(text),
        _ => true,
    }
}

/// `user:password@host`, with or without a scheme; `git@host` names nobody's secret.
fn has_password(text: &str) -> bool {
    let address = text.split_once("://").map_or(text, |(_, rest)| rest);
    let authority = address.split('/').next().unwrap_or_default();
    authority
        .rsplit_once('@')
        .is_some_and(|(person, _)| person.contains(':'))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::fs::{self, Permissions};

    #[test]
    fn settings_are_told_from_credentials() {
        for (settings, expected) in [
            ("", true),
            ("[net]\noffline = true\n", true),
            (
                "[registry]\nglobal-credential-providers = [\"cargo:libsecret\"]",
                true,
            ),
            (
                "[registries.corp]\nindex = \"ssh://git@git.corp/index.git\"",
                true,
            ),
            (
                "# by ada@example.com\n[build]\nrustflags = [\"-Clink-arg=@file\"]",
                true,
            ),
            (
                "[source.secrets]\nregistry = \"https://mirror.corp/\"",
                true,
            ),
            ("[registries.x]\ntoken = \"t\"", false),
            ("[registries]\nx = {TOKEN = \"t\"}", false),
            ("[env]\nGITHUB_TOKEN = \"t\"", false),
            ("[env]\nDB_PASSWORD = {value = \"t\"}", false),
            ("[env]\nAWS_SECRET_ACCESS_KEY = \"t\"", false),
            ("[http]\nproxy = \"user:word@host:3128\"", false),
            (
                "[source.m]\nregistry = \"https://me:word@mirror.corp/\"",
                false,
            ),
            ("no TOML", false),
        ] {
            assert_eq!(is_harmless(settings), expected, "{settings}");
        }
    }

    #[test]
    fn root_shows_only_what_all_may_read() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let root = nix::unistd::geteuid().is_root();
        fs::write(at("config.toml"), "[net]\n").unwrap();
        fs::set_permissions(at("config.toml"), Permissions::from_mode(0o644)).unwrap();
        assert_eq!(shown(&at("config.toml")).as_deref(), Some("[net]\n"));
        fs::set_permissions(at("config.toml"), Permissions::from_mode(0o600)).unwrap();
        assert_eq!(shown(&at("config.toml")).is_none(), root);
        fs::set_permissions(at("config.toml"), Permissions::from_mode(0o644)).unwrap();
        std::os::unix::fs::symlink(at("config.toml"), at("link")).unwrap();
        assert_eq!(shown(&at("link")).is_none(), root);
        assert_eq!(shown(folder.path()), None);
    }
}
