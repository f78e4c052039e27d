//! All playbooks of a team: found by name, or by what a person says.

use super::grammar::Playbook;
use super::matching::{self, Fit, PERHAPS, Phrases, Read, SURE, TOO_NEAR};
use super::{PlaybookError, hint, params};
use protocol::proposal::Wanted;
use serde::Serialize;
use serde_json::{Map, Value};

/// How many near playbooks are named when none matches.
const NEAREST: usize = 3;
/// How near one must be to be named at all: less is a word or two that everybody uses.
const NEAR: f64 = 0.25;

/// The playbooks, by name.
#[derive(Debug, Clone, Default)]
pub struct Library {
    playbooks: Vec<Playbook>,
    phrases: Vec<Phrases>,
}

/// A playbook that is near a request but does not match it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Nearest {
    /// Its name.
    pub name: String,
    /// How near, 0 to 1.
    pub score: f64,
    /// A request that would match it.
    pub example: String,
    /// Parameters read from the request.
    pub params: Map<String, Value>,
    /// Words of the request that it does not know.
    pub beside: Vec<String>,
}

/// Where a request goes.
#[derive(Debug, Clone, PartialEq)]
pub enum Route {
    /// This playbook.
    Sure {
        /// Its name.
        name: String,
        /// Parameters read from the request; check them with [`Library::check_params`].
        params: Map<String, Value>,
        /// The request matches an intent or test phrase as a whole.
        exact: bool,
        /// What matched, for people.
        because: String,
    },
    /// This playbook, but these parameters are missing.
    Missing {
        /// Its name.
        name: String,
        /// Parameters read from the request.
        params: Map<String, Value>,
        /// Names of the missing parameters.
        missing: Vec<String>,
    },
    /// Several match equally well, or some only perhaps; a person must choose. Best first.
    Which(Vec<Nearest>),
    /// None matches.
    None {
        /// The nearest ones, best first.
        nearest: Vec<Nearest>,
    },
}

/// An example of a playbook that is not routed as it says.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("playbook {name}: \"{ask}\" is routed to {got}, not {expected}")]
pub struct Misrouted {
    /// The playbook that holds the example.
    pub name: String,
    /// The words.
    pub ask: String,
    /// Where they go.
    pub got: String,
    /// Where they should go.
    pub expected: String,
}

impl Library {
    /// A library; of two playbooks with one name the later replaces the earlier, so that a
    /// person's own replace the shipped.
    pub fn new(playbooks: Vec<Playbook>) -> Library {
        let mut kept: Vec<Playbook> = Vec::new();
        for playbook in playbooks {
            match kept.iter_mut().find(|known| known.name == playbook.name) {
                Some(known) => *known = playbook,
                None => kept.push(playbook),
            }
        }
        kept.sort_by(|a, b| a.name.cmp(&b.name));
        let phrases = kept.iter().map(Phrases::of).collect();
        Library {
            playbooks: kept,
            phrases,
        }
    }

    /// All playbooks, by name.
    pub fn playbooks(&self) -> &[Playbook] {
        &self.playbooks
    }

    /// A playbook by name.
    pub fn find(&self, name: &str) -> Option<&Playbook> {
        self.playbooks.iter().find(|playbook| playbook.name == name)
    }

    /// Checks parameters for a playbook and fills in defaults; every declared name is in the answer.
    ///
    /// # Errors
    /// [`PlaybookError::Unknown`] or [`PlaybookError::Param`].
    pub fn check_params(
        &self,
        name: &str,
        given: &Map<String, Value>,
    ) -> Result<Map<String, Value>, PlaybookError> {
        let Some(playbook) = self.find(name) else {
            let known = self.playbooks.iter().map(|p| p.name.as_str());
            return Err(PlaybookError::Unknown {
                name: name.to_owned(),
                hint: hint(name, known),
            });
        };
        params::check_all(&playbook.params, given).map_err(|problem| PlaybookError::Param {
            name: name.to_owned(),
            problem,
        })
    }

    /// The required parameters of a playbook that are not given, for the person to say.
    pub fn wanted(&self, name: &str, given: &Map<String, Value>) -> Vec<Wanted> {
        let Some(playbook) = self.find(name) else {
            return Vec::new();
        };
        let there = |name: &String| given.get(name).is_some_and(|value| !value.is_null());
        let lacks = |(name, spec): (&String, &params::ParamSpec)| {
            (spec.required && spec.default.is_none() && !there(name)).then(|| Wanted {
                name: name.clone(),
                kind: spec.kind_in_words(),
                about: spec.description.clone(),
                choices: spec.choices.clone(),
            })
        };
        playbook.params.iter().filter_map(lacks).collect()
    }

