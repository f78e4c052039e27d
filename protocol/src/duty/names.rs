//! The fields of duties: names that can hold nothing but a name. Each is parsed once, whoever it comes
//! from (a model, a journal, a socket, settings), and there is no other way to have one.

use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $parse:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = String;
            fn try_from(text: String) -> Result<Self, String> {
                let parse: fn(&str) -> Result<String, String> = $parse;
                parse(&text).map($name)
            }
        }

        impl std::str::FromStr for $name {
            type Err = String;
            fn from_str(text: &str) -> Result<Self, String> {
                text.to_owned().try_into()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

/// Kinds of units that may be named.
const UNIT_KINDS: [&str; 5] = [".service", ".socket", ".timer", ".path", ".target"];
/// Units that are the host itself: stopping one of them is no work on a service.
const HOST_UNITS: [&str; 10] = [
    "reboot",
    "poweroff",
    "halt",
    "kexec",
    "rescue",
    "emergency",
    "shutdown",
    "exit",
    "soft-reboot",
    "systemd-",
];

name!(
    /// A unit of systemd, with its kind: `nginx.service`. A name without one is a service's.
    Unit,
    |text| {
        let odd = "is the name of a unit, such as nginx.service: letters, digits and : . _ - @";
        let plain = |b: u8| b.is_ascii_alphanumeric() || b":._-@".contains(&b);
        let first = text.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric());
        if !first || text.len() > 200 || !text.bytes().all(plain) || text.contains("..") {
            return Err(no(text, odd));
        }
        let kind = UNIT_KINDS.iter().find(|kind| text.ends_with(**kind));
        let whole = match kind {
            Some(_) => text.to_owned(),
            None if text.rsplit_once('.').is_some_and(|(_, last)| OTHER_KINDS.contains(&last)) => {
                return Err(no(text, "is no kind of unit that may be worked on"));
            }
            None => format!("{text}.service"),
        };
        let stem = whole.rsplit_once('.').map_or("", |(stem, _)| stem);
        if stem.ends_with('@') {
            return Err(no(text, "is a template: name an instance of it"));
        }
        if HOST_UNITS.iter().any(|host| stem == *host || (host.ends_with('-') && stem.starts_with(host))) {
            return Err(no(text, "is the host itself, not a service of it"));
        }
        Ok(whole)
    }
);

const OTHER_KINDS: [&str; 6] = ["mount", "automount", "swap", "slice", "scope", "device"];

name!(
    /// The name of a site, of which its file's name is made.
    SiteName,
    |text| {
        let odd = "is the name of a site: a-z, 0-9, - and ., 1 to 60 characters, such as shop";
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-.".contains(&b);
        let ends = |b: Option<u8>| b.is_some_and(|b| b.is_ascii_alphanumeric());
        let good = (1..=60).contains(&text.len())
            && text.bytes().all(plain)
            && ends(text.bytes().next())
            && ends(text.bytes().last())
            && !text.contains("..");
        good.then(|| text.to_owned()).ok_or_else(|| no(text, odd))
    }
);

name!(
    /// A host's name, exact or `*.` and one: ASCII letters, digits, `-` and `.`, in lower case.
    HostName,
    |text| {
        let lower = text.to_ascii_lowercase();
        let plain = lower.strip_prefix("*.").unwrap_or(&lower);
        match is_host(plain) {
            true => Ok(lower),
            false => Err(no(text, "is a host's name, such as shop.example or *.shop.example")),
        }
    }
);

name!(
    /// A folder of the host, absolute, without `.`, `..`, spaces or anything that means something to a server.
    Folder,
    |text| {
        let odd = "is an absolute path of letters, digits and . _ - /, without `..`";
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"._-/".contains(&b);
        let part = |part: &str| !part.is_empty() && part != "." && part != "..";
        let good = text.len() <= 1024
            && text.bytes().all(plain)
            && text.strip_prefix('/').is_some_and(|rest| rest.split('/').all(part));
        good.then(|| text.to_owned()).ok_or_else(|| no(text, odd))
    }
);

name!(
    /// Where requests go on: `host:port`, plain HTTP.
    Upstream,
    |text| {
        let parts = text.rsplit_once(':').filter(|(host, port)| {
            let number = port.parse::<u16>().is_ok_and(|number| number > 0);
            number && !port.starts_with(['+', '0']) && (is_host(host) || is_address(host))
        });
        parts.map(|_| text.to_owned()).ok_or_else(|| no(text, "is host:port, such as 127.0.0.1:8080"))
    }
);

name!(
    /// Where visitors are sent: `https://host` with a plain path or none.
    Target,
    |text| {
        let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        let good = rest.is_some_and(|rest| {
            let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            let plain = |b: u8| b.is_ascii_alphanumeric() || b"/._~-".contains(&b);
            is_host(host) && path.len() <= 1024 && path.bytes().all(plain)
        });
        let odd = "is https://host/path of letters, digits and / . _ ~ -";
        good.then(|| text.to_owned()).ok_or_else(|| no(text, odd))
    }
);

name!(
    /// The name of a package of Debian.
    PackageName,
    |text| {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"+.-".contains(&b);
        let first = text.bytes().next().is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        // apt reads a `+` or `-` at the end as an order.
        let last = text.bytes().last().is_some_and(|b| b.is_ascii_alphanumeric());
        let good = first && (last || text == "g++") && (2..=100).contains(&text.len()) && text.bytes().all(plain);
        good.then(|| text.to_owned()).ok_or_else(|| no(text, "is the name of a package, such as openssl"))
    }
);

name!(
    /// A version of Debian.
    Version,
    |text| {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b".+~:-".contains(&b);
        let first = text.bytes().next().is_some_and(|b| b.is_ascii_digit());
        let good = first && text.len() <= 100 && text.bytes().all(plain);
        good.then(|| text.to_owned()).ok_or_else(|| no(text, "is a version, such as 3.0.20-1~deb12u2"))
    }
);

name!(
    /// The name of a container.
    ContainerName,
    |text| {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"_.-".contains(&b);
        let first = text.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric());
        let good = first && text.len() <= 128 && text.bytes().all(plain);
        good.then(|| text.to_owned()).ok_or_else(|| no(text, "is the name of a container: letters, digits and _ . -"))
    }
);

