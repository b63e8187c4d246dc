//! What a sender does: frames, back-pressure, resets.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_unary_call_is_one_frame_each_way() {
    let mut wire = wire(1 << 16).await;
    let mut value = Typed::new("hello".to_owned(), MessageCodec::of::<Text>());
    let whole = request(Body::Value(&mut value))
        .take_whole()
        .expect("it is small");
    send_whole(&mut wire.to_server, whole, Perspective::Client).expect("the stream is open");
    let data = wire
        .from_client
        .data()
        .await
        .expect("it was sent")
        .expect("it came");
    assert_eq!(data[..], *b"\0\0\0\0\x05hello");
    assert!(wire.from_client.is_end_stream());

    let mut trailers = Metadata::new();
    trailers.insert("x-cost", "7").expect("legal");
    let whole = Frames::new(encoded("world"), ENCODER, Ending::Trailers, trailers)
        .expect("it can be encoded")
        .take_whole()
        .expect("it is small");
    send_whole(&mut wire.to_client, whole, Perspective::Server).expect("the stream is open");
    let data = wire
        .from_server
        .data()
        .await
        .expect("it was sent")
        .expect("it came");
    assert_eq!(data[..], *b"\0\0\0\0\x05world");
    let trailers = wire
        .from_server
        .trailers()
        .await
        .expect("they came")
        .expect("there are some");
    assert_eq!(
        (&trailers[names::STATUS], &trailers["x-cost"]),
        (&HeaderValue::from_static("0"), &HeaderValue::from_static("7"))
    );
}

