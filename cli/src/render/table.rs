//! A table on a terminal: columns where they fit, else one block of lines a row.

use super::paint::Paint;
use super::wrap::{Piece, Style, wrap};
use unicode_width::UnicodeWidthStr;

/// Between two columns.
const GAP: &str = "  ";

/// The lines of a table whose first row is its head.
pub fn text(rows: &[Vec<String>], width: usize, paint: Paint) -> Vec<String> {
    let many = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..many)
        .map(|at| {
            let cells = rows.iter().filter_map(|row| row.get(at));
            cells.map(|cell| cell.width()).max().unwrap_or(0)
        })
        .collect();
    let whole = widths.iter().sum::<usize>() + GAP.len() * many.saturating_sub(1);
    match whole <= width {
        true => in_columns(rows, &widths, paint),
        false => in_blocks(rows, width, paint),
    }
}

fn in_columns(rows: &[Vec<String>], widths: &[usize], paint: Paint) -> Vec<String> {
    let line = |(at, row): (usize, &Vec<String>)| {
        let cells: Vec<String> = widths
            .iter()
            .enumerate()
            .map(|(column, width)| {
                let cell = row.get(column).map_or("", String::as_str);
                let fill = " ".repeat(width.saturating_sub(cell.width()));
                match at {
                    0 => format!("{}{fill}", paint.bold(cell)),
                    _ => format!("{cell}{fill}"),
                }
            })
            .collect();
        cells.join(GAP).trim_end().to_owned()
    };
    rows.iter().enumerate().map(line).collect()
}

fn in_blocks(rows: &[Vec<String>], width: usize, paint: Paint) -> Vec<String> {
    let Some((head, rows)) = rows.split_first() else {
        return Vec::new();
    };
    let mut lines = Vec::new();
    for row in rows {
        for (at, cell) in row.iter().enumerate().filter(|(_, cell)| !cell.is_empty()) {
            let name = head.get(at).map_or("", String::as_str);
            let indent = if at == 0 { "" } else { "  " };
            let pieces = [
                Piece::Text(
                    format!("{name}: "),
                    Style {
                        bold: true,
                        ..Style::default()
                    },
                ),
                Piece::Text(cell.clone(), Style::default()),
            ];
            let room = width.saturating_sub(indent.len());
            let wrapped = wrap(&pieces, room, paint);
            lines.extend(wrapped.into_iter().map(|line| format!("{indent}{line}")));
        }
    }
    lines
}
