//! How traits look.

use std::{collections::BTreeMap, time::Duration};

use prost_types::{FileDescriptorSet, MethodDescriptorProto};

use crate::Error;

/// What `#[rpc(timeout = ..)]` accepts, and can write.
const SHORTEST: Duration = Duration::from_micros(1);
const LONGEST: Duration = Duration::from_hours(365 * 24);

/// How traits look.
#[derive(Debug)]
pub(crate) struct Style {
    pub(crate) crate_path: String,
    pub(crate) bare_messages: bool,
    /// What was said of services, by their full names.
    pub(crate) services: BTreeMap<String, ServiceStyle>,
    /// What was said of methods, by service and name: `shop.v1.Inventory/Stock`.
    pub(crate) methods: BTreeMap<String, MethodStyle>,
}

/// What was said of a service.
#[derive(Debug, Default)]
pub(crate) struct ServiceStyle {
    pub(crate) name: Option<String>,
    pub(crate) object_safe: bool,
    pub(crate) blocking: bool,
}

/// What was said of a method.
#[derive(Debug, Default)]
pub(crate) struct MethodStyle {
    pub(crate) name: Option<String>,
    pub(crate) timeout: Option<Duration>,
}

impl Default for Style {
    fn default() -> Self {
        Self {
            crate_path: "::rpc".to_owned(),
            bare_messages: false,
            services: BTreeMap::new(),
            methods: BTreeMap::new(),
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
        let there = services(set);
        for (service, style) in &self.services {
            if !there.contains_key(service) {
                problems.push(format!(
                    "no file has a service `{service}`; there is: {}",
                    listed(there.keys().cloned())
                ));
            }
            if let Some(name) = style.name.as_ref().filter(|name| !is_name(name)) {
                problems.push(format!(
                    "`rename_service` calls `{service}` `{name}`, which cannot be the name of a trait"
                ));
            }
        }
        for (method, style) in &self.methods {
            let (service, name) = method.split_once('/').unwrap_or((method, ""));
            if !there.get(service).is_some_and(|methods| methods.contains(&name)) {
                let methods = there.iter().flat_map(|(service, methods)| {
                    methods.iter().map(move |name| format!("{service}/{name}"))
                });
                problems.push(format!(
                    "no file has a method `{method}`; there is: {}",
                    listed(methods)
                ));
            }
            if let Some(name) = style.name.as_ref().filter(|name| !is_name(name)) {
                problems.push(format!(
                    "`rename_method` calls `{method}` `{name}`, which cannot be the name of a function"
                ));
            }
            if style
                .timeout
                .is_some_and(|timeout| timeout < SHORTEST || timeout > LONGEST)
            {
                problems.push(format!(
                    "`timeout` of `{method}` is neither a microsecond nor a year, nor between them"
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
        let renamed = self
            .services
            .get(full)
            .and_then(|service| service.name.as_deref());
        renamed.unwrap_or(usual).to_owned()
    }

    /// What the function of a method is called, unless it is renamed, and if it is.
    pub(crate) fn method_name(&self, path: &str, usual: &str) -> String {
        let renamed = self.methods.get(path).and_then(|method| method.name.as_deref());
        renamed.unwrap_or(usual).to_owned()
    }

    /// What the trait of a service, called so, puts into its module.
    pub(crate) fn generated(&self, full: &str, name: &str) -> Vec<String> {
        let said = self.services.get(full);
        let mut items = vec![name.to_owned(), format!("{name}Client"), format!("{name}Server")];
        if said.is_some_and(|service| service.object_safe) {
            items.push(format!("{name}Dyn"));
        }
        if said.is_some_and(|service| service.blocking) {
            items.push(format!("{name}BlockingClient"));
        }
        items
    }
}

/// The full name of a message, enum or service.
pub(crate) fn full_name(package: &str, name: &str) -> String {
    if package.is_empty() {
        name.to_owned()
    } else {
        format!("{package}.{name}")
    }
}

/// The names of all methods, by the full names of their services.
fn services(set: &FileDescriptorSet) -> BTreeMap<String, Vec<&str>> {
    let files = set.file.iter();
    files
        .flat_map(|file| {
            file.service.iter().map(|service| {
                let methods = service.method.iter().map(MethodDescriptorProto::name);
                (full_name(file.package(), service.name()), methods.collect())
            })
        })
        .collect()
}

fn listed(names: impl Iterator<Item = String>) -> String {
    let quoted: Vec<_> = names.map(|name| format!("`{name}`")).collect();
    if quoted.is_empty() {
        "nothing".to_owned()
    } else {
        quoted.join(", ")
    }
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
