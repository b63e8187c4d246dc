//! What a reader sees: messages, ends, failures.

use super::*;

#[tokio::test(start_paused = true)]
async fn many_small_messages_do_not_use_up_the_window() {
    let wire = wire(1 << 16).await;
    let (body, _) = counted(std::iter::repeat_n(10, 20_000));
    let mut arriving = server(wire.from_client);
    let sending = SendBody::new(wire.to_server, request(body), Perspective::Client);
    let (sent, arrived) = tokio::join!(sending, collect(&mut arriving));
    sent.expect("the peer reads it");
    assert_eq!(arrived.expect("it is well-formed").len(), 20_000);
}

#[tokio::test(start_paused = true)]
async fn a_reset_is_an_error_for_the_handler_and_never_an_end() {
    for reset in [Reason::CANCEL, Reason::NO_ERROR, Reason::INTERNAL_ERROR] {
        let mut wire = wire(1 << 16).await;
        wire.to_server
            .send_data(Bytes::from_static(b"\0\0\0\0\x03one").into(), false)
            .expect("it is open");
        let mut arriving = server(wire.from_client);
        assert_eq!(
            next(&mut arriving)
                .await
                .expect("it comes")
                .expect("it is well-formed"),
            "one"
        );
        wire.to_server.send_reset(reset);
        let status = next(&mut arriving)
            .await
            .expect("no clean end")
            .expect_err("it was reset");
        assert_eq!(
            (status.code(), status.reason()),
            (Code::Cancelled, Some(reason::CALLER_GONE)),
            "{reset:?}"
        );
        assert!(next(&mut arriving).await.is_none());
    }
}

#[tokio::test(start_paused = true)]
async fn trailers_decide_how_a_reply_ends() {
    let cases: [(&[u8], Option<&'static str>, Code); 5] = [
        (b"\0\0\0\0\x01a", Some("0"), Code::Ok),
        (b"\0\0\0\0\x01a", Some("9"), Code::FailedPrecondition),
        (b"\0\0\0\0\x01a", None, Code::Unknown),
        // A success contradicts a message that is cut off, a failure explains it.
        (b"\0\0\0\0\x05a", Some("0"), Code::Internal),
        (b"\0\0\0\0\x05a", Some("9"), Code::FailedPrecondition),
    ];
    for (data, code, expected) in cases {
        let mut wire = wire(1 << 16).await;
        wire.to_client
            .send_data(Bytes::from_static(data).into(), false)
            .expect("it is open");
        let mut trailers = HeaderMap::new();
        if let Some(code) = code {
            trailers.insert(names::STATUS, HeaderValue::from_static(code));
        }
        wire.to_client.send_trailers(trailers).expect("it is open");
        let ended = collect(&mut client(wire.from_server)).await;
        assert_eq!(
            ended.map_or_else(|status| status.code(), |_| Code::Ok),
            expected,
            "{data:?}, {code:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn an_end_without_trailers_is_no_success() {
    let mut wire = wire(1 << 16).await;
    wire.to_client
        .send_data(Bytes::from_static(b"\0\0\0\0\x01a").into(), true)
        .expect("it is open");
    assert_eq!(
        collect(&mut client(wire.from_server))
            .await
            .expect_err("no status")
            .code(),
        Code::Unknown
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_detached_goes_on_where_it_was() {
    let wire = wire(1 << 16).await;
    let (body, _) = counted([1, 2, 3]);
    SendBody::new(wire.to_server, request(body), Perspective::Client)
        .await
        .expect("there is room");
    let mut lent = server(wire.from_client);
    assert_eq!(
        next(&mut lent)
            .await
            .expect("it comes")
            .expect("it is well-formed")
            .len(),
        1
    );
    let mut own = lent.detach();
    assert!(next(&mut lent).await.is_none());
    assert_eq!(collect(&mut *own).await.expect("it is well-formed").len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_message_above_the_limit_is_refused_by_its_length() {
    let mut wire = wire(1 << 16).await;
    wire.to_server
        .send_data(Bytes::from_static(b"\0\x7f\xff\xff\xff").into(), false)
        .expect("it is open");
    let source = H2Source::new(wire.from_client, Perspective::Server, 256);
    let mut arriving = RecvMessages::new(source, Decoder::new(1 << 20, None), Perspective::Server);
    let status = next(&mut arriving)
        .await
        .expect("it fails")
        .expect_err("it is too large");
    assert_eq!(status.reason(), Some(reason::MESSAGE_TOO_LARGE));
    assert!(next(&mut arriving).await.is_none());
}
