//! Intent patterns: words, `[optional]`, `(one|other)` and `{param}`. A pattern either matches a
//! whole request, binding its parameters, or says how much of it the request covers.

use super::params::ParamSpec;
use super::words::{self, Kind, Token, Weight};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// Longest pattern, in bytes.
pub const LONGEST: usize = 1000;
/// Deepest nesting of brackets.
const DEEPEST: usize = 4;
/// Most steps one match may take before it is given up; patterns may not stall routing.
const MOST_STEPS: usize = 20_000;
/// Most words an unquoted text parameter takes.
const LONGEST_TEXT: usize = 12;

/// A piece of a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Word { stem: String, soft: bool },
    Either(Vec<Vec<Part>>),
    Param(String),
}

/// A parsed intent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    /// The pattern as written.
    pub text: String,
    parts: Vec<Part>,
    stems: BTreeSet<String>,
    /// It has no word that says much, so every word must be there.
    strict: bool,
}

impl Intent {
    /// Parses a pattern.
    ///
    /// # Errors
    /// A sentence about what is wrong with it.
    pub fn parse(text: &str) -> Result<Intent, String> {
        if text.len() > LONGEST {
            return Err(format!(
                "it has {} bytes: use at most {LONGEST}",
                text.len()
            ));
        }
        let mut reader = Reader {
            chars: text.chars().collect(),
            at: 0,
        };
        let parts = reader.sequence(0)?;
        if let Some(odd) = reader.peek() {
            return Err(format!("`{odd}` closes nothing"));
        }
        let strict = !says_much(&parts);
        if strict && least_words(&parts) < 2 {
            return Err(
                "it says too little: use at least one word beside articles and prepositions"
                    .to_owned(),
            );
        }
        let mut stems = BTreeSet::new();
        each(&parts, &mut |part| {
            if let Part::Word { stem, .. } = part {
                stems.insert(stem.clone());
            }
        });
        Ok(Intent {
            text: text.to_owned(),
            parts,
            stems,
            strict,
        })
    }

    /// Names of the parameters in the pattern.
    pub fn params(&self) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        each(&self.parts, &mut |part| {
            if let Part::Param(name) = part {
                names.insert(name.clone());
            }
        });
        names
    }

    /// Stems of all its words.
    pub fn stems(&self) -> &BTreeSet<String> {
        &self.stems
    }

    /// Matches the whole request; the parameters it binds.
    pub fn matches(
        &self,
        request: &[Token],
        specs: &BTreeMap<String, ParamSpec>,
    ) -> Option<Map<String, Value>> {
        if request.len() > words::MOST_TOKENS || !self.could_match(request, specs) {
            return None;
        }
        let mut search = Search {
            request,
            specs,
            strict: self.strict,
            steps: 0,
            bound: Map::new(),
        };
        let mut rest: Vec<&Part> = self.parts.iter().rev().collect();
        search.go(0, &mut rest, false).then_some(search.bound)
    }

    /// Whether every word that may not be skipped stands in the pattern or could be a parameter's;
    /// most patterns are ruled out here, without a search.
    fn could_match(&self, request: &[Token], specs: &BTreeMap<String, ParamSpec>) -> bool {
        let named = self.params();
        let kinds = || named.iter().filter_map(|name| specs.get(name));
        let takes_words = kinds().any(|spec| spec.takes_words());
        request.iter().all(|token| match &token.kind {
            Kind::Word {
                weight: Weight::Stop,
                ..
            } => true,
            Kind::Word {
                weight: Weight::Soft,
                ..
            } if !self.strict => true,
            Kind::Word { stem, .. } => takes_words || self.stems.contains(stem),
            _ => !named.is_empty(),
        })
    }

    /// How much of the pattern's weight the words cover, 0 to 1. Alternatives and optional parts
    /// count as they fit best; parameters do not count.
    pub fn recall(&self, has: &dyn Fn(&str) -> bool) -> f64 {
        let (covered, total) = best(&self.parts, has);
        if total > 0.0 { covered / total } else { 0.0 }
    }
}

