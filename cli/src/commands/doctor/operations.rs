//! Whether this install can do what it grants to be done on the host itself.

use super::{Finding, How, finding};
use config::home::Home;
use config::settings::Settings;

/// One line, where anything is granted.
pub(super) fn look(settings: Option<&Settings>, home: &Home) -> Option<Finding> {
    let mut all: Vec<(&'static str, Option<String>)> = Vec::new();
    for agent in &settings?.agents {
        // What is wrong with the rules is said of the settings.
        let rules = config::operations::rules(home, &agent.name).ok()?;
        for one in hands::able::all(&rules.terms) {
            if !all.contains(&one) {
                all.push(one);
            }
        }
    }
    judged(&all)
}

fn judged(all: &[(&'static str, Option<String>)]) -> Option<Finding> {
    let cannot: Vec<String> = all
        .iter()
        .filter_map(|(what, why)| Some(format!("{what} ({})", why.as_ref()?)))
        .collect();
    let can: Vec<&str> = all
        .iter()
        .filter(|(_, why)| why.is_none())
        .map(|(what, _)| *what)
        .collect();
    if all.is_empty() {
        return None;
    }
    if cannot.is_empty() {
        let seen = format!("this install can do what it grants: {}", can.join(", "));
        return Some(finding("operations", How::Good, seen, ""));
    }
    let can = match can.is_empty() {
        true => String::new(),
        false => format!("; it can do {}", can.join(", ")),
    };
    let seen = format!("this install cannot do {}{can}", cannot.join("; "));
    let next = "what an install can do: docs/operations.md";
    Some(finding("operations", How::Odd, seen, next))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(all: &[(&'static str, Option<&str>)]) -> String {
        let all: Vec<_> = all
            .iter()
            .map(|(what, why)| (*what, why.map(str::to_owned)))
            .collect();
        judged(&all).map_or_else(String::new, |one| one.seen)
    }

    #[test]
    fn one_line_says_what_cannot_be_done_and_why() {
        assert_eq!(said(&[]), "");
        assert_eq!(
            said(&[("web sites", None), ("updates", None)]),
            "this install can do what it grants: web sites, updates"
        );
        assert_eq!(
            said(&[
                ("web sites", None),
                (
                    "certificates",
                    Some("certbot is not installed on this host")
                )
            ]),
            "this install cannot do certificates (certbot is not installed on this host); it can do web sites"
        );
    }
}
