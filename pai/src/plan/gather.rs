//! The report of a plan: what its file says under `gather`, else a table of its parts.

use super::fill::{self, Came};
use super::{PlanError, fill::cut};
use crate::playbook::render;
use protocol::plan::{PartState, Plan};

/// Lines of each part's report in the table.
const LINES: usize = 4;
/// Largest excerpt of one part's report, in bytes.
const EXCERPT: usize = 1200;

/// The report. One whose template cannot be filled is the table, with the reason below it.
pub fn report(plan: &Plan, parts: &[Came]) -> String {
    let Some(template) = &plan.gather else {
        return table(parts);
    };
    match render::render(template, &fill::context(&plan.name, parts)) {
        Ok(report) => report.trim().to_owned(),
        Err(error) => format!(
            "{}\n\n(the plan's own report could not be made: {})",
            table(parts),
            PlanError::from(error)
        ),
    }
}

fn table(parts: &[Came]) -> String {
    let rows: Vec<String> = parts.iter().map(row).collect();
    rows.join("\n\n")
}

fn row(part: &Came) -> String {
    let task = part.task.map(|id| format!(" ({id})")).unwrap_or_default();
    let agent = part
        .agent
        .as_ref()
        .filter(|_| part.task.is_some())
        .map(|agent| format!(" by {agent}"))
        .unwrap_or_default();
    let how = match part.state {
        PartState::Left => "not started".to_owned(),
        state => state.as_str().to_owned(),
    };
    let proven = match part.proven {
        (_, 0) => String::new(),
        (passed, all) => format!(", {passed} of {all} criteria proven"),
    };
    let why = match (&part.reason, part.state) {
        (Some(reason), PartState::Failed | PartState::Left) => format!(": {reason}"),
        _ => String::new(),
    };
    let mut text = format!("**{}**{task} {how}{agent}{proven}{why}", part.id);
    let said: Vec<&str> = part
        .result
        .lines()
        .map(str::trim_end)
        .filter(|line| !line.trim().is_empty())
        .collect();
    let shown = said.iter().take(LINES).copied().collect::<Vec<_>>();
    let excerpt = cut(&shown.join("\n"), EXCERPT);
    for line in excerpt.lines() {
        text.push_str(&format!("\n> {line}"));
    }
    match said.len().saturating_sub(LINES) {
        0 => {}
        1 => text.push_str("\n> … 1 more line"),
        more => text.push_str(&format!("\n> … {more} more lines")),
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use protocol::ids::ShortId;

    fn parts() -> Vec<Came> {
        let came = |id: &str, state, task: Option<u64>, result: &str, reason: Option<&str>| Came {
            id: id.to_owned(),
            state,
            reason: reason.map(str::to_owned),
            task: task.map(ShortId),
            agent: "qa".parse().ok(),
            result: result.to_owned(),
            proven: (2, if task.is_some() { 2 } else { 0 }),
        };
        vec![
            came("tests", PartState::Done, Some(2), "1\n\n2\n3\n4\n5", None),
            came("scan", PartState::Failed, Some(3), "", Some("it broke")),
            came(
                "look",
                PartState::Left,
                None,
                "",
                Some("it comes after `scan`, which is not done"),
            ),
        ]
    }

    fn plan(gather: Option<&str>) -> Plan {
        Plan {
            plan: 1,
            name: "p".to_owned(),
            tasks: Vec::new(),
            gather: gather.map(str::to_owned),
        }
    }

    #[test]
    fn the_table_says_how_each_part_ended() {
        assert_eq!(
            report(&plan(None), &parts()),
            "**tests** (t2) done by qa, 2 of 2 criteria proven\n> 1\n> 2\n> 3\n> 4\n> … 1 more line\n\n\
             **scan** (t3) failed by qa, 2 of 2 criteria proven: it broke\n\n\
             **look** not started: it comes after `scan`, which is not done"
        );
    }

    #[test]
    fn a_plan_may_say_its_own() {
        let own = "{{ plan.name }}: {% for t in parts %}{{ t.id }}={{ t.state }} {% endfor %}";
        assert_eq!(
            report(&plan(Some(own)), &parts()),
            "p: tests=done scan=failed look=left"
        );
        let broken = report(&plan(Some("{{ tasks.nobody.line }}")), &parts());
        assert!(
            broken.contains("**tests** (t2)") && broken.contains("could not be made"),
            "{broken}"
        );
    }
}
