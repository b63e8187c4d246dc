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
    let whole = Frames::new(encoded("world"), ENCODER, TRAILERS, trailers)
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

/// Messages of one size, ready in groups with a `Pending` after each; looks at the buffer that they are put into.
struct Watched {
    size: usize,
    group: usize,
    ready: usize,
    /// The room of the buffer as this left it.
    room: usize,
    /// What was in the buffer each time that it had got another room.
    moved: Arc<AtomicUsize>,
    /// The most room there was when there was no message.
    idle: Arc<AtomicUsize>,
}

impl Outgoing for Watched {
    fn poll_encode(&mut self, _: &mut Poller<'_>, out: &mut BytesMut) -> Poll<Option<Result<(), Status>>> {
        if out.capacity() != self.room {
            self.moved.fetch_add(out.len(), Ordering::Relaxed);
            self.room = out.capacity();
        }
        if self.ready == 0 {
            self.ready = self.group;
            self.idle.fetch_max(out.capacity() - out.len(), Ordering::Relaxed);
            return Poll::Pending;
        }
        self.ready -= 1;
        let before = out.len();
        out.extend_from_slice(&vec![7; self.size]);
        if out.capacity() != self.room {
            self.moved.fetch_add(before, Ordering::Relaxed);
            self.room = out.capacity();
        }
        Poll::Ready(Some(Ok(())))
    }

    fn as_any(&mut self) -> &mut dyn std::any::Any {
        self
    }
}

/// So many batches of such groups, all of which somebody keeps: their sizes, how much was moved for each, and the most room
/// that there was beyond a batch.
async fn batches(count: usize, size: usize, group: usize) -> (Vec<usize>, Vec<usize>, usize) {
    let (moved, idle) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let mut frames = reply(Body::Outgoing(Box::new(Watched {
        size,
        group,
        ready: group,
        room: 0,
        moved: Arc::clone(&moved),
        idle: Arc::clone(&idle),
    })));
    let (mut kept, mut per_batch) = (Vec::new(), Vec::new());
    for _ in 0..count {
        match poll_fn(|cx| frames.poll_part(cx)).await {
            Ok(Part::Data(data)) => kept.push(data),
            other => panic!("{other:?} instead of a batch"),
        }
        per_batch.push(moved.swap(0, Ordering::Relaxed));
    }
    let sizes = kept.iter().map(Data::len).collect();
    (sizes, per_batch, idle.load(Ordering::Relaxed))
}

#[tokio::test(start_paused = true)]
async fn a_batch_is_moved_little_while_it_grows() {
    for size in [10, 100, 1_000, 1_024, 3_000] {
        let (sizes, per_batch, _) = batches(8, size, usize::MAX).await;
        assert!(
            sizes.iter().all(|len| *len >= 16 << 10),
            "{sizes:?} of {size} each"
        );
        // The first one doubles for a while; the others know, and move what went into the room that the last one left over.
        assert!(per_batch[0] <= (8 << 10) + size, "{per_batch:?} of {size} each");
        let more = per_batch[1..].iter().all(|moved| *moved <= 2 * (size + 300));
        assert!(more, "{per_batch:?} of {size} each");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_of_few_messages_keeps_no_room_for_many() {
    for (size, group) in [(10, 1), (10, 3), (100, 10), (1_000, 1), (10_000, 1)] {
        let (sizes, _, idle) = batches(8, size, group).await;
        assert_eq!(sizes, vec![group * (size + 5); 8]);
        assert!(idle <= 600 + 2 * sizes[0], "{idle} of {group} of {size} each");
    }
    for (size, group) in [(10, 300), (1_000, 3), (1_000, 15), (5_000, 3)] {
        let (_, _, idle) = batches(8, size, group).await;
        assert!(idle <= 20 << 10, "{idle} of {group} of {size} each");
    }
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
