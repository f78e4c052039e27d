//! Plain values, hashes, sets and keys themselves.

use super::{
    Answer, Bytes, Content, Slot, Store, WRONG_TYPE, bulk, bulk_or_nil, count, number, text,
};
use redis::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

fn arity(name: &str) -> String {
    format!(
        "ERR wrong number of arguments for '{}' command",
        name.to_lowercase()
    )
}

impl Store {
    pub(super) fn plain_command(&mut self, name: &str, words: &[Bytes]) -> Answer {
        let key = words.first().ok_or_else(|| arity(name))?;
        let rest = &words[1..];
        match name {
            "GET" | "SET" | "GETDEL" | "INCR" | "INCRBY" | "DECR" => self.value(name, key, rest),
            "MGET" => Ok(Value::Array(
                words
                    .iter()
                    .map(|key| match self.peek(key) {
                        Some(Content::Text(value)) => bulk(value),
                        _ => Value::Nil,
                    })
                    .collect(),
            )),
            "DEL" | "UNLINK" | "EXISTS" => {
                let mut met = 0;
                for key in words {
                    let there = self.keys.contains_key(key);
                    met += usize::from(there);
                    if there && name != "EXISTS" {
                        self.keys.remove(key);
                    }
                }
                Ok(count(met))
            }
            "PEXPIRE" | "EXPIRE" | "PERSIST" | "PTTL" | "RENAME" | "TYPE" => {
                self.whole_key(name, key, rest)
            }
            name if name.starts_with('H') => self.hash(name, key, rest),
            name if name.starts_with('S') => self.set(name, key, rest),
            _ => Err(Self::unknown(name)),
        }
    }

    fn value(&mut self, name: &str, key: &[u8], words: &[Bytes]) -> Answer {
        let old = match self.peek(key) {
            None => None,
            Some(Content::Text(value)) => Some(value.clone()),
            Some(_) if name == "SET" => None,
            Some(_) => return Err(WRONG_TYPE.to_owned()),
        };
        match name {
            "GET" => return Ok(bulk_or_nil(old.as_ref())),
            "GETDEL" => {
                self.keys.remove(key);
                return Ok(bulk_or_nil(old.as_ref()));
            }
            "INCR" | "INCRBY" | "DECR" => {
                let by = match (name, words.first()) {
                    ("INCR", _) => 1,
                    ("DECR", _) => -1,
                    (_, Some(by)) => number(by)?,
                    _ => return Err(arity(name)),
                };
                let sum = old.map_or(Ok(0), |v| number(&v))? + by;
                *self.slot(key, || Content::Text(Vec::new())) =
                    Content::Text(sum.to_string().into_bytes());
                return Ok(Value::Int(sum));
            }
            _ => {}
        }
        let value = words.first().ok_or_else(|| arity(name))?.clone();
        let mut until = None;
        let mut options = words[1..].iter();
        while let Some(option) = options.next() {
            match text(option).to_uppercase().as_str() {
                "PX" | "EX" => {
                    let unit = if option.eq_ignore_ascii_case(b"EX") {
                        1000
                    } else {
                        1
                    };
                    let time = number(options.next().ok_or_else(|| arity(name))?)?;
                    until = Some(self.now + time.max(0).unsigned_abs() * unit);
                }
                "NX" if self.keys.contains_key(key) => return Ok(Value::Nil),
                "XX" if !self.keys.contains_key(key) => return Ok(Value::Nil),
                "NX" | "XX" => {}
                "KEEPTTL" => until = self.keys.get(key).and_then(|slot| slot.until),
                _ => return Err(Self::unknown("SET")),
            }
        }
        let content = Content::Text(value);
        self.keys
            .insert(key.to_vec(), Arc::new(Slot { content, until }));
        Ok(Value::Okay)
    }

    fn whole_key(&mut self, name: &str, key: &[u8], words: &[Bytes]) -> Answer {
        let now = self.now;
        if name == "RENAME" {
            let to = words.first().ok_or_else(|| arity(name))?;
            let slot = self.keys.remove(key).ok_or("ERR no such key")?;
            self.keys.insert(to.clone(), slot);
            return Ok(Value::Okay);
        }
        let Some(slot) = self.keys.get_mut(key) else {
            return Ok(match name {
                "TYPE" => Value::SimpleString("none".to_owned()),
                "PTTL" => Value::Int(-2),
                _ => Value::Int(0),
            });
        };
        match name {
            "TYPE" => {
                let kind = match slot.content {
                    Content::Text(_) => "string",
                    Content::Hash(_) => "hash",
                    Content::Set(_) => "set",
                    Content::Scores(_) => "zset",
                    Content::Stream(_) => "stream",
                };
                Ok(Value::SimpleString(kind.to_owned()))
            }
            "PTTL" => Ok(Value::Int(match slot.until {
                Some(until) => until.saturating_sub(now).try_into().unwrap_or(i64::MAX),
                None => -1,
            })),
            "PERSIST" => {
                let had = slot.until.is_some();
                Arc::make_mut(slot).until = None;
                Ok(Value::Int(had.into()))
            }
            _ => {
                if words.len() != 1 {
                    return Err(Self::unknown(name));
                }
                let unit = if name == "EXPIRE" { 1000 } else { 1 };
                let ms = number(&words[0])?.max(0).unsigned_abs() * unit;
                if ms == 0 {
                    self.keys.remove(key);
                } else {
                    Arc::make_mut(slot).until = Some(now + ms);
                }
                Ok(Value::Int(1))
            }
        }
    }

