//! A service of a `.proto` file as an annotated trait.

use std::{
    collections::{HashMap, HashSet},
    fmt::Write as _,
    sync::{Arc, Mutex, PoisonError},
};

use prost_build::{Method, Service, ServiceGenerator};
use prost_types::{
    DescriptorProto, EnumDescriptorProto, FileDescriptorSet, method_options::IdempotencyLevel,
};

use crate::{
    Error,
    style::{Style, full_name},
};

/// The file beside the generated code that holds a package's descriptors.
pub(crate) fn descriptor_file(package: &str) -> String {
    format!(
        "{}.descriptors.bin",
        if package.is_empty() { "_" } else { package }
    )
}

/// What was found wrong while prost called us, which has no way to say so.
#[derive(Debug, Clone, Default)]
pub(crate) struct Problems(Arc<Mutex<Vec<String>>>);

impl Problems {
    fn add(&self, problem: String) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(problem);
    }

    pub(crate) fn into_result(self) -> Result<(), Error> {
        let problems = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        if problems.is_empty() {
            Ok(())
        } else {
            Err(Error::new(problems.join("\n")))
        }
    }
}

/// Writes traits, and tells which packages had any.
pub(crate) struct ServiceWriter {
    style: Style,
    /// Full names of all messages and enums, in Rust's spelling of the last part.
    types: HashSet<String>,
    /// Full names of all services, by those of what they generate.
    services: HashMap<String, Vec<String>>,
    problems: Problems,
    packages: Arc<Mutex<Vec<String>>>,
}

impl ServiceWriter {
    pub(crate) fn new(
        style: Style,
        set: &FileDescriptorSet,
        problems: Problems,
        packages: Arc<Mutex<Vec<String>>>,
    ) -> Self {
        let types = set
            .file
            .iter()
            .flat_map(|file| {
                let messages = file.message_type.iter().map(DescriptorProto::name);
                let enums = file.enum_type.iter().map(EnumDescriptorProto::name);
                messages
                    .chain(enums)
                    .map(|name| full_name(file.package(), &upper_camel(name)))
            })
            .collect();
        let mut services: HashMap<_, Vec<_>> = HashMap::new();
        for file in &set.file {
            for service in &file.service {
                let full = full_name(file.package(), service.name());
                let name = style.trait_name(&full, &upper_camel(service.name()));
                for item in style.generated(&full, &name) {
                    let item = full_name(file.package(), &item);
                    services.entry(item).or_default().push(full.clone());
                }
            }
        }
        Self {
            style,
            types,
            services,
            problems,
            packages,
        }
    }

    fn trait_name(&self, service: &Service) -> String {
        let full = full_name(&service.package, &service.proto_name);
        let name = self.style.trait_name(&full, &service.name);
        // Protobuf itself forbids a message with the service's own name, but not a rename to one's, nor another spelling.
        for item in self.style.generated(&full, &name) {
            let place = full_name(&service.package, &item);
            let mut services = self.services.get(&place).into_iter().flatten();
            let taken = if self.types.contains(&place) {
                "is a message of the package".to_owned()
            } else if let Some(other) = services.find(|other| **other != full) {
                format!("service `{other}` generates as well")
            } else {
                continue;
            };
            self.problems.add(format!(
                "service `{full}` would generate `{item}`, which {taken}: \
                 write `.rename_service(\"{full}\", \"{name}Service\")` in the build script"
            ));
        }
        name
    }

    /// What the functions of a service's methods are called, in their order.
    fn method_names(&self, service: &Service) -> Vec<String> {
        let full = full_name(&service.package, &service.proto_name);
        let is_blocking = self
            .style
            .services
            .get(&full)
            .is_some_and(|service| service.blocking);
        let mut names: Vec<String> = Vec::new();
        for method in &service.methods {
            let path = format!("{full}/{}", method.proto_name);
            let name = self.style.method_name(&path, &method.name);
            let taken = if name == "with_options" || is_blocking && name == "new" {
                Some("the stub has of its own".to_owned())
            } else {
                let same = names.iter().position(|other| *other == name);
                same.map(|at| format!("method `{}` is as well", service.methods[at].proto_name))
            };
            if let Some(taken) = taken {
                self.problems.add(format!(
                    "method `{path}` would be `{name}`, which {taken}: \
                     write `.rename_method(\"{path}\", \"{name}_call\")` in the build script"
                ));
            }
            names.push(name);
        }
        names
    }

