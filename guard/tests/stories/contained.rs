//! A statement for an SQLite file is one, on that file alone, inside the transaction in which it is counted and kept, whatever
//! it says.

use super::outside::{open, worker};
use super::rows::{most, run_in, sqlite};
use super::*;
use protocol::acts::Bound;

#[tokio::test]
async fn no_statement_leaves_its_file_or_the_transaction_it_is_counted_in() {
    let Some(shop) = sqlite().await else { return };
    let other = shop.folder.path().join("other.db");
    std::fs::copy(shop.folder.path().join("shop.db"), &other).unwrap();
    worker(shop.folder.path());
    let other = other.display();
    let attached = format!("ATTACH '{other}' AS o");
    let both = format!("ATTACH '{other}' AS o; DELETE FROM o.items");
    let into = format!("VACUUM INTO '{other}.copy'");
    for bound in [Bound::free(), Bound::trial(), most(Some(1), None)] {
        for statement in [
            "DELETE FROM items; COMMIT; BEGIN",
            "DELETE FROM items; COMMIT",
            "DELETE FROM items; END; DELETE FROM log",
            "ROLLBACK; DELETE FROM items",
            "ROLLBACK; BEGIN; DELETE FROM items",
            "ROLLBACK; BEGIN; DELETE FROM items; COMMIT; BEGIN",
            "COMMIT",
            "SAVEPOINT a; DELETE FROM items WHERE id = 400; RELEASE a",
            "DELETE FROM items; DELETE FROM orders",
            "PRAGMA schema_version = 7",
            "DROP TABLE log; PRAGMA schema_version = 7",
            "PRAGMA journal_mode = OFF",
            "CREATE TEMP TABLE items AS SELECT 1",
            "DELETE FROM ai_infra_calls",
            "UPDATE orders AS ['] SET state = 1 WHERE 0; DELETE FROM items --'",
            &attached,
            &both,
            &into,
        ] {
            let told = shop.tell(statement, "same", bound.clone()).await;
            assert!(told.is_error, "{statement}: {}", told.text);
            assert_eq!(shop.rows().await, [200, 400, 0], "{statement}");
        }
    }
    // Nor does a question.
    let reading = format!("ATTACH '{other}' AS o; SELECT count(*) AS n FROM o.items");
    for statement in [attached.as_str(), &reading, "SELECT 1; SELECT 2"] {
        let operation = Operation::SqlQuery {
            source: "shop".to_owned(),
            statement: statement.to_owned(),
            params: Vec::new(),
            limit: 1,
        };
        let reach = shop.outside.reach(&operation).unwrap();
        let mut executor = open(reach, worker(shop.folder.path())).await;
        let told = run_in(&mut executor, operation, &shop.outside).await;
        assert!(told.is_error, "{statement}: {}", told.text);
        executor.stop().await;
    }
    // A reference that is looked at last is refused, and nobody is asked what became of it.
    let late =
        "CREATE TABLE late (of INTEGER REFERENCES orders (id) DEFERRABLE INITIALLY DEFERRED)";
    assert!(!shop.tell(late, "late", Bound::free()).await.is_error);
    let told = shop
        .tell("INSERT INTO late VALUES (9999)", "same", Bound::free())
        .await;
    assert!(told.is_error && told.data["unknown"].is_null(), "{told:?}");
    // Rows that give way are counted.
    let swapped = "INSERT OR REPLACE INTO items SELECT id, of FROM items WHERE id < 9";
    let told = shop.tell(swapped, "same", most(None, Some(1))).await;
    assert!(told.text.contains("2 % of items"), "{}", told.text);
    // The key is free still.
    let within = "DELETE FROM items WHERE id = 400;  -- the last one";
    let told = shop.tell(within, "same", most(Some(1), None)).await;
    assert!(!told.is_error, "{}", told.text);
    assert_eq!(shop.rows().await, [200, 399, 0]);
}
