//! A PostgreSQL source through the sandbox that reaches it: reads that cannot write, changes that happen once for their
//! key, one statement at a time, and errors that say what to do.

use super::outside::{carry_out, open, worker};
use super::*;
use guard::outside::{Credential, Database, Outside, Reach, Source};
use protocol::acts::Bound;
use protocol::postgres::{Address, Tls};
use serde_json::{Value, json};
use tests::postgres::{self, PASSWORD};

struct Shop {
    database: postgres::Database,
    outside: Outside,
    /// Whose sandbox it is.
    folder: TempDir,
}

fn shop() -> Option<Shop> {
    let database = can_sandbox().then(postgres::database)??;
    let url = database.url("writer");
    let outside = outside(&url, PASSWORD);
    let folder = tempfile::tempdir().unwrap();
    Some(Shop {
        database,
        outside,
        folder,
    })
}

fn outside(url: &str, password: &str) -> Outside {
    let (address, _) = Address::parse(url).unwrap();
    let source = Source {
        database: Database::Postgres {
            address,
            password: Some(Credential::new(password)),
        },
        write: true,
        backups: None,
    };
    Outside {
        sources: [("shop".to_owned(), source)].into(),
        ..Outside::default()
    }
}

fn ask(statement: &str, params: Value) -> Operation {
    Operation::SqlQuery {
        source: "shop".to_owned(),
        statement: statement.to_owned(),
        params: params.as_array().unwrap().clone(),
        limit: 3,
    }
}

fn tell(statement: &str, params: Value, key: &str) -> Operation {
    Operation::SqlExecute {
        source: "shop".to_owned(),
        statement: statement.to_owned(),
        params: params.as_array().unwrap().clone(),
        key: key.to_owned(),
    }
}

impl Shop {
    async fn run(&self, operation: Operation) -> Outcome {
        run_with(&self.outside, self.folder.path(), operation).await
    }
}

async fn run_with(outside: &Outside, folder: &Path, operation: Operation) -> Outcome {
    let bound = Bound::free();
    run_under(bound, outside, folder, operation).await
}

async fn run_under(
    limit: Bound,
    outside: &Outside,
    folder: &Path,
    operation: Operation,
) -> Outcome {
    let mut reach = outside.reach(&operation).unwrap();
    if let Reach::Database { bound, .. } = &mut reach {
        *bound = limit;
    }
    let mut executor = open(reach, worker(folder)).await;
    let outcome = carry_out(&mut executor, operation, outside).await;
    executor.stop().await;
    outcome
}

#[tokio::test]
async fn values_come_back_as_they_are() {
    let Some(shop) = shop() else { return };
    shop.database.sql("CREATE TYPE mood AS ENUM ('ok'); CREATE TABLE t (i int, n numeric, b bool, x text, at timestamptz, j jsonb, m mood, raw bytea, a int[]); \
        INSERT INTO t VALUES (7, 1.50, true, 'it''s', '2026-01-02 03:04:05+02', '{\"a\": [1]}', 'ok', '\\x00ff', '{1,2}'), (NULL, 12345678901234567890.5, NULL, '', NULL, NULL, NULL, NULL, NULL)");
    let read = shop
        .run(ask("SELECT * FROM t ORDER BY i;", json!([])))
        .await;
    assert!(!read.is_error, "{}", read.text);
    assert_eq!(
        read.data["rows"],
        json!([
            {"i": 7, "n": 1.5, "b": true, "x": "it's", "at": "2026-01-02 01:04:05+00", "j": {"a": [1]}, "m": "ok", "raw": "2 bytes", "a": "{1,2}"},
            {"i": null, "n": "12345678901234567890.5", "b": null, "x": "", "at": null, "j": null, "m": null, "raw": null, "a": null},
        ])
    );
    // A value takes the type that the statement asks for, and is never a piece of it.
    let found = shop
        .run(ask(
            "SELECT x FROM t WHERE i = $1 AND at < $2 AND x = $3",
            json!([7, "2027-01-01", "it's"]),
        ))
        .await;
    assert_eq!(found.data["rows"], json!([{"x": "it's"}]), "{}", found.text);
    let cut = shop
        .run(ask("SELECT generate_series(1, 1000000) AS n", json!([])))
        .await;
    assert_eq!(
        (
            cut.data["rows"].as_array().unwrap().len(),
            &cut.data["truncated"]
        ),
        (3, &json!(true))
    );
    let plan = shop.run(ask("EXPLAIN SELECT * FROM t", json!([]))).await;
    assert!(plan.text.contains("Seq Scan"), "{}", plan.text);
}

