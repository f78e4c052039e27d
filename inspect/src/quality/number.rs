//! One value is, two values are: the words of a finding as they follow their count.

/// How it is said of many, and how of one. The longest that fits comes first.
const OF_ONE: [(&str, &str); 12] = [
    ("values, all of them, are", "value, the only one, is"),
    ("values are no numbers,", "value is no number,"),
    ("values are no dates,", "value is no date,"),
    ("values are", "value is"),
    ("values come", "value comes"),
    ("values stand", "value stands"),
    ("values begin or end", "value begins or ends"),
    ("values hold", "value holds"),
    ("dates do not", "date does not"),
    ("dates are", "date is"),
    ("rows are", "row is"),
    ("rows have", "row has"),
];

/// The words after a count: those of many, but for one.
pub fn counted(what: &str, count: u64) -> String {
    let one = || {
        let of = |(many, one): &(&str, &str)| Some(format!("{one}{}", what.strip_prefix(many)?));
        OF_ONE.iter().find_map(of)
    };
    match count {
        1 => one().unwrap_or_else(|| what.to_owned()),
        _ => what.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_not_many() {
        for (what, count, expected) in [
            ("values are missing", 1, "value is missing"),
            ("values are missing", 2, "values are missing"),
            (
                "values are no numbers, as the others are",
                1,
                "value is no number, as the others are",
            ),
            ("dates do not exist", 1, "date does not exist"),
            ("rows have more", 1, "row has more"),
            ("lines are odd", 1, "lines are odd"),
        ] {
            assert_eq!(counted(what, count), expected);
        }
    }
}
