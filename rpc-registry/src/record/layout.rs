//! Where records of other frameworks are, and in which form.

use std::{fmt, str::FromStr};

use super::{go_micro, go_zero, grpc_naming, kitex, kratos};
use crate::{BadRecord, Fault, Instance, Record};

/// Whose records are read and written.
///
/// | layout | keys | what it can say of an instance |
/// | --- | --- | --- |
/// | `kratos` | `/microservices/<name>/<id>` | everything |
/// | `go-zero` | `<name>/<lease>` | its address |
/// | `grpc` | `<name>/<id>` | everything, one address |
/// | `go-micro` | `/micro/registry/<name>/<id>` | everything, one address |
/// | `kitex` | `kitex/registry-etcd/<name>/<address>` | everything, one address |
///
/// Fields that are not known here are kept in [`Instance::unknown`] and written again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Layout {
    /// Kratos.
    #[default]
    Kratos,
    /// go-zero.
    GoZero,
    /// etcd's naming package for grpc-go.
    Grpc,
    /// go-micro.
    GoMicro,
    /// Kitex.
    Kitex,
}

impl Layout {
    const ALL: [Self; 5] = [Self::Kratos, Self::GoZero, Self::Grpc, Self::GoMicro, Self::Kitex];

    /// Its name in a target: `kratos`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Kratos => "kratos",
            Self::GoZero => "go-zero",
            Self::Grpc => "grpc",
            Self::GoMicro => "go-micro",
            Self::Kitex => "kitex",
        }
    }

    /// What stands before the service's name in a key, unless something else is said.
    pub fn default_namespace(self) -> &'static str {
        match self {
            Self::Kratos => "/microservices",
            Self::GoZero | Self::Grpc => "",
            Self::GoMicro => "/micro/registry",
            Self::Kitex => "kitex/registry-etcd",
        }
    }
}

impl FromStr for Layout {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self, Fault> {
        let found = Self::ALL.into_iter().find(|layout| layout.as_str() == text);
        found.ok_or_else(|| {
            let shown: String = text.chars().take(64).collect();
            let known = Self::ALL.map(Self::as_str).join(", ");
            Fault::invalid("layout", format!("`{shown}` is not known; accepted are: {known}"))
        })
    }
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The records of one service, as a layout keeps them.
///
/// ```
/// use rpc_registry::{Instance, record::{Directory, Layout}};
///
/// let directory = Directory::new(Layout::Kratos, None, "shop")?;
/// assert_eq!(directory.prefix(), "/microservices/shop/");
/// let instance = Instance::new("a1").with_address("grpc", "10.0.0.1:9000".parse().unwrap());
/// let record = directory.write(&instance)?.unwrap();
/// let read = directory.read(b"/microservices/shop/a1", &record);
/// assert_eq!(read[0].as_ref().unwrap(), &instance);
/// # Ok::<(), rpc_registry::Fault>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directory {
    layout: Layout,
    name: String,
    prefix: String,
}

impl Directory {
    /// The records of a service. `namespace` stands before its name in place of the layout's own.
    ///
    /// # Errors
    /// If the name cannot be part of a key; the field is `name`.
    pub fn new(layout: Layout, namespace: Option<&str>, name: &str) -> Result<Self, Fault> {
        if name.is_empty() || name.len() > 512 || name.chars().any(char::is_control) {
            let problem = "a service's name has 1 to 512 bytes and no control characters";
            return Err(Fault::invalid("name", problem));
        }
        let namespace = namespace
            .unwrap_or(layout.default_namespace())
            .trim_end_matches('/');
        let slash = if namespace.is_empty() { "" } else { "/" };
        let part = match layout {
            Layout::GoMicro => name.replace('/', "-"),
            _ => name.trim_end_matches('/').to_owned(),
        };
        Ok(Self {
            layout,
            name: name.to_owned(),
            prefix: format!("{namespace}{slash}{part}/"),
        })
    }

    /// The layout.
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// What all keys of the service begin with, and no others: it ends with a `/`, so that `shop` does not find `shop2`.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The key of an instance that hangs on a lease.
    ///
    /// # Errors
    /// If the layout cannot have such a key; it names the field.
    pub fn key(&self, instance: &Instance, lease: i64) -> Result<String, Fault> {
        let id = instance.id.as_str();
        let tail = match self.layout {
            Layout::GoZero => lease.to_string(),
            Layout::Kitex => kitex::address_text(instance)?,
            Layout::GoMicro => id.replace('/', "-"),
            Layout::Kratos | Layout::Grpc => id.to_owned(),
        };
        let is_legal = !tail.is_empty() && !tail.contains('/') && !tail.chars().any(char::is_control);
        if !is_legal {
            let problem = format!("`{id}` cannot be part of a key: no `/`, no control characters");
            return Err(Fault::invalid("id", problem));
        }
        Ok(format!("{}{tail}", self.prefix))
    }

    /// The record of an instance; `None` if the layout can only say it by having none, as those do that have no word for an
    /// instance that is not up.
    ///
    /// # Errors
    /// If the layout cannot say it; it names the field.
    pub fn write(&self, instance: &Instance) -> Result<Option<Vec<u8>>, Fault> {
        match self.layout {
            Layout::Kratos => kratos::write(&self.name, instance).map(Some),
            Layout::GoZero => go_zero::write(instance),
            Layout::Grpc => grpc_naming::write(instance).map(Some),
            Layout::GoMicro => go_micro::write(&self.name, instance).map(Some),
            Layout::Kitex => kitex::write(instance).map(Some),
        }
    }

    /// The instances of a record: mostly one, none if it is of no concern to this service, and each good or bad by itself.
    pub fn read(&self, key: &[u8], value: &[u8]) -> Vec<Record> {
        let key = String::from_utf8_lossy(key);
        let Some(tail) = key.strip_prefix(&self.prefix).filter(|tail| !tail.is_empty()) else {
            return Vec::new();
        };
        // What is below a deeper path belongs to a service of another name.
        if tail.contains('/') {
            return Vec::new();
        }
        let one = |read: Result<Option<Instance>, Fault>| match read.transpose() {
            None => Vec::new(),
            Some(read) => vec![read.map_err(|fault| BadRecord::new(tail, fault))],
        };
        let records = match self.layout {
            Layout::Kratos => one(kratos::read(&self.name, value)),
            Layout::GoZero => one(go_zero::read(value).map(Some)),
            Layout::Grpc => one(grpc_naming::read(tail, value)),
            Layout::GoMicro => go_micro::read(tail, value),
            Layout::Kitex => one(kitex::read(value).map(Some)),
        };
        let checked = |record: Record| {
            let instance = record?;
            match instance.check() {
                Ok(()) => Ok(instance),
                Err(fault) => Err(BadRecord::new(instance.id, fault)),
            }
        };
        records.into_iter().map(checked).collect()
    }
}
