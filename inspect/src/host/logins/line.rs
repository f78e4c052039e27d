//! What sshd, su, sudo and login write about logins.

use std::sync::LazyLock;

use regex::{Captures, Regex};

/// How a login was tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// With a password.
    Password,
    /// With a key.
    Key,
    /// Another, or not told.
    Other,
}

/// One try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Try {
    /// The name that was given.
    pub user: String,
    /// There is no such user.
    pub unknown: bool,
    /// Where from; `this host` for tries on it.
    pub from: String,
    /// How.
    pub way: Way,
    /// It worked.
    pub worked: bool,
    /// How many tries this line stands for.
    pub times: u64,
    /// The other side's port; 0 where none is told.
    pub port: u16,
    /// Told by the end of a connection: the same may have been told by a line before it.
    pub by_its_end: bool,
}

const SHAPES: [&str; 7] = [
    r"^(Failed|Accepted) (\S+) for (invalid user )?(.*?) from (\S+) port (\d+)",
    r"^Invalid user (.*?) from (\S+)(?: port \d+)?$",
    r"^(?:pam_unix\((?:login|sudo|su|su-l)(?::auth)?\): )authentication failure;.*?\buser=(\S+)",
    r"^FAILED (?:SU|LOGIN|su).*?(?:for|to|\(to) '?([\w.-]+)",
    r"^message repeated (\d+) times: \[ (.*?)\]?$",
    r"^(?:Disconnected from|Connection (?:closed|reset) by) (authenticating|invalid) user (.*?) (\S+) port (\d+) \[preauth\]$",
    r"^\s*([\w.-]+) : (?:\d+ incorrect password attempts?|user NOT in sudoers)",
];
static COMPILED: LazyLock<Vec<Regex>> = LazyLock::new(|| {
    SHAPES
        .iter()
        .filter_map(|shape| Regex::new(shape).ok())
        .collect()
});

/// Programs whose lines are read.
pub fn speaks(program: &str) -> bool {
    let program = program.rsplit('/').next().unwrap_or(program);
    ["sshd", "sshd-session", "login", "su", "sudo"].contains(&program)
}

/// Understands a message.
///
/// A try that sshd writes about several times is counted by its `Failed` line; where there is none, by the end of the
/// connection: which of the two is for the caller to see.
pub fn read(message: &str) -> Option<Try> {
    let found = COMPILED
        .iter()
        .enumerate()
        .find_map(|(n, shape)| shape.captures(message).map(|parts| (n, parts)));
    let (shape, parts) = found?;
    match shape {
        0 => Some(Try {
            user: name(&parts, 4),
            unknown: parts.get(3).is_some(),
            from: name(&parts, 5),
            way: match &parts[2] {
                "password" | "keyboard-interactive/pam" => Way::Password,
                "publickey" => Way::Key,
                _ => Way::Other,
            },
            worked: &parts[1] == "Accepted",
            times: 1,
            port: port(&parts, 6),
            by_its_end: false,
        }),
        // Told again by a `Failed` line, or by the end of the connection.
        1 => None,
        2 | 3 | 6 => Some(Try {
            user: name(&parts, 1),
            unknown: false,
            from: "this host".to_owned(),
            way: Way::Password,
            worked: false,
            times: 1,
            port: 0,
            by_its_end: false,
        }),
        4 => {
            let times = parts[1].parse().ok()?;
            read(&parts[2]).map(|one| Try { times, ..one })
        }
        5 => Some(Try {
            user: name(&parts, 2),
            unknown: &parts[1] == "invalid",
            from: name(&parts, 3),
            way: Way::Other,
            worked: false,
            times: 1,
            port: port(&parts, 4),
            by_its_end: true,
        }),
        _ => None,
    }
}

fn port(parts: &Captures<'_>, n: usize) -> u16 {
    let text = parts.get(n).map(|part| part.as_str());
    text.and_then(|text| text.parse().ok()).unwrap_or(0)
}

fn name(parts: &Captures<'_>, n: usize) -> String {
    let text = parts.get(n).map(|part| part.as_str()).unwrap_or_default();
    text.chars().filter(|c| !c.is_control()).take(60).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn tries_are_told_apart() {
        assert_eq!(COMPILED.len(), SHAPES.len());
        for (message, expected) in [
            (
                "Failed password for root from 203.0.113.9 port 22 ssh2",
                "root known 203.0.113.9 Password no 1",
            ),
            (
                "Failed password for invalid user admin from 203.0.113.9 port 22 ssh2",
                "admin unknown 203.0.113.9 Password no 1",
            ),
            (
                "Failed password for invalid user  from 203.0.113.9 port 22 ssh2",
                " unknown 203.0.113.9 Password no 1",
            ),
            (
                "Accepted publickey for ann from 2001:db8::1 port 22 ssh2: ED25519 SHA256:x",
                "ann known 2001:db8::1 Key yes 1",
            ),
            (
                "Accepted password for ann from 10.0.0.1 port 22 ssh2",
                "ann known 10.0.0.1 Password yes 1",
            ),
            (
                "message repeated 4 times: [ Failed password for root from 203.0.113.9 port 22 ssh2]",
                "root known 203.0.113.9 Password no 4",
            ),
            (
                "Connection closed by authenticating user root 203.0.113.9 port 5 [preauth]",
                "root known 203.0.113.9 Other no 1",
            ),
            (
                "pam_unix(sudo:auth): authentication failure; logname=ann uid=1000 euid=0 tty=/dev/pts/0 ruser=ann rhost=  user=ann",
                "ann known this host Password no 1",
            ),
            (
                "pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=203.0.113.9  user=root",
                "-",
            ),
            ("Invalid user admin from 203.0.113.9 port 22", "-"),
            (
                "Received disconnect from 203.0.113.9 port 22:11: Bye [preauth]",
                "-",
            ),
            ("Server listening on 0.0.0.0 port 22.", "-"),
            ("session opened for user root by ann(uid=1000)", "-"),
        ] {
            let got = read(message).map_or("-".to_owned(), |t| {
                format!(
                    "{} {} {} {:?} {} {}",
                    t.user,
                    if t.unknown { "unknown" } else { "known" },
                    t.from,
                    t.way,
                    if t.worked { "yes" } else { "no" },
                    t.times
                )
            });
            assert_eq!(got, expected, "{message}");
        }
        assert!(speaks("sshd") && speaks("/usr/bin/sudo") && !speaks("nginx"));
    }

    proptest! {
        #[test]
        fn any_message_is_read(tail in ".{0,80}") {
            for head in ["", "Failed password for ", "message repeated 99999999999999999999 times: [ ", "Accepted "] {
                let _ = read(&format!("{head}{tail}"));
            }
        }
    }
}
