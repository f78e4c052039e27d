//! Homes, ledgers and settings that are wrong.

use super::{ask, doctor, finds, said};
use crate::AI_INFRA;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use tests::team::Team;

#[test]
fn a_home_that_is_wrong() {
    let team = Team::new(AI_INFRA);
    team.ai(&["up", "--no-tmux"]).expect(0);
    team.ai(&["down"]).expect(0);
    let home = team.home();
    // Secrets that others may read.
    let secret = home.join("secrets/redis-password");
    std::fs::write(&secret, "x").expect("a secret");
    mode(&secret, 0o644);
    finds(
        &ask(&team),
        "secrets",
        "bad",
        "others may read",
        "chmod 600",
    );
    std::fs::remove_file(&secret).expect("removed");
    // Sockets: one that was left, and a file in its place.
    let socket = home.join("run/supervisor.sock");
    drop(std::os::unix::net::UnixListener::bind(&socket).expect("a socket"));
    finds(
        &ask(&team),
        "socket",
        "odd",
        "is left from a team",
        "ai-infra up",
    );
    std::fs::remove_file(&socket).expect("removed");
    std::fs::write(&socket, "").expect("a file");
    finds(&ask(&team), "socket", "bad", "is no socket", "rm -r");
    std::fs::remove_file(&socket).expect("removed");
    // The clock was turned back.
    let marked = home.join("logs/later.log");
    let file = std::fs::File::create(&marked).expect("a file");
    let later = std::time::SystemTime::now() + Duration::from_secs(7200);
    file.set_modified(later).expect("a time");
    finds(
        &ask(&team),
        "clock",
        "bad",
        "the clock of this host",
        "timedatectl",
    );
    std::fs::remove_file(&marked).expect("removed");
    // Others may change it.
    mode(&home, 0o777);
    finds(
        &ask(&team),
        "home",
        "bad",
        "may be changed by others",
        "chmod 700",
    );
    mode(&home, 0o700);
    // It cannot be made where it is wanted.
    let mut nowhere = doctor(&team);
    nowhere.args(["--home", "/proc/nowhere/home"]);
    finds(
        &nowhere.output().expect("doctor runs"),
        "home",
        "bad",
        "cannot be made in /proc",
        "another folder",
    );
    // Its disk is mounted read-only: seen from inside a mount namespace.
    let mut inside = Command::new("bwrap");
    inside.args([
        "--bind",
        "/",
        "/",
        "--dev-bind",
        "/dev",
        "/dev",
        "--proc",
        "/proc",
        "--ro-bind",
    ]);
    inside
        .args([&home, &home])
        .arg(AI_INFRA)
        .args(["doctor", "--json"]);
    let plain = doctor(&team);
    inside.env_clear().envs(
        plain
            .get_envs()
            .filter_map(|(name, value)| Some((name, value?))),
    );
    finds(
        &inside.output().expect("bwrap runs"),
        "home",
        "bad",
        "mounted read-only",
        "mount -o remount,rw",
    );
    // Somebody else's.
    let other = Command::new(AI_INFRA)
        .args(["doctor", "--json", "--home", "/usr"])
        .env("HOME", team.user_home())
        .output()
        .expect("doctor runs");
    match nix::unistd::Uid::effective().is_root() {
        // Root owns it; what is not a folder is nobody's home.
        true => {
            let file = home.join("host");
            let output = doctor(&team)
                .env("AI_INFRA_HOME", &file)
                .output()
                .expect("doctor runs");
            finds(&output, "home", "bad", "not a folder", "AI_INFRA_HOME");
            nix::unistd::chown(&home, Some(nix::unistd::Uid::from_raw(61234)), None)
                .expect("given away");
            finds(
                &ask(&team),
                "home",
                "bad",
                "belongs to uid 61234",
                "chown -R",
            );
            nix::unistd::chown(&home, Some(nix::unistd::Uid::effective()), None)
                .expect("taken back");
        }
        false => finds(&other, "home", "bad", "not to you", "chown -R"),
    }
    assert_eq!(said(&ask(&team)).0, 0);
}

fn mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("a mode");
}

#[test]
fn a_ledger_that_is_damaged_and_a_disk_that_is_low() {
    let team = Team::new(AI_INFRA);
    team.up();
    team.ai(&["down"]).expect(0);
    team.configure("engine:\n  name: playbook\nteam:\n  min_free_mb: 900000000\n");
    finds(&ask(&team), "disk", "bad", "team.min_free_mb", "du -xh");
    team.configure("engine:\n  name: playbook\n");
    let ledger = team.home().join("ledger.db");
    let mut bytes = std::fs::read(&ledger).expect("the ledger");
    let middle = bytes.len() / 2;
    bytes[middle..].fill(0xa5);
    std::fs::write(&ledger, bytes).expect("damage");
    finds(&ask(&team), "ledger", "bad", "is damaged", "sqlite3");
}

#[test]
fn settings_that_are_wrong() {
    let team = Team::new(AI_INFRA);
    for (yaml, seen) in [
        ("team: [\n", "ai-infra.yaml"),
        ("team:\n  leese_ms: 5\n", "lease_ms"),
        ("budget:\n  month_usd: much\n", "month_usd"),
        ("engine:\n  name: anthropic\n", "there is no key"),
    ] {
        team.configure(yaml);
        finds(
            &ask(&team),
            "settings",
            "bad",
            seen,
            "ai-infra config check",
        );
    }
}
