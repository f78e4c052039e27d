//! What Landlock allows inside: the mounts once more, read from bwrap's own arguments so that the
//! two cannot come apart. A second wall: it also holds where a mount was made that should not be.

use super::spec::{Kind, SandboxSpec};
use crate::host_view::HOST;
use crate::outside::{Database, Reach};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// What may be done below a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Allowed {
    /// Folders may be listed.
    Names,
    /// And files may be read and run.
    Read,
    /// And written to, as devices are.
    Devices,
    /// Everything but making devices.
    Write,
}

/// Everything Landlock is told.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rules {
    /// What is allowed below each path. One that does not exist allows nothing.
    pub paths: BTreeMap<PathBuf, Allowed>,
    /// TCP ports that may be connected to; `None` = Landlock does not look at them. No port may be
    /// listened at unless it is `None`.
    pub ports: Option<Vec<u16>>,
}

/// The rules that repeat these arguments of bwrap. Pure.
pub fn rules(spec: &SandboxSpec, argv: &[OsString]) -> Rules {
    let mut paths = BTreeMap::new();
    let mut words = argv.iter();
    while let Some(word) = words.next() {
        let mut next = || words.next().map(PathBuf::from);
        let (path, allowed) = match word.to_str() {
            Some("--") => break,
            Some("--bind") => (next().and_then(|_from| next()), Allowed::Write),
            Some("--ro-bind" | "--ro-bind-try" | "--ro-bind-data") => {
                (next().and_then(|_from| next()), Allowed::Read)
            }
            Some("--tmpfs") => (next(), Allowed::Write),
            Some("--dev") => (next(), Allowed::Devices),
            Some("--proc" | "--remount-ro") => (next(), Allowed::Read),
            // Two words each, whose second could otherwise be taken for one of the above.
            Some("--symlink" | "--setenv") => {
                next();
                next();
                continue;
            }
            _ => continue,
        };
        if let Some(path) = path {
            paths.insert(path, allowed);
        }
    }
    match &spec.kind {
        // Folders on the way to a mount are empty; some programs list every folder above them.
        Kind::Workspace { .. } => {
            paths.insert("/".into(), Allowed::Names);
        }
        Kind::Scan(view) => {
            for walked in &view.walked {
                let inside = Path::new(HOST).join(walked.strip_prefix("/").unwrap_or(walked));
                paths.insert(inside, Allowed::Names);
            }
            // `--remount-ro /` said that everything may be read; a scan reads what it is shown.
            paths.remove(Path::new("/"));
        }
        Kind::Outside(_) => {
            paths.remove(Path::new("/"));
        }
        Kind::Host => {}
    }
    Rules {
        paths,
        ports: ports(&spec.kind),
    }
}

/// The ports a sandbox may connect to. In a network of its own any: the servers that tests start
/// are all there is.
fn ports(kind: &Kind) -> Option<Vec<u16>> {
    const NAMES: u16 = 53;
    match kind {
        Kind::Workspace { .. } | Kind::Outside(Reach::Kept { .. }) => None,
        Kind::Host | Kind::Scan(_) => Some(Vec::new()),
        Kind::Outside(Reach::Endpoint { url, .. }) => Some(vec![NAMES, of_url(url)?]),
        Kind::Outside(Reach::Remote { remote, .. }) => Some(vec![NAMES, of_url(&remote.url)?]),
        Kind::Outside(Reach::Forge { at }) => Some(vec![NAMES, of_url(&at.url)?]),
        Kind::Outside(Reach::Database { database, .. } | Reach::Backup { database, .. }) => {
            Some([NAMES].into_iter().chain(of_database(database)).collect())
        }
        Kind::Outside(Reach::Data { databases, .. }) => {
            let all = databases.values().filter_map(of_database);
            Some([NAMES].into_iter().chain(all).collect())
        }
        Kind::Outside(Reach::Web { hosts }) => {
            let named = hosts.keys().filter_map(|host| host.rsplit_once(':'));
            let named = named.filter_map(|(_, port)| port.parse().ok());
            Some([NAMES, 80, 443].into_iter().chain(named).collect())
        }
    }
}

fn of_database(database: &Database) -> Option<u16> {
    match database {
        Database::Postgres { address, .. } if !address.is_socket() => Some(address.port),
        _ => None,
    }
}

/// The port of a web address; `None` where it cannot be told, and then no port is looked at.
fn of_url(url: &str) -> Option<u16> {
    reqwest::Url::parse(url).ok()?.port_or_known_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::sandbox::spec::{Limits, Owner};

    fn of(kind: Kind, line: &str) -> Rules {
        let spec = SandboxSpec {
            exe: "/x".into(),
            kind,
            owner: Owner { uid: 1, gid: 1 },
            toolchains: false,
            home: "/".into(),
            limits: Limits::default(),
            most: protocol::task::Ceiling::HIGHEST,
            deadline: crate::deadline::Deadline::after(std::time::Duration::from_secs(1)),
            proxy: None,
            only: None,
            trace: None,
        };
        let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        rules(&spec, &words)
    }

    #[track_caller]
    fn check(line: &str, expected: &[(&str, Allowed)]) {
        let kept = Reach::Kept {
            folder: "/k".into(),
            scratch: None,
        };
        let got = of(Kind::Outside(kept), line).paths;
        let expected = expected.iter().map(|(path, what)| ((*path).into(), *what));
        assert_eq!(got, expected.collect(), "{line}");
    }

    #[test]
    fn mounts_are_repeated() {
        check("--ro-bind /usr /usr", &[("/usr", Allowed::Read)]);
        check(
            "--bind /h/work /workspace",
            &[("/workspace", Allowed::Write)],
        );
        check(
            "--perms 0644 --ro-bind-data 11 /etc/passwd",
            &[("/etc/passwd", Allowed::Read)],
        );
        check(
            "--dev /dev --proc /proc",
            &[("/dev", Allowed::Devices), ("/proc", Allowed::Read)],
        );
        check("--tmpfs /run --remount-ro /run", &[("/run", Allowed::Read)]);
        check(
            "--size 5 --tmpfs /tmp --remount-ro /",
            &[("/tmp", Allowed::Write)],
        );
    }

    #[test]
    fn words_of_other_arguments_are_no_mounts() {
        check("--setenv X --bind --setenv Y /z", &[]);
        check("--symlink --tmpfs /a --chdir / -- /x --bind /a /b", &[]);
        check("--bind", &[]);
    }

    #[test]
    fn ports_are_those_of_the_grant() {
        let endpoint = |url: &str| {
            let url = url.to_owned();
            of(Kind::Outside(Reach::Endpoint { url, token: None }), "").ports
        };
        assert_eq!(endpoint("https://h/a"), Some(vec![53, 443]));
        assert_eq!(endpoint("http://h:8080/a"), Some(vec![53, 8080]));
        let hosts = ["a.example", "b.example:993"].map(|h| (h.to_owned(), Default::default()));
        let hosts = hosts.into_iter().collect();
        let web = of(Kind::Outside(Reach::Web { hosts }), "").ports;
        assert_eq!(web, Some(vec![53, 80, 443, 993]));
        assert_eq!(of(Kind::Host, "--ro-bind / /").ports, Some(vec![]));
    }
}