#[tokio::test]
async fn a_read_cannot_write_whatever_it_says() {
    let Some(shop) = shop() else { return };
    shop.database
        .sql("CREATE TABLE fruit (name text); INSERT INTO fruit VALUES ('pear')");
    for (statement, words) in [
        ("DELETE FROM fruit", "only read here"),
        (
            "WITH gone AS (DELETE FROM fruit RETURNING *) SELECT * FROM gone",
            "only read here",
        ),
        ("SELECT 1; DELETE FROM fruit", "multiple commands"),
        ("SELECT 1; COMMIT; DELETE FROM fruit", "multiple commands"),
        ("COMMIT", "syntax error"),
        ("EXPLAIN ANALYZE DELETE FROM fruit", "only read here"),
        ("SHOW server_version; DROP TABLE fruit", "multiple commands"),
        (
            "SELECT set_config('transaction_read_only', 'off', false)",
            "read-write mode",
        ),
        ("COPY fruit TO PROGRAM 'cat'", "syntax error"),
    ] {
        let outcome = shop.run(ask(statement, json!([]))).await;
        assert!(
            outcome.is_error && outcome.text.contains(words),
            "{statement}: {}",
            outcome.text
        );
        assert!(!outcome.text.contains(PASSWORD));
    }
    assert_eq!(shop.database.sql("SELECT count(*) FROM fruit"), "1");
}

#[tokio::test]
async fn a_change_happens_once_for_its_key_and_alone() {
    let Some(shop) = shop() else { return };
    let made = shop
        .run(tell(
            "CREATE TABLE fruit (name text, at date)",
            json!([]),
            "k0",
        ))
        .await;
    assert!(!made.is_error, "{}", made.text);
    let insert = |key| {
        tell(
            "INSERT INTO fruit VALUES ($1, $2)",
            json!(["pear", "2026-01-02"]),
            key,
        )
    };
    let first = shop.run(insert("k1")).await;
    let again = shop.run(insert("k1")).await;
    assert_eq!(
        (&first.data["changed"], &first.data["before"]),
        (&json!(1), &json!(false)),
        "{}",
        first.text
    );
    assert_eq!(
        (&again.data["changed"], &again.data["before"]),
        (&json!(1), &json!(true)),
        "{}",
        again.text
    );
    shop.run(insert("k2")).await;
    // What fails leaves no key; nothing else goes along; nobody ends the transaction from inside.
    for statement in [
        "INSERT INTO fruit VALUES ('a'); DROP TABLE fruit",
        "COMMIT",
        "ROLLBACK",
        "INSERT INTO nuts VALUES (1)",
    ] {
        let outcome = shop.run(tell(statement, json!([]), "k3")).await;
        assert!(outcome.is_error, "{statement}: {}", outcome.text);
    }
    assert_eq!(
        shop.database
            .sql("SELECT string_agg(key, ' ' ORDER BY key) FROM ai_infra_calls"),
        "k0 k1 k2"
    );
    assert_eq!(shop.database.sql("SELECT count(*) FROM fruit"), "2");
    // Two holders of one key at once: one changes, the other is told.
    let both = || {
        shop.run(tell(
            "INSERT INTO fruit SELECT 'slow' FROM pg_sleep(0.3)",
            json!([]),
            "k4",
        ))
    };
    let (one, other) = tokio::join!(both(), both());
    let mut before = [&one.data["before"], &other.data["before"]].map(Value::to_string);
    before.sort();
    assert_eq!(before, ["false", "true"], "{} {}", one.text, other.text);
    assert_eq!(
        shop.database
            .sql("SELECT count(*) FROM fruit WHERE name = 'slow'"),
        "1"
    );
}

