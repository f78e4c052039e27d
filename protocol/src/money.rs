//! Money in whole millionths of a US dollar, so that sums are exact.

use serde::{Deserialize, Serialize};
use std::fmt;

/// An amount in micro-dollars (1,000,000 = $1).
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct MicroUsd(pub u64);

impl MicroUsd {
    /// From dollars, rounded up to the next micro-dollar; negative and NaN become zero.
    pub fn from_dollars(dollars: f64) -> Self {
        Self((dollars.max(0.0) * 1e6).ceil() as u64)
    }
    /// In dollars, for display and `--json`.
    pub fn dollars(self) -> f64 {
        self.0 as f64 / 1e6
    }
}

impl fmt::Display for MicroUsd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "${:.2}", self.dollars())
    }
}
