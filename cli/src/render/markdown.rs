//! A report as a page of a terminal: headings, lists, tables, quotes and code from Markdown, wrapped
//! to a width. The text comes from agents and is tamed before it is read.

use super::apart::apart;
use super::paint::Paint;
use super::text::safe;
use super::wrap::{Piece, Style, wrap};
use pulldown_cmark::{CodeBlockKind, Event, HeadingLevel, Options, Parser, Tag, TagEnd};
use unicode_width::UnicodeWidthStr;

/// Narrowest page that is laid out; a narrower terminal folds lines by itself.
const NARROWEST: usize = 20;

/// Lays Markdown out, `width` columns wide.
pub fn text(markdown: &str, width: usize, paint: Paint) -> String {
    let tamed = apart(&safe(markdown));
    let options =
        Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TASKLISTS;
    let mut page = Page::new(width.max(NARROWEST), paint);
    for event in Parser::new_ext(&tamed, options) {
        page.take(event);
    }
    page.end_paragraph();
    page.out.trim_end().to_owned()
}

/// A list that is open: the number of its next item, where it counts.
struct List {
    next: Option<u64>,
}

struct Page {
    out: String,
    width: usize,
    paint: Paint,
    /// What is written on the paragraph that is open.
    pieces: Vec<Piece>,
    style: Style,
    lists: Vec<List>,
    /// The mark before the first line of an item, until it is used.
    mark: Option<String>,
    quotes: usize,
    code: Option<String>,
    heading: bool,
    table: Option<Table>,
    link: Option<String>,
}

#[derive(Default)]
struct Table {
    rows: Vec<Vec<String>>,
    row: Vec<String>,
    cell: String,
}

