//! Where packages come from: the public hosts, and those that this host's own pip, npm and cargo
//! are set to by their files. Credentials in those files stay there.

use std::collections::BTreeSet;
use std::path::Path;

/// Hosts of git and of packages that are reached where settings name none.
pub const PUBLIC: [&str; 14] = [
    "bitbucket.org",
    "codeberg.org",
    "codeload.github.com",
    "crates.io",
    "files.pythonhosted.org",
    "github.com",
    "gitlab.com",
    "index.crates.io",
    "objects.githubusercontent.com",
    "proxy.golang.org",
    "pypi.org",
    "registry.npmjs.org",
    "static.crates.io",
    "sum.golang.org",
];

/// The files, below a home or the whole machine's.
const OF_HOME: [&str; 6] = [
    ".pip/pip.conf",
    ".config/pip/pip.conf",
    ".npmrc",
    ".cargo/config.toml",
    ".cargo/config",
    ".config/npm/npmrc",
];
const OF_MACHINE: [&str; 2] = ["/etc/pip.conf", "/etc/npmrc"];

/// The public hosts and those that the files of a home and of the machine name, as `host`, or
/// `host:port` where the port is not 443.
pub fn of_host(home: &Path) -> BTreeSet<String> {
    let files = OF_HOME.iter().map(|name| home.join(name));
    let files = files.chain(OF_MACHINE.iter().map(|name| Path::new(name).to_owned()));
    let texts = files.filter_map(|file| std::fs::read_to_string(file).ok());
    let named = texts.flat_map(|text| named(&text));
    PUBLIC
        .iter()
        .map(|host| (*host).to_owned())
        .chain(named)
        .collect()
}

/// The hosts of the registries a file of settings names.
fn named(text: &str) -> Vec<String> {
    const KEYS: [&str; 4] = ["index-url", "extra-index-url", "registry", "index"];
    let mut found = Vec::new();
    for line in text.lines().map(str::trim) {
        let Some((key, value)) = line.split_once('=') else {
            continue;
        };
        // npm names the registry of a scope `@scope:registry`.
        let key = key.trim().rsplit(':').next().unwrap_or_default();
        if KEYS.contains(&key) {
            found.extend(value.split_whitespace().filter_map(host));
        }
    }
    found
}

fn host(value: &str) -> Option<String> {
    let value = value.trim_matches(['"', '\'']);
    let value = value.strip_prefix("sparse+").unwrap_or(value);
    let url = reqwest::Url::parse(value)
        .ok()
        .filter(|url| url.scheme() == "https")?;
    let host = super::request::host(url.host_str()?).ok()?;
    Some(match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        assert_eq!(named(text), expected, "{text}");
    }

    #[test]
    fn registries_of_clients_are_found() {
        check(
            "[global]\nindex-url = https://u:pw@pip.corp.example/simple",
            &["pip.corp.example"],
        );
        check(
            "extra-index-url = https://a.example/s https://b.example:8443/s",
            &["a.example", "b.example:8443"],
        );
        check(
            "registry=https://npm.corp.example/\n//npm.corp.example/:_authToken=x",
            &["npm.corp.example"],
        );
        check(
            "@corp:registry=https://npm.corp.example/",
            &["npm.corp.example"],
        );
        check(
            "[source.corp]\nregistry = \"sparse+https://crates.corp.example/index/\"",
            &["crates.corp.example"],
        );
        check(
            "[registries.corp]\nindex = \"https://crates.corp.example/git\"",
            &["crates.corp.example"],
        );
    }

    #[test]
    fn what_names_no_host_names_none() {
        check("registry=http://npm.corp.example/", &[]);
        check("index-url = https://10.0.0.1/simple", &[]);
        check(
            "registry = \"file:///srv/crates\"\n# index-url = https://x.example",
            &[],
        );
        check("trusted-host = x.example", &[]);
    }
}
