//! One table for people, one document for programs.

use serde::Serialize;

/// What was measured, and what stood beside it in the same minute.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// What.
    pub name: String,
    /// How much.
    pub value: f64,
    /// Of what.
    pub unit: String,
    /// The peer's value, where there is a peer.
    pub beside: Option<f64>,
    /// `value / beside`.
    pub ratio: Option<f64>,
}

impl Row {
    /// A value on its own.
    pub fn new(name: &str, value: f64, unit: &str) -> Self {
        Self {
            name: name.to_owned(),
            value,
            unit: unit.to_owned(),
            beside: None,
            ratio: None,
        }
    }

    /// The same with a peer.
    pub fn beside(mut self, peer: f64) -> Self {
        self.beside = Some(peer);
        self.ratio = (peer > 0.0).then(|| self.value / peer);
        self
    }
}

/// What `bench … --json` prints.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Document version.
    pub version: u32,
    /// Where and when.
    pub machine: String,
    /// The rows.
    pub rows: Vec<Row>,
    /// What was not measured, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

impl Report {
    /// A report of this machine, now.
    pub fn new(rows: Vec<Row>) -> Self {
        Self {
            version: 1,
            machine: crate::machine::describe(),
            rows,
            notes: Vec::new(),
        }
    }

    /// The same with what was not measured.
    pub fn with_notes(mut self, notes: Vec<String>) -> Self {
        self.notes = notes;
        self
    }

    /// The table.
    pub fn text(&self) -> String {
        let width = self
            .rows
            .iter()
            .map(|r| r.name.chars().count())
            .max()
            .unwrap_or(0);
        let mut text = format!("{}\n\n", self.machine);
        for row in &self.rows {
            let beside = match (row.beside, row.ratio) {
                (Some(beside), Some(ratio)) => format!("   beside {beside:>12.2}   x {ratio:.3}"),
                _ => String::new(),
            };
            let line = format!(
                "{:<width$}  {:>12.2} {}{beside}",
                row.name, row.value, row.unit
            );
            text.push_str(line.trim_end());
            text.push('\n');
        }
        for note in &self.notes {
            text.push_str(note);
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_beside_another_has_its_ratio() {
        let row = Row::new("publish", 50.0, "1/s").beside(100.0);
        assert_eq!(row.ratio, Some(0.5));
        assert_eq!(Row::new("x", 1.0, "s").beside(0.0).ratio, None);
    }
}
