//! Two small tables with known differences, of every kind and across kinds, and two that are the same.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::data::sqlite::make;
use proptest::prelude::*;

const OLD: &str = "id,name,price,zip,note\n1,Ann,1.0,00123,\n2,Bob,2.5,00124,x\n3,Cid,3,00125,y\n4,Dan,4,00126,z\n10,Eva,5,00127,w\n";
const NEW: &str = "id,price,name,zip,extra\n1,1,Ann,00123,a\n2,2.50,Bob,124,b\n3,3.5,Cid,00125,c\n5,4,Fay,00128,d\n10,5,Eve,00127,e\n";

fn file(dir: &tempfile::TempDir, name: &str, text: &str) -> std::path::PathBuf {
    let path = dir.path().join(name);
    std::fs::write(&path, text).unwrap();
    path
}

fn place(path: &std::path::Path) -> Place<'_> {
    Place::File { path, table: None }
}

fn compared(left: &str, right: &str, key: &[&str]) -> Result<Comparison, InspectError> {
    let dir = tempfile::tempdir().unwrap();
    let (left, right) = (file(&dir, "left.csv", left), file(&dir, "right.csv", right));
    let key: Vec<String> = key.iter().map(|k| (*k).to_owned()).collect();
    scan(&place(&left), &place(&right), &key, dir.path())
}

fn told(of: &Comparison) -> String {
    let columns = of.differences.iter().map(|c| {
        let shown = c.examples.iter().map(|e| {
            format!(
                "{}:{}>{}",
                e.key,
                e.left.as_deref().unwrap_or("-"),
                e.right.as_deref().unwrap_or("-")
            )
        });
        format!(
            "{} {} ~{} [{}]",
            c.column,
            c.changed,
            c.spelled,
            shown.collect::<Vec<_>>().join(" ")
        )
    });
    let columns: Vec<String> = columns.collect();
    format!(
        "{} {} | {:?} {:?} | {}",
        of.same,
        of.changed,
        of.left.only_keys,
        of.right.only_keys,
        columns.join("; ")
    )
}

#[test]
fn planted_differences_are_found_and_nothing_else() {
    let found = compared(OLD, NEW, &[]).unwrap();
    assert_eq!(
        (found.key.join(","), found.key_from.as_str()),
        ("id".to_owned(), "unique")
    );
    assert_eq!(
        told(&found),
        "1 3 | [\"4\"] [\"5\"] | name 1 ~0 [10:Eva>Eve]; price 1 ~2 [3:3>3.5]; zip 1 ~0 [2:00124>124]"
    );
    assert_eq!(
        (
            found.left.own_columns.join(","),
            found.right.own_columns.join(",")
        ),
        ("note".to_owned(), "extra".to_owned())
    );
    let same = compared(OLD, OLD, &[]).unwrap();
    assert!(same.is_same() && same.differences.is_empty() && same.same == 5);
}

#[test]
fn a_database_is_compared_with_a_file_and_the_key_is_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let db = dir.path().join("shop.db");
    make(
        &db,
        "CREATE TABLE fruit (name TEXT, id INTEGER PRIMARY KEY, price REAL, ok BOOLEAN, v TEXT); INSERT INTO fruit VALUES ('pear', 1, 1.0, 1, '1.10'), ('', 2, NULL, 0, '2'), ('fig', 3, 2.5, 1, NULL); CREATE TABLE other (x)",
    );
    let csv = file(
        &dir,
        "fruit.csv",
        "ID,name,price,ok,v\n1,pear,1,true,1.1\n2,,,no,2\n3,fig,2.25,yes,\n",
    );
    let of_table = Place::File {
        path: &db,
        table: Some("fruit"),
    };
    let found = scan(&of_table, &place(&csv), &[], dir.path()).unwrap();
    assert_eq!(
        (
            found.key.join(","),
            found.key_from.as_str(),
            found.empty_is_none
        ),
        ("id".to_owned(), "primary key", true)
    );
    // Text is compared letter by letter: 1.10 is a version, not a number.
    assert_eq!(
        told(&found),
        "1 2 | [] [] | price 1 ~0 [3:2.5>2.25]; ok 0 ~3 []; v 1 ~0 [1:1.10>1.1]"
    );
    // Between two databases none and empty are two things.
    let twin = dir.path().join("twin.db");
    make(
        &twin,
        "CREATE TABLE fruit (name TEXT, id INTEGER PRIMARY KEY, price INTEGER, ok BOOLEAN, v TEXT); INSERT INTO fruit VALUES ('pear', 1, 1, 1, '1.10'), (NULL, 2, NULL, 0, '2'), ('fig', 3, 2.5, 1, 'x')",
    );
    let found = scan(&of_table, &place(&twin), &[], dir.path()).unwrap();
    let name = &found.differences[0];
    assert_eq!(
        (name.column.as_str(), name.changed, name.empty, name.missing),
        ("name", 1, 1, 0)
    );
    assert_eq!(
        found.types,
        [TypeDifference {
            column: "price".into(),
            left: "REAL".into(),
            right: "INTEGER".into()
        }]
    );
    let unnamed = scan(&place(&db), &place(&csv), &[], dir.path())
        .unwrap_err()
        .to_string();
    assert!(
        unnamed.contains("it holds 2 tables, say which: fruit, other"),
        "{unnamed}"
    );
}

#[test]
fn repeated_keys_no_key_and_no_column() {
    let found = compared("k,v\na,1\na,2\nb,3\n", "k,v\na,2\na,9\na,1\nb,3\n", &["k"]).unwrap();
    assert_eq!((found.left.repeated, found.right.repeated), (1, 2));
    assert_eq!(told(&found), "3 0 | [] [\"a\"] | ");
    let whole = compared("k,v\na,x\na,x\nb,y\n", "k,v\na,x\nb,z\nb,z\n", &[]).unwrap();
    assert_eq!(whole.key_from, "whole rows");
    assert_eq!(
        told(&whole),
        "1 0 | [\"a, x\", \"b, y\"] [\"b, z\", \"b, z\"] | "
    );
    assert!(
        compared("a\nx\n", "b\nx\n", &[])
            .unwrap_err()
            .to_string()
            .contains("share no column")
    );
    assert!(
        compared("a\nx\n", "a\nx\n", &["q"])
            .unwrap_err()
            .to_string()
            .contains("`q` is no column of both; they share a")
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn counts_agree_with_a_map(left in proptest::collection::btree_map(0u16..60, 0u8..4, 1..40), right in proptest::collection::btree_map(0u16..60, 0u8..4, 1..40)) {
        let csv = |rows: &std::collections::BTreeMap<u16, u8>| {
            let lines: Vec<String> = rows.iter().rev().map(|(k, v)| format!("{k},v{v}\n")).collect();
            format!("k,v\n{}", lines.concat())
        };
        let found = compared(&csv(&left), &csv(&right), &["k"]).unwrap();
        let both = |same: bool| left.iter().filter(|(k, v)| right.get(k).is_some_and(|o| (o == *v) == same)).count() as u64;
        prop_assert_eq!((found.same, found.changed), (both(true), both(false)));
        prop_assert_eq!(found.left.only, left.keys().filter(|k| !right.contains_key(k)).count() as u64);
        prop_assert_eq!(found.right.only, right.keys().filter(|k| !left.contains_key(k)).count() as u64);
    }
}
