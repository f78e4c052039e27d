//! How well a request fits a playbook. Exact: an intent or a test phrase covers the whole request.
//! Else a lexical score from two shares: how much of what the request says the playbook knows, and
//! how much of an intent the request says.

use super::grammar::Playbook;
use super::intent::Intent;
use super::params::ParamType;
use super::words::{self, Kind, Token, Weight};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// Least score at which a request is taken to mean a playbook without an exact match. At 0.85 one
/// word out of four or more may be unknown, and none that changes what is wanted.
pub const SURE: f64 = 0.85;
/// Least score at which a person is asked whether they mean a playbook.
pub const PERHAPS: f64 = 0.6;
/// Most that a request scores which a playbook says it is not for.
const NOT_ASKED: f64 = 0.55;
/// Two scores nearer than this are a question to the person.
pub const TOO_NEAR: f64 = 0.05;
/// How much an unknown verb of change, negation, "why" or "how" counts against a match.
const HEAVY_WEIGHT: f64 = 3.0;
/// What a word for the workspace or for telling counts.
const SOFT_WEIGHT: f64 = 0.25;
/// What a word counts that is one letter away from a known one.
const MISSPELT: f64 = 0.9;
/// Shortest word in which a misspelling is forgiven, in characters.
const MISSPELT_LENGTH: usize = 6;

/// A fit between a request and a playbook.
#[derive(Debug, Clone, PartialEq)]
pub struct Fit {
    /// Parameters read from the request.
    pub params: Map<String, Value>,
    /// An intent or test phrase covers the whole request.
    pub exact: bool,
    /// 1 for exact, else the lexical score, 0 to 1.
    pub score: f64,
    /// A person may be asked whether they mean it: it shares a word that says something, and no
    /// word that changes what is wanted was said.
    pub askable: bool,
    /// Words of the request that the playbook does not know.
    pub beside: Vec<String>,
    /// What matched, for people.
    pub because: String,
}

/// What of a request counts when phrases are compared word for word.
fn gist(tokens: &[Token]) -> Vec<String> {
    let say = |token: &Token| match &token.kind {
        Kind::Word {
            weight: Weight::Stop | Weight::Soft,
            ..
        } => None,
        Kind::Word { stem, .. } => Some(stem.clone()),
        _ => Some(token.raw.clone()),
    };
    let gist: Vec<String> = tokens.iter().filter_map(say).collect();
    if gist.is_empty() {
        tokens
            .iter()
            .map(|token| token.raw.to_lowercase())
            .collect()
    } else {
        gist
    }
}

/// A request, read once.
pub(super) struct Read<'r> {
    text: &'r str,
    tokens: Vec<Token>,
    gist: Vec<String>,
}

impl<'r> Read<'r> {
    /// Reads a request.
    pub(super) fn new(text: &'r str) -> Self {
        let tokens = words::tokens(text);
        let gist = gist(&tokens);
        Read { text, tokens, gist }
    }

    fn is_long(&self) -> bool {
        self.tokens.len() > words::MOST_TOKENS
    }

    /// Whether one of the phrases asks the same, beside articles and politeness.
    fn among(&self, phrases: &[Vec<String>]) -> Option<usize> {
        match self.gist.is_empty() {
            true => None,
            false => phrases.iter().position(|phrase| *phrase == self.gist),
        }
    }
}

/// The phrases of a playbook, read once.
#[derive(Debug, Clone)]
pub(super) struct Phrases {
    tests: Vec<Vec<String>>,
    nots: Vec<Vec<String>>,
}

impl Phrases {
    /// Those of a playbook.
    pub(super) fn of(playbook: &Playbook) -> Self {
        let read = |phrase: &String| gist(&words::tokens(phrase));
        Phrases {
            tests: playbook.tests.iter().map(|test| read(&test.ask)).collect(),
            nots: playbook.not.iter().map(read).collect(),
        }
    }
}

/// How a request fits a playbook.
pub fn fit(playbook: &Playbook, request: &str) -> Fit {
    fit_read(playbook, &Phrases::of(playbook), &Read::new(request))
}

