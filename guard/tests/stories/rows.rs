//! How much a change of a database does is counted before it is kept, by the database itself: more than it may be is
//! taken back, and a trial leaves nothing. The same for PostgreSQL and SQLite.

use super::outside::{open, worker};
use super::*;
use guard::gate::{Leave, to_try};
use guard::outside::{Credential, Database, Outside, Reach, Source};
use protocol::acts::{AtMost, Bound, Foreseen, Tried};
use protocol::approval::Rule;
use protocol::postgres::Address;
use serde_json::json;
use tests::postgres::{self, PASSWORD};

/// 200 orders with two items each; an item has a line in a log that a trigger writes.
const SHOP: &str = "CREATE TABLE orders (id INTEGER PRIMARY KEY, state TEXT NOT NULL); \
    CREATE TABLE items (id INTEGER PRIMARY KEY, of INTEGER NOT NULL REFERENCES orders (id) ON DELETE CASCADE); \
    CREATE TABLE log (text TEXT); ";

pub(super) struct Shop {
    pub(super) outside: Outside,
    pub(super) folder: TempDir,
    database: Option<postgres::Database>,
}

fn granted(database: Database) -> Outside {
    let source = Source {
        database,
        write: true,
        backups: None,
    };
    Outside {
        sources: [("shop".to_owned(), source)].into(),
        ..Outside::default()
    }
}

