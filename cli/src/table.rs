//! How do names that others chose get onto a terminal? In aligned columns, with nothing in them that steers it.

use std::io::{self, Write};

/// Rows under a head; every cell is made safe when it is written.
#[derive(Debug)]
pub(crate) struct Table {
    head: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

/// The text with every control character and every override of the writing direction escaped.
pub(crate) fn visible(text: &str) -> String {
    let steers = |char: char| {
        char.is_control() || matches!(char, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if text.chars().any(steers) {
        text.chars()
            .flat_map(|char| {
                if steers(char) {
                    char.escape_default().collect()
                } else {
                    vec![char]
                }
            })
            .collect()
    } else {
        text.to_owned()
    }
}

/// Bytes as lower-case hexadecimal digits.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or('0');
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect()
}

// === impl Table ===

impl Table {
    /// An empty table; a head that begins with `>` is of a column of numbers.
    pub(crate) fn new(head: &[&'static str]) -> Self {
        Self {
            head: head.to_vec(),
            rows: Vec::new(),
        }
    }

    /// Adds a row.
    pub(crate) fn row(&mut self, cells: &[String]) {
        self.rows
            .push(cells.iter().map(|cell| visible(cell)).collect());
    }

    /// Writes head and rows.
    pub(crate) fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let head: Vec<String> = self
            .head
            .iter()
            .map(|name| name.trim_start_matches('>').to_owned())
            .collect();
        let width = |column: usize| {
            let cells = self
                .rows
                .iter()
                .chain([&head])
                .filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..head.len()).map(width).collect();
        for row in [&head].into_iter().chain(&self.rows) {
            let mut line = String::new();
            for ((cell, width), name) in row.iter().zip(&widths).zip(&self.head) {
                let pad = " ".repeat(width - cell.chars().count());
                let (before, after) = if name.starts_with('>') {
                    (pad, String::new())
                } else {
                    (String::new(), pad)
                };
                line.push_str(&before);
                line.push_str(cell);
                line.push_str(&after);
                line.push_str("  ");
            }
            writeln!(out, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_names_steer_nothing() {
        let mut table = Table::new(&["pod", ">behind"]);
        table.row(&["órder-1".into(), "1 KiB".into()]);
        table.row(&["\u{1b}[2J\nx\u{202e}".into(), "12 KiB".into()]);
        let mut out = Vec::new();
        table.write(&mut out).unwrap();
        let lines: Vec<String> = String::from_utf8(out)
            .unwrap()
            .lines()
            .map(str::to_owned)
            .collect();
        assert_eq!(lines[0], "pod                   behind");
        assert_eq!(lines[1], "órder-1                1 KiB");
        assert_eq!(lines[2], "\\u{1b}[2J\\nx\\u{202e}  12 KiB");
    }
}
