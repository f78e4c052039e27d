//! Where a PostgreSQL database is, read from an address as libpq writes it. Everybody who reaches one reads the address
//! by these rules; a password in it is taken out at once.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The port where none is said.
pub const PORT: u16 = 5432;
/// Longest address, in bytes.
const LONGEST: usize = 4096;

/// How the connection is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tls {
    /// Not at all.
    Off,
    /// Encrypted, and nobody looks who answers.
    Require,
    /// Encrypted, by a certificate of a known authority.
    VerifyCa,
    /// The same, and the certificate names the host.
    VerifyFull,
}

impl Tls {
    /// Every word for it, the strictest last.
    pub const WORDS: [&'static str; 4] = ["off", "require", "verify-ca", "verify-full"];

    /// Reads a word, libpq's `disable` too.
    pub fn parse(word: &str) -> Option<Tls> {
        Some(match word {
            "off" | "disable" => Tls::Off,
            "require" => Tls::Require,
            "verify-ca" => Tls::VerifyCa,
            "verify-full" => Tls::VerifyFull,
            _ => return None,
        })
    }
}

/// A database and the user who enters it, without the password.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Address {
    /// A name or an address; starts with `/` where it is the folder of a unix socket.
    pub host: String,
    /// The port; of a unix socket, the end of its name.
    pub port: u16,
    /// The database.
    pub database: String,
    /// The user.
    pub user: String,
    /// How the connection is protected.
    pub tls: Tls,
    /// File with the certificates of the authority, where it is not one the system knows.
    pub authority: Option<String>,
}

/// What an address looks like, for a sentence that says `must be …`.
pub const EXPECTED: &str = "postgres://USER@HOST[:PORT]/DATABASE, or postgres://USER@/DATABASE?host=/run/postgresql for a unix socket";

impl Address {
    /// Reads an address; the password that stood in it comes apart. The error never quotes the text.
    ///
    /// # Errors
    /// A sentence about what is wrong.
    pub fn parse(url: &str) -> Result<(Address, Option<String>), String> {
        let wrong = || format!("must be {EXPECTED}");
        if url.len() > LONGEST || url.chars().any(|c| c.is_control() || c == ' ') {
            return Err(wrong());
        }
        let rest = ["postgres://", "postgresql://"]
            .iter()
            .find_map(|scheme| url.strip_prefix(scheme))
            .ok_or_else(wrong)?;
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = rest.split_once('/').ok_or_else(wrong)?;
        let (credentials, place) = authority.rsplit_once('@').ok_or_else(wrong)?;
        let (user, password) = match credentials.split_once(':') {
            Some((user, password)) => (user, Some(decoded(password).ok_or_else(wrong)?)),
            None => (credentials, None),
        };
        let (host, port) = host_and_port(place).ok_or_else(wrong)?;
        let mut address = Address {
            host: decoded(&host).ok_or_else(wrong)?,
            port,
            database: decoded(path).ok_or_else(wrong)?,
            user: decoded(user).ok_or_else(wrong)?,
            tls: Tls::Off,
            authority: None,
        };
        let mut tls = None;
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').ok_or_else(wrong)?;
            let value = decoded(value).ok_or_else(wrong)?;
            match name {
                "host" if address.host.is_empty() => address.host = value,
                "port" => address.port = value.parse().map_err(|_| wrong())?,
                "sslrootcert" => address.authority = Some(value),
                "sslmode" => tls = Some(Tls::parse(&value).ok_or("has an `sslmode` that is not one of disable, require, verify-ca, verify-full: one that may quietly go without encryption is not taken")?),
                "host" => return Err("names its host twice".to_owned()),
                _ => return Err("has a setting other than host, port, sslmode and sslrootcert: take it out".to_owned()),
            }
        }
        if [&address.host, &address.database, &address.user]
            .iter()
            .any(|part| part.is_empty())
            || address.port == 0
        {
            return Err(wrong());
        }
        address.tls = tls.unwrap_or_else(|| address.usual_tls());
        Ok((address, password))
    }

    /// The address as it would be written, without a password.
    pub fn url(&self) -> String {
        let text = |text: &str| -> String {
            let plain = |c: char| c.is_ascii_alphanumeric() || "-._~/".contains(c);
            let mut bytes = [0; 4];
            let coded = |c: char| match plain(c) {
                true => c.to_string(),
                false => c
                    .encode_utf8(&mut bytes)
                    .bytes()
                    .map(|b| format!("%{b:02X}"))
                    .collect(),
            };
            text.chars().map(coded).collect()
        };
        let (user, database) = (text(&self.user), text(&self.database));
        let mut url = match self.is_socket() {
            true => format!(
                "postgres://{user}@/{database}?host={}&port={}",
                text(&self.host),
                self.port
            ),
            false if self.host.contains(':') => {
                format!("postgres://{user}@[{}]:{}/{database}", self.host, self.port)
            }
            false => format!(
                "postgres://{user}@{}:{}/{database}",
                text(&self.host),
                self.port
            ),
        };
        let mut sign = if self.is_socket() { '&' } else { '?' };
        if self.tls != self.usual_tls() {
            let word = match self.tls {
                Tls::Off => "disable",
                Tls::Require => "require",
                Tls::VerifyCa => "verify-ca",
                Tls::VerifyFull => "verify-full",
            };
            url.push_str(&format!("{sign}sslmode={word}"));
            sign = '&';
        }
        if let Some(authority) = &self.authority {
            url.push_str(&format!("{sign}sslrootcert={}", text(authority)));
        }
        url
    }

    /// Whether it is a unix socket of this machine.
    pub fn is_socket(&self) -> bool {
        self.host.starts_with('/')
    }

    /// How the connection is protected where nothing is said: nothing leaves this machine in the clear.
    pub fn usual_tls(&self) -> Tls {
        let loopback = self.host == "localhost"
            || self
                .host
                .parse::<core::net::IpAddr>()
                .is_ok_and(|ip| ip.is_loopback());
        match self.is_socket() || loopback {
            true => Tls::Off,
            false => Tls::VerifyFull,
        }
    }
}

