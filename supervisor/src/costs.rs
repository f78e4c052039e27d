//! What models cost: calls of the ledger added up by day, agent, task or model, with the month's
//! budget beside them. The sums are a pure function of the calls.

use crate::desk::Desk;
use crate::intake::month_start;
use crate::ledger::spends::{Spend, SpendState};
use crate::ledger::store::LedgerError;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use protocol::costs::{COSTS_VERSION, CostLine, CostSum, CostsBy, CostsDocument, MonthBudget};
use std::collections::{BTreeMap, BTreeSet};

/// Most lines of one document.
const LINES: usize = 400;

/// The document, as of `now`.
///
/// # Errors
/// When the ledger does not answer.
pub async fn costs(
    desk: &Desk,
    since: Timestamp,
    by: CostsBy,
    now: Timestamp,
) -> Result<CostsDocument, LedgerError> {
    let spends = desk
        .ledger
        .spends_since(since.min(month_start(now)))
        .await?;
    Ok(document(
        &spends,
        since,
        by,
        now,
        desk.settings.budget.month_usd,
    ))
}

/// The same from the calls since `since` and since the month began, whichever is earlier.
fn document(
    spends: &[Spend],
    since: Timestamp,
    by: CostsBy,
    now: Timestamp,
    limit_usd: f64,
) -> CostsDocument {
    let mut total = CostSum::default();
    let mut tasks = BTreeSet::new();
    let mut lines: BTreeMap<String, CostLine> = BTreeMap::new();
    for spend in spends.iter().filter(|spend| spend.at >= since) {
        let (name, about) = line_of(spend, by);
        tasks.extend(spend.task);
        add(&mut total, spend);
        let line = lines.entry(name.clone()).or_insert_with(|| CostLine {
            name,
            about,
            sum: CostSum::default(),
        });
        add(&mut line.sum, spend);
    }
    let mut lines: Vec<CostLine> = lines.into_values().rev().collect();
    if by != CostsBy::Day {
        lines.sort_by(|a, b| weight(&b.sum).total_cmp(&weight(&a.sum)));
    }
    let left_out = lines.len().saturating_sub(LINES) as u64;
    lines.truncate(LINES);
    CostsDocument {
        version: COSTS_VERSION,
        since,
        at: now,
        by,
        total,
        tasks: tasks.len() as u64,
        lines,
        left_out,
        month: month(spends, now, limit_usd),
    }
}

fn weight(sum: &CostSum) -> f64 {
    sum.cost_usd + sum.reserved_usd
}

/// Which line a call belongs to, and what is said about that line.
fn line_of(spend: &Spend, by: CostsBy) -> (String, String) {
    let name = match by {
        CostsBy::Day => date(spend.at),
        CostsBy::Agent => spend.agent.to_string(),
        CostsBy::Task => match spend.task {
            Some(task) => return (task.to_string(), spend.request.clone()),
            None => return ("chat".to_owned(), "plain questions".to_owned()),
        },
        CostsBy::Model => spend.model.clone(),
    };
    (name, String::new())
}

/// The day in UTC, as the budget's month is.
fn date(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).date().to_string()
}

fn add(sum: &mut CostSum, spend: &Spend) {
    let (usage, cost) = (&spend.usage, spend.usage.cost.dollars());
    if spend.state == SpendState::Reserved {
        sum.reserved_usd += cost;
        return;
    }
    sum.calls += usage.requests;
    sum.input_tokens += usage.input_tokens + usage.cache_write_tokens;
    sum.cache_read_tokens += usage.cache_read_tokens;
    sum.output_tokens += usage.output_tokens;
    sum.cost_usd += cost;
    sum.cache_saved_usd += usage.saved_micro_usd as f64 / 1e6;
    match spend.state {
        SpendState::Lost => {
            sum.lost_calls += usage.requests;
            sum.lost_usd += cost;
        }
        SpendState::Failed => sum.failed_usd += cost,
        SpendState::Paid | SpendState::Reserved => {}
    }
}

