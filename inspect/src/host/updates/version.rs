//! Versions of Debian packages and their order, as Debian Policy 5.6.12 has it.

use std::cmp::Ordering;

/// Compares two versions.
pub fn compare(one: &str, two: &str) -> Ordering {
    let (one, two) = (parts(one), parts(two));
    one.0
        .cmp(&two.0)
        .then_with(|| piece(one.1, two.1))
        .then_with(|| piece(one.2, two.2))
}

/// Epoch, upstream version, revision.
fn parts(version: &str) -> (u64, &str, &str) {
    let (epoch, rest) = match version.split_once(':') {
        Some((epoch, rest)) => (epoch.parse().unwrap_or(0), rest),
        None => (0, version),
    };
    let (upstream, revision) = rest.rsplit_once('-').unwrap_or((rest, ""));
    (epoch, upstream, revision)
}

fn piece(mut one: &str, mut two: &str) -> Ordering {
    while !one.is_empty() || !two.is_empty() {
        let (a, b) = (text(&mut one), text(&mut two));
        let weights = |text: &str| text.chars().map(weight).chain([0]).collect::<Vec<i64>>();
        let by_text = weights(a).cmp(&weights(b));
        let by_number = || number(&mut one).cmp(&number(&mut two));
        let order = by_text.then_with(by_number);
        if order != Ordering::Equal {
            return order;
        }
    }
    Ordering::Equal
}

/// `~` sorts before the end, letters before everything else.
fn weight(c: char) -> i64 {
    match c {
        '~' => -1,
        c if c.is_ascii_alphabetic() => i64::from(u32::from(c)),
        c => i64::from(u32::from(c)) + 256,
    }
}

fn text<'a>(rest: &mut &'a str) -> &'a str {
    let at = rest
        .find(|c: char| c.is_ascii_digit())
        .unwrap_or(rest.len());
    let (head, tail) = rest.split_at(at);
    *rest = tail;
    head
}

/// The number at the start, as its digits: length first, so that none is too large.
fn number(rest: &mut &str) -> (usize, String) {
    let at = rest
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(rest.len());
    let (head, tail) = rest.split_at(at);
    *rest = tail;
    let digits = head.trim_start_matches('0');
    (digits.len(), digits.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn versions_are_ordered_as_dpkg_orders_them() {
        for (one, two) in [
            ("1.0", "1.1"),
            ("1.9", "1.10"),
            ("1.0~rc1", "1.0"),
            ("1.0-1", "1.0-1+deb12u1"),
            ("1.0-1~bpo12+1", "1.0-1"),
            ("9", "1:0"),
            ("1.0", "1.0a"),
            ("1.0a", "1.0+"),
            ("2.36-9+deb12u4", "2.36-9+deb12u10"),
            ("1.2.3", "1.2.3-1"),
            ("18446744073709551615", "18446744073709551616"),
        ] {
            assert_eq!(compare(one, two), Ordering::Less, "{one} {two}");
            assert_eq!(compare(two, one), Ordering::Greater, "{two} {one}");
        }
        assert_eq!(compare("1.01", "1.1"), Ordering::Equal);
        assert_eq!(compare("0:1", "1"), Ordering::Equal);
    }

    proptest! {
        #[test]
        fn the_order_is_one(a in "[0-9a-z.~+:-]{0,12}", b in "[0-9a-z.~+:-]{0,12}", c in "[0-9a-z.~+:-]{0,12}") {
            prop_assert_eq!(compare(&a, &b), compare(&b, &a).reverse());
            prop_assert_eq!(compare(&a, &a), Ordering::Equal);
            if compare(&a, &b) != Ordering::Greater && compare(&b, &c) != Ordering::Greater {
                prop_assert_ne!(compare(&a, &c), Ordering::Greater);
            }
        }
    }
}