/// The same of what was read already.
pub(super) fn fit_read(playbook: &Playbook, phrases: &Phrases, request: &Read<'_>) -> Fit {
    if request.is_long() {
        return Fit {
            params: Map::new(),
            exact: false,
            score: 0.0,
            askable: false,
            beside: Vec::new(),
            because: String::new(),
        };
    }
    if request.among(&phrases.nots).is_some() {
        // What it says it does not do is often what it is nearest to: told, and neither taken nor asked.
        let near = lexical(playbook, &request.tokens);
        return Fit {
            score: near.score.min(NOT_ASKED),
            askable: false,
            because: String::new(),
            ..near
        };
    }
    exact(playbook, phrases, request).unwrap_or_else(|| lexical(playbook, &request.tokens))
}

/// The fit of a playbook that a request means exactly, and nothing of any other: how near others come
/// counts only where there is none.
pub(super) fn fit_exact(playbook: &Playbook, phrases: &Phrases, request: &Read<'_>) -> Option<Fit> {
    match request.is_long() || request.among(&phrases.nots).is_some() {
        true => None,
        false => exact(playbook, phrases, request),
    }
}

fn exact(playbook: &Playbook, phrases: &Phrases, request: &Read<'_>) -> Option<Fit> {
    let exactly = |params, because| Fit {
        params,
        exact: true,
        score: 1.0,
        askable: true,
        beside: Vec::new(),
        because,
    };
    let asked = request.among(&phrases.tests);
    if let Some(test) = asked.and_then(|at| playbook.tests.get(at)) {
        return Some(exactly(
            test.params.clone(),
            format!("asks the same as \"{}\"", test.ask),
        ));
    }
    let matched = |intent: &Intent| {
        intent
            .matches(&request.tokens, &playbook.params)
            .map(|params| (params, intent.text.clone()))
    };
    let best = playbook
        .intents
        .iter()
        .filter_map(matched)
        .max_by_key(|(params, _)| params.len());
    if let Some((params, text)) = best {
        return Some(exactly(params, format!("matches \"{text}\"")));
    }
    (request.text.trim().eq_ignore_ascii_case(&playbook.name))
        .then(|| exactly(Map::new(), "is the playbook's name".to_owned()))
}

fn lexical(playbook: &Playbook, tokens: &[Token]) -> Fit {
    let (params, rest) = read_params(playbook, tokens);
    let words: Vec<Token> = rest.iter().flat_map(plain_words).collect();
    let known: BTreeSet<&str> = playbook
        .intents
        .iter()
        .flat_map(Intent::stems)
        .map(String::as_str)
        .collect();
    let scored = |intent| (score(intent, &words, &known), intent);
    let better = |a: &(Score, &Intent), b: &(Score, &Intent)| a.0.value().total_cmp(&b.0.value());
    let Some((best, intent)) = playbook.intents.iter().map(scored).max_by(better) else {
        return Fit {
            params,
            exact: false,
            score: 0.0,
            askable: false,
            beside: Vec::new(),
            because: String::new(),
        };
    };
    let beside = if best.unknown.is_empty() {
        String::new()
    } else {
        format!(", beside \"{}\"", best.unknown.join(" "))
    };
    let value = best.value();
    let because = (value >= SURE).then(|| {
        format!(
            "reads like \"{}\"{beside} (score {value:.2} of 1, {SURE} needed)",
            spoken(playbook, intent)
        )
    });
    Fit {
        params,
        exact: false,
        score: value,
        askable: best.shares && !best.heavy,
        beside: best.unknown,
        because: because.unwrap_or_default(),
    }
}

/// The intent as somebody would say it: an example that it matches, else the playbook's own.
fn spoken(playbook: &Playbook, intent: &Intent) -> String {
    let said = playbook.tests.iter().map(|test| &test.ask);
    let mut said = said.filter(|ask| {
        let tokens = words::tokens(ask);
        intent.matches(&tokens, &playbook.params).is_some()
    });
    said.next().cloned().unwrap_or_else(|| playbook.example())
}