pub(super) async fn sqlite() -> Option<Shop> {
    if !can_sandbox() {
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("shop.db");
    let shop = Shop {
        outside: granted(Database::Sqlite { file: file.clone() }),
        folder,
        database: None,
    };
    std::fs::write(&file, "").unwrap();
    let series = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i <";
    for (n, statement) in SHOP
        .split(';')
        .map(str::to_owned)
        .chain([
            format!("INSERT INTO orders {series} 200) SELECT i, 'new' FROM n"),
            format!("INSERT INTO items {series} 400) SELECT i, (i + 1) / 2 FROM n"),
            "CREATE TRIGGER told AFTER UPDATE ON orders BEGIN INSERT INTO log VALUES ('changed'); END".to_owned(),
        ])
        .filter(|text| !text.trim().is_empty())
        .enumerate()
    {
        let made = shop.tell(&statement, &format!("made{n}"), Bound::free()).await;
        assert!(!made.is_error, "{statement}: {}", made.text);
    }
    Some(shop)
}

fn postgres() -> Option<Shop> {
    let database = can_sandbox().then(postgres::database)??;
    database.sql(SHOP);
    database.sql(
        "INSERT INTO orders SELECT i, 'new' FROM generate_series(1, 200) i; \
         INSERT INTO items SELECT i, (i + 1) / 2 FROM generate_series(1, 400) i; \
         CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS \
         $$ BEGIN INSERT INTO log VALUES ('changed'); RETURN NULL; END $$; \
         CREATE TRIGGER told AFTER UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION tell(); \
         CREATE FUNCTION emptied() RETURNS int LANGUAGE plpgsql AS $$ BEGIN TRUNCATE items; RETURN 1; END $$; \
         ALTER TABLE orders OWNER TO writer; ALTER TABLE items OWNER TO writer; ALTER TABLE log OWNER TO writer",
    );
    let (address, _) = Address::parse(&database.url("writer")).unwrap();
    let password = Some(Credential::new(PASSWORD));
    Some(Shop {
        outside: granted(Database::Postgres { address, password }),
        folder: tempfile::tempdir().unwrap(),
        database: Some(database),
    })
}

impl Shop {
    pub(super) async fn tell(&self, statement: &str, key: &str, bound: Bound) -> Outcome {
        self.under(statement, key, bound, |act, grant| {
            match judge(act, grant) {
                Decision::Allow(leave) => leave,
                other => panic!("{other:?}"),
            }
        })
        .await
    }

    async fn under(
        &self,
        statement: &str,
        key: &str,
        limit: Bound,
        leave: impl FnOnce(&Act, &Grant) -> Leave,
    ) -> Outcome {
        let act = Act::of(Operation::SqlExecute {
            source: "shop".to_owned(),
            statement: statement.to_owned(),
            params: Vec::new(),
            key: key.to_owned(),
        });
        let grant = Grant {
            outside: self.outside.clone(),
            ..grant(Level::Standard)
        };
        let mut reach = self.outside.reach(&act.operation).unwrap();
        if let Reach::Database { bound, .. } = &mut reach {
            *bound = limit;
        }
        let leave = leave(&act, &grant);
        let mut executor = open(reach, worker(self.folder.path())).await;
        let outcome = executor.run(&act, leave, LONG).await.unwrap();
        executor.stop().await;
        outcome
    }

    /// What a statement would do.
    async fn tried(&self, statement: &str) -> Outcome {
        let leave = |act: &Act, grant: &Grant| to_try(act, grant).unwrap();
        self.under(statement, "trial", Bound::trial(), leave).await
    }

    pub(super) async fn rows(&self) -> [i64; 3] {
        let mut counts = [0; 3];
        for (count, table) in counts.iter_mut().zip(["orders", "items", "log"]) {
            let operation = Operation::SqlQuery {
                source: "shop".to_owned(),
                statement: format!("SELECT count(*) AS n FROM {table}"),
                params: Vec::new(),
                limit: 1,
            };
            let reach = self.outside.reach(&operation).unwrap();
            let mut executor = open(reach, worker(self.folder.path())).await;
            let seen = run_in(&mut executor, operation, &self.outside).await;
            *count = seen.data["rows"][0]["n"].as_i64().unwrap();
            executor.stop().await;
        }
        counts
    }
}

pub(super) async fn run_in(
    executor: &mut Executor,
    operation: Operation,
    outside: &Outside,
) -> Outcome {
    super::outside::carry_out(executor, operation, outside).await
}

pub(super) fn most(count: Option<u64>, percent: Option<u8>) -> Bound {
    Bound::of_rule(Some(AtMost {
        count,
        percent,
        ..AtMost::default()
    }))
}

async fn check(shop: &Shop) {
    // What a trial says of it, and that it leaves nothing.
    for (statement, expected) in [
        (
            "DELETE FROM orders WHERE id <= 10",
            "10 of 200 rows in orders (5 %); 20 of 400 rows in items (5 %)",
        ),
        ("DELETE FROM items", "400 of 400 rows in items (100 %)"),
        (
            "UPDATE orders SET state = 'old' WHERE id = 7",
            "1 of 200 rows in orders (1 %); 1 row more in log",
        ),
        (
            "INSERT INTO orders VALUES (500, 'new'), (501, 'new')",
            "2 rows more in orders",
        ),
        ("UPDATE orders SET state = 'x' WHERE id > 1000", "no row"),
    ] {
        let seen = shop.tried(statement).await;
        assert!(!seen.is_error, "{statement}: {}", seen.text);
        let tried: Tried = serde_json::from_value(seen.data["tried"].clone()).unwrap();
        let mut parts: Vec<String> = tried
            .line()
            .replace("public.", "")
            .split("; ")
            .map(str::to_owned)
            .collect();
        let mut expected: Vec<&str> = expected.split("; ").collect();
        parts.sort();
        expected.sort_unstable();
        assert_eq!(parts, expected, "{statement}");
    }
    assert_eq!(shop.rows().await, [200, 400, 0]);
    let wrong = shop.tried("DELETE FROM nowhere").await;
    assert!(
        wrong.is_error && wrong.text.contains("nowhere"),
        "{}",
        wrong.text
    );

    // More than a bound is taken back whole, the key with it; the same key does it under a larger bound.
    let delete = "DELETE FROM orders WHERE id <= 10";
    for (bound, words) in [
        (
            most(Some(29), None),
            Some("it changes 30 rows, and 29 are allowed"),
        ),
        (most(None, Some(4)), Some("5 % of")),
        (most(Some(30), Some(5)), None),
    ] {
        let done = shop.tell(delete, "k1", bound).await;
        assert_eq!(done.is_error, words.is_some(), "{}", done.text);
        if let Some(words) = words {
            assert!(
                done.text.starts_with("refused: ") && done.text.contains(words),
                "{}",
                done.text
            );
            assert_eq!(shop.rows().await, [200, 400, 0]);
        }
    }
    assert_eq!(shop.rows().await, [190, 380, 0]);
    let again = shop.tell(delete, "k1", most(Some(0), None)).await;
    assert!(
        again.text.contains("before the interruption"),
        "{}",
        again.text
    );

    // A yes is for as many rows as were shown: where there are more by then, nothing is done.
    let seen = shop
        .tried("UPDATE orders SET state = 'old' WHERE state = 'new'")
        .await;
    let tried: Tried = serde_json::from_value(seen.data["tried"].clone()).unwrap();
    let leave = Bound::of_leave(Some(&Foreseen::Tried(tried)));
    shop.tell(
        "INSERT INTO orders VALUES (900, 'new')",
        "k2",
        Bound::free(),
    )
    .await;
    let update = "UPDATE orders SET state = 'old' WHERE state = 'new'";
    let grown = shop.tell(update, "k3", leave.clone()).await;
    assert!(grown.text.contains("382 rows, and 380"), "{}", grown.text);
    shop.tell("DELETE FROM orders WHERE id = 900", "k4", Bound::free())
        .await;
    let done = shop.tell(update, "k3", leave).await;
    assert_eq!(
        (done.is_error, &done.data["changed"]),
        (false, &json!(190)),
        "{}",
        done.text
    );
    assert_eq!(shop.rows().await, [190, 380, 190]);

    // What rows do not tell is more than any bound of rows.
    let shaped = shop
        .tell("DROP TABLE log", "k5", most(Some(1000), None))
        .await;
    assert!(shaped.text.contains("shape"), "{}", shaped.text);
    assert_eq!(shop.rows().await, [190, 380, 190]);
    // The control: without a bound it is done.
    assert!(
        !shop
            .tell("DROP TABLE log", "k5", Bound::free())
            .await
            .is_error
    );
}

#[tokio::test]
async fn an_sqlite_file_counts_what_a_change_does() {
    let Some(shop) = sqlite().await else { return };
    check(&shop).await;
}

#[tokio::test]
async fn a_postgres_database_counts_what_a_change_does() {
    let Some(shop) = postgres() else { return };
    check(&shop).await;
    // A function that empties a table is seen by what became of the table.
    let emptied = shop
        .tell("SELECT emptied()", "k6", most(Some(1000), None))
        .await;
    assert!(emptied.text.contains("shape"), "{}", emptied.text);
    // A trial waits for nobody for long, and says so.
    let database = shop.database.as_ref().unwrap();
    let mut other = database.session().spawn().unwrap();
    let mut said = other.stdin.take().unwrap();
    std::io::Write::write_all(&mut said, b"BEGIN; LOCK TABLE orders; SELECT 'held';\n").unwrap();
    let mut line = String::new();
    let mut told = std::io::BufReader::new(other.stdout.take().unwrap());
    std::io::BufRead::read_line(&mut told, &mut line).unwrap();
    let seen = shop.tried("DELETE FROM orders").await;
    assert!(
        !seen.is_error && seen.data["untried"].is_string(),
        "{}",
        seen.text
    );
    drop(said);
    other.wait().unwrap();
    let left = "SELECT (SELECT count(*) FROM orders), (SELECT count(*) FROM items)";
    assert_eq!(database.sql(left), "190|380");
}

#[tokio::test]
async fn what_a_postgres_database_changes_elsewhere_is_told_or_more_than_any_bound() {
    let Some(shop) = postgres() else { return };
    let database = shop.database.as_ref().unwrap();
    let (port, name) = (database.cluster().port(), &database.name);
    database.sql(&format!(
        "CREATE TABLE far (id int); INSERT INTO far SELECT generate_series(1, 5); \
         CREATE EXTENSION postgres_fdw; CREATE SERVER there FOREIGN DATA WRAPPER postgres_fdw \
         OPTIONS (host 'localhost', port '{port}', dbname '{name}'); \
         CREATE USER MAPPING FOR writer SERVER there OPTIONS (user 'writer', password '{PASSWORD}'); \
         CREATE FOREIGN TABLE remote (id int) SERVER there OPTIONS (table_name 'far')"
    ));
    let hidden = "WITH d AS (DELETE FROM remote RETURNING 1) INSERT INTO log VALUES ('one')";
    for (statement, bound, words) in [
        ("DELETE FROM remote", most(Some(4), None), "5 rows, and 4"),
        (
            "/**/DELETE FROM remote",
            most(Some(4), None),
            "5 rows, and 4",
        ),
        (
            "-- no\r/* /* */ */ delete FROM remote",
            most(Some(4), None),
            "5 rows, and 4",
        ),
        (
            "/**/DELETE FROM remote",
            most(None, Some(99)),
            "nobody knows",
        ),
        (
            hidden,
            most(Some(1_000_000_000), None),
            "rows that nobody counts",
        ),
        (hidden, most(None, Some(100)), "nobody knows"),
        ("CREATE TABLE more ()", most(Some(1), None), "shape"),
    ] {
        let told = shop.tell(statement, "k1", bound).await;
        assert!(
            told.is_error && told.text.contains(words),
            "{statement}: {}",
            told.text
        );
        assert_eq!(database.sql("SELECT count(*) FROM far"), "5", "{statement}");
    }
    // What a person saw and said yes to is done.
    let seen = shop.tried(hidden).await;
    let tried: Tried = serde_json::from_value(seen.data["tried"].clone()).unwrap();
    let leave = Bound::of_leave(Some(&Foreseen::Tried(tried)));
    let done = shop.tell(hidden, "k1", leave).await;
    assert!(!done.is_error, "{}", done.text);
    let bounded = shop
        .tell("DELETE FROM log", "k2", most(Some(1), None))
        .await;
    assert!(!bounded.is_error, "{}", bounded.text);
    assert_eq!(database.sql("SELECT count(*) FROM far"), "0");
}

#[tokio::test]
async fn leave_to_try_changes_nothing_and_is_given_for_rows_alone() {
    let Some(shop) = sqlite().await else { return };
    let act = |statement: &str| {
        Act::of(Operation::SqlExecute {
            source: "shop".to_owned(),
            statement: statement.to_owned(),
            params: Vec::new(),
            key: "k".to_owned(),
        })
    };
    let mut grant = Grant {
        outside: shop.outside.clone(),
        ..grant(Level::Standard)
    };
    grant.acts.set("sql.change", Rule::Ask);
    let delete = act("DELETE FROM items");
    // It opens no sandbox that keeps what is done.
    let leave = to_try(&delete, &grant).unwrap();
    let reach = shop.outside.reach(&delete.operation).unwrap();
    let mut executor = open(reach, worker(shop.folder.path())).await;
    let refused = executor.run(&delete, leave, LONG).await.unwrap_err();
    assert!(refused.to_string().contains("another act"), "{refused}");
    executor.stop().await;
    assert_eq!(shop.rows().await[1], 400);
    let other = act("DELETE FROM items WHERE writefile('/tmp/x', '') > 0");
    assert!(to_try(&other, &grant).unwrap_err().contains("writefile"));
    grant.acts.set("sql.change", Rule::Deny);
    assert!(to_try(&delete, &grant).unwrap_err().contains("denies"));
    grant.level = Level::Restricted;
    assert!(to_try(&delete, &grant).unwrap_err().contains("level"));
}
