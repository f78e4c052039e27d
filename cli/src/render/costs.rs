//! `costs`: the sum first, the month's budget beside it, then a line for each day, agent, task or model.

use super::text::{columns, count, money, one_line};
use jiff::tz::TimeZone;
use protocol::costs::{CostLine, CostSum, CostsBy, CostsDocument, MonthBudget};

/// The whole page.
pub fn text(costs: &CostsDocument) -> String {
    let mut text = columns(&head(costs));
    if !costs.lines.is_empty() {
        let mut rows = vec![title(costs.by)];
        rows.extend(costs.lines.iter().map(|line| row(line, costs.by)));
        text.push_str(&format!("\n{}", columns(&rows)));
    }
    if costs.left_out > 0 {
        let many = count(costs.left_out, "line", "lines");
        text.push_str(&format!("… and {many} more, which are in the sum above\n"));
    }
    text
}

fn head(costs: &CostsDocument) -> Vec<Vec<String>> {
    let total = &costs.total;
    let since = costs.since.to_zoned(TimeZone::system());
    let mut rows = Vec::new();
    let mut say = |what: &str, amount: String| rows.push(vec![what.to_owned(), amount]);
    let sum = match total.calls {
        0 => "$0.00: no model was called; what playbooks do costs nothing".to_owned(),
        calls => format!(
            "{} for {} of {}",
            money(total.cost_usd),
            count(calls, "model call", "model calls"),
            count(costs.tasks, "task", "tasks")
        ),
    };
    say(&format!("since {}", since.strftime("%Y-%m-%d %H:%M")), sum);
    match total.cache_saved_usd {
        saved if saved > 0.0 => say("the cache saved", money(saved)),
        owed if owed < 0.0 => say(
            "the cache",
            format!("cost {} more than it saved", money(-owed)),
        ),
        _ => {}
    }
    if total.lost_calls > 0 {
        let calls = count(total.lost_calls, "call", "calls");
        let sum = format!(
            "{} ({calls} whose agent died, charged as set aside)",
            money(total.lost_usd)
        );
        say("lost calls", sum);
    }
    if total.failed_usd > 0.0 {
        say("calls without a reply", money(total.failed_usd));
    }
    say(&format!("{} (UTC)", costs.month.month), month(&costs.month));
    if costs.month.left_usd <= 0.0 {
        say(
            "",
            "raise budget.month_usd, or use playbooks, which cost nothing".to_owned(),
        );
    }
    rows
}

fn month(month: &MonthBudget) -> String {
    let mut text = format!("{} of {}", money(month.spent_usd), money(month.limit_usd));
    if month.reserved_usd > 0.0 {
        let aside = money(month.reserved_usd);
        text.push_str(&format!(", {aside} set aside"));
    }
    match month.left_usd > 0.0 {
        true => text.push_str(&format!(", {} left", money(month.left_usd))),
        false => text.push_str(": it is spent"),
    }
    text
}

fn title(by: CostsBy) -> Vec<String> {
    let first = match by {
        CostsBy::Day => "day (UTC)",
        CostsBy::Agent => "agent",
        CostsBy::Task => "task",
        CostsBy::Model => "model",
    };
    [
        first, "calls", "input", "cached", "output", "saved", "cost", "",
    ]
    .map(str::to_owned)
    .to_vec()
}

fn row(line: &CostLine, by: CostsBy) -> Vec<String> {
    let CostSum {
        calls,
        input_tokens,
        cache_read_tokens,
        output_tokens,
        cost_usd,
        cache_saved_usd,
        reserved_usd,
        ..
    } = line.sum;
    let name = match (line.name.as_str(), by) {
        // Of tasks of an earlier version only the sum is known.
        ("", _) => "not known".to_owned(),
        (name, _) => one_line(name, 40),
    };
    let aside = match reserved_usd > 0.0 {
        true => format!("+{} set aside  ", money(reserved_usd)),
        false => String::new(),
    };
    vec![
        name,
        calls.to_string(),
        tokens(input_tokens),
        tokens(cache_read_tokens),
        tokens(output_tokens),
        signed(cache_saved_usd),
        money(cost_usd),
        format!("{aside}{}", one_line(&line.about, 30)),
    ]
}

/// `950`, `12 k`, `3.4 M`.
fn tokens(number: u64) -> String {
    match number {
        0..1000 => number.to_string(),
        1000..1_000_000 => format!("{} k", number.div_ceil(1000)),
        _ => format!("{:.1} M", number as f64 / 1e6),
    }
}

/// Money that may be owed: writing a cache that is never read costs more than it saves.
fn signed(dollars: f64) -> String {
    match dollars < 0.0 {
        true => format!("-{}", money(-dollars)),
        false => money(dollars),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn document(change: impl FnOnce(&mut CostsDocument)) -> CostsDocument {
        let mut document: CostsDocument = serde_json::from_value(serde_json::json!({
            "version": 1, "since": "2026-10-22T00:00:00Z", "at": "2026-11-21T00:00:00Z", "by": "task",
            "total": CostSum::default(), "tasks": 0, "lines": [], "left_out": 0,
            "month": {"month": "2026-11", "limit_usd": 20.0, "spent_usd": 0.0, "reserved_usd": 0.0, "left_usd": 20.0},
        }))
        .unwrap();
        change(&mut document);
        document
    }

    fn check(document: &CostsDocument, said: &[&str], unsaid: &[&str]) {
        let text = text(document);
        for word in said {
            assert!(text.contains(word), "no `{word}` in:\n{text}");
        }
        for word in unsaid {
            assert!(!text.contains(word), "`{word}` in:\n{text}");
        }
        assert!(
            text.lines().all(|line| line.chars().count() <= 90),
            "{text}"
        );
    }

    #[test]
    fn a_team_without_a_model_has_spent_nothing() {
        let said = ["no model was called", "$0.00 of $20.00, $20.00 left"];
        check(&document(|_| {}), &said, &["saved", "lost", "set aside"]);
    }

    #[test]
    fn what_is_odd_is_said_and_texts_are_tamed() {
        let sum = CostSum {
            calls: 3,
            input_tokens: 12_345,
            cache_read_tokens: 3_400_000,
            output_tokens: 950,
            cost_usd: 1.5,
            cache_saved_usd: -0.25,
            lost_calls: 1,
            lost_usd: 0.5,
            failed_usd: 0.0042,
            reserved_usd: 0.75,
        };
        let costs = document(|document| {
            document.tasks = 1;
            document.left_out = 2;
            document.total = sum.clone();
            document.month.reserved_usd = 0.75;
            document.month.left_usd = 0.0;
            document.lines = vec![CostLine {
                name: "t7".to_owned(),
                about: "fix \u{1b}[2Jit".to_owned(),
                sum,
            }];
        });
        let said = [
            "$1.50 for 3 model calls of 1 task",
            "the cache               cost $0.25 more than it saved",
            "$0.50 (1 call whose agent died",
            "calls without a reply   $0.0042",
            "$0.75 set aside: it is spent",
            "t7    3      13 k   3.4 M   950     -$0.25  $1.50  +$0.75 set aside",
            "2 lines more",
        ];
        check(&costs, &said, &["\u{1b}"]);
    }
}
