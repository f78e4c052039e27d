//! Planted trouble among good rows, and rows that only look like trouble.
#![allow(clippy::unwrap_used)]
use super::*;

fn told(text: &str) -> Vec<String> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("orders.csv");
    std::fs::write(&path, text).unwrap();
    let found = scan(
        &Place::File {
            path: &path,
            table: None,
        },
        &Limits::default(),
    )
    .unwrap();
    let line = |f: &Finding| {
        let shown: Vec<String> = f
            .examples
            .iter()
            .map(|e| format!("{}:{}", e.row, e.value))
            .collect();
        format!(
            "{} {} {} [{}]",
            f.column.as_deref().unwrap_or("*"),
            f.count,
            f.what,
            shown.join(" ")
        )
    };
    let mut told: Vec<String> = found.findings.iter().map(line).collect();
    told.sort();
    told
}

/// Twenty good rows to hide the planted ones in.
fn good() -> String {
    (1..=20)
        .map(|n| format!("{n},2026-01-{n:02},{n}.5,City {n},yes,A{n:03}\n"))
        .collect()
}

const HEADER: &str = "id,day,price,city,ok,code\n";

#[test]
fn what_is_planted_is_found() {
    let bad = "7,2026-02-30,1.5,City 1,yes,0001\n21,03/04/2026,\"1,5\",city 2,no,0002\n22,1026-01-01,abc, City 3,maybe,0003\n,2026-01-05,2.5,Ã¼ber,no,0004\n24,2026-01-06,2.5,N/A,no,0005\n24,2026-01-06,2.5,N/A,no,0005\n";
    let expected = [
        "* 1 row is the same as an earlier one [26:24, 2026-01-06, 2.5, N/A]",
        "city 1 value begins or ends with spaces [23: City 3]",
        "city 1 value holds letters that were read in a wrong encoding [24:Ã¼ber]",
        "city 1 value is another spelling of one that is there [0:City 2 / city 2]",
        "city 2 values stand for nothing [25:N/A 26:N/A]",
        "day 1 date does not exist [21:2026-02-30]",
        "day 1 date is before 1900 or after 2100 [23:1026-01-01]",
        "day 1 value is written as day and month with slashes, the others as year-month-day [22:03/04/2026]",
        "id 1 value is missing, though it names rows [24:]",
        "id 2 values come again, though it names rows [21:7 26:24]",
        "ok 1 value is no true or false, as the others are [23:maybe]",
        "price 1 value is no number, as the others are [23:abc]",
        "price 1 value is written as numbers with a comma, the others as numbers [22:1,5]",
    ];
    assert_eq!(told(&format!("{HEADER}{}{bad}", good())), expected);
}

#[test]
fn decoys_are_left_alone() {
    assert_eq!(told(&format!("{HEADER}{}", good())), Vec::<String>::new());
    // Codes, sizes, phone numbers, versions, names with odd letters and a column of free text.
    let decoys: String = (1..=20)
        .map(|n| {
            format!("{n},0{n},{n}x{n},+49 30 {n},1.{n}.0,Zoë Šimůnek {n},\"see 12/13, or not\"\n")
        })
        .collect();
    assert_eq!(
        told(&format!("id,zip,size,phone,version,name,note\n{decoys}")),
        Vec::<String>::new()
    );
}
