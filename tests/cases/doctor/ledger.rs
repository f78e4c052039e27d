//! A ledger in PostgreSQL, and what can be wrong with it.

use super::{ask, finds};
use crate::AI_INFRA;
use tests::postgres::{self, PASSWORD};
use tests::team::Team;

#[test]
fn a_ledger_on_a_server_that_is_wrong() {
    let Some(database) = postgres::database() else {
        return;
    };
    let base = "team:\n  lease_ms: 1500\nengine:\n  name: playbook\n";
    let team = Team::new(AI_INFRA);
    let says = |url: &str| team.configure(&format!("{base}ledger: {{url: '{url}'}}\n"));
    says(&database.url("writer"));
    finds(&ask(&team), "ledger", "bad", "wants a password", "psql -h");
    let secret = team.home().join("secrets/postgres-password");
    std::fs::create_dir_all(secret.parent().expect("a folder")).expect("a folder");
    mode(secret.parent().expect("a folder"), 0o700);
    for (password, how, seen) in [
        ("wrong", "bad", "password is wrong"),
        (PASSWORD, "good", "none yet"),
    ] {
        std::fs::write(&secret, password).expect("a secret");
        mode(&secret, 0o600);
        finds(&ask(&team), "ledger", how, seen, "");
    }
    says("postgres://a@127.0.0.1:1/b");
    finds(&ask(&team), "ledger", "bad", "does not answer", "psql -h");
    says(&format!("{}_gone", database.url("writer")));
    finds(&ask(&team), "ledger", "bad", "no such database", "psql -h");
    says(&database.url("writer"));
    team.up();
    team.down();
    // The servers of the tests do not wait for their disks.
    finds(&ask(&team), "ledger", "odd", "fsync", "ALTER SYSTEM");
    database.sql("UPDATE main.meta SET value = 99 WHERE key = 'schema'");
    finds(
        &ask(&team),
        "ledger",
        "bad",
        "newer ai-infra",
        "start the newer",
    );
    database.sql("UPDATE main.meta SET value = value + 1 WHERE key = 'home'; UPDATE main.meta SET value = 4 WHERE key = 'schema'");
    finds(&ask(&team), "ledger", "bad", "another home", "psql");
    team.configure(base);
    finds(&ask(&team), "ledger", "bad", "nothing says so any more", "");
}

fn mode(path: &std::path::Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("permissions");
}
