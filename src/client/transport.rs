//! Which transport a client speaks, and which schemes it understands.

use std::sync::Arc;

use rpc_core::{
    BuildError,
    net::SocketOptions,
    server::Dispatch,
    transport::{LocalTransport, Transport},
};
use rpc_registry::Target;

/// What the builder was told of transports.
#[derive(Default)]
pub(super) struct Choice {
    pub(super) custom: Option<Arc<dyn Transport>>,
    pub(super) local: Option<Dispatch>,
    pub(super) socket: Option<SocketOptions>,
    #[cfg(feature = "grpc")]
    pub(super) grpc: Option<rpc_grpc::ClientConfig>,
    #[cfg(feature = "framed")]
    pub(super) framed: super::framed::Choice,
    #[cfg(feature = "tls")]
    pub(super) tls: Option<rpc_core::net::tls::ClientTls>,
}

impl Choice {
    /// The transport for a target.
    pub(super) fn transport(self, target: &Target) -> Result<Arc<dyn Transport>, BuildError> {
        let is_local = target.scheme() == "local";
        if !is_local && self.local.is_some() {
            let problem = format!("serves `local:` targets only, and the target is `{target}`");
            return Err(BuildError::new("local", problem));
        }
        if is_local || self.custom.is_some() {
            self.refuse_wire_settings(if is_local {
                "a `local:` target"
            } else {
                "a transport of your own"
            })?;
        }
        if let Some(custom) = self.custom {
            if self.local.is_some() {
                let problem = "has no meaning with a transport of your own: leave one of both out";
                return Err(BuildError::new("local", problem));
            }
            return Ok(custom);
        }
        if is_local {
            let problem =
                format!("target `{target}` needs the server that it means: `.local(server.dispatch())`");
            let dispatch = self.local.ok_or_else(|| BuildError::new("local", problem))?;
            return Ok(Arc::new(LocalTransport::new(dispatch)));
        }
        self.wire()
    }

    fn refuse_wire_settings(&self, why: &str) -> Result<(), BuildError> {
        if self.socket.is_some() {
            return Err(BuildError::new("socket", format!("has no meaning with {why}")));
        }
        #[cfg(feature = "grpc")]
        if self.grpc.is_some() {
            return Err(BuildError::new("grpc", format!("has no meaning with {why}")));
        }
        #[cfg(feature = "framed")]
        if let Some(field) = self.framed.field() {
            return Err(BuildError::new(field, format!("has no meaning with {why}")));
        }
        #[cfg(feature = "tls")]
        if self.tls.is_some() {
            return Err(BuildError::new("tls", format!("has no meaning with {why}")));
        }
        Ok(())
    }

    #[cfg(any(feature = "grpc", feature = "framed"))]
    fn wire(self) -> Result<Arc<dyn Transport>, BuildError> {
        let dialer = rpc_core::net::Dialer::new().with_socket(self.socket.unwrap_or_default());
        #[cfg(feature = "tls")]
        let dialer = match self.tls {
            Some(tls) => dialer.with_tls(tls),
            None => dialer,
        };
        #[cfg(feature = "framed")]
        let framed = self.framed.transport(
            #[cfg(feature = "grpc")]
            self.grpc.as_ref(),
            dialer.clone(),
        )?;
        #[cfg(feature = "grpc")]
        let grpc = rpc_grpc::GrpcTransport::with_dialer(self.grpc.unwrap_or_default(), dialer)?;
        #[cfg(all(feature = "grpc", feature = "framed"))]
        return Ok(match framed {
            Some(framed) => Arc::new(super::framed::Both::new(framed, grpc, self.framed.is_first())),
            None => Arc::new(grpc),
        });
        #[cfg(all(feature = "grpc", not(feature = "framed")))]
        return Ok(Arc::new(grpc));
        #[cfg(not(feature = "grpc"))]
        match framed {
            Some(framed) => Ok(Arc::new(framed)),
            None => Err(BuildError::new(
                "prefer_framed",
                "without it nothing can be spoken: enable feature `grpc`",
            )),
        }
    }

    #[cfg(not(any(feature = "grpc", feature = "framed")))]
    #[allow(clippy::unused_self, reason = "it is asked as where something can be spoken")]
    fn wire(self) -> Result<Arc<dyn Transport>, BuildError> {
        let problem = "there is none: enable feature `grpc`, or give one with `.transport(...)`";
        Err(BuildError::new("transport", problem))
    }
}
