//! A ledger in a PostgreSQL database is in the backup of its home, and comes back whether that database was
//! lost with the home or not.

use crate::AI_INFRA;
use crate::backups::states;
use std::fs;
use tests::postgres::Database;
use tests::team::Team;

/// Loses everything in a database.
fn lose(database: &Database) {
    let ours = "SELECT nspname FROM pg_namespace WHERE nspname NOT LIKE 'pg%' AND nspname NOT IN ('public', 'information_schema')";
    let schemas = database.sql(ours);
    assert!(!schemas.trim().is_empty());
    for schema in schemas.lines() {
        database.sql(&format!("DROP SCHEMA \"{schema}\" CASCADE"));
    }
}

/// A home with its ledger in the database is backed up, goes on, is drilled, and is lost.
fn lost(database: &Database) -> Team {
    let team = Team::new(AI_INFRA);
    let place = team.scratch("backups").display().to_string();
    let team = team
        .with_env("AI_INFRA__BACKUP__REMOTE", &place)
        .with_env("DATABASE_URL", &database.socket_url("postgres"));
    team.up().expect(0);
    let work = team.scratch("work");
    fs::write(work.join("a.csv"), "id\n1\n").unwrap();
    let (code, done) = team.run(&work, "profile a.csv");
    assert_eq!(code, 0, "{done}");
    // The first one began by itself and is waited for.
    team.ai(&["backup", "run", "memory"]).expect(0);
    let (code, _later) = team.run(&work, "profile a.csv");
    assert_eq!(code, 0);
    team.ai(&["backup", "drill"]).expect(0);
    team.down();
    fs::remove_dir_all(team.home()).unwrap();
    team
}

#[test]
fn a_database_that_was_lost_too_is_filled_again() {
    let Some(database) = tests::postgres::database() else {
        return;
    };
    let team = lost(&database);
    lose(&database);
    let said = team.ai(&["backup", "restore"]).expect(0).stdout;
    assert!(said.contains("now, as the settings say"), "{said}");
    team.up().expect(0);
    assert_eq!(states(&team).len(), 1);
    let status = team.ai(&["ledger", "status", "--json"]).expect(0).json();
    assert_eq!(status["kind"], "postgres");
    team.down();
    // And into a file, where nothing names a database any more.
    team.ai(&["ledger", "move", "--to", "file"]).expect(0);
    let team = team.with_env("DATABASE_URL", "");
    team.up().expect(0);
    assert_eq!(states(&team).len(), 1);
    team.down();
}

#[test]
fn a_database_that_was_not_lost_keeps_what_is_newer() {
    let Some(database) = tests::postgres::database() else {
        return;
    };
    let team = lost(&database);
    let said = team.ai(&["backup", "restore"]).expect(0).stdout;
    assert!(said.contains("has gone on since the backup"), "{said}");
    team.up().expect(0);
    assert_eq!(states(&team).len(), 2);
    team.down();
}
