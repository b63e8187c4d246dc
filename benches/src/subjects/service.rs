//! The service as ours.

use bytes::Bytes;
use rpc::{Result, Streaming};

use super::{Caller, STREAM_LEN};

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

    /// The same bytes back, after one turn of the queue.
    async fn unary_yield(&self, payload: Payload) -> Result<Payload>;

    /// The same bytes back, several times.
    async fn stream(&self, payload: Payload) -> Result<Streaming<Payload>>;
}

pub(crate) struct Implementation;

impl Echo for Implementation {
    async fn unary(&self, payload: Payload) -> Result<Payload> {
        Ok(payload)
    }

    async fn unary_yield(&self, payload: Payload) -> Result<Payload> {
        tokio::task::yield_now().await;
        Ok(payload)
    }

    async fn stream(&self, payload: Payload) -> Result<Streaming<Payload>> {
        Ok(Streaming::from_iter(std::iter::repeat_n(payload, STREAM_LEN)))
    }
}

impl Caller for EchoClient {
    async fn unary(&mut self, body: Bytes) -> Bytes {
        let reply = Echo::unary(self, Payload { body }).await;
        reply.expect("the call succeeds").body
    }

    async fn unary_yield(&mut self, body: Bytes) -> Bytes {
        let reply = Echo::unary_yield(self, Payload { body }).await;
        reply.expect("the call succeeds").body
    }

    async fn stream(&mut self, body: Bytes) -> usize {
        let stream = Echo::stream(self, Payload { body }).await;
        let mut stream = stream.expect("the call succeeds");
        let mut count = 0;
        while stream.message().await.expect("the stream goes on").is_some() {
            count += 1;
        }
        count
    }
}