impl Page {
    fn new(width: usize, paint: Paint) -> Self {
        Self {
            out: String::new(),
            width,
            paint,
            pieces: Vec::new(),
            style: Style::default(),
            lists: Vec::new(),
            mark: None,
            quotes: 0,
            code: None,
            heading: false,
            table: None,
            link: None,
        }
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Start(tag) => self.start(tag),
            Event::End(tag) => self.end(tag),
            Event::Text(text) => self.words(&text, self.style),
            Event::Code(text) => {
                let style = Style {
                    code: true,
                    ..self.style
                };
                self.words(&text, style);
            }
            // Markup of other kinds is shown as it was written.
            Event::Html(text) | Event::InlineHtml(text) => self.words(&text, self.style),
            Event::SoftBreak => self.words(" ", self.style),
            Event::HardBreak => self.pieces.push(Piece::Break),
            Event::Rule => {
                self.end_paragraph();
                let line = "─".repeat(self.width.min(40));
                self.line(&self.paint.dim(&line));
                self.blank();
            }
            Event::TaskListMarker(done) => {
                self.words(if done { "[x] " } else { "[ ] " }, self.style);
            }
            _ => {}
        }
    }

    fn words(&mut self, text: &str, style: Style) {
        if let Some(code) = &mut self.code {
            code.push_str(text);
        } else if let Some(table) = &mut self.table {
            table.cell.push_str(text);
        } else {
            self.pieces.push(Piece::Text(text.to_owned(), style));
        }
    }

    fn start(&mut self, tag: Tag) {
        match tag {
            Tag::Heading { level, .. } => {
                self.end_paragraph();
                self.heading = true;
                self.style.bold = true;
                self.style.code = level >= HeadingLevel::H4;
            }
            Tag::Strong => self.style.bold = true,
            Tag::Emphasis => self.style.stress = true,
            Tag::BlockQuote(_) => {
                self.end_paragraph();
                self.quotes += 1;
            }
            Tag::CodeBlock(kind) => {
                self.end_paragraph();
                if let CodeBlockKind::Fenced(name) = kind
                    && !name.is_empty()
                {
                    self.line(&self.paint.dim(&name));
                }
                self.code = Some(String::new());
            }
            Tag::List(first) => {
                self.end_lines();
                self.lists.push(List { next: first });
            }
            Tag::Item => {
                self.end_lines();
                let mark = match self.lists.last_mut() {
                    Some(List { next: Some(number) }) => {
                        *number += 1;
                        format!("{}. ", *number - 1)
                    }
                    _ => "- ".to_owned(),
                };
                self.mark = Some(mark);
            }
            Tag::Table(_) => {
                self.end_paragraph();
                self.table = Some(Table::default());
            }
            Tag::Link { dest_url, .. } => self.link = Some(dest_url.to_string()),
            Tag::Image { dest_url, .. } => self.link = Some(dest_url.to_string()),
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Paragraph => match self.lists.is_empty() {
                true => self.end_paragraph(),
                false => self.end_lines(),
            },
            TagEnd::Heading(_) => {
                self.style = Style::default();
                self.end_paragraph();
                self.heading = false;
            }
            TagEnd::Strong => self.style.bold = false,
            TagEnd::Emphasis => self.style.stress = false,
            TagEnd::BlockQuote(_) => {
                self.end_paragraph();
                self.quotes = self.quotes.saturating_sub(1);
            }
            TagEnd::CodeBlock => self.end_code(),
            TagEnd::Item => {
                self.end_lines();
                self.mark = None;
            }
            TagEnd::List(_) => {
                self.end_lines();
                self.lists.pop();
                if self.lists.is_empty() {
                    self.blank();
                }
            }
            TagEnd::TableCell => {
                if let Some(table) = &mut self.table {
                    let cell = std::mem::take(&mut table.cell);
                    table.row.push(cell.trim().to_owned());
                }
            }
            TagEnd::TableHead | TagEnd::TableRow => {
                if let Some(table) = &mut self.table {
                    let row = std::mem::take(&mut table.row);
                    table.rows.push(row);
                }
            }
            TagEnd::Table => self.end_table(),
            TagEnd::Link | TagEnd::Image => self.end_link(),
            _ => {}
        }
    }

    /// The address of a link is shown where its words do not say it.
    fn end_link(&mut self) {
        let Some(address) = self.link.take() else {
            return;
        };
        let said: String = self
            .pieces
            .iter()
            .rev()
            .take(1)
            .map(Piece::as_str)
            .collect();
        if !address.is_empty() && said != address {
            self.words(&format!(" ({address})"), self.style);
        }
    }

    fn end_code(&mut self) {
        let Some(code) = self.code.take() else {
            return;
        };
        for line in code.trim_end_matches('\n').lines() {
            let line = line.replace('\t', "    ");
            let indent = self.indent();
            self.line(&format!("{indent}  {}", self.paint.code(&line)));
        }
        self.blank();
    }

    fn end_table(&mut self) {
        let Some(table) = self.table.take() else {
            return;
        };
        let indent = self.indent();
        let room = self.width.saturating_sub(indent.len());
        for line in super::table::text(&table.rows, room, self.paint) {
            self.line(&format!("{indent}{line}"));
        }
        self.blank();
    }

    /// What stands before a line, without the mark of an item.
    fn indent(&self) -> String {
        format!(
            "{}{}",
            "│ ".repeat(self.quotes),
            "  ".repeat(self.lists.len().saturating_sub(1))
        )
    }

    /// Ends what is written without an empty line after it.
    fn end_lines(&mut self) {
        let pieces = std::mem::take(&mut self.pieces);
        if pieces.iter().all(Piece::is_blank) {
            return;
        }
        let indent = self.indent();
        let in_item = !self.lists.is_empty();
        let mark = match (self.mark.take(), in_item) {
            (Some(mark), _) => mark,
            (None, true) => "  ".to_owned(),
            (None, false) => String::new(),
        };
        let hang = format!("{indent}{}", " ".repeat(mark.width()));
        let room = self.width.saturating_sub(hang.width()).max(NARROWEST / 2);
        for (at, line) in wrap(&pieces, room, self.paint).into_iter().enumerate() {
            match at {
                0 => self.line(&format!("{indent}{mark}{line}")),
                _ => self.line(&format!("{hang}{line}")),
            }
        }
    }

    fn end_paragraph(&mut self) {
        let written = !self.pieces.iter().all(Piece::is_blank);
        self.end_lines();
        if written && !self.heading {
            self.blank();
        }
    }

    fn line(&mut self, line: &str) {
        self.out.push_str(line.trim_end());
        self.out.push('\n');
    }

    fn blank(&mut self) {
        if !self.out.is_empty() && !self.out.ends_with("\n\n") {
            self.out.push('\n');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(markdown: &str, expected: &str) {
        assert_eq!(text(markdown, 40, Paint(false)), expected);
    }

    #[test]
    fn words_are_wrapped_and_lists_hang() {
        check(
            "The suite of this project ran to its end and **12** tests passed.\nNothing else.",
            "The suite of this project ran to its end\nand 12 tests passed. Nothing else.",
        );
        check(
            "# Tests\n\n- one `a.py` that is long enough to need a second line\n- two\n  1. deep\n  2. deeper\n\nafter",
            "Tests\n- one a.py that is long enough to need a\n  second line\n- two\n  1. deep\n  2. deeper\n\nafter",
        );
        check(
            "> said\n\n---\n\n[here](http://x.y)",
            &format!("│ said\n\n{}\n\nhere (http://x.y)", "─".repeat(40)),
        );
    }

    #[test]
    fn code_and_tables_keep_their_shape() {
        check("```sh\ncargo test\n\tx\n```\n", "sh\n  cargo test\n      x");
        check(
            "| file | rows |\n|---|---|\n| orders.csv | 12 |\n| x | 3 |\n",
            "file        rows\norders.csv  12\nx           3",
        );
        check(
            "| file | what is wrong with it |\n|---|---|\n| orders.csv | the third column holds dates of two kinds |\n",
            "file: orders.csv\n  what is wrong with it: the third\n  column holds dates of two kinds",
        );
    }

    #[test]
    fn nothing_in_it_drives_the_terminal() {
        check("a\x1b[2Jb `c\x07`", "a\\u{1b}[2Jb c\\u{7}");
        let painted = text("# head\n\n**b** `c`", 40, Paint(true));
        assert_eq!(
            painted,
            "\x1b[1mhead\x1b[0m\n\x1b[1mb\x1b[0m \x1b[36mc\x1b[0m"
        );
    }

    proptest! {
        #[test]
        fn any_text_is_laid_out_within_its_width(markdown in "[ -~\\n]{0,400}", width in 20usize..100) {
            let page = text(&markdown, width, Paint(false));
            prop_assert!(!page.contains('\x1b'));
        }

        #[test]
        fn plain_words_are_never_wider_than_asked(words in prop::collection::vec("[a-z]{1,12}", 0..60), width in 20usize..100) {
            let page = text(&words.join(" "), width, Paint(false));
            prop_assert!(page.lines().all(|line| line.width() <= width), "{page}");
            prop_assert_eq!(page.split_whitespace().collect::<Vec<_>>(), words);
        }
    }
}