    fn write_method(&self, path: &str, name: &str, method: &Method, out: &mut String) {
        let crate_path = &self.style.crate_path;
        let argument = wrap(
            &method.input_type,
            crate_path,
            method.client_streaming,
            self.style.bare_messages,
            "Request",
        );
        let result = wrap(
            &method.output_type,
            crate_path,
            method.server_streaming,
            self.style.bare_messages,
            "Response",
        );
        let level = method.options.idempotency_level();
        let idempotent = if level == IdempotencyLevel::IdempotencyUnknown {
            ""
        } else {
            ", idempotent"
        };
        let timeout = self
            .style
            .methods
            .get(path)
            .and_then(|method| method.timeout)
            .map(|timeout| format!(", timeout = \"{}us\"", timeout.as_micros()))
            .unwrap_or_default();
        method.comments.append_with_indent(1, out);
        if method.options.deprecated() {
            out.push_str("    #[deprecated]\n");
        }
        // Writing to a `String` cannot fail.
        let _ = write!(
            out,
            "    #[rpc(name = \"{proto_name}\"{idempotent}{timeout})]\n    \
             async fn {name}(&self, request: {argument}) -> {crate_path}::Result<{result}>;\n",
            proto_name = method.proto_name,
        );
    }
}

impl ServiceGenerator for ServiceWriter {
    fn generate(&mut self, service: Service, out: &mut String) {
        let name = self.trait_name(&service);
        let crate_path = &self.style.crate_path;
        let renamed = if crate_path == "::rpc" {
            String::new()
        } else {
            format!(", crate = {crate_path}")
        };
        let full = full_name(&service.package, &service.proto_name);
        let said = self.style.services.get(&full);
        let object_safe = said.filter(|service| service.object_safe).map_or("", |_| ", dyn");
        let blocking = said
            .filter(|service| service.blocking)
            .map_or("", |_| ", blocking");
        service.comments.append_with_indent(0, out);
        let _ = write!(
            out,
            "#[{crate_path}::service(package = \"{package}\", name = \"{proto_name}\", codecs = [Prost], \
             file_descriptor_set = FILE_DESCRIPTOR_SET{object_safe}{blocking}{renamed})]\npub trait {name} {{\n",
            package = service.package,
            proto_name = service.proto_name,
        );
        for (method, name) in service.methods.iter().zip(self.method_names(&service)) {
            let path = format!("{full}/{}", method.proto_name);
            self.write_method(&path, &name, method, out);
        }
        out.push_str("}\n");
        let mut packages = self.packages.lock().unwrap_or_else(PoisonError::into_inner);
        if !packages.contains(&service.package) {
            packages.push(service.package);
        }
    }

    fn finalize_package(&mut self, package: &str, out: &mut String) {
        if !self
            .packages
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .any(|known| known == package)
        {
            return;
        }
        let _ = write!(
            out,
            "/// The encoded `google.protobuf.FileDescriptorSet` of this package and of what it imports.\n\
             pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(\"{}\");\n",
            descriptor_file(package),
        );
    }
}

/// What prost calls the type of a message, enum or service in Rust.
fn upper_camel(name: &str) -> String {
    let mut camel = String::new();
    for part in name.split('_') {
        // Whether the last letter of the word was a capital.
        let mut was_upper = None;
        for (at, c) in part.char_indices() {
            let ends_capitals = || part[at + 1..].starts_with(|next: char| next.is_ascii_lowercase());
            let begins = at == 0
                || c.is_ascii_uppercase()
                    && match was_upper {
                        Some(true) => ends_capitals(),
                        Some(false) => true,
                        None => false,
                    };
            camel.push(if begins {
                c.to_ascii_uppercase()
            } else {
                c.to_ascii_lowercase()
            });
            if c.is_ascii_alphabetic() {
                was_upper = Some(c.is_ascii_uppercase());
            }
        }
    }
    if camel == "Self" {
        camel.push('_');
    }
    camel
}

fn wrap(message: &str, crate_path: &str, streams: bool, bare: bool, face: &str) -> String {
    let inner = if streams {
        format!("{crate_path}::Streaming<{message}>")
    } else {
        message.to_owned()
    };
    if bare {
        inner
    } else {
        format!("{crate_path}::{face}<{inner}>")
    }
}
