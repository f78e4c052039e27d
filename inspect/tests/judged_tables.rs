//! Random tables, with pandas as the judge of what our profile and comparison say of them. Where the two differ on
//! purpose is written at the top of judges/tables.py.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::{Path, PathBuf};
use std::process::Command;

use inspect::compare;
use inspect::data::Place;
use inspect::limits::Limits;
use inspect::profile::{self, TableProfile};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};

/// Tables of one run.
const TABLES: usize = 60;

/// What one column holds, cell by cell.
type Cells = Vec<String>;

fn values(kind: u8) -> BoxedStrategy<String> {
    let odd = r#"[a-zA-Zäßé€🦀"',;|\t\n #/\\_.:+-]{1,12}"#;
    match kind {
        0 => (-50i64..50).prop_map(|n| n.to_string()).boxed(),
        1 => prop_oneof![
            any::<i64>(),
            Just(i64::MAX),
            Just(i64::MIN),
            Just(9_007_199_254_740_993)
        ]
        .prop_map(|n| n.to_string())
        .boxed(),
        2 => (-1e6f64..1e6, 0usize..4)
            .prop_map(|(n, places)| format!("{n:.places$}"))
            .boxed(),
        3 => prop_oneof![
            (-1e300f64..1e300).prop_map(|n| format!("{n:e}")),
            (-1e-9f64..1e-9).prop_map(|n| format!("{n}")),
            Just("1e3".to_owned()),
            Just("5.".to_owned()),
            Just(".5".to_owned()),
            Just("+7".to_owned()),
        ]
        .boxed(),
        4 => (1990i32..2040, 1u32..13, 1u32..32)
            .prop_map(|(y, m, d)| format!("{y}-{m:02}-{d:02}"))
            .boxed(),
        5 => (1u32..29, 0u32..24, 0u32..60)
            .prop_map(|(d, h, m)| format!("2026-02-{d:02}T{h:02}:{m:02}:00Z"))
            .boxed(),
        6 => "(true|false|TRUE|no|yes)".boxed(),
        7 => "0[0-9]{1,4}".boxed(),
        8 => "[1-9][0-9]{18,24}".boxed(),
        9 => "(NA|N/A|nan|None|inf|-|1_000|0x10|1,5|2026-13-01|2026-01-01 noon|[a-z]{1,3})".boxed(),
        10 => Just(String::new()).boxed(),
        _ => odd.boxed(),
    }
}

/// Rows of a column: of so many different values that some come often, some missing.
fn column(kind: u8, rows: usize) -> BoxedStrategy<Cells> {
    let missing = prop_oneof![Just(""), Just(" "), Just("NULL"), Just("null")];
    let pool = proptest::collection::vec(values(kind), 1..40);
    (pool, any::<bool>())
        .prop_flat_map(move |(pool, holes)| {
            let one = prop_oneof![
                9 => proptest::sample::select(pool).prop_map(|v| v),
                u32::from(holes) => missing.clone().prop_map(str::to_owned),
            ];
            proptest::collection::vec(one, rows)
        })
        .boxed()
}

#[derive(Debug, Clone)]
struct Table {
    separator: char,
    columns: Vec<Cells>,
}

fn tables() -> impl Strategy<Value = Table> {
    let separators = proptest::sample::select(vec![',', ';', '\t', '|']);
    (
        separators,
        0usize..60,
        proptest::collection::vec(0u8..12, 1..6),
    )
        .prop_flat_map(|(separator, rows, kinds)| {
            let columns: Vec<_> = kinds.into_iter().map(|kind| column(kind, rows)).collect();
            columns.prop_map(move |columns| Table { separator, columns })
        })
}

/// As CSV, quoted where it must be; the first column is a number of the row where `ids` says so.
fn csv(table: &Table, rows: &[(usize, usize)]) -> String {
    let mark = table.separator;
    let field = |text: &str| match text.contains([mark, '"', '\n', '\r', '\'']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text.to_owned(),
    };
    let names: Vec<String> = (0..table.columns.len())
        .map(|at| format!("c {at}"))
        .collect();
    let line = |fields: Vec<String>| fields.join(&mark.to_string()) + "\n";
    let mut text = line(std::iter::once("id".to_owned()).chain(names).collect());
    for (id, row) in rows {
        let cells = table.columns.iter().map(|c| field(&c[*row]));
        text.push_str(&line(
            std::iter::once(id.to_string()).chain(cells).collect(),
        ));
    }
    text
}