#[tokio::test]
async fn a_read_does_nothing_that_its_transaction_does_not_hold_back() {
    let Some(shop) = shop() else { return };
    shop.database.sql("CREATE TABLE fruit (name text)");
    let mut other = shop.database.session().spawn().unwrap();
    let mut said = other.stdin.take().unwrap();
    std::io::Write::write_all(&mut said, b"SELECT 'there';\n").unwrap();
    let mut told = std::io::BufReader::new(other.stdout.take().unwrap());
    std::io::BufRead::read_line(&mut told, &mut String::new()).unwrap();
    let victims =
        "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
    let hidden =
        r"query_to_xml('SELECT pg_termin' || 'ate_backend(' || pid || ')', true, true, '')";
    for act in [
        "pg_terminate_backend(pid)",
        "pg_catalog.\"pg_cancel_backend\" /* it */ (pid)",
        r#"U&"pg_t\0065rminate_backend"(pid)"#,
        hidden,
        "pg_ls_dir('.')",
    ] {
        let statement = format!("SELECT {act} {victims}");
        let outcome = shop.run(ask(&statement, json!([]))).await;
        assert!(
            outcome.is_error && outcome.text.contains("ask a person to run it"),
            "{statement}: {}",
            outcome.text
        );
    }
    let there = format!("SELECT count(*) AS n {victims} AND query LIKE '%there%'");
    let seen = shop.run(ask(&there, json!([]))).await;
    assert_eq!(seen.data["rows"], json!([{"n": 1}]), "{}", seen.text);
    drop(said);
    assert!(other.wait().unwrap().success());
}

#[tokio::test]
async fn no_statement_takes_its_own_key_away_or_those_of_others() {
    let Some(shop) = shop() else { return };
    let database = &shop.database;
    database.sql("CREATE TABLE stock (n int); INSERT INTO stock VALUES (10)");
    database.sql("CREATE FUNCTION mend() RETURNS int LANGUAGE plpgsql AS $$ BEGIN \
        CREATE TEMP TABLE k AS SELECT * FROM ai_infra_calls; TRUNCATE ai_infra_calls; INSERT INTO ai_infra_calls SELECT * FROM k; RETURN 1; END $$");
    let first = "UPDATE stock SET n = n + 0";
    assert!(!shop.run(tell(first, json!([]), "k0")).await.is_error);
    for statement in [
        "WITH k AS (DELETE FROM ai_infra_calls RETURNING 1) UPDATE stock SET n = n - 1",
        "WITH k AS (DELETE FROM ai_infra_calls WHERE key = 'k1') UPDATE stock SET n = n - 1",
        "WITH k AS (DELETE FROM ai_infra_calls WHERE key = 'k0') UPDATE stock SET n = n - 1",
        "WITH k AS (UPDATE ai_infra_calls SET key = key || 'x') UPDATE stock SET n = n - 1",
        "INSERT INTO public.ai_infra_calls VALUES ('k2', now(), 1)",
        "TRUNCATE ai_infra_calls",
        "UPDATE stock SET n = n - mend()",
        "DROP TABLE ai_infra_calls",
        "ALTER TABLE ai_infra_calls RENAME TO others",
    ] {
        let outcome = shop.run(tell(statement, json!([]), "k1")).await;
        assert!(
            outcome.is_error && outcome.text.contains("leave that table out of it"),
            "{statement}: {}",
            outcome.text
        );
        let left = "SELECT n, (SELECT string_agg(key, ' ') FROM ai_infra_calls) FROM stock";
        assert_eq!(database.sql(left), "10|k0", "{statement}");
    }
    // A statement that only changes where names are looked for is done, and its key is kept.
    let elsewhere = "WITH s AS (SELECT set_config('search_path', 'pg_catalog', false)) UPDATE stock SET n = n - 1 FROM s";
    for before in [false, true] {
        let done = shop.run(tell(elsewhere, json!([]), "k1")).await;
        assert_eq!(done.data["before"], json!(before), "{}", done.text);
    }
    assert_eq!(database.sql("SELECT n FROM stock"), "9");
}

