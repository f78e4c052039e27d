//! The configuration of the managed Redis, as text, and the passwords of its users. Pure but for
//! the random numbers.

use super::certificates::Certificates;
use std::net::IpAddr;
use std::path::Path;

/// What the text is made of.
#[derive(Debug, Clone, Copy)]
pub struct Parts<'a> {
    /// Folder of the append-only file.
    pub data: &'a Path,
    /// The unix socket it listens on.
    pub socket: &'a Path,
    /// The file of its users.
    pub users: &'a Path,
    /// Where it logs.
    pub log: &'a Path,
    /// A port on the loopback as well; 0 = none.
    pub loopback_port: u16,
    /// Most memory it takes, in MiB.
    pub maxmemory_mb: u64,
}

/// `redis.conf`: every write is on disk before it is acknowledged, nothing is ever evicted, and
/// only the home's owner reaches the socket, and whom a launcher hands a connection. The append-only file is not rewritten below 256 MB: a
/// rewrite takes a third of the speed while it runs, and 256 MB are read back in about two seconds.
pub fn text(parts: &Parts) -> String {
    let quoted = |path: &Path| quote(&path.to_string_lossy());
    format!(
        "\
# Written by `ai-infra daemon` at each start; changes made here are lost.
bind 127.0.0.1
port {}
protected-mode yes
unixsocket {}
unixsocketperm 700
daemonize no
supervised no
dir {}
appendonly yes
appendfsync always
no-appendfsync-on-rewrite no
auto-aof-rewrite-min-size 256mb
save \"\"
maxmemory {}mb
maxmemory-policy noeviction
logfile {}
aclfile {}
",
        parts.loopback_port,
        quoted(parts.socket),
        quoted(parts.data),
        parts.maxmemory_mb,
        quoted(parts.log),
        quoted(parts.users),
    )
}

/// The lines that let other hosts in, over TLS alone and at one address. The `-` says that an address
/// that is not there (yet) keeps nobody on this host from the socket.
pub fn listening(address: IpAddr, port: u16, certificates: &Certificates) -> String {
    let quoted = |path: &Path| quote(&path.to_string_lossy());
    format!(
        "\
bind -{address}
tls-port {port}
tls-cert-file {}
tls-key-file {}
tls-ca-cert-file {}
tls-auth-clients no
tls-protocols \"TLSv1.2 TLSv1.3\"
",
        quoted(&certificates.server),
        quoted(&certificates.server_key),
        quoted(&certificates.ca),
    )
}

/// A word in Redis' own quoting.
fn quote(word: &str) -> String {
    let mut quoted = String::from("\"");
    for byte in word.bytes() {
        match byte {
            b'"' | b'\\' => {
                quoted.push('\\');
                quoted.push(char::from(byte));
            }
            0x20..=0x7e => quoted.push(char::from(byte)),
            _ => quoted.push_str(&format!("\\x{byte:02x}")),
        }
    }
    quoted.push('"');
    quoted
}

/// A password of 256 random bits, in hex.
pub fn password() -> String {
    let bits: [u8; 32] = rand::random();
    bits.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Major version out of `redis-server --version`.
pub fn major_version(printed: &str) -> Option<u32> {
    let (_, rest) = printed.split_once(" v=")?;
    rest.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_durable_private_and_quoted() {
        let written = text(&Parts {
            data: Path::new("/my home/redis"),
            socket: Path::new("/my home/run/redis.sock"),
            users: Path::new("/my home/redis/users.acl"),
            log: Path::new("/my home/logs/redis.log"),
            loopback_port: 0,
            maxmemory_mb: 256,
        });
        let expected = "\
# Written by `ai-infra daemon` at each start; changes made here are lost.
bind 127.0.0.1
port 0
protected-mode yes
unixsocket \"/my home/run/redis.sock\"
unixsocketperm 700
daemonize no
supervised no
dir \"/my home/redis\"
appendonly yes
appendfsync always
no-appendfsync-on-rewrite no
auto-aof-rewrite-min-size 256mb
save \"\"
maxmemory 256mb
maxmemory-policy noeviction
logfile \"/my home/logs/redis.log\"
aclfile \"/my home/redis/users.acl\"
";
        assert_eq!(written, expected);
    }

    #[test]
    fn no_path_can_add_a_line() {
        for (path, expected) in [
            ("/a", r#""/a""#),
            ("/a\"\nport 6379", r#""/a\"\x0aport 6379""#),
            ("/ä\\", r#""/\xc3\xa4\\""#),
        ] {
            assert_eq!(quote(path), expected);
        }
    }

    #[test]
    fn passwords_are_long_and_differ() {
        let (one, two) = (password(), password());
        assert_ne!(one, two);
        assert!(one.len() == 64 && one.bytes().all(|b| b.is_ascii_hexdigit()));
    }

    #[test]
    fn versions_are_read() {
        for (printed, expected) in [
            (
                "Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc",
                Some(7),
            ),
            ("Redis server v=6.0.16", Some(6)),
            ("Valkey server v=8.1.0 sha=0", Some(8)),
            ("what", None),
        ] {
            assert_eq!(major_version(printed), expected, "{printed}");
        }
    }
}
