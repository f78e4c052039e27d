//! What the team's models cost: the document of `costs`, for people and for `--json`.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Version of the document.
pub const COSTS_VERSION: u32 = 1;

/// What the lines of the document are about.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CostsBy {
    /// One line a day (UTC), newest first.
    #[default]
    Day,
    /// One line an agent, dearest first.
    Agent,
    /// One line a task, dearest first.
    Task,
    /// One line a model, dearest first.
    Model,
}

/// A sum over model calls. Money in US dollars.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct CostSum {
    /// Calls, those that were lost or came to nothing among them.
    pub calls: u64,
    /// Uncached input tokens, those written to a cache among them.
    pub input_tokens: u64,
    /// Input tokens read from a cache.
    pub cache_read_tokens: u64,
    /// Output tokens.
    pub output_tokens: u64,
    /// What was paid, lost and failed calls among it; not what is only set aside.
    pub cost_usd: f64,
    /// What the cache saved; negative where writing it cost more than it saved.
    pub cache_saved_usd: f64,
    /// Calls that were lost with their holder.
    pub lost_calls: u64,
    /// What was charged for them: their reservations.
    pub lost_usd: f64,
    /// What was paid for calls that came to nothing.
    pub failed_usd: f64,
    /// What is set aside for calls that are being made.
    pub reserved_usd: f64,
}

/// One line of the document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CostLine {
    /// The day (`2026-11-21`), the agent, the task (`t7`) or the model; empty where it is not known.
    pub name: String,
    /// More about it for people: what the task was asked.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub about: String,
    /// Its sum.
    #[serde(flatten)]
    pub sum: CostSum,
}

/// The running calendar month (UTC), as the budget sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MonthBudget {
    /// Such as `2026-11`.
    pub month: String,
    /// What a month may cost, in dollars (`budget.month_usd`).
    pub limit_usd: f64,
    /// What was paid, in dollars.
    pub spent_usd: f64,
    /// What running tasks have set aside for calls that are being made, in dollars.
    pub reserved_usd: f64,
    /// What is left after both, in dollars.
    pub left_usd: f64,
}

/// What `costs` prints.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CostsDocument {
    /// Document version.
    pub version: u32,
    /// From when on.
    pub since: Timestamp,
    /// When it was asked.
    pub at: Timestamp,
    /// What the lines are about.
    pub by: CostsBy,
    /// Everything in that time.
    pub total: CostSum,
    /// Tasks that called a model in that time.
    pub tasks: u64,
    /// The lines.
    pub lines: Vec<CostLine>,
    /// Lines that were left out, the cheapest or oldest; they are in the total.
    pub left_out: u64,
    /// The month's budget.
    pub month: MonthBudget,
}
