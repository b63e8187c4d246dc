//! The file that includes all others.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use crate::Error;

const NAME: &str = "mod.rs";

/// What it is generated as, until it is known what is in its place.
pub(crate) const DRAFT: &str = "mod.rs.draft";

/// How it begins where it was generated.
const GENERATED: &str = "// This file is @generated";

/// Those that this process has written: what is in them is of this build.
static WRITTEN: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// Puts the draft in its place, with what earlier calls have put there. Without a draft there is nothing to do: the file was
/// called otherwise.
pub(crate) fn settle(folder: &Path) -> Result<(), Error> {
    let (draft, path) = (folder.join(DRAFT), folder.join(NAME));
    if !draft.exists() {
        return Ok(());
    }
    let mut text = fs::read_to_string(&draft).map_err(|error| Error::file("read", &draft, error))?;
    fs::remove_file(&draft).map_err(|error| Error::file("remove", &draft, error))?;

    let folder = fs::canonicalize(folder).map_err(|error| Error::file("find", folder, error))?;
    let mut written = WRITTEN.lock().unwrap_or_else(PoisonError::into_inner);
    let is_ours = written.contains(&folder);
    let before = fs::read(&path).unwrap_or_default();
    if !before.is_empty() && !before.starts_with(GENERATED.as_bytes()) {
        return Err(Error::new(format!(
            "`{}` is not generated: move it, or have the generated one called otherwise by `messages(|messages| {{ \
             messages.include_file(\"all.rs\"); }})`",
            path.display()
        )));
    }
    if is_ours {
        text = merged(&String::from_utf8_lossy(&before), &text);
    }
    // The compiler looks at when it was changed.
    if before != text.as_bytes() {
        fs::write(&path, text).map_err(|error| Error::file("write", &path, error))?;
    }
    if !is_ours {
        written.push(folder);
    }
    Ok(())
}

/// The modules of both, in one file.
fn merged(before: &str, after: &str) -> String {
    let mut modules = BTreeMap::new();
    for text in [before, after] {
        let mut path = Vec::new();
        for line in text.lines().map(str::trim) {
            if let Some(name) = line
                .strip_prefix("pub mod ")
                .and_then(|line| line.strip_suffix(" {"))
            {
                path.push(name);
            } else if line == "}" {
                path.pop();
            } else if line.starts_with("include!") {
                modules.insert(path.clone(), line);
            }
        }
    }

    let mut text = format!("{GENERATED} by prost-build.\n");
    let mut line = |depth: usize, line: &str| {
        text.push_str(&"    ".repeat(depth));
        text.push_str(line);
        text.push('\n');
    };
    let mut open: Vec<&str> = Vec::new();
    for (path, include) in modules {
        while !path.starts_with(&open) {
            open.pop();
            line(open.len(), "}");
        }
        for name in path.into_iter().skip(open.len()) {
            line(open.len(), &format!("pub mod {name} {{"));
            open.push(name);
        }
        line(open.len(), include);
    }
    for depth in (0..open.len()).rev() {
        line(depth, "}");
    }
    text
}
