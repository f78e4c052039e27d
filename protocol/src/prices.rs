//! What tokens cost. A dollar per million tokens is a micro-dollar per token, so no scale is
//! needed. What is not known is charged as the dearest, never as free.

use crate::money::MicroUsd;
use crate::report::Usage;
use serde::{Deserialize, Serialize};

/// Prices of the models whose names begin with `prefix`, in US dollars per million tokens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// Beginning of the model's name.
    pub prefix: String,
    /// Input that no cache held.
    pub input: f64,
    /// Input written to the cache.
    pub cache_write: f64,
    /// Input read from the cache.
    pub cache_read: f64,
    /// Output.
    pub output: f64,
}

/// A price table; the longest matching prefix wins.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prices {
    /// Its lines.
    pub models: Vec<Price>,
}

/// Charged where a table is empty or a number in it is not a price, in dollars per million
/// tokens: input, cache write, cache read, output.
const UNKNOWN: [f64; 4] = [10.0, 12.5, 1.0, 50.0];

impl Prices {
    /// The line for a model; for one that no line matches, the dearest of each column.
    pub fn of(&self, model: &str) -> Price {
        let line = self
            .models
            .iter()
            .filter(|price| model.starts_with(&price.prefix))
            .max_by_key(|price| price.prefix.len());
        match line {
            Some(price) => price.sane(),
            None => self.dearest(),
        }
    }

    fn dearest(&self) -> Price {
        let lines: Vec<Price> = self.models.iter().map(Price::sane).collect();
        let most = |column: fn(&Price) -> f64, unknown: f64| {
            lines.iter().map(column).reduce(f64::max).unwrap_or(unknown)
        };
        Price {
            prefix: String::new(),
            input: most(|p| p.input, UNKNOWN[0]),
            cache_write: most(|p| p.cache_write, UNKNOWN[1]),
            cache_read: most(|p| p.cache_read, UNKNOWN[2]),
            output: most(|p| p.output, UNKNOWN[3]),
        }
    }
}

impl Price {
    /// The same line with numbers that are not prices (negative, not finite) replaced.
    fn sane(&self) -> Self {
        let price = |given: f64, unknown: f64| match given.is_finite() && given >= 0.0 {
            true => given,
            false => unknown,
        };
        Self {
            prefix: self.prefix.clone(),
            input: price(self.input, UNKNOWN[0]),
            cache_write: price(self.cache_write, UNKNOWN[1]),
            cache_read: price(self.cache_read, UNKNOWN[2]),
            output: price(self.output, UNKNOWN[3]),
        }
    }

    /// What these tokens cost, rounded up.
    pub fn cost(&self, usage: &Usage) -> MicroUsd {
        let sum = usage.input_tokens as f64 * self.input
            + usage.cache_write_tokens as f64 * self.cache_write
            + usage.cache_read_tokens as f64 * self.cache_read
            + usage.output_tokens as f64 * self.output;
        MicroUsd(sum.ceil() as u64)
    }

    /// What reading from the cache saved beside sending the same as new input, less what writing it
    /// cost more; in micro-dollars, negative where nothing came of it yet.
    pub fn saved(&self, usage: &Usage) -> i64 {
        let read = usage.cache_read_tokens as f64 * (self.input - self.cache_read);
        let written = usage.cache_write_tokens as f64 * (self.cache_write - self.input);
        (read - written).round() as i64
    }

    /// The dearest one input token can be: uncached or written to the cache.
    pub fn dearest_input(&self) -> f64 {
        self.input.max(self.cache_write)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(prefix: &str, input: f64, output: f64) -> Price {
        Price {
            prefix: prefix.to_owned(),
            input,
            cache_write: input * 1.25,
            cache_read: input / 10.0,
            output,
        }
    }

    #[test]
    fn the_longest_prefix_wins_and_the_unknown_is_dearest() {
        let prices = Prices {
            models: vec![
                line("claude-opus", 5.0, 25.0),
                line("claude-opus-9", 7.0, 20.0),
                line("claude-haiku", 1.0, 5.0),
            ],
        };
        for (model, input, output) in [
            ("claude-opus-5", 5.0, 25.0),
            ("claude-opus-9-mini", 7.0, 20.0),
            ("claude-haiku-4-5-20251001", 1.0, 5.0),
            ("something-else", 7.0, 25.0),
        ] {
            let price = prices.of(model);
            assert_eq!((price.input, price.output), (input, output), "{model}");
        }
    }

    #[test]
    fn nothing_unknown_is_free() {
        assert_eq!(Prices::default().of("x").output, UNKNOWN[3]);
        let odd = Prices {
            models: vec![line("x", f64::NAN, -1.0)],
        };
        let price = odd.of("x");
        assert_eq!((price.input, price.output), (UNKNOWN[0], UNKNOWN[3]));
    }

    #[test]
    fn a_million_tokens_cost_their_price() {
        let usage = Usage {
            input_tokens: 1_000_000,
            output_tokens: 1_000_000,
            cache_read_tokens: 1_000_000,
            cache_write_tokens: 1_000_000,
            ..Usage::default()
        };
        assert_eq!(
            line("x", 2.0, 10.0).cost(&usage),
            MicroUsd(2_000_000 + 2_500_000 + 200_000 + 10_000_000)
        );
        // Read for a tenth of the price; written for a quarter more.
        assert_eq!(line("x", 2.0, 10.0).saved(&usage), 1_800_000 - 500_000);
        let written = Usage {
            cache_read_tokens: 0,
            ..usage
        };
        assert_eq!(line("x", 2.0, 10.0).saved(&written), -500_000);
    }
}