    fn hash(&mut self, name: &str, key: &[u8], words: &[Bytes]) -> Answer {
        let nothing = BTreeMap::new();
        let hash = match self.peek(key) {
            None => &nothing,
            Some(Content::Hash(hash)) => hash,
            Some(_) => return Err(WRONG_TYPE.to_owned()),
        };
        let first = words.first();
        match (name, first) {
            ("HGETALL", _) => Ok(Value::Array(
                hash.iter().flat_map(|(f, v)| [bulk(f), bulk(v)]).collect(),
            )),
            ("HVALS", _) => Ok(Value::Array(hash.values().map(|v| bulk(v)).collect())),
            ("HKEYS", _) => Ok(Value::Array(hash.keys().map(|f| bulk(f)).collect())),
            ("HLEN", _) => Ok(count(hash.len())),
            ("HGET", Some(field)) => Ok(bulk_or_nil(hash.get(field))),
            ("HSTRLEN", Some(field)) => Ok(count(hash.get(field).map_or(0, Vec::len))),
            ("HEXISTS", Some(field)) => Ok(Value::Int(hash.contains_key(field).into())),
            ("HMGET", Some(_)) => Ok(Value::Array(
                words.iter().map(|f| bulk_or_nil(hash.get(f))).collect(),
            )),
            ("HSETNX", Some(field)) if hash.contains_key(field) => Ok(Value::Int(0)),
            ("HSET" | "HSETNX" | "HMSET", Some(_)) if words.len().is_multiple_of(2) => {
                let hash = self.hash_mut(key);
                let mut new = 0;
                for pair in words.chunks(2) {
                    new += usize::from(hash.insert(pair[0].clone(), pair[1].clone()).is_none());
                }
                Ok(if name == "HMSET" {
                    Value::Okay
                } else {
                    count(new)
                })
            }
            ("HINCRBY", Some(field)) if words.len() == 2 => {
                let sum = hash.get(field).map_or(Ok(0), |v| number(v))? + number(&words[1])?;
                self.hash_mut(key)
                    .insert(field.clone(), sum.to_string().into_bytes());
                Ok(Value::Int(sum))
            }
            ("HDEL", Some(_)) => {
                if self.peek(key).is_none() {
                    return Ok(Value::Int(0));
                }
                let hash = self.hash_mut(key);
                let gone = words.iter().filter(|f| hash.remove(*f).is_some()).count();
                self.drop_empty(key);
                Ok(count(gone))
            }
            _ => Err(Self::unknown(name)),
        }
    }

    fn hash_mut(&mut self, key: &[u8]) -> &mut BTreeMap<Bytes, Bytes> {
        let slot = self.slot(key, || Content::Hash(BTreeMap::new()));
        if !matches!(slot, Content::Hash(_)) {
            *slot = Content::Hash(BTreeMap::new());
        }
        match slot {
            Content::Hash(hash) => hash,
            _ => unreachable!("made a hash above"),
        }
    }

    fn set(&mut self, name: &str, key: &[u8], words: &[Bytes]) -> Answer {
        let nothing = BTreeSet::new();
        let set = match self.peek(key) {
            None => &nothing,
            Some(Content::Set(set)) => set,
            Some(_) => return Err(WRONG_TYPE.to_owned()),
        };
        match (name, words.first()) {
            ("SMEMBERS", None) => Ok(Value::Array(set.iter().map(|m| bulk(m)).collect())),
            ("SCARD", None) => Ok(count(set.len())),
            ("SISMEMBER", Some(member)) => Ok(Value::Int(set.contains(member).into())),
            ("SADD", Some(_)) => {
                let Content::Set(set) = self.slot(key, || Content::Set(BTreeSet::new())) else {
                    return Err(WRONG_TYPE.to_owned());
                };
                let new = words.iter().filter(|m| set.insert((*m).clone())).count();
                Ok(count(new))
            }
            ("SREM", Some(_)) => {
                if self.peek(key).is_none() {
                    return Ok(Value::Int(0));
                }
                let Content::Set(set) = self.slot(key, || Content::Set(BTreeSet::new())) else {
                    return Err(WRONG_TYPE.to_owned());
                };
                let gone = words.iter().filter(|m| set.remove(*m)).count();
                self.drop_empty(key);
                Ok(count(gone))
            }
            _ => Err(Self::unknown(name)),
        }
    }
}
