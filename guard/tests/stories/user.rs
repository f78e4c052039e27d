//! The same stories once more as an ordinary user, where root tells them: there the sandbox stands
//! on a user namespace instead of on a changed user.

use super::*;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;

const USER: u32 = 64322;

#[test]
fn all_again_as_an_ordinary_user() {
    if !nix::unistd::geteuid().is_root() || !can_sandbox() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let mode = |path: &Path, mode| {
        std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap()
    };
    mode(dir.path(), 0o755);
    let (stories, executor, scratch) = (
        dir.path().join("stories"),
        dir.path().join("executor"),
        dir.path().join("tmp"),
    );
    std::fs::copy(std::env::current_exe().unwrap(), &stories).unwrap();
    std::fs::copy(exe(), &executor).unwrap();
    std::fs::create_dir(&scratch).unwrap();
    mode(&stories, 0o755);
    mode(&executor, 0o755);
    mode(&scratch, 0o1777);
    let output = Command::new(&stories)
        // initdb wants a user that the system knows. Whose sandbox it is makes no difference to what a
        // server says; the walls of that kind of sandbox are told in `outside`.
        .args(["--skip", "postgres::", "--skip", "a_postgres_database"])
        .args(["--skip", "a_port_that_begins_without_tls"])
        // It wants cargo, and the toolchain is the one of whoever runs the tests; its walls are the proxy's,
        // which are told in `proxy`.
        .args(["--skip", "real_clients_fetch_with_a_token"])
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .env("TMPDIR", &scratch)
        .env("GUARD_EXE", &executor)
        .current_dir("/")
        .uid(USER)
        .gid(USER)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    if said.contains("No permissions to create") || said.contains("setting up uid map") {
        eprintln!("skipped: this machine gives ordinary users no namespaces");
        return;
    }
    assert!(output.status.success(), "{said}");
}