/// The same address, as it was written but for the password. Of what is no address, nothing is left.
pub fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return String::new();
    };
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(end);
    let place = match authority.rsplit_once('@') {
        Some((credentials, place)) => {
            let user = credentials.split(':').next().unwrap_or_default();
            format!("{user}@{place}")
        }
        None => authority.to_owned(),
    };
    format!("{scheme}://{place}{tail}")
}

/// The password for an address in the text of a password file (`host:port:database:user:password` a line, `*` for
/// any, the first that fits), as libpq reads one.
pub fn password_in(text: &str, address: &Address) -> Option<String> {
    let port = address.port.to_string();
    let wanted = [&address.host, &port, &address.database, &address.user];
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .find_map(|line| {
            let fields = fields(line);
            let password = fields.get(4).filter(|password| !password.is_empty())?;
            let fits = |(field, wanted): (&String, &&String)| field == "*" || field == *wanted;
            // A socket is also called localhost.
            let host = fields[0] == "localhost" && address.is_socket();
            let all = fields.iter().zip(&wanted).enumerate();
            let mut all = all.map(|(at, pair)| (at == 0 && host) || fits(pair));
            all.all(|fits| fits).then(|| password.clone())
        })
}

/// The fields of a line: `\` before a colon or a backslash takes it as it is; the fifth is all that is left.
fn fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        let last = fields.len() - 1;
        match letter {
            ':' if last < 4 => fields.push(String::new()),
            '\\' => fields[last].extend(letters.next()),
            other => fields[last].push(other),
        }
    }
    fields
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Address {
            host,
            port,
            database,
            user,
            ..
        } = self;
        match self.is_socket() {
            true => write!(f, "{user}@{database} at {host}/.s.PGSQL.{port}"),
            false => write!(f, "{user}@{database} at {host}:{port}"),
        }
    }
}

fn host_and_port(place: &str) -> Option<(String, u16)> {
    let (host, port) = match place.strip_prefix('[') {
        Some(v6) => {
            let (host, rest) = v6.split_once(']')?;
            host.parse::<core::net::Ipv6Addr>().ok()?;
            (
                host,
                rest.strip_prefix(':')
                    .or_else(|| rest.is_empty().then_some(""))?,
            )
        }
        None => place.split_once(':').unwrap_or((place, "")),
    };
    let port = if port.is_empty() {
        PORT
    } else {
        port.parse().ok()?
    };
    Some((host.to_owned(), port))
}

