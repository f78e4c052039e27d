//! Streams, with one reader's group or several. Nothing blocks: a read that would wait finds nothing.

use super::{Answer, Bytes, Content, Store, WRONG_TYPE, bulk, count, number, text};
use redis::Value;
use std::collections::BTreeMap;

/// The id of an entry.
pub type Id = (u64, u64);

/// A group of readers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Group {
    /// The newest entry that was handed out.
    pub delivered: Id,
    /// What was handed out and not acknowledged: to whom, and how often.
    pub pending: BTreeMap<Id, (Bytes, u64)>,
}

/// A stream.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Stream {
    /// Entries: fields and values in turn.
    pub entries: BTreeMap<Id, Vec<Bytes>>,
    /// The newest id there ever was.
    pub last: Id,
    /// Groups of readers.
    pub groups: BTreeMap<Bytes, Group>,
}

impl Stream {
    /// Every value of `field`, oldest first; an entry may have several.
    pub fn values(&self, field: &str) -> impl Iterator<Item = &Bytes> {
        self.entries.values().flat_map(move |fields| {
            let pairs = fields.chunks_exact(2);
            let named = pairs.filter(move |pair| pair[0] == field.as_bytes());
            named.map(|pair| &pair[1])
        })
    }
}

fn spell(id: Id) -> Value {
    bulk(format!("{}-{}", id.0, id.1).as_bytes())
}

fn id_of(word: &[u8], open_end: u64) -> Result<Id, String> {
    let wrong = || "ERR Invalid stream ID specified as stream command argument".to_owned();
    let word = text(word);
    let (ms, seq) = match word.split_once('-') {
        Some((ms, seq)) => (ms, seq.parse().map_err(|_| wrong())?),
        None => (word.as_str(), open_end),
    };
    Ok((ms.parse().map_err(|_| wrong())?, seq))
}

fn low(word: &[u8]) -> Result<Id, String> {
    match word {
        b"-" => Ok((0, 0)),
        b"+" => Ok((u64::MAX, u64::MAX)),
        [b'(', rest @ ..] => {
            let (ms, seq) = id_of(rest, 0)?;
            Ok(seq.checked_add(1).map_or((ms + 1, 0), |seq| (ms, seq)))
        }
        word => id_of(word, 0),
    }
}

fn high(word: &[u8]) -> Result<Id, String> {
    match word {
        b"+" => Ok((u64::MAX, u64::MAX)),
        b"-" => Ok((0, 0)),
        [b'(', rest @ ..] => {
            let (ms, seq) = id_of(rest, u64::MAX)?;
            Ok(match (ms, seq) {
                (0, 0) => (0, 0),
                (ms, 0) => (ms - 1, u64::MAX),
                (ms, seq) => (ms, seq - 1),
            })
        }
        word => id_of(word, u64::MAX),
    }
}

fn row(id: Id, fields: &[Bytes]) -> Value {
    let fields = fields.iter().map(|f| bulk(f)).collect();
    Value::Array(vec![spell(id), Value::Array(fields)])
}

impl Store {
    pub(super) fn stream_command(&mut self, name: &str, words: &[Bytes]) -> Answer {
        match name {
            "XREADGROUP" => return self.xreadgroup(words),
            "XGROUP" => return self.xgroup(words),
            _ => {}
        }
        let [key, rest @ ..] = words else {
            return Err(Self::unknown(name));
        };
        if name == "XADD" {
            return self.xadd(key, rest);
        }
        let stream = match self.peek(key) {
            None => None,
            Some(Content::Stream(stream)) => Some(stream),
            Some(_) => return Err(WRONG_TYPE.to_owned()),
        };
        match (name, rest) {
            ("XLEN", []) => Ok(count(stream.map_or(0, |s| s.entries.len()))),
            ("XRANGE", [from, to, options @ ..]) => xrange(stream, from, to, options, false),
            ("XREVRANGE", [to, from, options @ ..]) => xrange(stream, from, to, options, true),
            ("XPENDING", [group]) => xpending(stream, &text(key), group),
            ("XACK", [group, ids @ ..]) => {
                let ids: Vec<Id> = ids.iter().map(|w| id_of(w, 0)).collect::<Result<_, _>>()?;
                let group = stream
                    .and_then(|s| s.groups.get(group))
                    .is_some()
                    .then(|| group.clone());
                let Some(group) = group else {
                    return Ok(Value::Int(0));
                };
                let group = self.stream_mut(key)?.groups.entry(group).or_default();
                let gone = ids
                    .iter()
                    .filter(|id| group.pending.remove(id).is_some())
                    .count();
                Ok(count(gone))
            }
            ("XDEL", ids) => {
                let ids: Vec<Id> = ids.iter().map(|w| id_of(w, 0)).collect::<Result<_, _>>()?;
                if stream.is_none() {
                    return Ok(Value::Int(0));
                }
                let stream = self.stream_mut(key)?;
                let gone = ids
                    .iter()
                    .filter(|id| stream.entries.remove(id).is_some())
                    .count();
                Ok(count(gone))
            }
            _ => Err(Self::unknown(name)),
        }
    }

