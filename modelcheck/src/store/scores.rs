//! Sorted sets. Scores are whole numbers, as all of the bus are.

use super::{Answer, Bytes, Content, Store, WRONG_TYPE, bulk, count, number, text};
use redis::Value;
use std::collections::BTreeMap;

type Scores = BTreeMap<Bytes, i64>;

/// A bound of a range of scores: its value, and whether it is open.
fn bound(word: &[u8]) -> Result<(i64, bool), String> {
    match word {
        b"-inf" => Ok((i64::MIN, false)),
        b"+inf" | b"inf" => Ok((i64::MAX, false)),
        [b'(', rest @ ..] => Ok((number(rest)?, true)),
        word => Ok((number(word)?, false)),
    }
}

/// Members by score, then by name.
fn ordered(scores: &Scores) -> Vec<(&Bytes, i64)> {
    let mut rows: Vec<(&Bytes, i64)> = scores.iter().map(|(m, s)| (m, *s)).collect();
    rows.sort_by_key(|(member, score)| (*score, (*member).clone()));
    rows
}

fn said(rows: &[(&Bytes, i64)], with_scores: bool) -> Value {
    let mut all = Vec::new();
    for (member, score) in rows {
        all.push(bulk(member));
        if with_scores {
            all.push(bulk(score.to_string().as_bytes()));
        }
    }
    Value::Array(all)
}

impl Store {
    pub(super) fn score_command(&mut self, name: &str, words: &[Bytes]) -> Answer {
        let [key, rest @ ..] = words else {
            return Err(Self::unknown(name));
        };
        let nothing = Scores::new();
        let scores = match self.peek(key) {
            None => &nothing,
            Some(Content::Scores(scores)) => scores,
            Some(_) => return Err(WRONG_TYPE.to_owned()),
        };
        match (name, rest) {
            ("ZCARD", []) => Ok(count(scores.len())),
            ("ZSCORE", [member]) => Ok(scores
                .get(member)
                .map_or(Value::Nil, |s| bulk(s.to_string().as_bytes()))),
            ("ZCOUNT", [low, high]) => {
                let rows = between(scores, low, high)?;
                Ok(count(rows.len()))
            }
            ("ZRANGE", [low, high, options @ ..]) => zrange(scores, low, high, options),
            ("ZRANGEBYSCORE", [low, high, options @ ..]) => by_score(scores, low, high, options),
            ("ZADD", rest) => self.zadd(key, rest),
            ("ZREM", members) if !members.is_empty() => {
                if self.peek(key).is_none() {
                    return Ok(Value::Int(0));
                }
                let scores = self.scores_mut(key);
                let gone = members
                    .iter()
                    .filter(|m| scores.remove(*m).is_some())
                    .count();
                self.drop_empty(key);
                Ok(count(gone))
            }
            _ => Err(Self::unknown(name)),
        }
    }

    fn scores_mut(&mut self, key: &[u8]) -> &mut Scores {
        match self.slot(key, || Content::Scores(Scores::new())) {
            Content::Scores(scores) => scores,
            _ => unreachable!("the kind was looked at above"),
        }
    }

    fn zadd(&mut self, key: &[u8], words: &[Bytes]) -> Answer {
        let mut words = words;
        let (mut only_new, mut only_old, mut greater) = (false, false, false);
        while let [word, rest @ ..] = words {
            match text(word).as_str() {
                "NX" => only_new = true,
                "XX" => only_old = true,
                "GT" => greater = true,
                _ => break,
            }
            words = rest;
        }
        if words.is_empty() || !words.len().is_multiple_of(2) {
            return Err(Self::unknown("ZADD"));
        }
        let mut new = 0;
        for pair in words.chunks(2) {
            let score = number(&pair[0])?;
            let old = match self.peek(key) {
                Some(Content::Scores(scores)) => scores.get(&pair[1]).copied(),
                _ => None,
            };
            if (old.is_some() && only_new)
                || (old.is_none() && only_old)
                || (greater && old.is_some_and(|old| old >= score))
            {
                continue;
            }
            new += usize::from(old.is_none());
            self.scores_mut(key).insert(pair[1].clone(), score);
        }
        Ok(count(new))
    }
}

fn between<'a>(
    scores: &'a Scores,
    low: &[u8],
    high: &[u8],
) -> Result<Vec<(&'a Bytes, i64)>, String> {
    let ((low, low_open), (high, high_open)) = (bound(low)?, bound(high)?);
    let mut rows = ordered(scores);
    rows.retain(|(_, s)| {
        let above = if low_open { *s > low } else { *s >= low };
        let below = if high_open { *s < high } else { *s <= high };
        above && below
    });
    Ok(rows)
}

fn by_score(scores: &Scores, low: &[u8], high: &[u8], options: &[Bytes]) -> Answer {
    let mut rows = between(scores, low, high)?;
    let mut with_scores = false;
    let mut options = options;
    loop {
        match options {
            [] => return Ok(said(&rows, with_scores)),
            [word, rest @ ..] if word.as_slice() == b"WITHSCORES" => {
                with_scores = true;
                options = rest;
            }
            [word, from, most, rest @ ..] if word.as_slice() == b"LIMIT" => {
                let from = usize::try_from(number(from)?).unwrap_or(0).min(rows.len());
                let most = usize::try_from(number(most)?).unwrap_or(usize::MAX);
                rows = rows.into_iter().skip(from).take(most).collect();
                options = rest;
            }
            _ => return Err(Store::unknown("ZRANGEBYSCORE")),
        }
    }
}

fn zrange(scores: &Scores, low: &[u8], high: &[u8], options: &[Bytes]) -> Answer {
    if let [word, rest @ ..] = options
        && word.as_slice() == b"BYSCORE"
    {
        return by_score(scores, low, high, rest);
    }
    let with_scores = match options {
        [] => false,
        [word] if word.as_slice() == b"WITHSCORES" => true,
        _ => return Err(Store::unknown("ZRANGE")),
    };
    let rows = ordered(scores);
    let place = |word: &[u8]| -> Result<i64, String> {
        let at = number(word)?;
        let all = i64::try_from(rows.len()).unwrap_or(i64::MAX);
        Ok(if at < 0 { all + at } else { at })
    };
    let (from, to) = (place(low)?.max(0), place(high)?);
    let rows: Vec<_> = rows
        .iter()
        .enumerate()
        .filter(|(at, _)| i64::try_from(*at).is_ok_and(|at| (from..=to).contains(&at)))
        .map(|(_, row)| *row)
        .collect();
    Ok(said(&rows, with_scores))
}
