//! The service as ours.

use bytes::Bytes;
use rpc::{Result, Streaming};

use super::STREAM_LEN;

/// Some bytes.
#[derive(Clone, PartialEq, ::prost::Message)]
pub(crate) struct Payload {
    #[prost(bytes = "bytes", tag = "1")]
    pub(crate) body: Bytes,
}

/// What every subject is measured with.
#[rpc::service(package = "bench", codecs = [Prost])]
pub(crate) trait Echo {
    /// The same bytes back.
    async fn unary(&self, payload: Payload) -> Result<Payload>;

    /// The same bytes back, several times.
    async fn stream(&self, payload: Payload) -> Result<Streaming<Payload>>;
}

pub(crate) struct Implementation;

impl Echo for Implementation {
    async fn unary(&self, payload: Payload) -> Result<Payload> {
        Ok(payload)
    }

    async fn stream(&self, payload: Payload) -> Result<Streaming<Payload>> {
        Ok(Streaming::from_iter(std::iter::repeat_n(payload, STREAM_LEN)))
    }
}
