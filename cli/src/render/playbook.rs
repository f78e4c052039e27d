//! A playbook as a page for people: what one may say, what it wants to know, what it does, and what
//! proves it.

use crate::render::text::{columns, count, one_line, safe};
use pai::playbook::Playbook;
use protocol::criterion::Check;

/// Longest line of a criterion or request.
const WIDE: usize = 160;

/// The page; `origin` says where its text lies.
pub fn page(book: &Playbook, origin: &str) -> String {
    let does = if book.writes() {
        "may write"
    } else {
        "only reads"
    };
    let mut page = format!(
        "{} · {} · level {} · {does} · {}\n{}\n",
        book.name,
        book.agent,
        book.level,
        safe(origin),
        safe(&book.description)
    );
    let asks: Vec<String> = book.tests.iter().map(|test| test.ask.clone()).collect();
    list(&mut page, "say, for example", &asks);
    list(&mut page, "and not", &book.not);
    if !book.params.is_empty() {
        let rows: Vec<Vec<String>> = book
            .params
            .iter()
            .map(|(name, spec)| {
                let need = match (&spec.default, spec.required) {
                    (_, true) => "needed".to_owned(),
                    (Some(default), _) => format!("else {default}"),
                    (None, _) => "may be left out".to_owned(),
                };
                let about = one_line(&spec.description, WIDE);
                vec![format!("  {name}"), spec.kind_in_words(), need, about]
            })
            .collect();
        page.push_str("\nit wants to know\n");
        page.push_str(&columns(&rows));
    }
    page.push_str("\nit does\n");
    let rows: Vec<Vec<String>> = book
        .steps
        .iter()
        .map(|step| {
            let mut facts = Vec::new();
            facts.extend(
                step.when
                    .as_ref()
                    .map(|w| format!("when {}", one_line(w, 60))),
            );
            facts.extend(step.foreach.as_ref().map(|_| "for each".to_owned()));
            facts.extend(step.timeout.as_ref().map(|t| format!("at most {t}")));
            facts.extend(step.undo.as_ref().map(|u| format!("undone by {}", u.tool)));
            vec![
                format!("  {}", step.id),
                step.tool.clone(),
                facts.join(", "),
            ]
        })
        .collect();
    page.push_str(&columns(&rows));
    page.push_str("\nproven by\n");
    let rows: Vec<Vec<String>> = book
        .criteria
        .iter()
        .map(|criterion| {
            let by = match &criterion.check {
                Check::Command { argv, .. } => one_line(&argv.join(" "), 40),
                Check::File { path, .. } => format!("the file {}", one_line(path, 40)),
                Check::Tool { name, .. } => format!("{name} again"),
            };
            vec![
                format!("  {}", criterion.id),
                by,
                one_line(&criterion.text, WIDE),
            ]
        })
        .collect();
    page.push_str(&columns(&rows));
    page.push_str(&format!(
        "\nits text: ai-infra playbook show {} --yaml\n",
        book.name
    ));
    page
}

fn list(page: &mut String, title: &str, lines: &[String]) {
    const SHOWN: usize = 8;
    if lines.is_empty() {
        return;
    }
    page.push_str(&format!("\n{title}\n"));
    for line in lines.iter().take(SHOWN) {
        page.push_str(&format!("  {}\n", one_line(line, WIDE)));
    }
    if lines.len() > SHOWN {
        let more = (lines.len() - SHOWN) as u64;
        page.push_str(&format!(
            "  and {} more\n",
            count(more, "request", "requests")
        ));
    }
}
