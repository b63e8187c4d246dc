//! Rows with calls, one below the other or as a table of cells and subjects.

use std::fmt::Write as _;

use rpc_plot::figure;

use crate::{
    record::{Calls, Record},
    table::BASE,
};

/// Those that have calls.
pub(super) fn with_calls<'a>(rows: &'a [&'a Record]) -> impl Iterator<Item = (&'a Record, &'a Calls)> {
    rows.iter()
        .filter_map(|record| Some((*record, record.calls.as_ref()?)))
}

/// A percentile, where there is one.
pub(super) fn percentile(us: Option<f64>) -> String {
    us.map_or_else(|| "-".to_owned(), figure)
}

/// Cells down, subjects across. With `shows_base` the figures are ratios to those of [`BASE`].
pub(super) fn table(
    page: &mut String,
    title: &str,
    rows: &[&Record],
    shows_base: bool,
    print: impl Fn(&Calls, Option<&Calls>) -> String,
) {
    let (mut cells, mut subjects): (Vec<String>, Vec<&str>) = (Vec::new(), Vec::new());
    for record in rows {
        if !cells.contains(&record.cell()) {
            cells.push(record.cell());
        }
        if !subjects.contains(&&*record.subject) {
            subjects.push(&record.subject);
        }
    }
    let _ = writeln!(page, "{title}\n");
    let base = if shows_base { " tonic, calls/s |" } else { "" };
    let _ = writeln!(page, "| cell |{base} {} |", subjects.join(" | "));
    let columns = subjects.len() + 1 + usize::from(shows_base);
    let _ = writeln!(page, "|{}", " --- |".repeat(columns));
    for cell in cells {
        let find = |subject: &str| {
            rows.iter()
                .find(|record| record.subject == subject && record.cell() == cell)
                .and_then(|record| record.calls.as_ref())
        };
        let base = find(BASE);
        let _ = write!(page, "| {cell} |");
        if shows_base {
            let speed = |base: &Calls| format!("{}{}", figure(base.calls_per_second), base.mark());
            let shown = base.map_or_else(|| "-".to_owned(), speed);
            let _ = write!(page, " {shown} |");
        }
        for subject in &subjects {
            let marked = |calls: &Calls| {
                let ratio_of = base.filter(|_| shows_base);
                let of = ratio_of.filter(|base| !base.is_sound()).unwrap_or(calls);
                match &*print(calls, base) {
                    "-" => "-".to_owned(),
                    shown => format!("{shown}{}", of.mark()),
                }
            };
            let shown = find(subject).map_or_else(|| "-".to_owned(), marked);
            let _ = write!(page, " {shown} |");
        }
        page.push('\n');
    }
    page.push('\n');
}
