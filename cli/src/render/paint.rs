//! Colour, or none: everything that is painted goes through here, so that a pipe, NO_COLOR and a
//! test read the same words.

/// Whether and how text is painted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paint(pub bool);

impl Paint {
    fn with(self, code: &str, text: &str) -> String {
        match self.0 && !text.is_empty() {
            true => format!("\x1b[{code}m{text}\x1b[0m"),
            false => text.to_owned(),
        }
    }

    /// Strong.
    pub fn bold(self, text: &str) -> String {
        self.with("1", text)
    }

    /// Beside the point.
    pub fn dim(self, text: &str) -> String {
        self.with("2", text)
    }

    /// As typed or to be typed.
    pub fn code(self, text: &str) -> String {
        self.with("36", text)
    }

    /// Stressed.
    pub fn stress(self, text: &str) -> String {
        self.with("3", text)
    }

    /// Good.
    pub fn good(self, text: &str) -> String {
        self.with("32", text)
    }

    /// Bad.
    pub fn bad(self, text: &str) -> String {
        self.with("31", text)
    }

    /// Waits for a person.
    pub fn waits(self, text: &str) -> String {
        self.with("33", text)
    }

    /// An agent's name in its own colour: the same one for the same name, always.
    pub fn agent(self, name: &str, text: &str) -> String {
        const COLOURS: [&str; 5] = ["36", "34", "33", "35", "32"];
        let known = ["code", "data", "infra", "research", "qa"];
        let at = known.iter().position(|known| *known == name);
        let sum = || name.bytes().map(usize::from).sum::<usize>() % COLOURS.len();
        let at = at.unwrap_or_else(sum);
        match name {
            "supervisor" => self.bold(text),
            _ => self.with(COLOURS.get(at).copied().unwrap_or("36"), text),
        }
    }
}
