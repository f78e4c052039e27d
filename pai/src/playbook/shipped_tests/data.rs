//! The playbooks over data: what their scans answer where there is something to say and where there is nothing, and the
//! reports word for word.

use super::*;

/// What a playbook over data is asked; none for the others.
pub fn params_of(name: &str) -> Option<Value> {
    Some(match name {
        "profile-data" => json!({"file": "data.csv"}),
        "profile-table" => json!({"of": "shop:orders"}),
        "compare-tables" => json!({"left": "old.csv", "right": "shop:orders"}),
        "data-quality" | "duplicate-rows" => json!({"of": "orders.csv"}),
        "schema-overview" => json!({"source": "shop"}),
        _ => return None,
    })
}

fn profile(kind: &str, name: &str) -> Value {
    json!({"kind": kind, "tables": [{"name": name, "rows": 1200, "read": null, "duplicates": 3, "keys": ["id"], "columns": [
        {"name": "id", "type": "integer", "nulls": 0, "blanks": 0, "distinct": 1200, "min": 1, "max": 1200, "mean": 600.5, "common": []},
        {"name": "city", "type": "text", "nulls": 300, "blanks": 2, "distinct": 12, "min": "Aachen", "max": "Zwickau", "mean": null, "common": [{"value": "Bonn", "count": 400}, {"value": "Ulm", "count": 20}]},
        {"name": "price", "type": "real", "nulls": 0, "blanks": 0, "distinct": 40, "min": 0.5, "max": 99.5, "mean": 12.25, "common": []},
        {"name": "note", "type": "empty", "nulls": 1200, "blanks": 0, "distinct": 0, "min": null, "max": null, "mean": null, "common": []}]}]})
}

fn no_rows(kind: &str, name: &str) -> Value {
    json!({"kind": kind, "tables": [{"name": name, "rows": 0, "read": null, "duplicates": 0, "keys": [], "columns": []}]})
}

fn side(name: &str, rows: u64, only: Value) -> Value {
    json!({"kind": "csv", "name": name, "rows": rows, "own_columns": [], "repeated": 0, "ragged": 0, "only": only.as_array().unwrap().len(), "only_keys": only})
}

/// Tables with something of everything.
pub fn rich() -> World {
    let mut left = side("old", 1000, json!(["4", "9"]));
    left["own_columns"] = json!(["note"]);
    left["ragged"] = json!(1);
    let mut right = side("orders", 999, json!(["5"]));
    right["own_columns"] = json!(["extra"]);
    right["repeated"] = json!(2);
    json!({
        "Profile": profile("csv", "data"),
        "ProfileTable": profile("postgres", "public.orders"),
        "CompareTables": {"left": left, "right": right, "key": ["id"], "key_from": "primary key", "columns": ["id", "price", "name"], "types": [{"column": "price", "left": "REAL", "right": "INTEGER"}],
            "same": 994, "changed": 4, "empty_is_none": true, "differences": [
                {"column": "price", "changed": 3, "missing": 1, "empty": 0, "examples": [{"key": "3", "left": "3", "right": "3.5"}, {"key": "7", "left": null, "right": "1"}], "spelled": 900, "spelled_example": {"key": "1", "left": "1.0", "right": "1"}},
                {"column": "name", "changed": 1, "missing": 0, "empty": 1, "examples": [{"key": "10", "left": "Eva", "right": "Eve"}], "spelled": 0, "spelled_example": null}]},
        "DataQuality": {"name": "orders", "kind": "csv", "rows": 1200, "whole": false, "columns": 6, "findings": [
            {"column": "city", "what": "values are missing", "count": 300, "examples": [{"row": 3, "value": ""}]},
            {"column": "day", "what": "dates do not exist", "count": 2, "examples": [{"row": 21, "value": "2026-02-30"}, {"row": 40, "value": "2026-13-01"}]},
            {"column": null, "what": "row is the same as an earlier one", "count": 1, "examples": [{"row": 26, "value": "24, x"}]}]},
        "FindDuplicates": {"name": "orders", "kind": "csv", "rows": 1200, "by": ["name", "mail"], "whole": true, "groups": 2, "extra": 3,
            "shown": [{"values": ["Ann", "a@x"], "count": 3, "rows": [1, 3, 6]}], "alike": 1, "alike_shown": [["Ann, a@x", "ann, A@x"]]},
        "SchemaOverview": {"kind": "postgres", "views": 1, "bytes": 8_500_000, "counted_since": "2026-11-01", "findings": ["2 rows of orders refer by customer_id to customers that are not there", "log has no primary key"],
            "tables": [
                {"name": "orders", "rows": 120_000, "estimated": true, "bytes": 7_000_000, "columns": 5, "key": ["id"], "references": [{"columns": ["customer_id"], "to": "customers", "broken": 2, "indexed": false}],
                    "indexes": [{"name": "by_day", "columns": ["day"], "unique": false, "bytes": 16384, "uses": 4, "within": null}]},
                {"name": "log", "rows": 7, "estimated": false, "bytes": 8192, "columns": 2, "key": [], "references": [], "indexes": []}]},
    })
}

