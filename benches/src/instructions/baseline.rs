//! The counts that are kept, and how new ones compare.

use std::{fmt::Write as _, fs, io, path::Path};

/// What a path may take more than it did. Below it are the differences between two builds that only lie differently in
/// memory; it is also what a change may cost without a reason.
const TOLERANCE: f64 = 0.03;

/// Instructions for each call, by path.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Baseline {
    pub(super) compiler: String,
    pub(super) counts: Vec<(String, u64)>,
}

const COMPILER: &str = "# compiler: ";

impl Baseline {
    pub(super) fn read(path: &Path) -> io::Result<Self> {
        let text = fs::read_to_string(path)
            .map_err(|error| io::Error::other(format!("cannot read `{}`: {error}", path.display())))?;
        Self::parse(&text).map_err(|line| {
            io::Error::other(format!(
                "`{}`: `{line}` is not a name, a tab and a number",
                path.display()
            ))
        })
    }

    pub(super) fn write(&self, path: &Path) -> io::Result<()> {
        fs::write(path, self.print())
    }

    /// # Errors
    /// The line that is wrong.
    fn parse(text: &str) -> Result<Self, String> {
        let mut baseline = Self::default();
        for line in text.lines() {
            if let Some(compiler) = line.strip_prefix(COMPILER) {
                compiler.clone_into(&mut baseline.compiler);
            } else if !line.starts_with('#') && !line.is_empty() {
                let entry = line.split_once('\t');
                let entry = entry.and_then(|(name, count)| Some((name.to_owned(), count.parse().ok()?)));
                baseline.counts.push(entry.ok_or_else(|| line.to_owned())?);
            }
        }
        Ok(baseline)
    }

    fn print(&self) -> String {
        let mut text = String::from(
            "# Instructions for each call, both sides, without the kernel. Written by `cargo xtask bench --bless`.\n",
        );
        // Writing to a string does not fail.
        let _ = writeln!(text, "{COMPILER}{}", self.compiler);
        for (name, count) in &self.counts {
            let _ = writeln!(text, "{name}\t{count}");
        }
        text
    }

    fn get(&self, name: &str) -> Option<u64> {
        let found = self.counts.iter().find(|(known, _)| known == name)?;
        Some(found.1)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Same,
    More,
    Less,
    New,
}

fn change(before: Option<u64>, now: u64) -> Change {
    let Some(before) = before else { return Change::New };
    let ratio = now as f64 / before as f64;
    if ratio > 1.0 + TOLERANCE {
        Change::More
    } else if ratio < 1.0 - TOLERANCE {
        Change::Less
    } else {
        Change::Same
    }
}

/// Prints a line for each path. True if none takes more than it may, and none that was counted is gone.
pub(super) fn compare(before: &Baseline, now: &Baseline) -> bool {
    if before.compiler != now.compiler {
        println!(
            "counted with {}, the file with {}: differences may be the compiler's",
            now.compiler, before.compiler
        );
    }
    let mut passed = true;
    for (name, count) in &now.counts {
        let old = before.get(name);
        let change = change(old, *count);
        let note = match change {
            Change::Same => "ok",
            Change::More => "FAIL: more than 3 % above",
            Change::Less => "ok: less; `--bless` keeps it so",
            Change::New => "FAIL: not in the file; `--bless` adds it",
        };
        passed &= matches!(change, Change::Same | Change::Less);
        let old = old.map_or_else(|| "-".to_owned(), |old| old.to_string());
        println!("{name:<28} {old:>9} {count:>9}  {note}");
    }
    for (name, _) in &before.counts {
        if now.get(name).is_none() {
            println!("{name:<28} FAIL: in the file, and no path any more");
            passed = false;
        }
    }
    for (few, many) in super::paths::FLAT {
        if let (Some(few), Some(many)) = (now.get(few), now.get(many))
            && change(Some(few), many) == Change::More
        {
            println!("FAIL: {many} instructions where there are many endpoints, {few} where there are few");
            passed = false;
        }
    }
    passed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn baseline(counts: &[(&str, u64)]) -> Baseline {
        Baseline {
            compiler: "rustc 1".to_owned(),
            counts: counts.iter().map(|&(name, n)| (name.to_owned(), n)).collect(),
        }
    }

    #[test]
    fn what_is_printed_is_read_back() {
        let baseline = baseline(&[("a", 1), ("b-c", 22)]);
        assert_eq!(Baseline::parse(&baseline.print()), Ok(baseline));
        assert_eq!(Baseline::parse("a 1\n"), Err("a 1".to_owned()));
        assert_eq!(Baseline::parse("a\tx\n"), Err("a\tx".to_owned()));
    }

    #[test]
    fn only_more_than_the_tolerance_fails() {
        let before = baseline(&[("a", 1000)]);
        for (now, passes) in [(1030, true), (1031, false), (500, true)] {
            assert_eq!(compare(&before, &baseline(&[("a", now)])), passes, "{now}");
        }
    }

    #[test]
    fn what_must_be_flat_is_compared_with_itself() {
        let (few, many) = super::super::paths::FLAT[0];
        for (count, passes) in [(1000, true), (1040, false)] {
            let counts = baseline(&[(few, 1000), (many, count)]);
            assert_eq!(compare(&counts, &counts), passes, "{count}");
        }
    }

    #[test]
    fn a_path_that_is_new_or_gone_fails() {
        assert!(!compare(&baseline(&[]), &baseline(&[("a", 1)])));
        assert!(!compare(&baseline(&[("a", 1), ("b", 1)]), &baseline(&[("a", 1)])));
    }
}