fn each(parts: &[Part], see: &mut dyn FnMut(&Part)) {
    for part in parts {
        see(part);
        if let Part::Either(ways) = part {
            ways.iter().for_each(|way| each(way, see));
        }
    }
}

/// Whether every way through the parts meets a word or parameter that says much.
fn says_much(parts: &[Part]) -> bool {
    parts.iter().any(|part| match part {
        Part::Word { soft, .. } => !soft,
        Part::Param(_) => true,
        Part::Either(ways) => ways.iter().all(|way| says_much(way)),
    })
}

/// Fewest words and parameters on any way through.
fn least_words(parts: &[Part]) -> usize {
    let of = |part: &Part| match part {
        Part::Word { .. } | Part::Param(_) => 1,
        Part::Either(ways) => ways.iter().map(|way| least_words(way)).min().unwrap_or(0),
    };
    parts.iter().map(of).sum()
}

fn best(parts: &[Part], has: &dyn Fn(&str) -> bool) -> (f64, f64) {
    let (mut covered, mut total) = (0.0, 0.0);
    for part in parts {
        let (c, t) = match part {
            Part::Word { stem, soft } => {
                let weight = if *soft { 0.25 } else { 1.0 };
                (if has(stem) { weight } else { 0.0 }, weight)
            }
            Part::Param(_) => (0.0, 0.0),
            Part::Either(ways) => ways
                .iter()
                .map(|way| best(way, has))
                .max_by(|a, b| (2.0 * a.0 - a.1).total_cmp(&(2.0 * b.0 - b.1)))
                .unwrap_or((0.0, 0.0)),
        };
        covered += c;
        total += t;
    }
    (covered, total)
}

struct Reader {
    chars: Vec<char>,
    at: usize,
}

impl Reader {
    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn sequence(&mut self, depth: usize) -> Result<Vec<Part>, String> {
        if depth > DEEPEST {
            return Err(format!("brackets nest deeper than {DEEPEST}"));
        }
        let mut parts = Vec::new();
        while let Some(c) = self.peek() {
            match c {
                '[' => parts.push(self.ways(']', depth, true)?),
                '(' => parts.push(self.ways(')', depth, false)?),
                '{' => parts.push(self.param()?),
                ']' | ')' | '|' => break,
                '}' => return Err("`}` closes nothing".to_owned()),
                _ => self.words(&mut parts),
            }
        }
        Ok(parts)
    }

    fn ways(&mut self, close: char, depth: usize, optional: bool) -> Result<Part, String> {
        self.at += 1;
        let mut ways = vec![self.sequence(depth + 1)?];
        while self.peek() == Some('|') {
            self.at += 1;
            ways.push(self.sequence(depth + 1)?);
        }
        if self.peek() != Some(close) {
            return Err(format!("a bracket is not closed: `{close}` is missing"));
        }
        self.at += 1;
        if optional {
            ways.push(Vec::new());
        }
        Ok(Part::Either(ways))
    }

    fn param(&mut self) -> Result<Part, String> {
        let rest = self.chars.get(self.at + 1..).unwrap_or_default();
        let length = rest
            .iter()
            .position(|c| *c == '}')
            .ok_or("a parameter is not closed: `}` is missing")?;
        let name: String = rest.iter().take(length).collect();
        self.at += length + 2;
        Ok(Part::Param(name.trim().to_owned()))
    }

    fn words(&mut self, parts: &mut Vec<Part>) {
        let rest = self.chars.get(self.at..).unwrap_or_default();
        let length = rest
            .iter()
            .position(|c| "[](){}|".contains(*c))
            .unwrap_or(rest.len());
        let text: String = rest.iter().take(length).collect();
        self.at += length;
        for chunk in text.split_whitespace() {
            for token in words::words_of(chunk, 0) {
                if let Kind::Word { stem, weight } = token.kind {
                    match weight {
                        Weight::Stop => {}
                        Weight::Soft => parts.push(Part::Word { stem, soft: true }),
                        Weight::Plain | Weight::Heavy => {
                            parts.push(Part::Word { stem, soft: false })
                        }
                    }
                }
            }
        }
    }
}