fn judge(jobs: &Value) -> Option<Vec<Value>> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = here.join("../target/test-tools/venv/bin/python");
    let known = Command::new(&python).args(["-c", "import pandas"]).output();
    if !known.is_ok_and(|o| o.status.success()) {
        eprintln!("skipped: no pandas in target/test-tools/venv; scripts/test.sh installs it");
        return None;
    }
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("jobs.json");
    std::fs::write(&file, jobs.to_string()).unwrap();
    let script = here.join("tests/judges/tables.py");
    let output = Command::new(python)
        .args([&script, &file])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

/// The same tables in every run, so that a failure can be looked at.
fn runner() -> TestRunner {
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    TestRunner::new_with_rng(Config::default(), rng)
}

fn file(path: &Path) -> Place<'_> {
    Place::File { path, table: None }
}

/// Nothing but the last digits that a sum or a reader of numbers may lose.
fn near(ours: &Value, theirs: &Value, scale: f64) -> bool {
    match (ours.as_f64(), theirs.as_f64()) {
        _ if ours == theirs => true,
        (Some(one), Some(other)) => (one - other).abs() <= scale,
        _ => false,
    }
}

fn same_profile(ours: &TableProfile, theirs: &Value, text: &str) {
    let at = |what: &str| format!("{what}: ours {ours:#?}\npandas {theirs:#}\n{text}");
    assert_eq!(json!(ours.rows), theirs["rows"], "{}", at("rows"));
    assert_eq!(
        json!(ours.duplicates),
        theirs["duplicates"],
        "{}",
        at("duplicates")
    );
    assert_eq!(json!(ours.keys), theirs["keys"], "{}", at("keys"));
    for column in &ours.columns {
        let their = &theirs["columns"][&column.name];
        let at = |what: &str| at(&format!("{} of {}", what, column.name));
        assert_eq!(json!(column.nulls), their["nulls"], "{}", at("missing"));
        assert_eq!(json!(column.kind), their["kind"], "{}", at("type"));
        assert_eq!(
            json!(column.distinct),
            their["distinct"],
            "{}",
            at("distinct")
        );
        let common: Vec<Value> = column
            .common
            .iter()
            .map(|c| json!([c.value, c.count]))
            .collect();
        assert_eq!(json!(common), their["common"], "{}", at("most frequent"));
        let exact = column.kind != "real";
        let spread = their["spread"].as_f64().unwrap_or(0.0);
        for (what, one) in [("min", &column.min), ("max", &column.max)] {
            let right = match exact {
                true => *one == their[what],
                false => near(one, &their[what], spread * 1e-15),
            };
            assert!(right, "{}", at(what));
        }
        // We round; pandas' sum loses digits where numbers of very different size cancel out.
        let rounding = match column.mean.map_or(0.0, f64::abs) {
            small if small < 0.1 => small * 5.01e-4,
            _ => 5.01e-5,
        };
        let right = match (column.mean, their["mean"].as_f64()) {
            (Some(one), Some(other)) => (one - other).abs() <= rounding + spread * 1e-13,
            (ours, theirs) => ours == theirs,
        };
        assert!(right, "{}", at("mean"));
    }
}

#[test]
fn profiles_say_what_pandas_says() {
    let dir = tempfile::tempdir().unwrap();
    let mut runner = runner();
    let (mut jobs, mut texts) = (Vec::new(), Vec::new());
    for number in 0..TABLES {
        let table = tables().new_tree(&mut runner).unwrap().current();
        let count = table.columns.first().map_or(0, Vec::len);
        // Some rows come twice, with the same number.
        let twice = |at: usize| at - at % (1 + number % 3);
        let cells = |at: usize| if number % 2 == 0 { twice(at) } else { at };
        let mut rows: Vec<(usize, usize)> = (0..count).map(|at| (twice(at), cells(at))).collect();
        rows.sort_by_key(|(id, at)| (at * 7919 % 101, *id));
        let path = dir.path().join(format!("{number}.csv"));
        let text = csv(&table, &rows);
        std::fs::write(&path, &text).unwrap();
        jobs.push(json!({"path": path, "separator": table.separator}));
        texts.push((path, text));
    }
    let Some(answers) = judge(&Value::from(jobs)) else {
        return;
    };
    let mut kinds = std::collections::BTreeSet::new();
    let mut doubles = 0;
    for ((path, text), theirs) in texts.iter().zip(&answers) {
        let ours = profile::of(&file(path), &Limits::default()).unwrap();
        same_profile(&ours.tables[0], theirs, text);
        kinds.extend(ours.tables[0].columns.iter().map(|c| c.kind.clone()));
        doubles += ours.tables[0].duplicates.unwrap();
    }
    let kinds: Vec<&str> = kinds.iter().map(String::as_str).collect();
    assert_eq!(
        kinds,
        ["boolean", "date", "empty", "integer", "real", "text"]
    );
    assert!(doubles > 50, "{doubles}");
}

