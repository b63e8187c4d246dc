//! How traits look.

use std::collections::BTreeMap;

use prost_types::FileDescriptorSet;

use crate::Error;

/// How traits look.
#[derive(Debug)]
pub(crate) struct Style {
    pub(crate) crate_path: String,
    pub(crate) bare_messages: bool,
    /// The names of traits, by the full names of their services.
    pub(crate) renames: BTreeMap<String, String>,
}

impl Default for Style {
    fn default() -> Self {
        Self {
            crate_path: "::rpc".to_owned(),
            bare_messages: false,
            renames: BTreeMap::new(),
        }
    }
}

impl Style {
    /// Checks what was said before it gets into code.
    pub(crate) fn check(&self, set: &FileDescriptorSet) -> Result<(), Error> {
        let mut problems = Vec::new();
        if !is_path(&self.crate_path) {
            problems.push(format!(
                "`crate_path` is no path, but `{}`: write it as code has it, `::my_rpc`",
                self.crate_path
            ));
        }
        let services = services(set);
        for (service, name) in &self.renames {
            if !services.contains(service) {
                problems.push(format!(
                    "`rename_service` names `{service}`, which no file has; there is: {}",
                    listed(&services)
                ));
            }
            if !is_name(name) {
                problems.push(format!(
                    "`rename_service` calls `{service}` `{name}`, which cannot be the name of a trait"
                ));
            }
        }
        if problems.is_empty() {
            Ok(())
        } else {
            Err(Error::new(problems.join("\n")))
        }
    }

    /// What the trait of a service is called, unless it is renamed, and if it is.
    pub(crate) fn trait_name(&self, full: &str, usual: &str) -> String {
        let renamed = self.renames.get(full).map(String::as_str);
        renamed.unwrap_or(usual).to_owned()
    }
}

pub(crate) fn full_name(package: &str, name: &str) -> String {
    if package.is_empty() {
        name.to_owned()
    } else {
        format!("{package}.{name}")
    }
}

/// The full names of all services.
fn services(set: &FileDescriptorSet) -> Vec<String> {
    let files = set.file.iter();
    files
        .flat_map(|file| {
            let services = file.service.iter();
            services.map(|service| full_name(file.package(), service.name()))
        })
        .collect()
}

fn listed(names: &[String]) -> String {
    if names.is_empty() {
        return "nothing".to_owned();
    }
    let quoted: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}

/// True for a path in Rust, without generics.
fn is_path(path: &str) -> bool {
    path.strip_prefix("::")
        .unwrap_or(path)
        .split("::")
        .all(|part| matches!(part, "crate" | "self" | "super") || is_name(part))
}

/// True for an identifier of Rust.
fn is_name(name: &str) -> bool {
    const KEYWORDS: &[&str] = &[
        "Self", "_", "abstract", "as", "async", "await", "become", "box", "break", "const", "continue",
        "crate", "do", "dyn", "else", "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl",
        "in", "let", "loop", "macro", "match", "mod", "move", "mut", "override", "priv", "pub", "ref",
        "return", "self", "static", "struct", "super", "trait", "true", "try", "type", "typeof", "unsafe",
        "unsized", "use", "virtual", "where", "while", "yield",
    ];

    let (bare, is_raw) = match name.strip_prefix("r#") {
        Some(bare) => (bare, true),
        None => (name, false),
    };
    let begins = bare.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let goes_on = bare.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let is_free = if is_raw {
        !matches!(bare, "crate" | "self" | "super" | "Self" | "_")
    } else {
        !KEYWORDS.contains(&bare)
    };
    begins && goes_on && is_free
}
