//! The whole environment inside a sandbox: written from nothing, never inherited.

use super::profile::Profile;
use super::spec::{CACHE, HOME, Kind, SandboxSpec};
use protocol::trace::VARIABLE;

const SYSTEM_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The login name inside.
pub const USER: &str = "agent";

/// Every variable, in the order it is set.
pub fn environment(spec: &SandboxSpec, profile: &Profile) -> Vec<(String, String)> {
    let mut env: Vec<(String, String)> = [
        ("HOME", HOME),
        ("USER", USER),
        ("LOGNAME", USER),
        ("SHELL", "/bin/bash"),
        ("TERM", "dumb"),
        ("LANG", "C.UTF-8"),
        ("TMPDIR", "/tmp"),
        ("NO_COLOR", "1"),
        ("CARGO_NET_OFFLINE", "true"),
        ("CARGO_TERM_COLOR", "never"),
        ("GIT_TERMINAL_PROMPT", "0"),
        ("GIT_CONFIG_NOSYSTEM", "1"),
        ("GOPROXY", "off"),
        ("GOTOOLCHAIN", "local"),
        ("PIP_DISABLE_PIP_VERSION_CHECK", "1"),
        ("PYTHONDONTWRITEBYTECODE", "1"),
        ("npm_config_offline", "true"),
        ("npm_config_update_notifier", "false"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    env.push(("PATH".to_owned(), path(profile)));
    env.extend(profile.env.iter().cloned());
    env.extend(caches(spec));
    env.extend(
        spec.trace
            .map(|trace| (VARIABLE.to_owned(), trace.to_string())),
    );
    env
}

fn path(profile: &Profile) -> String {
    profile
        .path
        .iter()
        .map(|folder| folder.to_string_lossy().into_owned())
        .filter(|folder| !folder.contains(':'))
        .chain([SYSTEM_PATH.to_owned()])
        .collect::<Vec<_>>()
        .join(":")
}

fn caches(spec: &SandboxSpec) -> Vec<(String, String)> {
    let (root, cargo) = match &spec.kind {
        Kind::Workspace { cache: Some(_), .. } => (CACHE, true),
        _ => ("/tmp/cache", false),
    };
    let mut env: Vec<(String, String)> = [
        ("XDG_CACHE_HOME", "xdg"),
        ("npm_config_cache", "npm"),
        ("PIP_CACHE_DIR", "pip"),
        ("GOCACHE", "go-build"),
    ]
    .map(|(name, folder)| (name.to_owned(), format!("{root}/{folder}")))
    .into();
    if cargo {
        env.push((
            "CARGO_TARGET_DIR".to_owned(),
            format!("{root}/cargo-target"),
        ));
    }
    env
}
