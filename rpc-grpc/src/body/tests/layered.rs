//! The same through layers of HTTP.

use super::*;

/// A reply as an HTTP layer sees it.
struct ReplyBody(Frames);

impl http_body::Body for ReplyBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Poller<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, Status>>> {
        self.0
            .poll_part(cx)
            .map(|part| part.map(Part::into_frame).transpose())
    }
}

#[tokio::test(start_paused = true)]
async fn http_layers_see_the_same_both_ways() {
    let (body, _) = counted([1, 2, 30_000]);
    let wire = wire(1 << 16).await;
    let mut arriving = client(wire.from_server);
    let parts = HttpParts::new(ReplyBody(reply(body)), usize::MAX);
    let sending = SendBody::new(wire.to_client, parts, Perspective::Server);
    let (sent, arrived) = tokio::join!(sending, collect(&mut arriving));
    sent.expect("it was read");
    assert_eq!(
        arrived
            .expect("it is well-formed")
            .iter()
            .map(Bytes::len)
            .collect::<Vec<_>>(),
        [1, 2, 30_000]
    );
    assert_eq!(arriving.take_trailers().get("x-sent"), Some("3"));

    let (body, _) = counted([4, 50_000]);
    let sending = tokio::spawn(SendBody::new(wire.to_server, request(body), Perspective::Client));
    let source = HttpSource::new(RequestBody::new(H2Source::new(
        wire.from_client,
        Perspective::Server,
        256,
    )));
    let mut arriving = RecvMessages::new(source, Decoder::new(1 << 20, None), Perspective::Server);
    let arrived = collect(&mut arriving).await.expect("it is well-formed");
    assert_eq!(arrived.iter().map(Bytes::len).collect::<Vec<_>>(), [4, 50_000]);
    sending.await.expect("it does not panic").expect("it was read");
}

#[tokio::test(start_paused = true)]
async fn a_reset_passes_through_http_layers_as_what_it_is() {
    let mut wire = wire(1 << 16).await;
    let source = HttpSource::new(RequestBody::new(H2Source::new(
        wire.from_client,
        Perspective::Server,
        256,
    )));
    let mut arriving = RecvMessages::new(source, Decoder::new(1 << 20, None), Perspective::Server);
    wire.to_server.send_reset(Reason::CANCEL);
    let status = next(&mut arriving)
        .await
        .expect("no clean end")
        .expect_err("it was reset");
    assert_eq!(status.reason(), Some(reason::CALLER_GONE));
}
