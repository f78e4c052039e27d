//! What a process knows of itself, said in one place so that the team agrees on it: its program,
//! its host, its name on the bus.

use protocol::ids::Role;
use std::path::PathBuf;

/// This program's own file. One that was replaced on disk since is the new one.
///
/// # Errors
/// When the kernel does not say.
pub fn exe() -> std::io::Result<PathBuf> {
    std::env::current_exe().map(|exe| without_mark(&exe.to_string_lossy()).unwrap_or(exe))
}

/// The path without what the kernel puts behind the name of a file that is gone.
fn without_mark(exe: &str) -> Option<PathBuf> {
    exe.strip_suffix(" (deleted)").map(PathBuf::from)
}

/// The kernel's name of this host, or `localhost` where it gives none. What the team calls the host
/// is in the settings: a machine may be renamed while its tasks wait for it.
pub fn kernel_host() -> String {
    nix::unistd::gethostname()
        .ok()
        .and_then(|name| name.into_string().ok())
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "localhost".to_owned())
}

/// The name of a process on the bus, `code@myhost#4711`: its own alone, so that freeing what a dead
/// process held can never free what its successor holds.
pub fn instance(role: &Role, host: &str, pid: u32) -> String {
    format!("{role}@{host}#{pid}")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_replaced_program_is_the_new_one() {
        assert_eq!(
            without_mark("/bin/ai-infra (deleted)"),
            Some(PathBuf::from("/bin/ai-infra"))
        );
        assert_eq!(without_mark("/bin/ai-infra"), None);
        assert!(exe().unwrap().is_absolute());
    }

    #[test]
    fn two_processes_of_a_role_have_two_names() {
        let role: Role = "code".parse().unwrap();
        assert_ne!(instance(&role, "a", 1), instance(&role, "a", 11));
        assert_ne!(instance(&role, "a", 1), instance(&role, "b", 1));
        assert_eq!(instance(&role, "a", 7), "code@a#7");
    }
}
