//! The page `docs/performance.md`, with its plots, from the JSON.

mod machine;
mod page;
mod plot;
mod recovery;
mod rows;

use std::{fs, io, path::Path};

use crate::record::Record;

/// From the root of the workspace.
const PAGE: &str = "docs/performance.md";
const PLOTS: &str = "docs/performance";

/// Writes the page and its plots.
pub(crate) fn write(records: &[Record]) -> io::Result<()> {
    fs::create_dir_all(PLOTS)?;
    for (name, svg) in plot::all(records) {
        fs::write(Path::new(PLOTS).join(name), svg)?;
    }
    fs::write(PAGE, page::page(records, &machine::describe()))?;
    println!("`{PAGE}` is written, and the plots in `{PLOTS}`");
    Ok(())
}