/// `%41` becomes `A`; `None` where it is cut off or no text.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
            let (high, low) = (digit(rest.next())?, digit(rest.next())?);
            bytes.push(u8::try_from(high * 16 + low).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes)
        .ok()
        .filter(|text| !text.chars().any(char::is_control))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn addresses_are_read() {
        for (url, shown, tls, password) in [
            (
                "postgres://ann@db.example/shop",
                "ann@shop at db.example:5432",
                Tls::VerifyFull,
                None,
            ),
            (
                "postgresql://ann:p%40ss@10.0.0.7:6432/shop?sslmode=require",
                "ann@shop at 10.0.0.7:6432",
                Tls::Require,
                Some("p@ss"),
            ),
            (
                "postgres://ann@localhost/shop",
                "ann@shop at localhost:5432",
                Tls::Off,
                None,
            ),
            (
                "postgres://ann@[::1]:5433/shop",
                "ann@shop at ::1:5433",
                Tls::Off,
                None,
            ),
            (
                "postgres://ann@/shop?host=/run/postgresql",
                "ann@shop at /run/postgresql/.s.PGSQL.5432",
                Tls::Off,
                None,
            ),
            (
                "postgres://ann@%2Frun%2Fpg:5433/shop",
                "ann@shop at /run/pg/.s.PGSQL.5433",
                Tls::Off,
                None,
            ),
            (
                "postgres://ann@h/shop?sslmode=verify-ca&sslrootcert=/etc/ca.pem",
                "ann@shop at h:5432",
                Tls::VerifyCa,
                None,
            ),
        ] {
            let (address, given) = Address::parse(url).unwrap();
            assert_eq!(address.to_string(), shown, "{url}");
            assert_eq!((address.tls, given.as_deref()), (tls, password), "{url}");
            assert_eq!(Address::parse(&address.url()), Ok((address, None)), "{url}");
        }
    }

    #[test]
    fn what_is_no_address_says_what_one_is() {
        for (url, words) in [
            ("mysql://a@h/d", "must be postgres://"),
            ("postgres://h/d", "must be"),
            ("postgres://a@h", "must be"),
            ("postgres://a@h/", "must be"),
            ("postgres://a@/d", "must be"),
            ("postgres://a@h:0/d", "must be"),
            ("postgres://a@h:99999/d", "must be"),
            ("postgres://a%4@h/d", "must be"),
            ("postgres://a@h/d?sslmode=prefer", "quietly"),
            ("postgres://a@h/d?options=-cx", "other than host"),
            ("postgres://a@h/d?host=/tmp", "twice"),
        ] {
            let error = Address::parse(url).unwrap_err();
            assert!(error.contains(words), "{url}: {error}");
        }
        let error = Address::parse("postgres://ann:hunter2@h").unwrap_err();
        assert!(!error.contains("hunter2"));
    }

    #[test]
    fn a_password_file_is_read_as_libpq_does() {
        let (address, _) = Address::parse("postgres://ann@db:5433/shop").unwrap();
        let (socket, _) = Address::parse("postgres://ann@/shop?host=/run/pg").unwrap();
        for (text, at, expected) in [
            ("", &address, None),
            ("db:5433:shop:ann:x", &address, Some("x")),
            (
                "#db:5433:shop:ann:x\n*:*:*:ann:y\n*:*:*:*:z",
                &address,
                Some("y"),
            ),
            ("db:5432:shop:ann:x", &address, None),
            ("*:*:*:*:a\\:b\\\\c:d", &address, Some("a:b\\c:d")),
            ("db:5433:shop:ann", &address, None),
            ("db:5433:shop:ann:", &address, None),
            ("localhost:5432:shop:ann:x", &socket, Some("x")),
        ] {
            assert_eq!(password_in(text, at).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn a_password_is_taken_out() {
        for (url, left) in [
            ("postgres://a:b@h/d", "postgres://a@h/d"),
            (
                "postgres://a:b@c@h:5/d?sslmode=require",
                "postgres://a@h:5/d?sslmode=require",
            ),
            ("postgres://a@/d?host=/run", "postgres://a@/d?host=/run"),
            ("hunter2", ""),
        ] {
            assert_eq!(without_password(url), left);
        }
    }

    proptest! {
        #[test]
        fn any_text_is_survived(text in "\\PC{0,80}", tail in "[a-z:@/%?=&\\[\\]0-9.]{0,60}") {
            let _ = Address::parse(&text);
            if let Ok((address, _)) = Address::parse(&format!("postgres://{tail}")) {
                prop_assert!(!address.host.is_empty() && !address.user.is_empty() && address.port > 0);
            }
        }
    }
}
