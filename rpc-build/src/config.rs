//! What to compile, and how.

use std::{
    env, fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use prost::Message;
use prost_types::{FileDescriptorProto, FileDescriptorSet};

use crate::{
    Error, includes,
    service::{Problems, ServiceWriter, descriptor_file},
    style::Style,
};

/// How `.proto` files become Rust.
#[must_use = "nothing is compiled before `compile`"]
pub struct Config {
    includes: Vec<PathBuf>,
    out_dir: Option<PathBuf>,
    style: Style,
    messages: prost_build::Config,
}

impl Config {
    /// The usual: into `OUT_DIR`, methods with `Request` and `Response`, the crate called `rpc`.
    pub fn new() -> Self {
        let mut messages = prost_build::Config::new();
        messages.include_file(includes::DRAFT);
        Self {
            includes: Vec::new(),
            out_dir: None,
            style: Style::default(),
            messages,
        }
    }

    /// Adds a folder in which imports are looked for. Without any, it is the folder of each file.
    pub fn include(mut self, folder: impl Into<PathBuf>) -> Self {
        self.includes.push(folder.into());
        self
    }

    /// Writes into another folder than `OUT_DIR`: for generated code that is committed. It has a `mod.rs` of its own then, and one
    /// that is there and was not generated is an error.
    pub fn out_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.out_dir = Some(folder.into());
        self
    }

    /// Says by which path generated code finds the crate `rpc`, where it was renamed: `::my_rpc`. Default: `::rpc`.
    pub fn crate_path(mut self, path: impl Into<String>) -> Self {
        self.style.crate_path = path.into();
        self
    }

    /// Makes methods take and return bare messages, where metadata does not matter: `async fn stock(&self, request: Sku)
    /// -> Result<Stock>`. Default: `Request<Sku>` and `Response<Stock>`.
    pub fn bare_messages(mut self) -> Self {
        self.style.bare_messages = true;
        self
    }

    /// Calls the trait of a service by another name: `.rename_service("shop.v1.Stock", "StockService")`. On the wire the
    /// service keeps its name. Needed where a message or another service has a name that is generated, `StockClient` or
    /// `StockServer`.
    pub fn rename_service(mut self, service: impl Into<String>, name: impl Into<String>) -> Self {
        self.style.services.entry(service.into()).or_default().name = Some(name.into());
        self
    }

    /// Generates the object-safe twin of a service's trait as well: `.object_safe("shop.v1.Inventory")` for `InventoryDyn`.
    pub fn object_safe(mut self, service: impl Into<String>) -> Self {
        self.style.services.entry(service.into()).or_default().object_safe = true;
        self
    }

    /// Generates the stub for callers without a runtime as well: `.blocking("shop.v1.Inventory")` for
    /// `InventoryBlockingClient`.
    pub fn blocking(mut self, service: impl Into<String>) -> Self {
        self.style.services.entry(service.into()).or_default().blocking = true;
        self
    }

    /// Calls the function of a method by another name: `.rename_method("shop.v1.Inventory/Stock", "count")`. On the wire the
    /// method keeps its name. Needed where two methods get one name, or one that the stub has of its own, `with_options`.
    pub fn rename_method(mut self, method: impl Into<String>, name: impl Into<String>) -> Self {
        self.style.methods.entry(method.into()).or_default().name = Some(name.into());
        self
    }

    /// Bounds the calls of a method: `.timeout("shop.v1.Inventory/Stock", Duration::from_secs(2))`. It is an upper bound for
    /// all clients that are generated with it: a caller may ask for less, and gets no more. Only a client that is built
    /// `without_governance()` passes it over, and clients of other frameworks know nothing of it. A bound for unary calls that
    /// say nothing is the client's `default_timeout`. From a microsecond to a year; fractions of a microsecond are left out.
    pub fn timeout(mut self, method: impl Into<String>, timeout: Duration) -> Self {
        self.style.methods.entry(method.into()).or_default().timeout = Some(timeout);
        self
    }

    /// Changes how messages are generated, by prost's own means: attributes, `Bytes` fields, foreign types.
    ///
    /// Its service generator, output folder and paths are set by us afterwards.
    pub fn messages(mut self, change: impl FnOnce(&mut prost_build::Config)) -> Self {
        change(&mut self.messages);
        self
    }

    /// Compiles the files and all that they import, one `.rs` file a package, and writes `mod.rs`, which has them all, each in
    /// the modules that its package names: messages of another package are found there.
    ///
    /// A build script may do so several times into one folder, where different packages need different settings: `mod.rs` has those of
    /// all calls. The files of one package belong in one call, because the last one writes the package.
    ///
    /// Cargo runs the build script again when one of the files or of their imports has changed.
    ///
    /// # Errors
    /// If a file cannot be read or understood, a service's trait or a method's function would have the name of another item, a
    /// name or path that was given is not Rust's, no file has a service or method that was named, or `OUT_DIR` is not set because
    /// this is not a build script.
    pub fn compile<P: AsRef<Path>>(mut self, files: impl IntoIterator<Item = P>) -> Result<(), Error> {
        let files: Vec<PathBuf> = files.into_iter().map(|file| file.as_ref().to_owned()).collect();
        let includes = self.includes_for(&files);
        let out_dir = match self.out_dir.take() {
            Some(folder) => folder,
            None => env::var_os("OUT_DIR").map(PathBuf::from).ok_or_else(|| {
                Error::new("`OUT_DIR` is not set: call this from a build script, or set `out_dir`")
            })?,
        };
        let set =
            read(&files, &includes).map_err(|error| Error::new(format!("{error:?}")).with_source(error))?;
        self.generate(&set, &out_dir)
    }

    fn generate(mut self, set: &FileDescriptorSet, out_dir: &Path) -> Result<(), Error> {
        self.style.check(set)?;
        fs::create_dir_all(out_dir).map_err(|error| Error::file("make", out_dir, error))?;
        let problems = Problems::default();
        let packages = Arc::new(Mutex::new(Vec::new()));
        let crate_path = self.style.crate_path.clone();
        self.messages
            .out_dir(out_dir)
            .prost_path(format!("{crate_path}::prost"))
            .prost_types_path(format!("{crate_path}::prost_types"))
            .service_generator(Box::new(ServiceWriter::new(
                self.style,
                set,
                problems.clone(),
                Arc::clone(&packages),
            )));
        self.messages
            .compile_fds(set.clone())
            .map_err(|error| Error::new(format!("cannot generate messages: {error}")).with_source(error))?;
        includes::settle(out_dir)?;
        problems.into_result()?;
        let packages = packages.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        for package in packages.iter() {
            let path = out_dir.join(descriptor_file(package));
            let bytes = needed_by(set, package).encode_to_vec();
            fs::write(&path, bytes).map_err(|error| Error::file("write", &path, error))?;
        }
        Ok(())
    }

    fn includes_for(&self, files: &[PathBuf]) -> Vec<PathBuf> {
        if !self.includes.is_empty() {
            return self.includes.clone();
        }
        let mut folders: Vec<PathBuf> = files
            .iter()
            .map(|file| match file.parent() {
                Some(parent) if parent != Path::new("") => parent.to_owned(),
                _ => PathBuf::from("."),
            })
            .collect();
        folders.dedup();
        folders
    }
}

