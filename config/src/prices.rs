//! The price table: rows by the start of a model's name, each column from its own layer.

use crate::error::{Problem, quoted};
use crate::layers::Layers;
use protocol::prices::{Price, Prices};
use std::cmp::Reverse;

/// The table, longest prefix first. A row that lacks a column is a problem: what is not known
/// must not be free.
pub fn settled(layers: &Layers, problems: &mut Vec<Problem>) -> Prices {
    let mut models = Vec::new();
    for prefix in layers.names_below(&["prices", "models"]) {
        let column = |name: &str| {
            let entry = layers.get(&["prices", "models", &prefix, name])?;
            entry.value.as_f64()
        };
        let columns = ["input", "cache_write", "cache_read", "output"].map(|n| (n, column(n)));
        if let Some((name, _)) = columns.iter().find(|(_, value)| value.is_none()) {
            let message = format!("`prices.models.{}` lacks `{name}`", quoted(&prefix));
            let place = layers.place_below(&["prices", "models", &prefix]);
            problems.push(Problem::new(place, message));
        }
        let [input, cache_write, cache_read, output] = columns.map(|(_, v)| v.unwrap_or_default());
        models.push(Price {
            prefix,
            input,
            cache_write,
            cache_read,
            output,
        });
    }
    models.sort_by_key(|price| Reverse(price.prefix.len()));
    Prices { models }
}
