//! What can be said of a client, and what can be wrong with it.

use std::{borrow::Cow, fmt, sync::Arc, time::Duration};

use rpc_core::{
    BoxError, BuildError, CallOptions, OwnedCall, Reply,
    net::SocketOptions,
    server::Dispatch,
    stage::{CallService, Hook, UserLayer},
    transport::Transport,
};
use rpc_governance::client::deadline::DeadlinePolicy;
use rpc_registry::{Scheme, Schemes, Target};
use tower_layer::Layer;
use tower_service::Service;

use super::{
    Client,
    balancing::Balancing,
    discovery::Discovery,
    stack::{self, Parts},
    transport::Choice,
};
use crate::schemes;

/// Makes a [`Client`]. Every mistake is found at [`build`](Self::build), which names the method that was called wrongly.
#[must_use = "a builder does nothing until `build()`"]
pub struct ClientBuilder {
    target: Option<Cow<'static, str>>,
    schemes: Schemes,
    pub(super) discovery: Box<Discovery>,
    pub(super) balancing: Box<Balancing>,
    options: CallOptions,
    default_timeout: Timeout,
    governance: bool,
    eager: bool,
    hooks: Vec<Box<dyn Hook>>,
    layers: Vec<UserLayer>,
    attempt_hooks: Vec<Box<dyn Hook>>,
    attempt_layers: Vec<UserLayer>,
    pub(super) transport: Choice,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Timeout {
    Default,
    Off,
    Of(Duration),
}

impl ClientBuilder {
    pub(super) fn new() -> Self {
        Self {
            target: None,
            schemes: schemes::built_in_schemes(),
            discovery: Box::default(),
            balancing: Box::default(),
            options: CallOptions::new(),
            default_timeout: Timeout::Default,
            governance: true,
            eager: false,
            hooks: Vec::new(),
            layers: Vec::new(),
            attempt_hooks: Vec::new(),
            attempt_layers: Vec::new(),
            transport: Choice::default(),
        }
    }

    /// Where instances come from: `static://a:1,b:2`, `unix:/run/shop.sock`, `memory:///shop`, `local:///shop`.
    /// Required. See [`Target`]; [`also`](Self::also) adds another one.
    pub fn target(mut self, target: impl Into<Cow<'static, str>>) -> Self {
        self.target = Some(target.into());
        self
    }

    /// Adds the registry of a scheme: a [`MemoryRegistry`](crate::MemoryRegistry) makes `memory:` targets known.
    pub fn registry(mut self, registry: impl Scheme) -> Self {
        self.schemes.add(registry);
        self
    }

    /// Bounds unary calls for which nobody asks for a deadline: no request, stub or method, and no inbound call.
    /// Default: 10 seconds. Streams have no default.
    pub fn default_timeout(mut self, timeout: Duration) -> Self {
        self.default_timeout = Timeout::Of(timeout);
        self
    }

    /// Leaves calls without a deadline for which nobody asks for one.
    pub fn without_default_timeout(mut self) -> Self {
        self.default_timeout = Timeout::Off;
        self
    }

    /// The content-subtype of messages, `json` say. Default: the first codec that a service lists. A service that does not
    /// offer it fails its calls with UNIMPLEMENTED, reason `CODEC_UNKNOWN`.
    pub fn codec(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.options.codec = Some(name.into());
        self
    }

    /// How requests are compressed: `gzip`, or `zstd` with that feature. Default: not at all. Responses come as the
    /// server likes, among what this client understands.
    pub fn compression(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.options.compression = Some(name.into());
        self
    }

    /// Whether calls wait, until their deadline, while no endpoint can be reached. Default: they fail at once with
    /// UNAVAILABLE, reason `NO_ENDPOINT`. One request can say otherwise.
    pub fn wait_for_ready(mut self, wait: bool) -> Self {
        self.options.wait_for_ready = Some(wait);
        self
    }