/// A backtracking search over a request; `rest` holds what is still to match, next part last.
struct Search<'a> {
    request: &'a [Token],
    specs: &'a BTreeMap<String, ParamSpec>,
    strict: bool,
    steps: usize,
    bound: Map<String, Value>,
}

impl<'a> Search<'a> {
    fn go(&mut self, at: usize, rest: &mut Vec<&'a Part>, much: bool) -> bool {
        self.steps += 1;
        if self.steps > MOST_STEPS {
            return false;
        }
        let Some(part) = rest.pop() else {
            let over = at == self.request.len() && (much || self.strict);
            return over || (self.may_skip(at) && self.go(at + 1, rest, much));
        };
        let found = match part {
            Part::Word { stem, soft } => self.word(at, stem, *soft, rest, much),
            Part::Either(ways) => self.either(at, ways, rest, much),
            Part::Param(name) => self.param(at, name, rest),
        };
        if found {
            return true;
        }
        rest.push(part);
        self.may_skip(at) && self.go(at + 1, rest, much)
    }

    fn may_skip(&self, at: usize) -> bool {
        match self.request.get(at).map(|t| &t.kind) {
            Some(Kind::Word {
                weight: Weight::Stop,
                ..
            }) => true,
            Some(Kind::Word {
                weight: Weight::Soft,
                ..
            }) => !self.strict,
            _ => false,
        }
    }

    fn word(
        &mut self,
        at: usize,
        stem: &str,
        soft: bool,
        rest: &mut Vec<&'a Part>,
        much: bool,
    ) -> bool {
        let here = matches!(self.request.get(at).map(|t| &t.kind), Some(Kind::Word { stem: s, .. }) if s == stem);
        (here && self.go(at + 1, rest, much || !soft))
            || (soft && !self.strict && self.go(at, rest, much))
    }

    fn either(
        &mut self,
        at: usize,
        ways: &'a [Vec<Part>],
        rest: &mut Vec<&'a Part>,
        much: bool,
    ) -> bool {
        for way in ways {
            let before = rest.len();
            rest.extend(way.iter().rev());
            if self.go(at, rest, much) {
                return true;
            }
            rest.truncate(before);
        }
        false
    }

    fn param(&mut self, at: usize, name: &str, rest: &mut Vec<&'a Part>) -> bool {
        let Some(spec) = self.specs.get(name) else {
            return false;
        };
        let longest = if spec.takes_many_words() {
            LONGEST_TEXT
        } else {
            1
        };
        let first_chunk = self.request.get(at).map(|t| t.chunk);
        if at > 0 && self.request.get(at - 1).map(|t| t.chunk) == first_chunk {
            return false;
        }
        let mut end = at;
        let mut texts: Vec<&str> = Vec::new();
        while texts.len() < longest {
            let Some(token) = self.request.get(end) else {
                break;
            };
            texts.push(&token.raw);
            while self
                .request
                .get(end)
                .is_some_and(|t| t.chunk == token.chunk)
            {
                end += 1;
            }
            let value = if texts.len() == 1 {
                spec.read(token)
            } else {
                Some(Value::String(texts.join(" ")))
            };
            let Some(value) = value else { break };
            let before = self.bound.insert(name.to_owned(), value);
            if self.go(end, rest, true) {
                return true;
            }
            match before {
                Some(value) => self.bound.insert(name.to_owned(), value),
                None => self.bound.remove(name),
            };
        }
        false
    }
}

#[cfg(test)]
#[path = "intent_tests.rs"]
mod tests;