#[tokio::test(start_paused = true)]
async fn a_message_larger_than_all_windows_gets_through_both_ways() {
    let wire = wire(1 << 16).await;
    let message = Bytes::from((0..5_000_000_u32).map(|i| i as u8).collect::<Vec<_>>());
    let mut frames = request(encoded(message.clone()));
    assert!(frames.take_whole().is_none());
    let sending = SendBody::new(wire.to_server, frames, Perspective::Client);
    let mut arriving = server(wire.from_client);
    let (sent, arrived) = tokio::join!(sending, collect(&mut arriving));
    sent.expect("the peer reads it");
    assert_eq!(
        arrived.expect("it is well-formed"),
        std::slice::from_ref(&message)
    );

    let sending = SendBody::new(
        wire.to_client,
        reply(encoded(message.clone())),
        Perspective::Server,
    );
    let mut arriving = client(wire.from_server);
    let (sent, arrived) = tokio::join!(sending, collect(&mut arriving));
    sent.expect("the peer reads it");
    assert_eq!(arrived.expect("it is well-formed"), [message]);
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_does_not_read_stops_the_sender() {
    const SIZE: usize = 10_000;
    let wire = wire(1 << 16).await;
    let (body, taken) = counted(std::iter::repeat_n(SIZE, 1_000));
    let sending = tokio::spawn(SendBody::new(wire.to_client, reply(body), Perspective::Server));
    tokio::time::sleep(QUIET).await;
    let before = taken.load(Ordering::Relaxed) * SIZE;
    // What is unasked for, what h2 may buffer, the window, and a batch.
    assert!(
        before <= (64 << 10) + (64 << 10) + (64 << 10) + (32 << 10),
        "{before} bytes were taken"
    );

    let mut arriving = client(wire.from_server);
    for _ in 0..100 {
        next(&mut arriving)
            .await
            .expect("more come")
            .expect("it is well-formed");
    }
    tokio::time::sleep(QUIET).await;
    let after = taken.load(Ordering::Relaxed) * SIZE;
    assert!(
        after > before && after < before + 200 * SIZE,
        "{before}, then {after} bytes were taken"
    );
    assert_eq!(
        collect(&mut arriving).await.expect("it is well-formed").len(),
        900
    );
    assert_eq!(arriving.take_trailers().get("x-sent"), Some("1000"));
    sending
        .await
        .expect("it does not panic")
        .expect("the peer read it all");
}

#[tokio::test(start_paused = true)]
async fn small_messages_share_frames() {
    let mut wire = wire(1 << 16).await;
    let (body, _) = counted(std::iter::repeat_n(10, 1_000));
    SendBody::new(wire.to_server, request(body), Perspective::Client)
        .await
        .expect("there is room");
    let mut frames = 0;
    let mut bytes = 0;
    while let Some(data) = wire.from_client.data().await {
        frames += 1;
        bytes += data.expect("it came").len();
    }
    assert_eq!((frames, bytes), (1, 15_000));
}

#[tokio::test(start_paused = true)]
async fn a_message_does_not_wait_for_the_next() {
    let wire = wire(1 << 16).await;
    let body = script([
        Poll::Ready(Ok(b"one".to_vec())),
        Poll::Ready(Ok(b"two".to_vec())),
        Poll::Pending,
    ]);
    let _sending = tokio::spawn(SendBody::new(wire.to_client, reply(body), Perspective::Server));
    let mut arriving = client(wire.from_server);
    for expected in ["one", "two"] {
        assert_eq!(
            next(&mut arriving)
                .await
                .expect("it comes")
                .expect("it is well-formed"),
            expected
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_failing_stream_ends_with_its_status() {
    let wire = wire(1 << 16).await;
    let failure = Status::out_of_range("no more").with_reason("END");
    let body = script([Poll::Ready(Ok(b"one".to_vec())), Poll::Ready(Err(failure))]);
    let mut arriving = client(wire.from_server);
    let sending = SendBody::new(wire.to_client, reply(body), Perspective::Server);
    let (sent, first) = tokio::join!(sending, next(&mut arriving));
    sent.expect("the failure was sent");
    assert_eq!(first.expect("it comes").expect("it is well-formed"), "one");
    let status = next(&mut arriving)
        .await
        .expect("it failed")
        .expect_err("it failed");
    assert_eq!((status.code(), status.message()), (Code::OutOfRange, "no more"));
    assert_eq!(status.metadata().len(), 0);
    assert!(next(&mut arriving).await.is_none(), "an error is the last item");
}

#[tokio::test(start_paused = true)]
async fn a_call_can_be_failed_while_it_is_sent() {
    let wire = wire(1 << 16).await;
    let body = script([Poll::Ready(Ok(b"one".to_vec())), Poll::Pending]);
    let mut sending = SendBody::new(wire.to_client, reply(body), Perspective::Server);
    assert!(
        poll_fn(|cx| Poll::Ready(sending.poll_send(cx)))
            .await
            .is_pending()
    );
    sending.fail(Status::deadline_exceeded("too late"));
    sending.await.expect("the failure was sent");
    let mut arriving = client(wire.from_server);
    assert_eq!(
        next(&mut arriving)
            .await
            .expect("it comes")
            .expect("it is well-formed"),
        "one"
    );
    let status = next(&mut arriving)
        .await
        .expect("it failed")
        .expect_err("it failed");
    assert_eq!(status.code(), Code::DeadlineExceeded);
}

#[tokio::test(start_paused = true)]
async fn a_sender_that_is_dropped_resets_the_stream() {
    let wire = wire(1 << 16).await;
    let body = script([Poll::Ready(Ok(b"one".to_vec())), Poll::Pending]);
    let mut sending = SendBody::new(wire.to_server, request(body), Perspective::Client);
    assert!(
        poll_fn(|cx| Poll::Ready(sending.poll_send(cx)))
            .await
            .is_pending()
    );
    let mut arriving = server(wire.from_client);
    assert_eq!(
        next(&mut arriving)
            .await
            .expect("it comes")
            .expect("it is well-formed"),
        "one"
    );
    drop(sending);
    let status = next(&mut arriving)
        .await
        .expect("no clean end")
        .expect_err("it was reset");
    assert_eq!(status.reason(), Some(reason::CALLER_GONE));
}

#[tokio::test(start_paused = true)]
async fn a_request_stream_that_fails_resets_the_stream_and_says_why() {
    let wire = wire(1 << 16).await;
    let body = script([
        Poll::Ready(Ok(b"one".to_vec())),
        Poll::Ready(Err(Status::data_loss("disk"))),
    ]);
    let sending = SendBody::new(wire.to_server, request(body), Perspective::Client);
    assert_eq!(sending.await.expect_err("it failed").code(), Code::DataLoss);
    let mut arriving = server(wire.from_client);
    let status = loop {
        // What was sent before may come or not.
        if let Err(status) = next(&mut arriving).await.expect("no clean end") {
            break status;
        }
    };
    assert_eq!(status.code(), Code::Cancelled);
}

#[tokio::test(start_paused = true)]
async fn a_sender_learns_of_a_reset_while_it_waits_for_messages_and_for_room() {
    let waiting_for_messages = script([Poll::Pending]);
    let (waiting_for_room, _) = counted([1 << 20]);
    for body in [waiting_for_messages, waiting_for_room] {
        let mut wire = wire(1 << 16).await;
        let sending = tokio::spawn(SendBody::new(wire.to_server, request(body), Perspective::Client));
        tokio::time::sleep(QUIET).await;
        wire.to_client.send_reset(Reason::ENHANCE_YOUR_CALM);
        let status = sending
            .await
            .expect("it does not panic")
            .expect_err("it was reset");
        assert_eq!(
            (status.code(), status.is_overload()),
            (Code::ResourceExhausted, true)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_before_the_request_ends_is_no_failure_of_sending() {
    let mut wire = wire(1 << 16).await;
    let sending = tokio::spawn(SendBody::new(
        wire.to_server,
        request(script([Poll::Pending])),
        Perspective::Client,
    ));
    let whole = reply(encoded("done")).take_whole().expect("it is small");
    send_whole(&mut wire.to_client, whole, Perspective::Server).expect("the stream is open");
    tokio::time::sleep(QUIET).await;
    // As h2 does by itself when a server lets go of a stream whose request has not ended.
    wire.to_client.send_reset(Reason::NO_ERROR);
    sending
        .await
        .expect("it does not panic")
        .expect("the peer needs no more");
    assert_eq!(
        collect(&mut client(wire.from_server))
            .await
            .expect("the answer counts"),
        ["done"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_arrives_can_be_passed_on() {
    let (first, second) = (wire(1 << 16).await, wire(1 << 16).await);
    let (body, _) = counted([10, 100_000, 0]);
    let sending = tokio::spawn(SendBody::new(first.to_server, request(body), Perspective::Client));
    let mut passing = server(first.from_client);
    let frames = request(Body::Arriving(&mut passing));
    let relaying = tokio::spawn(SendBody::new(second.to_server, frames, Perspective::Client));
    let arrived = collect(&mut server(second.from_client))
        .await
        .expect("it is well-formed");
    assert_eq!(
        arrived.iter().map(Bytes::len).collect::<Vec<_>>(),
        [10, 100_000, 0]
    );
    sending.await.expect("it does not panic").expect("it was read");
    relaying.await.expect("it does not panic").expect("it was read");
}

#[tokio::test(start_paused = true)]
async fn a_look_ahead_tells_a_failure_from_a_first_message() {
    let mut failing = reply(script([Poll::Ready(Err(Status::not_found("nothing")))]));
    let part = poll_fn(|cx| {
        failing
            .poll_peek(cx)
            .map(|part| matches!(part, Ok(Part::Trailers(_))))
    })
    .await;
    assert!(part, "nothing was sent yet: it can be the headers");
    let mut sending = reply(script([Poll::Ready(Ok(b"one".to_vec()))]));
    let part = poll_fn(|cx| {
        sending
            .poll_peek(cx)
            .map(|part| matches!(part, Ok(Part::Data(_))))
    })
    .await;
    assert!(part);
    assert!(matches!(poll_fn(|cx| sending.poll_part(cx)).await, Ok(Part::Data(data)) if data.len() == 8));
    assert!(matches!(
        poll_fn(|cx| sending.poll_part(cx)).await,
        Ok(Part::Trailers(_))
    ));
}

#[tokio::test(start_paused = true)]
async fn a_failure_alone_is_trailers() {
    let wire = wire(1 << 16).await;
    let mut failing = reply(Body::Empty);
    failing.fail(Status::unimplemented("not here"));
    SendBody::new(wire.to_client, failing, Perspective::Server)
        .await
        .expect("it was sent");
    let status = collect(&mut client(wire.from_server))
        .await
        .expect_err("it failed");
    assert_eq!(
        (status.code(), status.message()),
        (Code::Unimplemented, "not here")
    );
}