    /// Whether to resolve and connect at [`build`](Self::build), which must then be called inside of a tokio runtime.
    /// Default: at the first call, or at [`Client::ready`].
    pub fn connect_eagerly(mut self, eager: bool) -> Self {
        self.eager = eager;
        self
    }

    /// Adds a hook around the logical call, outside of the layers. The first one added is the outermost. Where nothing has to
    /// be waited for, a hook is the cheaper layer: it costs a call no allocation.
    pub fn hook(mut self, hook: impl Hook) -> Self {
        self.hooks.push(Box::new(hook));
        self
    }

    /// Adds a hook around each attempt, outside of the attempt's layers.
    pub fn attempt_hook(mut self, hook: impl Hook) -> Self {
        self.attempt_hooks.push(Box::new(hook));
        self
    }

    /// Adds a tower layer around the logical call: it sees one call and one answer, whatever is tried in between. The first
    /// one added is the outermost. The call's deadline is settled above all of them and bounds what they do: one that is to
    /// answer in place of a call that took too long gives the call that it passes on an earlier one.
    ///
    /// Any layer fits whose service takes an [`OwnedCall`], answers with a [`Reply`] and can be cloned.
    pub fn layer<L>(mut self, layer: L) -> Self
    where
        L: Layer<CallService> + Send + Sync + 'static,
        L::Service: Service<OwnedCall, Response = Reply> + Clone + Send + Sync + 'static,
        <L::Service as Service<OwnedCall>>::Error: Into<BoxError> + 'static,
        <L::Service as Service<OwnedCall>>::Future: Send + 'static,
    {
        self.layers.push(UserLayer::new(layer));
        self
    }

    /// Adds a tower layer around each attempt, below the deadline and above the choice of an endpoint. The first one added is
    /// the outermost.
    ///
    /// A call is one attempt, unless a [`layer`](Self::layer) of the user's makes several. What is sent again to another endpoint
    /// because it was not processed is the same attempt.
    pub fn attempt_layer<L>(mut self, layer: L) -> Self
    where
        L: Layer<CallService> + Send + Sync + 'static,
        L::Service: Service<OwnedCall, Response = Reply> + Clone + Send + Sync + 'static,
        <L::Service as Service<OwnedCall>>::Error: Into<BoxError> + 'static,
        <L::Service as Service<OwnedCall>>::Future: Send + 'static,
    {
        self.attempt_layers.push(UserLayer::new(layer));
        self
    }

    /// Settings of the gRPC transport: limits, keepalive, windows. The framed transport takes those that mean the same, unless
    /// it is given its own. It holds at most 64 KiB - 1 of metadata, and [`build`](Self::build) refuses more for it.
    #[cfg(feature = "grpc")]
    pub fn grpc(mut self, config: rpc_grpc::ClientConfig) -> Self {
        self.transport.grpc = Some(config);
        self
    }

    /// Sets the options of the TCP sockets, for both protocols: [`user_timeout`](SocketOptions::user_timeout) bounds how long a
    /// host that is gone without a word goes unnoticed, as does the `keepalive` of a transport's link.
    pub fn socket(mut self, options: SocketOptions) -> Self {
        self.transport.socket = Some(options);
        self
    }

    /// Connects with TLS.
    #[cfg(feature = "tls")]
    pub fn tls(mut self, tls: rpc_core::net::tls::ClientTls) -> Self {
        self.transport.tls = Some(tls);
        self
    }

    /// Calls through a transport of your own. Default: gRPC, and the framed protocol with instances that
    /// list it; for `local:` targets, the in-process one.
    pub fn transport(mut self, transport: impl Transport) -> Self {
        self.transport.custom = Some(Arc::new(transport));
        self
    }

    /// The server in this process that a `local:` target means.
    pub fn local(mut self, dispatch: Dispatch) -> Self {
        self.transport.local = Some(dispatch);
        self
    }

    /// Switches the governance of calls off ("bare"): no deadline but the one that is asked for or inherited, and none of
    /// the layers that protect or observe calls. Users' layers, the choice of an endpoint and the transport stay.
    pub fn without_governance(mut self) -> Self {
        self.governance = false;
        self
    }