fn month(spends: &[Spend], now: Timestamp, limit_usd: f64) -> MonthBudget {
    let start = month_start(now);
    let mut sum = CostSum::default();
    let these = spends.iter().filter(|spend| spend.at >= start);
    these.for_each(|spend| add(&mut sum, spend));
    MonthBudget {
        month: now.to_zoned(TimeZone::UTC).strftime("%Y-%m").to_string(),
        limit_usd,
        spent_usd: sum.cost_usd,
        reserved_usd: sum.reserved_usd,
        left_usd: (limit_usd - weight(&sum)).max(0.0),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use protocol::ids::ShortId;
    use protocol::money::MicroUsd;
    use protocol::report::Usage;

    fn spend(
        task: u64,
        agent: &str,
        model: &str,
        state: SpendState,
        at: &str,
        cents: u64,
    ) -> Spend {
        Spend {
            task: Some(ShortId(task)),
            agent: agent.parse().unwrap(),
            request: format!("request {task}"),
            model: model.to_owned(),
            state,
            usage: Usage {
                requests: 1,
                input_tokens: 10,
                cache_read_tokens: 100,
                output_tokens: 1,
                cost: MicroUsd(cents * 10_000),
                saved_micro_usd: 5_000,
                ..Usage::default()
            },
            at: at.parse().unwrap(),
        }
    }

    /// Name and cost in cents of each line of a few calls.
    fn check(by: CostsBy, since: &str, expected: &[(&str, u64)]) -> CostsDocument {
        use SpendState::{Failed, Lost, Paid, Reserved};
        let spends = [
            spend(1, "code", "opus", Paid, "2026-10-31T23:59:59Z", 7),
            spend(1, "code", "opus", Paid, "2026-11-01T00:00:00Z", 10),
            spend(2, "qa", "haiku", Lost, "2026-11-20T23:59:59Z", 3),
            spend(3, "code", "haiku", Failed, "2026-11-21T00:00:00Z", 2),
            spend(3, "code", "opus", Reserved, "2026-11-21T01:00:00Z", 50),
        ];
        let now = "2026-11-21T02:00:00Z".parse().unwrap();
        let document = document(&spends, since.parse().unwrap(), by, now, 0.6);
        let lines: Vec<(&str, u64)> = (document.lines.iter())
            .map(|line| {
                (
                    line.name.as_str(),
                    (line.sum.cost_usd * 100.0).round() as u64,
                )
            })
            .collect();
        assert_eq!(lines, expected, "{by:?}");
        document
    }

    #[test]
    fn calls_are_added_up_by_what_is_asked_for() {
        let all = "2026-10-01T00:00:00Z";
        let by_day = [
            ("2026-11-21", 2),
            ("2026-11-20", 3),
            ("2026-11-01", 10),
            ("2026-10-31", 7),
        ];
        check(CostsBy::Day, all, &by_day);
        check(CostsBy::Agent, all, &[("code", 19), ("qa", 3)]);
        // What is only set aside weighs, and is no cost.
        check(CostsBy::Model, all, &[("opus", 17), ("haiku", 5)]);
        let tasks = check(CostsBy::Task, all, &[("t3", 2), ("t1", 17), ("t2", 3)]);
        assert_eq!(tasks.lines[0].about, "request 3");
        assert_eq!(tasks.tasks, 3);
        check(CostsBy::Agent, "2026-11-21T00:00:00Z", &[("code", 2)]);
        check(CostsBy::Agent, "2026-11-22T00:00:00Z", &[]);
    }

    #[test]
    fn the_month_is_whole_whatever_is_asked_about() {
        for since in ["2026-10-01T00:00:00Z", "2026-11-21T00:00:00Z"] {
            let all = check(
                CostsBy::Agent,
                since,
                match since.starts_with("2026-10") {
                    true => &[("code", 19), ("qa", 3)],
                    false => &[("code", 2)],
                },
            );
            let cents = |dollars: f64| (dollars * 100.0).round() as u64;
            assert_eq!(all.month.month, "2026-11");
            assert_eq!(cents(all.month.spent_usd), 15, "{since}");
            assert_eq!(cents(all.month.reserved_usd), 50, "{since}");
            assert_eq!(
                cents(all.month.left_usd),
                0,
                "more than there is: none left"
            );
        }
    }

    #[test]
    fn what_came_to_nothing_is_told_apart() {
        let all = check(
            CostsBy::Agent,
            "2026-11-20T00:00:00Z",
            &[("code", 2), ("qa", 3)],
        );
        let total = &all.total;
        assert_eq!((total.calls, total.lost_calls), (2, 1));
        assert_eq!((total.lost_usd, total.failed_usd), (0.03, 0.02));
        assert_eq!(total.cache_saved_usd, 0.01);
    }
}