name!(
    /// An image with its tag: `docker.io/library/nginx:1.27`.
    Image,
    |text| {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-/".contains(&b);
        let tag = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
        let good = text.rsplit_once(':').is_some_and(|(name, said)| {
            let part = |part: &str| part.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric()) && !part.contains("..");
            // A port of a registry has a colon too.
            let (host, rest) = name.split_once(':').map_or(("", name), |(host, rest)| (host, rest));
            let host_is_plain = host.is_empty() || (is_host(host) && rest.bytes().next().is_some_and(|b| b.is_ascii_digit()));
            host_is_plain && rest.bytes().all(plain) && rest.split('/').all(part) && !rest.is_empty()
                && said.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric()) && said.len() <= 128 && said.bytes().all(tag)
        });
        let good = good && text.len() <= 255;
        good.then(|| text.to_owned()).ok_or_else(|| no(text, "is an image with its tag, such as docker.io/library/nginx:1.27"))
    }
);

name!(
    /// Whom an authority of certificates writes to: `ada@shop.example`.
    Mail,
    |text| {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"._+-".contains(&b);
        let good = text.split_once('@').is_some_and(|(who, host)| {
            let first = who.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric());
            first && who.len() <= 64 && who.bytes().all(plain) && host.contains('.') && is_host(host)
        });
        good.then(|| text.to_owned()).ok_or_else(|| no(text, "is a mail address, such as ada@shop.example"))
    }
);