    fn stream_mut(&mut self, key: &[u8]) -> Result<&mut Stream, String> {
        match self.slot(key, || Content::Stream(Stream::default())) {
            Content::Stream(stream) => Ok(stream),
            _ => Err(WRONG_TYPE.to_owned()),
        }
    }

    fn xadd(&mut self, key: &[u8], words: &[Bytes]) -> Answer {
        let now = self.now;
        let mut words = words;
        let (mut most, mut make) = (None, true);
        loop {
            match words {
                [word, rest @ ..] if word.as_slice() == b"NOMKSTREAM" => {
                    make = false;
                    words = rest;
                }
                // About so many: this store never trims what it need not, as a real one may.
                [word, about, _, rest @ ..]
                    if word.as_slice() == b"MAXLEN" && about.as_slice() == b"~" =>
                {
                    words = rest;
                }
                [word, n, rest @ ..] if word.as_slice() == b"MAXLEN" => {
                    most = usize::try_from(number(n)?).ok();
                    words = rest;
                }
                _ => break,
            }
        }
        let [id, fields @ ..] = words else {
            return Err(Self::unknown("XADD"));
        };
        if fields.is_empty() || !fields.len().is_multiple_of(2) {
            return Err("ERR wrong number of arguments for 'xadd' command".to_owned());
        }
        if !make && self.peek(key).is_none() {
            return Ok(Value::Nil);
        }
        let stream = self.stream_mut(key)?;
        let next_in = |ms: u64, last: Id| {
            if ms > last.0 {
                (ms, 0)
            } else {
                (last.0, last.1 + 1)
            }
        };
        let id = match id.as_slice() {
            b"*" => next_in(now, stream.last),
            [ms @ .., b'-', b'*'] => {
                let ms = id_of(ms, 0)?.0;
                if ms < stream.last.0 {
                    return Err(TOO_SMALL.to_owned());
                }
                next_in(ms, stream.last)
            }
            word => id_of(word, 0)?,
        };
        if id <= stream.last {
            return Err(TOO_SMALL.to_owned());
        }
        stream.last = id;
        stream.entries.insert(id, fields.to_vec());
        while most.is_some_and(|most| stream.entries.len() > most) {
            stream.entries.pop_first();
        }
        Ok(spell(id))
    }

    fn xgroup(&mut self, words: &[Bytes]) -> Answer {
        let [verb, key, group, from, options @ ..] = words else {
            return Err(Self::unknown("XGROUP"));
        };
        if text(verb) != "CREATE" {
            return Err(Self::unknown("XGROUP"));
        }
        let make = options.iter().any(|o| o.as_slice() == b"MKSTREAM");
        if self.peek(key).is_none() && !make {
            return Err("ERR The XGROUP subcommand requires the key to exist".to_owned());
        }
        let stream = self.stream_mut(key)?;
        if stream.groups.contains_key(group) {
            return Err("BUSYGROUP Consumer Group name already exists".to_owned());
        }
        let delivered = match from.as_slice() {
            b"$" => stream.last,
            word => id_of(word, 0)?,
        };
        let made = Group {
            delivered,
            pending: BTreeMap::new(),
        };
        stream.groups.insert(group.clone(), made);
        Ok(Value::Okay)
    }