/// How well the words of a request fit one intent.
struct Score {
    covered: f64,
    total: f64,
    recall: f64,
    unknown: Vec<String>,
    /// A word that says something is known.
    shares: bool,
    /// A word that changes what is wanted was said, known or not; "how" alone asks.
    heavy: bool,
}

impl Score {
    /// The harmonic mean of both shares.
    fn value(&self) -> f64 {
        let precision = if self.total > 0.0 {
            self.covered / self.total
        } else {
            0.0
        };
        let sum = precision + self.recall;
        if sum > 0.0 {
            2.0 * precision * self.recall / sum
        } else {
            0.0
        }
    }
}

/// Scores one intent. A plain word may be known from any intent of the playbook; one that changes
/// what is wanted must stand in this very intent.
fn score(intent: &Intent, words: &[Token], known: &BTreeSet<&str>) -> Score {
    let own: BTreeSet<&str> = intent.stems().iter().map(String::as_str).collect();
    let mut score = Score {
        covered: 0.0,
        total: 0.0,
        recall: 0.0,
        unknown: Vec::new(),
        shares: false,
        heavy: false,
    };
    let mut said: BTreeSet<&str> = BTreeSet::new();
    for token in words {
        let Kind::Word { stem, weight } = &token.kind else {
            continue;
        };
        let (base, unknown, vocabulary) = match weight {
            Weight::Stop => continue,
            Weight::Soft => (SOFT_WEIGHT, SOFT_WEIGHT, known),
            Weight::Plain => (1.0, 1.0, known),
            Weight::Heavy => (1.0, HEAVY_WEIGHT, &own),
        };
        score.heavy |= *weight == Weight::Heavy && stem != "how";
        let knows = vocabulary.contains(stem.as_str());
        score.shares |= knows && *weight == Weight::Plain;
        if knows {
            score.covered += base;
            score.total += base;
            said.insert(stem);
        } else if let Some(meant) = misspelt(stem, *weight, known) {
            score.shares = true;
            score.covered += MISSPELT * base;
            score.total += base;
            said.insert(meant);
        } else {
            score.total += unknown;
            if *weight != Weight::Soft {
                score.unknown.push(token.raw.clone());
            }
        }
    }
    score.recall = intent.recall(&|stem| said.contains(stem));
    score
}

/// A path or quoted text that no parameter took still says something.
fn plain_words(token: &Token) -> Vec<Token> {
    match token.kind {
        Kind::Word { .. } => vec![token.clone()],
        _ => words::words_of(&token.raw, token.chunk),
    }
}

fn misspelt<'k>(stem: &str, weight: Weight, known: &BTreeSet<&'k str>) -> Option<&'k str> {
    if weight != Weight::Plain || stem.chars().count() < MISSPELT_LENGTH {
        return None;
    }
    let near = |word: &&str| {
        word.chars().count() >= MISSPELT_LENGTH && strsim::osa_distance(stem, word) == 1
    };
    known.iter().copied().find(near)
}

/// Takes the values that look like nothing else (paths, quoted texts, numbers) out of a request,
/// each for the first parameter that it fits.
fn read_params(playbook: &Playbook, tokens: &[Token]) -> (Map<String, Value>, Vec<Token>) {
    let mut rest = tokens.to_vec();
    let mut params = Map::new();
    for (name, spec) in &playbook.params {
        let fits = |token: &Token| {
            let value = match (&token.kind, spec.kind) {
                (Kind::Word { .. }, _) => None,
                (Kind::Quoted, ParamType::Text)
                | (
                    _,
                    ParamType::Path
                    | ParamType::File
                    | ParamType::Place
                    | ParamType::Address
                    | ParamType::Hosts
                    | ParamType::Int,
                ) => spec.read(token),
                _ => None,
            };
            value.filter(|value| spec.check(value).is_ok())
        };
        if let Some((at, value)) = rest
            .iter()
            .enumerate()
            .find_map(|(at, token)| Some((at, fits(token)?)))
        {
            rest.remove(at);
            params.insert(name.clone(), value);
        }
    }
    (params, rest)
}
