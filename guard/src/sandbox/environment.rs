//! The whole environment inside a sandbox: written from nothing, never inherited.

use super::profile::Profile;
use super::spec::{CACHE, HOME, Kind, PROXY_PORT, SandboxSpec};
use crate::proxy::authorities;
use protocol::trace::VARIABLE;

const SYSTEM_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Cargo's folder where crates may be fetched.
pub(crate) const CARGO: &str = "/cache/cargo-home";

/// What tells clients that there is no network.
const OFFLINE: [&str; 3] = ["CARGO_NET_OFFLINE", "GOPROXY", "npm_config_offline"];

/// What is never asked of a proxy: servers that tests start.
const NEAR: &str = "localhost,127.0.0.1,::1";

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
    .into_iter()
    .filter(|(name, _)| spec.proxy.is_none() || !OFFLINE.contains(name))
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .collect();
    env.push(("PATH".to_owned(), path(profile)));
    env.extend(profile.env.iter().cloned());
    env.extend(caches(spec));
    if let Some(way) = &spec.proxy {
        env.extend(online(spec));
        env.extend(way.clients.env.iter().cloned());
    }
    env.extend(
        spec.trace
            .map(|trace| (VARIABLE.to_owned(), trace.to_string())),
    );
    env
}

/// Where the proxy is, for every program that asks; and the system's own certificates, because a
/// company's are not among those that clients bring.
fn online(spec: &SandboxSpec) -> Vec<(String, String)> {
    let proxy = format!("http://127.0.0.1:{PROXY_PORT}");
    let names = [
        "HTTPS_PROXY",
        "https_proxy",
        "HTTP_PROXY",
        "http_proxy",
        "ALL_PROXY",
        "all_proxy",
    ];
    let mut env: Vec<(&str, &str)> = names.map(|name| (name, proxy.as_str())).into();
    env.extend([("NO_PROXY", NEAR), ("no_proxy", NEAR)]);
    if let Some(bundle) = authorities() {
        let names = [
            "SSL_CERT_FILE",
            "CARGO_HTTP_CAINFO",
            "GIT_SSL_CAINFO",
            "NODE_EXTRA_CA_CERTS",
            "PIP_CERT",
            "REQUESTS_CA_BUNDLE",
        ];
        env.extend(names.map(|name| (name, bundle)));
    }
    if matches!(&spec.kind, Kind::Workspace { cache: Some(_), .. }) {
        env.push(("CARGO_HOME", CARGO));
    }
    let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    env.into_iter().map(owned).collect()
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
