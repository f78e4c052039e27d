//! A thousand ways to tamper with a chain, each of which must be seen; and the control: the same
//! tamperings, looked at without seal or without anchor, are not all seen.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]
use super::super::line::tests::entry;
use super::*;
use jiff::Timestamp;
use rand::rngs::SmallRng;
use rand::{Rng, RngExt, SeedableRng};

const KEY: [u8; 32] = [7; 32];

fn chain(lines: usize, key: &SealKey) -> Vec<String> {
    let mut head = Head::default();
    let mut all = Vec::new();
    for n in 0..lines {
        let mut entry = entry(&format!("act {n}"));
        entry.call = format!("execute/{}", n / 2);
        entry.stage = match n % 2 {
            0 => Stage::Before,
            _ => Stage::After,
        };
        let at = Timestamp::UNIX_EPOCH;
        let line = Line::of(entry, head.seq + 1, at, "h", &head.hash);
        let text = line.text(key);
        head = Head {
            seq: line.seq,
            hash: digest(&text),
        };
        all.push(text);
    }
    all
}

fn head_of(chain: &[String]) -> Head {
    Head {
        seq: chain.len() as u64,
        hash: chain.last().map_or(GENESIS.to_owned(), |text| digest(text)),
    }
}

fn verify(chain: &[String], key: Option<SealKey>, anchors: Vec<Anchor>) -> Result<Whole, Fault> {
    let mut walk = Walk::new(key, anchors);
    for text in chain {
        walk.line(text)?;
    }
    walk.end()
}

/// Makes the digests of all lines from `from` on fit again, with seals of a key that is not the
/// warden's (or as they were, where `seal` is none).
fn rehash(chain: &mut [String], from: usize, key: &SealKey) {
    for at in from..chain.len() {
        let prev = match at {
            0 => GENESIS.to_owned(),
            _ => digest(&chain[at - 1]),
        };
        let mut line = Line::read(&chain[at], None).unwrap();
        line.seq = at as u64 + 1;
        line.prev = prev;
        chain[at] = line.text(key);
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Way {
    Bit,
    Field,
    Drop,
    Swap,
    Double,
    Cut,
    Insert,
    Rehash,
    RehashCut,
    Other,
}

const WAYS: [Way; 10] = [
    Way::Bit,
    Way::Field,
    Way::Drop,
    Way::Swap,
    Way::Double,
    Way::Cut,
    Way::Insert,
    Way::Rehash,
    Way::RehashCut,
    Way::Other,
];

/// Tampers with a chain; `None` where this draw would have changed nothing.
fn tamper(good: &[String], way: Way, draw: &mut impl Rng) -> Option<Vec<String>> {
    let mut bad = good.to_vec();
    let at = draw.random_range(0..bad.len());
    let forged = SealKey::of(draw.random());
    match way {
        Way::Bit => {
            let mut bytes = bad[at].clone().into_bytes();
            let byte = draw.random_range(0..bytes.len());
            bytes[byte] ^= 1 << draw.random_range(0..7);
            bad[at] = String::from_utf8_lossy(&bytes).into_owned();
        }
        Way::Field => bad[at] = bad[at].replace("\"code\"", "\"qa\""),
        Way::Drop => drop(bad.remove(at)),
        Way::Swap => {
            let other = draw.random_range(0..bad.len());
            bad.swap(at, other);
        }
        Way::Double => bad.insert(at, bad[at].clone()),
        Way::Cut => bad.truncate(at),
        Way::Insert => {
            let line = Line::of(
                entry("forged"),
                at as u64 + 1,
                Timestamp::UNIX_EPOCH,
                "h",
                GENESIS,
            );
            bad.insert(at, line.text(&forged));
            rehash(&mut bad, at, &forged);
        }
        Way::Rehash => {
            bad[at] = bad[at].replace("\"code\"", "\"qa\"");
            rehash(&mut bad, at, &forged);
        }
        Way::RehashCut => {
            bad.remove(at);
            rehash(&mut bad, at, &forged);
        }
        Way::Other => bad = chain(draw.random_range(1..14), &forged),
    }
    (bad != good).then_some(bad)
}

#[test]
fn a_thousand_of_a_thousand_tamperings_are_seen() {
    let key = SealKey::of(KEY);
    let mut draw = SmallRng::seed_from_u64(41);
    let mut seen = 0;
    let mut missed_without_seal = HashSet::new();
    let mut missed_without_anchor = HashSet::new();
    let mut done = 0;
    while done < 1000 {
        let good = chain(draw.random_range(2..14), &key);
        let anchor = Anchor {
            by: "the ledger".to_owned(),
            head: head_of(&good),
        };
        let whole = verify(&good, Some(key.clone()), vec![anchor.clone()]).unwrap();
        assert_eq!(
            (whole.head, whole.open),
            (head_of(&good), good.len() as u64 % 2)
        );
        let way = WAYS[done % WAYS.len()];
        let Some(bad) = tamper(&good, way, &mut draw) else {
            continue;
        };
        done += 1;
        let found = verify(&bad, Some(key.clone()), vec![anchor]);
        match found {
            Err(_) => seen += 1,
            Ok(whole) => panic!("{way:?} was not seen: {whole:?}"),
        }
        // The control: what a check that knows neither key nor anchor lets through.
        if verify(&bad, None, Vec::new()).is_ok() {
            missed_without_seal.insert(way);
        }
        if verify(&bad, Some(key.clone()), Vec::new()).is_ok() {
            missed_without_anchor.insert(way);
        }
    }
    assert_eq!(seen, 1000);
    for way in [
        Way::Rehash,
        Way::RehashCut,
        Way::Insert,
        Way::Other,
        Way::Cut,
    ] {
        assert!(missed_without_seal.contains(&way), "{way:?}");
    }
    assert!(missed_without_anchor.contains(&Way::Cut));
    assert!(!missed_without_anchor.contains(&Way::Rehash));
}

#[test]
fn a_fault_names_its_line() {
    let key = SealKey::of(KEY);
    let good = chain(12, &key);
    let check = |bad: &[String], line: u64, words: &str| {
        let anchor = Anchor {
            by: "the ledger".to_owned(),
            head: head_of(&good),
        };
        let fault = verify(bad, Some(key.clone()), vec![anchor]).unwrap_err();
        assert_eq!(fault.line, line, "{fault}");
        assert!(fault.to_string().contains(words), "{fault}");
    };
    let mut bad = good.clone();
    bad[4] = bad[4].replace("\"code\"", "\"qa\"");
    check(&bad, 5, "seal does not fit");
    bad = good.clone();
    bad.remove(6);
    check(&bad, 7, "line 8 stands here");
    check(&good[..9], 10, "the ledger remembers line 12");
    check(&[], 1, "tail was cut off");
    // Sealed by the warden itself, and yet not what was remembered.
    let mut other = good.clone();
    other[11] = other[11].replace("act 11", "act 99");
    rehash(&mut other, 11, &key);
    check(&other, 12, "written anew");
}