    /// Finds the playbook a request means. One that may write is taken only on an exact match.
    pub fn route(&self, request: &str) -> Route {
        let read = Read::new(request);
        let each = || self.playbooks.iter().zip(&self.phrases);
        let exactly = |(p, phrases)| Some((p, matching::fit_exact(p, phrases, &read)?));
        let mut fits: Vec<(&Playbook, Fit)> = each().filter_map(exactly).collect();
        if fits.is_empty() {
            let near = |(p, phrases)| (p, matching::fit_read(p, phrases, &read));
            fits = each().map(near).collect();
        }
        fits.sort_by(|a, b| {
            b.1.score
                .total_cmp(&a.1.score)
                .then_with(|| a.0.name.cmp(&b.0.name))
        });
        let exact = fits.iter().any(|(_, fit)| fit.exact);
        let fitting = |(playbook, fit): &&(&Playbook, Fit)| {
            fit.exact || (!exact && fit.score >= SURE && !playbook.writes())
        };
        let candidates: Vec<&(&Playbook, Fit)> = fits.iter().filter(fitting).collect();
        let Some((playbook, fit)) = candidates.first() else {
            return unsure(&fits);
        };
        let rivals: Vec<Nearest> = candidates
            .iter()
            .filter(|(_, other)| fit.score - other.score < TOO_NEAR)
            .map(|near| of(near))
            .collect();
        if rivals.len() > 1 {
            return Route::Which(rivals);
        }
        let name = playbook.name.clone();
        let missing: Vec<String> = (self.wanted(&name, &fit.params).into_iter())
            .map(|wanted| wanted.name)
            .collect();
        if missing.is_empty() {
            Route::Sure {
                name,
                params: fit.params.clone(),
                exact: fit.exact,
                because: fit.because.clone(),
            }
        } else {
            Route::Missing {
                name,
                params: fit.params.clone(),
                missing,
            }
        }
    }

    /// Routes every example of every playbook; what does not go where its playbook says.
    pub fn self_test(&self) -> Vec<Misrouted> {
        let all = self.playbooks.iter();
        all.flat_map(|playbook| self.self_test_of(playbook))
            .collect()
    }

    /// The same of one of them.
    pub fn self_test_of(&self, playbook: &Playbook) -> Vec<Misrouted> {
        let mut wrong = Vec::new();
        for test in &playbook.tests {
            let route = self.route(&test.ask);
            if !matches!(&route, Route::Sure { name, params, .. } if *name == playbook.name && *params == test.params)
            {
                wrong.push(misrouted(playbook, &test.ask, &route, &playbook.name));
            }
            self.read_params_alone(playbook, test, &mut wrong);
        }
        for not in &playbook.not {
            let route = self.route(not);
            let taken = matches!(&route, Route::Sure { name, .. } | Route::Missing { name, .. } if *name == playbook.name);
            if taken || self.fits_without_not(playbook, not) {
                wrong.push(misrouted(
                    playbook,
                    not,
                    &Route::Which(vec![of(&(playbook, matching::fit(playbook, not)))]),
                    "elsewhere",
                ));
            }
        }
        wrong
    }

    /// A test phrase must be read right by the intents too, not only because it is written there.
    fn read_params_alone(
        &self,
        playbook: &Playbook,
        test: &super::grammar::Example,
        wrong: &mut Vec<Misrouted>,
    ) {
        let alone = Playbook {
            tests: Vec::new(),
            ..playbook.clone()
        };
        let fit = matching::fit(&alone, &test.ask);
        if !(fit.exact || fit.score >= SURE) || fit.params != test.params {
            let route = Route::None {
                nearest: Vec::new(),
            };
            wrong.push(misrouted(
                playbook,
                &test.ask,
                &route,
                "it by its intents alone",
            ));
        }
    }

    /// A near miss must miss by its words, not only because it is listed.
    fn fits_without_not(&self, playbook: &Playbook, not: &str) -> bool {
        let alone = Playbook {
            not: Vec::new(),
            ..playbook.clone()
        };
        let fit = matching::fit(&alone, not);
        fit.exact || fit.score >= SURE
    }
}

fn misrouted(playbook: &Playbook, ask: &str, route: &Route, expected: &str) -> Misrouted {
    let got = match route {
        Route::Sure { name, params, .. } => {
            format!("{name} with {}", Value::Object(params.clone()))
        }
        Route::Missing { name, missing, .. } => format!("{name} without {}", missing.join(", ")),
        Route::Which(these) => {
            let names: Vec<&str> = these.iter().map(|near| near.name.as_str()).collect();
            names.join(" or ")
        }
        Route::None { .. } => "none".to_owned(),
    };
    Misrouted {
        name: playbook.name.clone(),
        ask: ask.to_owned(),
        got,
        expected: expected.to_owned(),
    }
}

/// What is asked back where nothing is sure: those that it is perhaps.
fn unsure(fits: &[(&Playbook, Fit)]) -> Route {
    let perhaps = |(_, fit): &&(&Playbook, Fit)| fit.score >= PERHAPS && fit.askable;
    let these: Vec<Nearest> = fits.iter().filter(perhaps).take(NEAREST).map(of).collect();
    match these.is_empty() {
        true => Route::None {
            nearest: (fits.iter().filter(|(_, fit)| fit.score >= NEAR))
                .take(NEAREST)
                .map(of)
                .collect(),
        },
        false => Route::Which(these),
    }
}

fn of((playbook, fit): &(&Playbook, Fit)) -> Nearest {
    Nearest {
        name: playbook.name.clone(),
        score: fit.score,
        example: playbook.example(),
        params: fit.params.clone(),
        beside: fit.beside.clone(),
    }
}
