//! A playbook's text as a tree with places: where each key and value begins and ends, so that what is
//! wrong can be pointed at.

use serde_saphyr::granit_parser::{Event, Parser, Span};

/// Deepest nesting that is read.
const DEEPEST: usize = 64;

/// Line and column, both from 1.
pub(super) type Place = (u64, u64);

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Node {
    /// Where it begins.
    pub(super) start: Place,
    /// The last line it stands on.
    pub(super) last_line: u64,
    /// First and last character of it in the text, the last not included.
    pub(super) range: (usize, usize),
    /// What it is.
    pub(super) kind: Kind,
}

/// What a value is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// Keys, their places, and values.
    Map(Vec<(Node, Node)>),
    /// Values.
    List(Vec<Node>),
    /// A text, number or truth value.
    Scalar(String),
    /// An alias, or something nested too deeply.
    Other,
}

impl Node {
    /// The text of a scalar.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Scalar(text) => Some(text),
            _ => None,
        }
    }

    /// A value by its key, and the key.
    pub(super) fn get(&self, key: &str) -> Option<&(Node, Node)> {
        match &self.kind {
            Kind::Map(fields) => fields.iter().find(|(name, _)| name.text() == Some(key)),
            _ => None,
        }
    }

    /// The values of a list.
    pub(super) fn items(&self) -> &[Node] {
        match &self.kind {
            Kind::List(items) => items,
            _ => &[],
        }
    }

    /// What a path such as `steps[1].args` leads to, or what of it there is.
    pub(super) fn at(&self, path: &str) -> &Node {
        let mut here = self;
        for part in path.split('.').filter(|p| !p.is_empty()) {
            let (name, index) = match part.split_once('[') {
                Some((name, rest)) => (name, rest.trim_end_matches(']').parse::<usize>().ok()),
                None => (part, None),
            };
            let Some((_, value)) = here.get(name) else {
                return here;
            };
            here = match index {
                None => value,
                Some(index) => match value.items().get(index) {
                    Some(item) => item,
                    None => return value,
                },
            };
        }
        here
    }
}

/// Reads a text; where it is no YAML, the place and the reason.
pub(super) fn read(text: &str) -> Result<Node, (Place, String)> {
    let mut events = Vec::new();
    for event in Parser::new_from_str(text) {
        match event {
            // Comments, and where streams and documents begin and end, are no values.
            Ok((event, span)) if is_value(&event) => events.push((event, span)),
            Ok(_) => {}
            Err(error) => {
                let marker = error.marker();
                let at = (marker.line() as u64, marker.col() as u64 + 1);
                return Err((at, format!("this is no YAML: {}", error.info())));
            }
        }
    }
    let mut reader = Reader { events, at: 0 };
    reader.node(0).ok_or((
        (1, 1),
        "the file is empty: a playbook begins with `playbook: 1`".to_owned(),
    ))
}

fn is_value(event: &Event<'_>) -> bool {
    matches!(
        event,
        Event::Scalar(..)
            | Event::Alias(_)
            | Event::SequenceStart(..)
            | Event::SequenceEnd
            | Event::MappingStart(..)
            | Event::MappingEnd
    )
}

struct Reader<'t> {
    events: Vec<(Event<'t>, Span)>,
    at: usize,
}

impl Reader<'_> {
    fn node(&mut self, depth: usize) -> Option<Node> {
        let (event, span) = self.events.get(self.at)?.clone();
        self.at += 1;
        let start = (span.start.line() as u64, span.start.col() as u64 + 1);
        let mut node = Node {
            start,
            last_line: span.end.line() as u64,
            range: (span.start.index(), span.end.index()),
            kind: Kind::Other,
        };
        match event {
            Event::Scalar(text, ..) => node.kind = Kind::Scalar(text.into_owned()),
            Event::Alias(_) => {}
            Event::SequenceStart(..) => {
                let mut items = Vec::new();
                while !self.ends(&Event::SequenceEnd, &mut node) {
                    items.extend(Some(self.node(depth + 1)?));
                }
                node.kind = Kind::List(items);
            }
            Event::MappingStart(..) => {
                let mut fields = Vec::new();
                while !self.ends(&Event::MappingEnd, &mut node) {
                    let key = self.node(depth + 1)?;
                    fields.push((key, self.node(depth + 1)?));
                }
                node.kind = Kind::Map(fields);
            }
            _ => return None,
        }
        if depth > DEEPEST {
            node.kind = Kind::Other;
        }
        let last = match &node.kind {
            Kind::List(items) => items.last(),
            Kind::Map(fields) => fields.last().map(|(_, value)| value),
            _ => None,
        };
        if let Some(last) = last {
            node.last_line = node.last_line.max(last.last_line);
            node.range.1 = node.range.1.max(last.range.1);
        }
        Some(node)
    }

    /// Whether a list or mapping is over; it then ends there.
    fn ends(&mut self, with: &Event<'_>, node: &mut Node) -> bool {
        match self.events.get(self.at) {
            None => true,
            Some((event, span)) if event == with => {
                self.at += 1;
                // The end of a block is told where the next thing begins; its last value is nearer.
                if span.end.index() > span.start.index() {
                    node.range.1 = node.range.1.max(span.end.index());
                    node.last_line = node.last_line.max(span.end.line() as u64);
                }
                true
            }
            Some(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn places_are_told() {
        let text = "name: x\nsteps:\n  - {id: a, tool: Read}\n  - id: b\n    args:\n      path: y\nreport: |\n  one\n  two\n";
        let tree = read(text).unwrap();
        for (path, expected) in [
            ("name", (1, 7)),
            ("steps[0]", (3, 5)),
            ("steps[0].tool", (3, 19)),
            ("steps[1].args.path", (6, 13)),
            ("steps[1].nothing.here", (4, 5)),
        ] {
            assert_eq!(tree.at(path).start, expected, "{path}");
        }
        assert_eq!(tree.at("report").text(), Some("one\ntwo\n"));
        assert!(read("").is_err());
        let (at, why) = read("a: [1\nb: 2\n").unwrap_err();
        assert!(at.0 >= 1 && why.contains("no YAML"), "{at:?} {why}");
    }

    proptest! {
        #[test]
        fn any_text_is_survived(text in "(?s)(- |: |\\{|\\}|\\[|\\]|\n|  |a|&a|\\*a|\\||é|\"|.){0,60}") {
            if let Ok(tree) = read(&text) {
                tree.at("a[0].b");
            }
        }
    }
}