/// The same value as somebody else would have written it.
fn rewritten(value: &str, how: usize) -> String {
    let whole = !value.is_empty() && value.len() < 15 && value.bytes().all(|b| b.is_ascii_digit());
    match how {
        0 if whole && !value.starts_with('0') => format!("{value}.0"),
        1 if whole && !value.starts_with('0') => format!("{value}e0"),
        _ => value.to_owned(),
    }
}

#[test]
fn comparisons_say_what_pandas_says() {
    let dir = tempfile::tempdir().unwrap();
    let mut runner = runner();
    let (mut jobs, mut pairs): (Vec<Value>, Vec<[(PathBuf, String); 2]>) = Default::default();
    for number in 0..TABLES {
        let left = tables().new_tree(&mut runner).unwrap().current();
        let changes: Vec<u16> = proptest::collection::vec(any::<u16>(), 1..20)
            .new_tree(&mut runner)
            .unwrap()
            .current();
        let count = left.columns[0].len();
        let mut right = left.clone();
        for (at, change) in changes.iter().map(|c| usize::from(*c)).enumerate() {
            if count == 0 {
                break;
            }
            let (row, from) = (change % count, change / 7 % count);
            let of = at % right.columns.len();
            let column = &mut right.columns[of];
            column[row] = match at % 3 {
                0 => rewritten(&column[row], change % 2),
                1 => String::new(),
                _ => column[from].clone(),
            };
        }
        let ids: Vec<(usize, usize)> = (0..count).map(|at| (at, at)).collect();
        let theirs: Vec<(usize, usize)> = ids
            .iter()
            .rev()
            .map(|(id, at)| match (id + number) % 9 {
                8 => (id + 1000, *at),
                _ => (*id, *at),
            })
            .filter(|(id, _)| (id + number) % 11 != 0)
            .collect();
        let sides = [(left, ids, "left"), (right, theirs, "right")].map(|(table, rows, side)| {
            let path = dir.path().join(format!("{number}-{side}.csv"));
            let text = csv(&table, &rows);
            std::fs::write(&path, &text).unwrap();
            (path, text, table.separator)
        });
        jobs.push(json!({"path": sides[0].0, "other": sides[1].0, "separator": sides[0].2}));
        pairs.push(sides.map(|(path, text, _)| (path, text)));
    }
    let Some(answers) = judge(&Value::from(jobs)) else {
        return;
    };
    let mut seen = [0; 4];
    for ([left, right], theirs) in pairs.iter().zip(&answers) {
        let key = ["id".to_owned()];
        let ours = compare::scan(&file(&left.0), &file(&right.0), &key, dir.path()).unwrap();
        let columns: serde_json::Map<String, Value> = ours
            .differences
            .iter()
            .filter(|d| d.changed > 0)
            .map(|d| (d.column.clone(), json!(d.changed)))
            .collect();
        let told = json!({
            "left_only": ours.left.only, "right_only": ours.right.only,
            "changed": ours.changed, "same": ours.same, "columns": columns,
        });
        assert_eq!(told, *theirs, "ours and pandas'\n{}\n{}", left.1, right.1);
        for (at, number) in [ours.left.only, ours.right.only, ours.changed, ours.same]
            .into_iter()
            .enumerate()
        {
            seen[at] += number;
        }
    }
    assert!(seen.iter().all(|number| *number > 50), "{seen:?}");
}