#[tokio::test]
async fn a_statement_that_changes_the_search_path_is_counted_all_the_same() {
    let Some(shop) = shop() else { return };
    shop.database.sql(
        "CREATE TABLE stock (n int); INSERT INTO stock VALUES (1), (1); CREATE SCHEMA lies; \
         CREATE TABLE lies.pg_stat_xact_user_tables AS SELECT * FROM pg_stat_xact_user_tables LIMIT 0; \
         CREATE TABLE lies.pg_class AS SELECT * FROM pg_class LIMIT 0; \
         CREATE FUNCTION emptied() RETURNS int LANGUAGE plpgsql AS $$ BEGIN TRUNCATE stock; RETURN 1; END $$",
    );
    let made = shop
        .run(tell("UPDATE stock SET n = 1", json!([]), "k0"))
        .await;
    assert!(!made.is_error, "{}", made.text);
    shop.database
        .sql("INSERT INTO lies.pg_class SELECT * FROM pg_class");
    let most = Bound {
        rows: Some(1),
        ..Bound::default()
    };
    let path = "WITH s AS (SELECT set_config('search_path', 'lies, pg_catalog, public', false))";
    for (statement, words) in [
        ("UPDATE stock SET n = 0 FROM s", "2 rows, and 1 "),
        ("SELECT public.emptied() FROM s", "shape"),
    ] {
        let act = tell(&format!("{path} {statement}"), json!([]), "k");
        let told = run_under(most.clone(), &shop.outside, shop.folder.path(), act).await;
        assert!(
            told.is_error && told.text.contains(words),
            "{statement}: {}",
            told.text
        );
        assert_eq!(shop.database.sql("SELECT sum(n) FROM stock"), "2");
    }
}

#[tokio::test]
async fn what_does_not_work_is_explained() {
    let Some(shop) = shop() else { return };
    shop.database.sql("CREATE TABLE fruit (name text)");
    let unknown = shop.run(ask("SELECT * FROM fruits", json!([]))).await;
    assert!(
        unknown
            .text
            .contains("\"fruits\" does not exist; it has fruit"),
        "{}",
        unknown.text
    );
    let url = shop.database.url("writer");
    let port = shop.database.cluster().port();
    let cases = [
        (url.clone(), "wrong", "the password is wrong"),
        (
            url.replace(&shop.database.name, "nowhere"),
            PASSWORD,
            "no such database",
        ),
        (
            url.replace(&format!(":{port}"), ":1"),
            PASSWORD,
            "cannot be reached",
        ),
        (
            format!("{url}?sslmode=verify-full"),
            PASSWORD,
            "no protected connection",
        ),
    ];
    for (url, password, words) in cases {
        let outcome = run_with(
            &outside(&url, password),
            shop.folder.path(),
            ask("SELECT 1", json!([])),
        )
        .await;
        assert!(
            outcome.is_error && outcome.text.contains(words),
            "{url}: {}",
            outcome.text
        );
        assert!(!outcome.text.contains(PASSWORD), "{}", outcome.text);
    }
}

#[tokio::test]
async fn a_protected_connection_and_a_socket() {
    let Some(shop) = shop() else { return };
    let reach = |tls: Tls, authority: bool| {
        let mut outside = outside(&shop.database.url("writer"), PASSWORD);
        if let Some(Source {
            database: Database::Postgres { address, .. },
            ..
        }) = outside.sources.get_mut("shop")
        {
            address.tls = tls;
            let file = shop.database.cluster().authority();
            address.authority = authority.then(|| file.display().to_string());
        }
        outside
    };
    let encrypted = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    for (outside, expected) in [
        (reach(Tls::VerifyFull, true), true),
        (reach(Tls::Require, false), true),
        (reach(Tls::Off, false), false),
        (
            outside(&shop.database.socket_url("writer"), "unasked"),
            false,
        ),
    ] {
        let outcome = run_with(&outside, shop.folder.path(), ask(encrypted, json!([]))).await;
        assert_eq!(
            outcome.data["rows"],
            json!([{"ssl": expected}]),
            "{}",
            outcome.text
        );
    }
}
