//! Descriptors: what is known of a service and a method before any call is made.
//!
//! A generated service has them as statics. A bridge or a generic call makes them at run time and shares them; both
//! are behind one [`Method`], so nothing on the way of a call needs to care.

use std::{borrow::Cow, fmt, ops::Deref, sync::Arc, time::Duration};

use crate::{BuildError, message::FieldCheck};

/// Which side of a method sends one message and which a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Shape {
    /// One message each way.
    Unary,
    /// A stream of requests, one response.
    ClientStreaming,
    /// One request, a stream of responses.
    ServerStreaming,
    /// A stream each way.
    Bidi,
}

impl Shape {
    /// True if the caller sends a stream.
    pub const fn streams_requests(self) -> bool {
        matches!(self, Self::ClientStreaming | Self::Bidi)
    }

    /// True if the callee sends a stream.
    pub const fn streams_responses(self) -> bool {
        matches!(self, Self::ServerStreaming | Self::Bidi)
    }
}

/// A service: its full name and its methods, in the order of the trait.
#[derive(Debug, Clone)]
pub struct ServiceDescriptor {
    name: Cow<'static, str>,
    methods: Cow<'static, [MethodDescriptor]>,
    file: Option<&'static [u8]>,
}

impl ServiceDescriptor {
    /// A service known at compile time; `name` is the full one, `shop.v1.Inventory`.
    pub const fn new(name: &'static str, methods: &'static [MethodDescriptor]) -> Self {
        Self {
            name: Cow::Borrowed(name),
            methods: Cow::Borrowed(methods),
            file: None,
        }
    }

    /// A service made at run time.
    ///
    /// # Errors
    /// If `name` is not a dotted identifier.
    pub fn shared(name: String, methods: Vec<MethodDescriptor>) -> Result<Self, BuildError> {
        check_name("service", &name)?;
        Ok(Self {
            name: Cow::Owned(name),
            methods: Cow::Owned(methods),
            file: None,
        })
    }

    /// Adds the encoded `google.protobuf.FileDescriptorSet` that the service was generated from.
    pub const fn with_file_descriptor_set(mut self, set: &'static [u8]) -> Self {
        self.file = Some(set);
        self
    }

    /// The full name, `package.Service`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The methods, in the order of the trait.
    pub fn methods(&self) -> &[MethodDescriptor] {
        &self.methods
    }

    /// The encoded `google.protobuf.FileDescriptorSet`, where the service came from a `.proto` file.
    pub fn file_descriptor_set(&self) -> Option<&'static [u8]> {
        self.file
    }
}

/// A method: its path, shape, and what its author said of it.
#[derive(Debug, Clone)]
pub struct MethodDescriptor {
    path: Cow<'static, str>,
    shape: Shape,
    idempotent: bool,
    timeout: Option<Duration>,
    codecs: &'static [&'static str],
    fields: Option<FieldCheck>,
}

impl MethodDescriptor {
    /// A method known at compile time; `path` is `/package.Service/Method`.
    pub const fn new(path: &'static str, shape: Shape) -> Self {
        Self {
            path: Cow::Borrowed(path),
            shape,
            idempotent: false,
            timeout: None,
            codecs: &[],
            fields: None,
        }
    }

    /// A method made at run time.
    ///
    /// # Errors
    /// If `service` or `method` is not a name.
    pub fn shared(service: &str, method: &str, shape: Shape) -> Result<Self, BuildError> {
        check_name("service", service)?;
        check_name("method", method)?;
        Ok(Self {
            path: Cow::Owned(format!("/{service}/{method}")),
            shape,
            idempotent: false,
            timeout: None,
            codecs: &[],
            fields: None,
        })
    }

    /// Marks it safe to send twice: the same request again has no further effect. A mark for layers that try again, which
    /// are the user's: nothing of ours does so because of it.
    pub const fn idempotent(mut self) -> Self {
        self.idempotent = true;
        self
    }

    /// Sets the deadline that a call of it gets if nobody asks for an earlier one: an upper bound for all callers.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Sets the content-subtypes it is offered in, the default first.
    pub const fn codecs(mut self, codecs: &'static [&'static str]) -> Self {
        self.codecs = codecs;
        self
    }

    /// Says that the fields of its requests can be found, in whatever codec, and which there are.
    pub const fn request_fields(mut self, check: FieldCheck) -> Self {
        self.fields = Some(check);
        self
    }

    /// `/package.Service/Method`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The path, where it lives as long as the program: transports prebuild headers from it without a copy.
    pub fn static_path(&self) -> Option<&'static str> {
        match self.path {
            Cow::Borrowed(path) => Some(path),
            Cow::Owned(_) => None,
        }
    }

    /// The full name of its service, `package.Service`.
    pub fn service(&self) -> &str {
        self.split().0
    }

    /// Its name inside the service, `Method`.
    pub fn name(&self) -> &str {
        self.split().1
    }

    /// Which side streams.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// True if the same request may be sent twice, as its author says. A layer that tries again asks this of a failure that
    /// [was processed](crate::Status::was_processed).
    pub fn is_idempotent(&self) -> bool {
        self.idempotent
    }

    /// The deadline that its author gave it: an upper bound for all callers.
    pub fn default_timeout(&self) -> Option<Duration> {
        self.timeout
    }

    /// The content-subtypes it is offered in, the default first; empty if not known.
    pub fn codec_names(&self) -> &'static [&'static str] {
        self.codecs
    }

    /// Says which fields its requests may have; `None` if there is no way to find any, or nobody knows.
    pub fn field_check(&self) -> Option<FieldCheck> {
        self.fields
    }

    fn split(&self) -> (&str, &str) {
        let path = self.path.strip_prefix('/').unwrap_or(&self.path);
        path.rsplit_once('/').unwrap_or(("", path))
    }
}

/// A method as a call carries it: cheap to clone, static or shared.
#[derive(Clone)]
pub enum Method {
    /// Of a generated service.
    Static(&'static MethodDescriptor),
    /// Made at run time.
    Shared(Arc<MethodDescriptor>),
}

impl Method {
    /// The method behind a path that no service here offers. The path is kept as the peer sent it.
    pub fn unknown(path: &str) -> Self {
        Self::Shared(Arc::new(MethodDescriptor {
            path: Cow::Owned(path.to_owned()),
            shape: Shape::Bidi,
            idempotent: false,
            timeout: None,
            codecs: &[],
            fields: None,
        }))
    }
}

impl Deref for Method {
    type Target = MethodDescriptor;

    fn deref(&self) -> &MethodDescriptor {
        match self {
            Self::Static(method) => method,
            Self::Shared(method) => method,
        }
    }
}

impl fmt::Debug for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Method").field(&self.path()).finish()
    }
}

impl From<&'static MethodDescriptor> for Method {
    fn from(method: &'static MethodDescriptor) -> Self {
        Self::Static(method)
    }
}

impl From<MethodDescriptor> for Method {
    fn from(method: MethodDescriptor) -> Self {
        Self::Shared(Arc::new(method))
    }
}

fn check_name(field: &'static str, name: &str) -> Result<(), BuildError> {
    let part_is_name = |part: &str| {
        !part.is_empty()
            && !part.starts_with(|c: char| c.is_ascii_digit())
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
    };
    if name.len() <= 1024 && name.split('.').all(part_is_name) {
        return Ok(());
    }
    Err(BuildError::new(
        field,
        format!("`{name}` is not a name: write letters, digits and `_`, with dots between"),
    ))
}
