//! A server that contradicts itself loses its connection, or is not believed: on paused time, over a pipe in memory.

use rpc_core::{
    Body, Code, Reply, Status,
    status::{Side, reason},
};

use super::{
    peer::{CHUNK, END, GOAWAY, MESSAGE, MORE, REPLY, STREAM_END, Server, begin, call, connected, frame},
    support::within,
};

#[tokio::test(start_paused = true)]
async fn a_call_is_not_answered_twice() {
    for second in [MESSAGE | END, MESSAGE | MORE, END, 0] {
        let (link, mut server) = connected(1 << 16, 10, |_| {}).await;
        let mut answered = call(1);
        let mut answered = Box::pin(link.call(&mut answered));
        let request = begin(answered.as_mut(), &mut server).await;
        for flags in [MESSAGE | MORE, second] {
            let reply = frame(REPLY, flags, request.slot, request.generation, 0, b"some");
            server.write(&reply).await;
        }
        is_cut_off(answered, &mut server, "a call was answered twice").await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_begins_before_it_ends() {
    for (kind, flags, payload) in [
        (STREAM_END, END, &b""[..]),
        (CHUNK, MESSAGE | END, b"some"),
        (CHUNK, MESSAGE, b"some"),
    ] {
        let (link, mut server) = connected(1 << 16, 10, |_| {}).await;
        let mut answered = call(1);
        let mut answered = Box::pin(link.call(&mut answered));
        let request = begin(answered.as_mut(), &mut server).await;
        let first = frame(kind, flags, request.slot, request.generation, 0, payload);
        server.write(&first).await;
        is_cut_off(answered, &mut server, "an answer went on before it began").await;
    }
}

/// The call fails with its connection, and the server is told why.
async fn is_cut_off(call: impl Future<Output = Result<Reply, Status>>, server: &mut Server, why: &str) {
    let status = within(call).await.expect_err("it is cut off");
    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
    assert!(status.was_processed(), "{status:?}");
    let said = loop {
        let frame = server.next().await;
        if frame.kind == GOAWAY {
            break frame.payload;
        }
    };
    let said = String::from_utf8_lossy(&said);
    assert!(said.ends_with(why), "{said}");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_being_answered_was_taken() {
    let (link, mut server) = connected(1 << 16, 10, |_| {}).await;
    let mut answered = call(1);
    let mut answered = Box::pin(link.call(&mut answered));
    let request = begin(answered.as_mut(), &mut server).await;
    let (slot, generation) = (request.slot, request.generation);
    let reply = frame(REPLY, MESSAGE | MORE, slot, generation, 0, b"so");
    server.write(&reply).await;
    // It says that nothing was taken, with the reason of a server that stops.
    server.write(&frame(GOAWAY, 0, 0, 0, 0, &[0; 10])).await;
    let rest = frame(CHUNK, MESSAGE | END, slot, generation, 0, b"me");
    server.write(&rest).await;
    let reply = within(answered).await.expect("it is answered");
    assert!(matches!(reply.body, Body::Encoded(message) if message.bytes == "some"));
}

#[tokio::test(start_paused = true)]
async fn more_metadata_than_the_client_takes_fails_the_call() {
    const MOST: usize = 1 << 10;
    let (link, mut server) = connected(1 << 16, 10, |config| config.max_metadata_bytes = MOST).await;
    // In the reply, before a message that goes on, and in the end.
    for (replies, ends) in [(MESSAGE | END, false), (MESSAGE | MORE, false), (MESSAGE, true)] {
        for more in [0, 1] {
            let mut asked = call(1);
            let (reply, ()) = tokio::join!(within(link.call(&mut asked)), async {
                let request = server.next_request().await;
                let (slot, generation) = (request.slot, request.generation);
                let metadata = entry(MOST + more);
                let (first, last) = if ends {
                    (&[][..], &metadata[..])
                } else {
                    (&metadata[..], &[][..])
                };
                let reply = with_metadata(frame(REPLY, replies, slot, generation, 0, first));
                server.write(&reply).await;
                if replies & MORE != 0 {
                    let rest = frame(CHUNK, MESSAGE, slot, generation, 0, b"");
                    server.write(&rest).await;
                }
                if replies & END == 0 {
                    let end = with_metadata(frame(STREAM_END, END, slot, generation, 0, last));
                    server.write(&end).await;
                }
            });
            let Some(status) = reply.err() else {
                assert_eq!(more, 0, "it is too much");
                continue;
            };
            assert_eq!(more, 1, "{status:?}");
            assert_eq!(
                (status.reason(), status.place().side()),
                (Some(reason::METADATA_TOO_LARGE), Some(Side::Client))
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_end_has_the_metadata_that_its_head_says() {
    let (link, mut server) = connected(1 << 16, 10, |_| {}).await;
    let mut asked = call(1);
    let (reply, ()) = tokio::join!(within(link.call(&mut asked)), async {
        let request = server.next_request().await;
        let (slot, generation) = (request.slot, request.generation);
        let reply = frame(REPLY, MESSAGE, slot, generation, 0, b"x");
        server.write(&reply).await;
        // What comes behind it is of a version that is not known here.
        let mut end = with_metadata(frame(STREAM_END, END, slot, generation, 0, &entry(10)));
        end[0] += 3;
        end.extend(b"new");
        server.write(&end).await;
    });
    assert_eq!(reply.expect("it is answered").trailers.get("k"), Some("vvvvvv"));
}

/// An entry of so many bytes.
fn entry(bytes: usize) -> Vec<u8> {
    let mut entry = vec![1];
    entry.extend(((bytes - 4) as u16).to_le_bytes());
    entry.push(b'k');
    entry.resize(bytes, b'v');
    entry
}

/// A frame all of whose bytes are metadata.
fn with_metadata(mut frame: Vec<u8>) -> Vec<u8> {
    let length = (frame.len() - 16) as u16;
    frame[6..8].copy_from_slice(&length.to_le_bytes());
    frame
}
