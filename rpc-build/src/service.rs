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

use crate::Error;

/// How traits look.
#[derive(Debug)]
pub(crate) struct Style {
    pub(crate) crate_path: String,
    pub(crate) bare_messages: bool,
    pub(crate) renames: HashMap<String, String>,
}

impl Default for Style {
    fn default() -> Self {
        Self {
            crate_path: "::rpc".to_owned(),
            bare_messages: false,
            renames: HashMap::new(),
        }
    }
}

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
                messages.chain(enums).map(|name| full_name(file.package(), name))
            })
            .collect();
        Self {
            style,
            types,
            problems,
            packages,
        }
    }

    fn trait_name(&self, service: &Service) -> String {
        let full = full_name(&service.package, &service.proto_name);
        let name = self
            .style
            .renames
            .get(&full)
            .cloned()
            .unwrap_or_else(|| service.name.clone());
        // Protobuf itself forbids a message with the service's own name, but not a rename to one's.
        for item in [name.clone(), format!("{name}Client"), format!("{name}Server")] {
            if self.types.contains(&full_name(&service.package, &item)) {
                self.problems.add(format!(
                    "service `{full}` would generate `{item}`, which is a message of the package: \
                     write `.rename_service(\"{full}\", \"{name}Service\")` in the build script"
                ));
            }
        }
        name
    }

    fn write_method(&self, method: &Method, out: &mut String) {
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
        method.comments.append_with_indent(1, out);
        if method.options.deprecated() {
            out.push_str("    #[deprecated]\n");
        }
        // Writing to a `String` cannot fail.
        let _ = write!(
            out,
            "    #[rpc(name = \"{proto_name}\"{idempotent})]\n    \
             async fn {name}(&self, request: {argument}) -> {crate_path}::Result<{result}>;\n",
            proto_name = method.proto_name,
            name = method.name,
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
        service.comments.append_with_indent(0, out);
        let _ = write!(
            out,
            "#[{crate_path}::service(package = \"{package}\", name = \"{proto_name}\", codecs = [Prost], \
             file_descriptor_set = FILE_DESCRIPTOR_SET{renamed})]\npub trait {name} {{\n",
            package = service.package,
            proto_name = service.proto_name,
        );
        for method in &service.methods {
            self.write_method(method, out);
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

fn full_name(package: &str, name: &str) -> String {
    if package.is_empty() {
        name.to_owned()
    } else {
        format!("{package}.{name}")
    }
}