    /// Makes the client. Connects nothing, unless [asked to](Self::connect_eagerly), and needs no runtime.
    ///
    /// # Errors
    /// The first mistake that is found, with the name of the method to mend.
    pub fn build(self) -> Result<Client, BuildError> {
        let deadline = self.deadline()?;
        self.check_names()?;
        self.balancing.check()?;
        let classify = self.balancing.classify();
        let Some(text) = self.target else {
            return Err(BuildError::new(
                "target",
                "is required: `static://host:port`, say",
            ));
        };
        let target: Target = text.parse()?;
        let targets = self.discovery.targets(target)?;
        for target in &targets {
            schemes::check_memory(&self.schemes, target)?;
        }
        let transport = self.transport.transport(&targets[0])?;
        let mut balancing = *self.balancing;
        let lanes = std::mem::take(&mut balancing.labels);
        let routers = balancing.routers()?;
        let rules = std::mem::take(&mut balancing.rules);
        let endpoints =
            self.discovery
                .endpoints(&targets, &self.schemes, transport, routers.clone(), balancing)?;
        let routing = rules.layers(&routers, &endpoints)?;
        if self.eager {
            endpoints.start().map_err(|status| {
                BuildError::new("connect_eagerly", "needs a tokio runtime around `build()`")
                    .with_source(status)
            })?;
        }
        // Told to the pick alone: in the channel's options, each call would have to copy them to hide it from the link.
        let mut options = self.options;
        let wait_for_ready = options.wait_for_ready.take().unwrap_or(false);
        let channel = stack::assemble(Parts {
            options,
            lanes,
            hooks: self.hooks,
            layers: self.layers,
            deadline,
            attempt_hooks: self.attempt_hooks,
            attempt_layers: self.attempt_layers,
            routing: routing.clone(),
            endpoints: endpoints.clone(),
            wait_for_ready,
            classify,
        });
        Ok(Client {
            channel,
            endpoints,
            mirror: routing.mirror,
            wait_for_ready,
        })
    }

    fn deadline(&self) -> Result<DeadlinePolicy, BuildError> {
        let policy = DeadlinePolicy::default();
        match self.default_timeout {
            Timeout::Of(timeout) if timeout.is_zero() => Err(BuildError::new(
                "default_timeout",
                "0 would fail every call; `without_default_timeout()` is the way to have none",
            )),
            Timeout::Of(_) if !self.governance => Err(BuildError::new(
                "default_timeout",
                "has no meaning together with `without_governance()`",
            )),
            _ if !self.governance => Ok(DeadlinePolicy::explicit_only()),
            Timeout::Of(timeout) => Ok(policy.with_unary_default(timeout)),
            Timeout::Off => Ok(policy.with_unary_default(None)),
            Timeout::Default => Ok(policy),
        }
    }

    fn check_names(&self) -> Result<(), BuildError> {
        let is_name = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_' | b'.');
        if let Some(codec) = &self.options.codec
            && (codec.is_empty() || !codec.bytes().all(is_name))
        {
            let problem =
                format!("`{codec}` is no content-subtype: lower-case letters, digits, `-`, `_`, `.`");
            return Err(BuildError::new("codec", problem));
        }
        if let Some(compression) = &self.options.compression
            && !COMPRESSIONS.contains(&&**compression)
        {
            let accepted = COMPRESSIONS.join(", ");
            let problem = format!("`{compression}` is not known here; accepted: {accepted}");
            return Err(BuildError::new("compression", problem));
        }
        Ok(())
    }
}

impl fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientBuilder")
            .field("target", &self.target)
            .field("schemes", &self.schemes)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

/// What requests can be compressed with, by the features of this build.
const COMPRESSIONS: &[&str] = &[
    "identity",
    #[cfg(feature = "gzip")]
    "gzip",
    #[cfg(feature = "zstd")]
    "zstd",
];
