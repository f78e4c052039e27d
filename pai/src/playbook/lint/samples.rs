//! Requests that an intent describes, made from its pattern: the shortest, the longest, and one for
//! each way a bracket can be read.

use crate::playbook::params::{ParamSpec, ParamType};
use serde_json::Value;
use std::collections::BTreeMap;

/// Most requests of one intent.
const MOST: usize = 40;

#[derive(Debug, Clone)]
enum Part {
    Words(String),
    Ways {
        ways: Vec<Vec<Part>>,
        optional: bool,
        number: usize,
    },
    Param(String),
}

/// Requests of a pattern; none where it cannot be read.
pub(super) fn of(pattern: &str, params: &BTreeMap<String, ParamSpec>) -> Vec<String> {
    let chars: Vec<char> = pattern.chars().collect();
    let mut reader = Reader {
        chars: &chars,
        at: 0,
        brackets: Vec::new(),
    };
    let parts = reader.sequence();
    let brackets = reader.brackets;
    let say = |choose: &dyn Fn(usize, bool) -> Option<usize>| {
        let mut words = Vec::new();
        speak(&parts, choose, params, &mut words);
        words.join(" ")
    };
    let shortest = |_: usize, optional: bool| (!optional).then_some(0);
    let mut all = vec![say(&shortest), say(&|_, _| Some(0))];
    for (number, ways) in brackets.iter().enumerate() {
        for way in 0..*ways {
            all.push(say(&|this, optional| {
                if this == number {
                    Some(way)
                } else {
                    shortest(this, optional)
                }
            }));
        }
    }
    all.retain(|text| !text.is_empty());
    let mut seen = std::collections::BTreeSet::new();
    all.retain(|text| seen.insert(text.clone()));
    all.truncate(MOST);
    all
}

fn speak(
    parts: &[Part],
    choose: &dyn Fn(usize, bool) -> Option<usize>,
    params: &BTreeMap<String, ParamSpec>,
    words: &mut Vec<String>,
) {
    for part in parts {
        match part {
            Part::Words(text) => words.push(text.clone()),
            Part::Param(name) => words.push(params.get(name).map_or("it".to_owned(), value)),
            Part::Ways {
                ways,
                optional,
                number,
            } => {
                let way = choose(*number, *optional).and_then(|way| ways.get(way));
                if let Some(way) = way {
                    speak(way, choose, params, words);
                }
            }
        }
    }
}

/// A value that fits a parameter, as a person would write it.
pub(super) fn value(spec: &ParamSpec) -> String {
    if let Some(choice) = spec.choices.first() {
        return choice.clone();
    }
    match spec.kind {
        ParamType::Int => spec
            .min
            .unwrap_or(7)
            .max(7)
            .min(spec.max.unwrap_or(i64::MAX))
            .to_string(),
        ParamType::Bool => "yes".to_owned(),
        ParamType::Path => "some/folder".to_owned(),
        ParamType::Place => "/srv".to_owned(),
        ParamType::File => {
            let end = spec.extensions.first().map_or("txt", String::as_str);
            format!("some/file.{end}")
        }
        ParamType::Table => match spec.extensions.first() {
            Some(end) => format!("some/file.{end}"),
            None => "shop:orders".to_owned(),
        },
        ParamType::Columns => "mail".to_owned(),
        ParamType::Unit => "nginx".to_owned(),
        ParamType::Command => "\"id -u\"".to_owned(),
        ParamType::Address => "https://shop.example/start".to_owned(),
        ParamType::Hosts => "shop.example".to_owned(),
        ParamType::Text | ParamType::Choice => "\"some words\"".to_owned(),
    }
}

/// The same as a value of its kind.
pub(super) fn json(spec: &ParamSpec) -> Value {
    let text = value(spec);
    let plain = Value::String(text.trim_matches('"').to_owned());
    spec.check(&plain).unwrap_or(plain)
}

struct Reader<'t> {
    chars: &'t [char],
    at: usize,
    /// How many ways each bracket has, in order of their beginning.
    brackets: Vec<usize>,
}

impl Reader<'_> {
    fn sequence(&mut self) -> Vec<Part> {
        let mut parts = Vec::new();
        while let Some(c) = self.chars.get(self.at) {
            match c {
                '[' | '(' => parts.push(self.ways(*c == '[')),
                '{' => {
                    let name: String = self
                        .chars
                        .iter()
                        .skip(self.at + 1)
                        .take_while(|c| **c != '}')
                        .collect();
                    self.at += name.chars().count() + 2;
                    parts.push(Part::Param(name.trim().to_owned()));
                }
                ']' | ')' | '|' => break,
                _ => {
                    let rest = self.chars.iter().skip(self.at);
                    let words: String = rest.take_while(|c| !"[](){}|".contains(**c)).collect();
                    self.at += words.chars().count().max(1);
                    if !words.trim().is_empty() {
                        parts.push(Part::Words(
                            words.split_whitespace().collect::<Vec<_>>().join(" "),
                        ));
                    }
                }
            }
        }
        parts
    }

    fn ways(&mut self, optional: bool) -> Part {
        let number = self.brackets.len();
        self.brackets.push(0);
        self.at += 1;
        let mut ways = vec![self.sequence()];
        while self.chars.get(self.at) == Some(&'|') {
            self.at += 1;
            ways.push(self.sequence());
        }
        self.at += 1;
        if let Some(count) = self.brackets.get_mut(number) {
            *count = ways.len();
        }
        Part::Ways {
            ways,
            optional,
            number,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_way_is_said() {
        let said = of(
            "(show|list) [me] the (old|new [big]) logs",
            &BTreeMap::new(),
        );
        assert_eq!(
            said,
            [
                "show the old logs",
                "show me the old logs",
                "list the old logs",
                "show the new logs"
            ]
        );
    }

    proptest! {
        #[test]
        fn any_pattern_ends(text in "(\\[|\\]|\\(|\\)|\\{|\\}|\\||a| |é){0,60}") {
            prop_assert!(of(&text, &BTreeMap::new()).len() <= MOST);
        }
    }
}