    fn xreadgroup(&mut self, words: &[Bytes]) -> Answer {
        let [g, group, consumer, rest @ ..] = words else {
            return Err(Self::unknown("XREADGROUP"));
        };
        let (mut most, mut rest) = (usize::MAX, rest);
        if let [word, n, more @ ..] = rest
            && word.as_slice() == b"COUNT"
        {
            most = usize::try_from(number(n)?).unwrap_or(usize::MAX);
            rest = more;
        }
        let mut keeps = true;
        if let [word, more @ ..] = rest
            && word.as_slice() == b"NOACK"
        {
            (keeps, rest) = (false, more);
        }
        let [s, places @ ..] = rest else {
            return Err(Self::unknown("XREADGROUP"));
        };
        if g.as_slice() != b"GROUP" || s.as_slice() != b"STREAMS" || !places.len().is_multiple_of(2)
        {
            return Err(Self::unknown("XREADGROUP"));
        }
        let (keys, from) = places.split_at(places.len() / 2);
        let mut streams = Vec::new();
        for (key, from) in keys.iter().zip(from) {
            let there = match self.peek(key) {
                Some(Content::Stream(stream)) => stream.groups.contains_key(group),
                Some(_) => return Err(WRONG_TYPE.to_owned()),
                None => false,
            };
            if !there {
                return Err(format!(
                    "NOGROUP No such key '{}' or consumer group '{}' in XREADGROUP with GROUP option",
                    text(key),
                    text(group)
                ));
            }
            let stream = self.stream_mut(key)?;
            let rows = hand_out(stream, group, consumer, from, (most, keeps))?;
            if from.as_slice() != b">" || !rows.is_empty() {
                streams.push(Value::Array(vec![bulk(key), Value::Array(rows)]));
            }
        }
        Ok(if streams.is_empty() {
            Value::Nil
        } else {
            Value::Array(streams)
        })
    }
}

const TOO_SMALL: &str =
    "ERR The ID specified in XADD is equal or smaller than the target stream top item";

fn hand_out(
    stream: &mut Stream,
    group: &[u8],
    consumer: &[u8],
    from: &[u8],
    (most, keeps): (usize, bool),
) -> Result<Vec<Value>, String> {
    let Some(group) = stream.groups.get_mut(group) else {
        return Ok(Vec::new());
    };
    if from == b">" {
        let new: Vec<Id> = stream
            .entries
            .keys()
            .filter(|id| **id > group.delivered)
            .take(most)
            .copied()
            .collect();
        for id in &new {
            group.delivered = *id;
            if keeps {
                group.pending.insert(*id, (consumer.to_vec(), 1));
            }
        }
        return Ok(new.iter().map(|id| row(*id, &stream.entries[id])).collect());
    }
    let after = id_of(from, 0)?;
    let mut rows = Vec::new();
    for (id, (owner, _)) in group.pending.range(after..) {
        if *id == after || owner != consumer || rows.len() == most {
            continue;
        }
        rows.push(match stream.entries.get(id) {
            Some(fields) => row(*id, fields),
            None => Value::Array(vec![spell(*id), Value::Nil]),
        });
    }
    Ok(rows)
}

fn xrange(
    stream: Option<&Stream>,
    from: &[u8],
    to: &[u8],
    options: &[Bytes],
    newest_first: bool,
) -> Answer {
    let most = match options {
        [] => usize::MAX,
        [word, n] if word.as_slice() == b"COUNT" => usize::try_from(number(n)?).unwrap_or(0),
        _ => return Err(Store::unknown("XRANGE")),
    };
    let (from, to) = (low(from)?, high(to)?);
    let Some(stream) = stream.filter(|_| from <= to) else {
        return Ok(Value::Array(Vec::new()));
    };
    let rows = stream.entries.range(from..=to);
    let said = |(id, fields): (&Id, &Vec<Bytes>)| row(*id, fields);
    Ok(Value::Array(if newest_first {
        rows.rev().take(most).map(said).collect()
    } else {
        rows.take(most).map(said).collect()
    }))
}

fn xpending(stream: Option<&Stream>, key: &str, group: &[u8]) -> Answer {
    let Some(group) = stream.and_then(|s| s.groups.get(group)) else {
        return Err(format!(
            "NOGROUP No such key '{key}' or consumer group '{}'",
            text(group)
        ));
    };
    let ids: Vec<&Id> = group.pending.keys().collect();
    let (Some(first), Some(last)) = (ids.first(), ids.last()) else {
        return Ok(Value::Array(vec![
            Value::Int(0),
            Value::Nil,
            Value::Nil,
            Value::Nil,
        ]));
    };
    let mut owners: BTreeMap<&Bytes, usize> = BTreeMap::new();
    for (owner, _) in group.pending.values() {
        *owners.entry(owner).or_default() += 1;
    }
    let owners = owners
        .into_iter()
        .map(|(owner, n)| Value::Array(vec![bulk(owner), bulk(n.to_string().as_bytes())]))
        .collect();
    Ok(Value::Array(vec![
        count(ids.len()),
        spell(**first),
        spell(**last),
        Value::Array(owners),
    ]))
}