/// Tables with nothing in them, or nothing to find.
pub fn bare() -> World {
    json!({
        "Profile": no_rows("csv", "data"),
        "ProfileTable": no_rows("postgres", "public.orders"),
        "CompareTables": {"left": side("old", 5, json!([])), "right": side("orders", 5, json!([])), "key": ["id"], "key_from": "unique", "columns": ["id"], "types": [], "same": 5, "changed": 0, "empty_is_none": false, "differences": []},
        "DataQuality": {"name": "orders", "kind": "csv", "rows": 20, "whole": true, "columns": 6, "findings": []},
        "FindDuplicates": {"name": "orders", "kind": "csv", "rows": 20, "by": ["name"], "whole": true, "groups": 0, "extra": 0, "shown": [], "alike": 0, "alike_shown": []},
        "SchemaOverview": {"kind": "sqlite", "views": 0, "bytes": 4096, "counted_since": null, "findings": [], "tables": []},
    })
}

fn check(name: &str, world: &World, expected: &str) {
    assert_eq!(
        report(name, &params_of(name).unwrap(), world),
        expected,
        "{name}"
    );
}

const PROFILE: &str = "\
`NAME` (KIND) holds 1,200 rows in 4 columns.
- id: integer, never empty, 1,200 distinct values, from 1 to 1200
- city: text, 300 empty (25 %), 2 with nothing but spaces, 12 distinct values, from Aachen to Zwickau; most often Bonn (400), Ulm (20)
- price: real, never empty, 40 distinct values, from 0.5 to 99.5, mean 12.25
- note: empty, always empty, 0 distinct values
- Could be a key: id
- 3 rows are the same as an earlier one in every column";

#[test]
fn profiles() {
    let told = |name: &str, kind: &str| PROFILE.replace("NAME", name).replace("KIND", kind);
    check("profile-data", &rich(), &told("data.csv", "csv"));
    check(
        "profile-data",
        &bare(),
        "`data.csv` (csv) holds 0 rows in 0 columns.",
    );
    check("profile-table", &rich(), &told("shop:orders", "postgres"));
    let named = json!({"table": "orders", "source": "shop"});
    assert_eq!(
        report("profile-table", &named, &rich()),
        told("shop:orders", "postgres")
    );
    let mut large = rich();
    large["Profile"]["tables"][0]["rows"] = json!(9_000_000);
    large["Profile"]["tables"][0]["read"] = json!(1200);
    large["Profile"]["tables"][0]["keys"] = json!([]);
    let text = report("profile-data", &json!({"file": "data.csv"}), &large);
    assert!(text.contains("holds 9,000,000 rows in 4 columns.\nIt is large: everything below is about 1,200 rows of it."), "{text}");
    assert!(
        text.contains("300 empty (25 %)") && text.contains("No column could be a key by itself"),
        "{text}"
    );
}

#[test]
fn comparisons() {
    check(
        "compare-tables",
        &rich(),
        "\
7 rows differ between `old.csv` (1,000 rows) and `shop:orders` (999 rows); 994 rows are the same.
- Only in old.csv: 2 rows, id 4; 9
- Only in shop:orders: 1 row, id 5
- Changed: 4 rows
  - price: 3 values, 1 of them missing on one side: 3 3 → 3.5; 7 (none) → 1
  - name: 1 value, 1 of them NULL on one side and an empty text on the other: 10 Eva → Eve
- Columns only in old.csv: note
- Columns only in shop:orders: extra
- Declared differently: price is REAL in old.csv and INTEGER in shop:orders
- Equal but written differently: 900 values of price, such as 1.0 and 1

Rows are told apart by id (the primary key).
The key comes again in 0 rows of old.csv and 2 rows of shop:orders; such rows are matched in order.
Rows with more or fewer fields than the header: 1 of old.csv, 0 of shop:orders.
An empty text counts as no value: a CSV file cannot tell them apart.",
    );
    check(
        "compare-tables",
        &bare(),
        "\
`old.csv` and `shop:orders` hold the same 5 rows in 1 column.

Rows are told apart by id (no value is missing or repeated).",
    );
}

#[test]
fn quality_and_duplicates() {
    check(
        "data-quality",
        &rich(),
        "\
3 things to look at in `orders.csv` (1,200 rows, 6 columns):
- city: 300 values are missing
- day: 2 dates do not exist – 2026-02-30 (row 21); 2026-13-01 (row 40)
- 1 row is the same as an earlier one – 24, x (row 26)

The table is large: these are the first 1,200 rows or a sample of it.
Rows are counted without the header.",
    );
    check(
        "data-quality",
        &bare(),
        "I found nothing wrong with the values of `orders.csv`: 20 rows, 6 columns.",
    );
    check(
        "duplicate-rows",
        &rich(),
        "\
3 rows of 1,200 in `orders.csv` are a repetition of an earlier one; 2 values come more than once:
- 3×: Ann, a@x (rows 1, 3, 6)
- and 1 more

1 more differs by case and spaces only:
- Ann, a@x / ann, A@x

Rows are counted without the header.",
    );
    check(
        "duplicate-rows",
        &bare(),
        "No duplicates in `orders.csv`: 20 rows, all different.",
    );
}

#[test]
fn schemas() {
    check(
        "schema-overview",
        &rich(),
        "\
`shop` (postgres, 8.5 MB) has 2 tables and 1 view; 2 things to look at:
- 2 rows of orders refer by customer_id to customers that are not there
- log has no primary key

Tables:
- orders: about 120,000 rows, 5 columns, 7.0 MB; key id; refers to customers; 1 index
- log: 7 rows, 2 columns, 8.2 kB; no key

Uses of indexes are counted since 2026-11-01.",
    );
    check(
        "schema-overview",
        &bare(),
        "`shop` (sqlite) holds no tables.",
    );
}
