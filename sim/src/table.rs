//! What is printed.

use std::fmt;

/// Rows of cells, printed as a table of Markdown.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Table {
    /// What it shows.
    pub title: String,
    /// Of each column; the first one is aligned to the left.
    pub columns: Vec<&'static str>,
    /// From top to bottom.
    pub rows: Vec<Vec<String>>,
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            let widest = cells.map(|cell| cell.chars().count()).max().unwrap_or(0);
            widest.max(self.columns[column].chars().count()).max(3)
        };
        let widths: Vec<_> = (0..self.columns.len()).map(width).collect();
        let line = |f: &mut fmt::Formatter<'_>, cells: &[&str]| {
            for (column, (cell, width)) in cells.iter().zip(&widths).enumerate() {
                if column == 0 {
                    write!(f, "| {cell:width$} |")?;
                } else {
                    write!(f, " {cell:>width$} |")?;
                }
            }
            writeln!(f)
        };
        writeln!(f, "{}\n", self.title)?;
        line(f, &self.columns)?;
        let rules: Vec<_> = widths
            .iter()
            .enumerate()
            .map(|(column, width)| match column {
                0 => "-".repeat(*width),
                _ => format!("{}:", "-".repeat(width - 1)),
            })
            .collect();
        line(f, &rules.iter().map(String::as_str).collect::<Vec<_>>())?;
        for row in &self.rows {
            line(f, &row.iter().map(String::as_str).collect::<Vec<_>>())?;
        }
        Ok(())
    }
}

/// Milliseconds, with three digits.
pub fn millis(value: f64) -> String {
    rpc_plot::figure(value)
}

/// A share in percent.
pub fn percent(share: f64) -> String {
    let percent = share * 100.0;
    match percent {
        0.0 => "0".to_owned(),
        percent if percent < 0.01 => "<0.01".to_owned(),
        percent => format!("{percent:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_aligned() {
        let table = Table {
            title: "T".to_owned(),
            columns: vec!["who", "p99, ms"],
            rows: vec![
                vec!["round robin".to_owned(), millis(12.34)],
                vec!["x".to_owned(), millis(5000.0)],
            ],
        };
        let text = table.to_string();
        let lines: Vec<_> = text.lines().skip(2).collect();
        assert_eq!(lines[1], "| ----------- | ------: |");
        assert_eq!(lines[2], "| round robin |    12.3 |");
        assert!(lines.iter().all(|line| line.len() == lines[0].len()), "{text}");
    }

    #[test]
    fn a_share_that_is_not_nothing_does_not_look_like_nothing() {
        assert_eq!([0.0, 0.000_01, 0.123_45].map(percent), ["0", "<0.01", "12.35"]);
    }
}
