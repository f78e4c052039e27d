//! Whether agents that are users of their own may reach a Redis of the person's own on a unix socket. The owner
//! of the home reaches it where they do not, so nobody else would notice.

use config::settings::Settings;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// What keeps agents out, with the next step; `None` where nothing does, and where it cannot be told.
pub fn problem(settings: &Settings) -> Option<String> {
    let url = settings.redis.url.as_deref()?;
    if !nix::unistd::geteuid().is_root() {
        return None;
    }
    closed(url, |path| {
        std::fs::metadata(path).ok().map(|m| m.permissions().mode())
    })
}

/// Decides by the modes alone. A group of the agents' own may be let in all the same: who asks knows whether they
/// got there.
fn closed(url: &str, mode: impl Fn(&Path) -> Option<u32>) -> Option<String> {
    let path = url.strip_prefix("redis+unix://")?;
    let socket = Path::new(path.split('?').next().unwrap_or(path));
    for folder in socket.ancestors().skip(1) {
        let has = mode(folder)? & 0o7777;
        if has & 0o001 == 0 {
            return Some(format!(
                "agents are users of their own and may not enter {} (mode {has:04o}), where redis.url is: chmod o+x {}, or give redis.url an address of TCP",
                folder.display(),
                folder.display()
            ));
        }
    }
    let has = mode(socket)? & 0o7777;
    (has & 0o002 == 0).then(|| {
        format!(
            "agents are users of their own and may not connect to {} (mode {has:04o}): set `unixsocketperm 777` in the configuration of that redis (it still asks for a password), or give redis.url an address of TCP",
            socket.display()
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_folder_or_socket_is_named_with_what_opens_it() {
        let modes = |folder: u32, socket: u32| {
            move |path: &Path| match path.to_str() {
                Some("/run/redis/redis.sock") => Some(0o140_000 | socket),
                Some("/run/redis") => Some(0o040_000 | folder),
                Some("/run" | "/") => Some(0o040_755),
                _ => None,
            }
        };
        for (url, folder, socket, expected) in [
            ("redis+unix:///run/redis/redis.sock", 0o755, 0o777, None),
            (
                "redis+unix:///run/redis/redis.sock?db=1",
                0o755,
                0o770,
                Some("redis.sock (mode 0770): set `unixsocketperm 777`"),
            ),
            (
                "redis+unix:///run/redis/redis.sock",
                0o2750,
                0o777,
                Some("/run/redis (mode 2750), where redis.url is: chmod o+x /run/redis"),
            ),
            ("redis+unix:///not/there.sock", 0o755, 0o777, None),
            ("redis://127.0.0.1:6379", 0o700, 0o700, None),
        ] {
            let said = closed(url, modes(folder, socket));
            match expected {
                Some(part) => assert!(said.as_ref().is_some_and(|s| s.contains(part)), "{said:?}"),
                None => assert_eq!(said, None, "{url}"),
            }
        }
    }
}
