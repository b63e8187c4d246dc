//! A server that contradicts itself loses its connection, or is not believed: on paused time, over a pipe in memory.

use rpc_core::{Body, Code};

use super::{
    peer::{CHUNK, END, GOAWAY, MESSAGE, MORE, REPLY, begin, call, connected, frame},
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
        let status = within(answered).await.expect_err("it is cut off");
        assert_eq!(status.code(), Code::Unavailable, "{status:?}");
        assert!(status.was_processed(), "{status:?}");
        let said = loop {
            let frame = server.next().await;
            if frame.kind == GOAWAY {
                break frame.payload;
            }
        };
        let said = String::from_utf8_lossy(&said);
        assert!(said.ends_with("a call was answered twice"), "{said}");
    }
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
