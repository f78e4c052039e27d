//! The name under which one agent process is known on the bus.

use protocol::ids::Role;

/// `code@myhost`: stable over restarts, so that a new process finds what the last one held.
pub fn instance_name(role: &Role, host: &str) -> String {
    format!("{role}@{host}")
}

/// This host's name, or `localhost` where the kernel gives none.
pub fn host_name() -> String {
    nix::unistd::gethostname()
        .ok()
        .and_then(|name| name.into_string().ok())
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "localhost".to_owned())
}