name!(
    /// Where the directory of an authority of certificates (ACME) lies: `https://host/path`, with a port or none.
    AcmeDirectory,
    |text| {
        let good = text.strip_prefix("https://").is_some_and(|rest| {
            let (place, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            let (host, port) = place.split_once(':').unwrap_or((place, "443"));
            let number = !port.starts_with(['+', '0']) && port.parse::<u16>().is_ok();
            let plain = |b: u8| b.is_ascii_alphanumeric() || b"/._~-".contains(&b);
            number && is_host(host) && path.len() <= 1024 && path.bytes().all(plain)
        });
        good.then(|| text.to_owned()).ok_or_else(|| no(text, "is the https:// address of an ACME directory"))
    }
);

/// What says who may do what on a host: no grant makes these a file to be changed.
const RULING: [&str; 11] = [
    "/etc/ai-infra",
    "/etc/passwd",
    "/etc/shadow",
    "/etc/group",
    "/etc/gshadow",
    "/etc/sudoers",
    "/etc/sudoers.d",
    "/etc/pam.d",
    "/proc",
    "/sys",
    "/dev",
];

name!(
    /// A file of the host that may be granted: a path as [`Folder`], and none of those that say who may do what.
    HostFile,
    |text| {
        let path: Folder = text.parse()?;
        let ruling = |above: &&str| {
            let rest = text.strip_prefix(*above);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || rest.starts_with('-'))
        };
        match RULING.iter().find(|above| ruling(above)) {
            Some(_) => Err(no(text, "is a file that does not say who may do what on this host")),
            None => Ok(path.0),
        }
    }
);

name!(
    /// A file that was kept before it was changed: `k12`.
    KeptId,
    |text| {
        let number = text.strip_prefix('k').unwrap_or_default();
        let good = (1..=9).contains(&number.len())
            && number.bytes().all(|b| b.is_ascii_digit())
            && !number.starts_with('0');
        good.then(|| text.to_owned()).ok_or_else(|| no(text, "is a number such as k12: KeptFiles lists them"))
    }
);

impl KeptId {
    /// By its number.
    pub fn of(number: u32) -> Self {
        Self(format!("k{}", number.max(1)))
    }

    /// Its number.
    pub fn number(&self) -> u32 {
        self.0.get(1..).and_then(|n| n.parse().ok()).unwrap_or(0)
    }
}

impl HostName {
    /// Whether it stands for every name below one.
    pub fn is_wild(&self) -> bool {
        self.0.starts_with("*.")
    }

    /// Whether this one, as granted, covers another, as asked for.
    pub fn covers(&self, asked: &HostName) -> bool {
        match self.0.strip_prefix('*') {
            Some(tail) => self == asked || (asked.0.len() > tail.len() && asked.0.ends_with(tail)),
            None => self == asked,
        }
    }
}

impl Folder {
    /// Whether this one is another or lies below it.
    pub fn lies_in(&self, above: &Folder) -> bool {
        let rest = self.0.strip_prefix(&above.0);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

/// A sentence about a text that is no such name; only what can be shown of it is.
fn no(text: &str, expected: &str) -> String {
    let shown: String = text
        .chars()
        .take(60)
        .map(|c| if c.is_control() { '?' } else { c })
        .collect();
    format!("`{shown}` is refused: what is wanted {expected}")
}

fn is_host(text: &str) -> bool {
    let label = |label: &str| {
        let bytes = label.as_bytes();
        let edge = |b: Option<&u8>| b.is_some_and(u8::is_ascii_alphanumeric);
        bytes.len() <= 63
            && edge(bytes.first())
            && edge(bytes.last())
            && bytes
                .iter()
                .all(|b| b.is_ascii_alphanumeric() || *b == b'-')
    };
    // The last label of a name is never a number: that would be an address.
    let last = text.rsplit('.').next().unwrap_or_default();
    text.len() <= 253 && text.split('.').all(label) && !last.bytes().all(|b| b.is_ascii_digit())
}

fn is_address(text: &str) -> bool {
    text.parse::<core::net::Ipv4Addr>().is_ok()
}