impl Default for Config {
    fn default() -> Self {
        Self::new()
    }
}

/// Reads the files and all that they import, and has Cargo watch them: not the folders, which may hold what a build writes.
fn read(files: &[PathBuf], includes: &[PathBuf]) -> Result<FileDescriptorSet, protox::Error> {
    let mut compiler = protox::Compiler::new(includes)?;
    compiler
        .include_source_info(true)
        .include_imports(true)
        .open_files(files)?;
    // Those of `google.protobuf` are built in, and have no path.
    for path in compiler.files().filter_map(protox::file::FileMetadata::path) {
        println!("cargo:rerun-if-changed={}", path.display());
    }
    Ok(compiler.file_descriptor_set())
}

/// The files of a package and all that they import, imports first.
fn needed_by(set: &FileDescriptorSet, package: &str) -> FileDescriptorSet {
    let mut needed: Vec<&str> = set
        .file
        .iter()
        .filter(|file| file.package() == package)
        .map(FileDescriptorProto::name)
        .collect();
    let mut next = 0;
    while let Some(name) = needed.get(next).copied() {
        next += 1;
        let file = set.file.iter().find(|file| file.name() == name);
        for import in file.into_iter().flat_map(|file| &file.dependency) {
            if !needed.contains(&import.as_str()) {
                needed.push(import);
            }
        }
    }
    // The set lists imports before what imports them; keeping its order keeps that.
    FileDescriptorSet {
        file: set
            .file
            .iter()
            .filter(|file| needed.contains(&file.name()))
            .cloned()
            .collect(),
    }
}
