//! What reports are written on: a terminal, where Markdown is laid out to its width, or a pipe, where
//! it stays as it was written.

use super::markdown;
use super::paint::Paint;
use super::text::indent;

/// How far reports stand in.
const INDENT: &str = "  ";

/// A terminal's width and colour, or a pipe.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Sheet {
    /// A pipe, a file.
    #[default]
    Pipe,
    /// A terminal.
    Terminal {
        /// Columns.
        width: usize,
        /// Whether it is painted.
        paint: Paint,
    },
}

impl Sheet {
    /// A report, indented.
    pub fn report(self, markdown: &str) -> String {
        match self {
            Sheet::Pipe => indent(markdown.trim_end(), INDENT),
            Sheet::Terminal { width, paint } => {
                let room = width.saturating_sub(INDENT.len());
                let laid_out = markdown::text(markdown, room, paint);
                let lines = laid_out.lines().map(|line| match line {
                    "" => String::new(),
                    line => format!("{INDENT}{line}"),
                });
                lines.collect::<Vec<_>>().join("\n")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_laid_out_on_a_terminal_and_left_as_it_is_on_a_pipe() {
        let report = "Two **bad** ones:\n\n- `a` is a long name of something that is bad\n- b\n";
        let sheet = Sheet::Terminal {
            width: 30,
            paint: Paint(false),
        };
        assert_eq!(
            sheet.report(report),
            "  Two bad ones:\n\n  - a is a long name of\n    something that is bad\n  - b"
        );
        assert_eq!(Sheet::Pipe.report(report), indent(report.trim_end(), "  "));
        let evil = "x\u{1b}[2Jy";
        assert!(!sheet.report(evil).contains('\u{1b}'));
        assert!(!Sheet::Pipe.report(evil).contains('\u{1b}'));
    }
}
