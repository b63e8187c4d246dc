//! Bounds: of messages, of metadata, of streams.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use rpc_core::{
    Code,
    status::{Side, reason},
};

use super::support::*;

const OK: (&str, &str) = ("grpc-status", "0");

static LARGE: &str = match std::str::from_utf8(&[b'x'; 1001]) {
    Ok(text) => text,
    Err(_) => "",
};

static LONG: &str = match std::str::from_utf8(&[b'a'; 100]) {
    Ok(text) => text,
    Err(_) => "",
};

#[tokio::test(start_paused = true)]
async fn a_message_that_is_too_large_to_receive_fails_its_call_only() {
    let (net, link) = served(|config| config.max_message_bytes = 1000, Exchange::echo);
    let status = unary(&link, LARGE).await.unwrap_err();
    assert_eq!(
        (status.code(), status.reason()),
        (Code::ResourceExhausted, Some(reason::MESSAGE_TOO_LARGE))
    );
    assert_eq!(status.place().side(), Some(Side::Client));
    assert_eq!(unary(&link, &LARGE[1..]).await.unwrap().len(), 1000);
    assert_eq!(net.dials(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_message_that_is_too_large_to_send_is_not_sent() {
    let (net, link) = served(|config| config.max_send_message_bytes = Some(3), Exchange::echo);
    let status = unary(&link, "four").await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert!(!status.was_processed());
    assert_eq!(status.place().side(), Some(Side::Client));
    assert_eq!(unary(&link, "yes").await.unwrap(), "yes");
    assert_eq!(net.dials(), 1);
}

/// More than h2 takes at once.
#[tokio::test(start_paused = true)]
async fn a_message_of_two_gibibytes_is_sent() {
    let (_net, link) = served(
        |_| (),
        |mut exchange| async move {
            // It has seen enough.
            exchange.body.data().await.unwrap().unwrap();
            exchange.answer(&[b"done"], &[OK]);
        },
    );
    // Nobody touches more of it than what is sent.
    let mut call = call(&UNARY, vec![0; 1 << 31]);
    let reply = within("the answer", link.call(&mut call)).await.unwrap();
    assert_eq!(message_of(reply), "done");
}

#[tokio::test(start_paused = true)]
async fn metadata_that_is_too_large_fails_its_call_only() {
    let (net, link) = served(
        |_| (),
        |mut exchange| async move {
            let sent = exchange.read().await;
            let of_request = |name| exchange.request.headers().get(name)?.to_str().ok();
            let size = of_request("x-size").map_or(0, |size| size.parse().unwrap());
            let large = of_request("x-filler").unwrap_or("x").repeat(size);
            let name = if large.starts_with(',') {
                "x-large-bin"
            } else {
                "x-large"
            };
            match &sent[5..] {
                b"head" => {
                    let _ = exchange.respond.send_response(head(&[(name, &large)]), true);
                }
                b"trailers" => exchange.answer(&[b"x"], &[OK, (name, &large)]),
                b"failed head" => {
                    let entries = [("grpc-status", "5"), ("grpc-message", "gone"), (name, &large)];
                    let _ = exchange.respond.send_response(head(&entries), true);
                }
                b"failed trailers" => {
                    let entries = [("grpc-status", "5"), ("grpc-message", "gone"), (name, &large)];
                    exchange.answer(&[], &entries);
                }
                _ => exchange.answer(&[b"fine"], &[OK]),
            }
        },
    );
    for part in ["head", "trailers", "failed head", "failed trailers"] {
        // Bytes that were joined count one by one.
        for (filler, size) in [("x", 20_000), ("x", 70_000), ("x", 500_000), (",", 16_000)] {
            let mut call = call(&UNARY, part);
            call.metadata.insert("x-filler", filler).unwrap();
            call.metadata.insert("x-size", &size.to_string()).unwrap();
            let status = link.call(&mut call).await.unwrap_err();
            if part.starts_with("failed") {
                // It is worth more than its metadata, which is left out.
                assert_eq!((status.code(), status.message()), (Code::NotFound, "gone"));
                assert!(status.metadata().is_empty(), "{size} of {filler:?} in the {part}");
            } else {
                assert_eq!(
                    (status.code(), status.reason()),
                    (Code::ResourceExhausted, Some(reason::METADATA_TOO_LARGE)),
                    "{size} of {filler:?} in the {part}"
                );
            }
            assert_eq!(unary(&link, "x").await.unwrap(), "fine");
        }
    }
    let mut call = call(&UNARY, "x");
    call.metadata.insert("x-large", &"x".repeat(20_000)).unwrap();
    let status = link.call(&mut call).await.unwrap_err();
    assert_eq!(
        (status.code(), status.was_processed()),
        (Code::ResourceExhausted, false)
    );
    assert_eq!(net.dials(), 1);
}

/// There are more than a map of headers takes, whatever the limit.
#[tokio::test(start_paused = true)]
async fn metadata_of_too_many_entries_is_not_sent() {
    for limit in [16 << 10, 16 << 20] {
        let (net, link) = served(|config| config.max_metadata_bytes = limit, Exchange::echo);
        for names in [1, 25_000] {
            let mut call = call(&UNARY, "x");
            for n in 0..25_000 {
                let name = format!("x-{}", n % names);
                call.metadata.append(&name, "1").unwrap();
            }
            let status = link.call(&mut call).await.unwrap_err();
            assert_eq!(
                (status.code(), status.reason(), status.was_processed()),
                (Code::ResourceExhausted, Some(reason::METADATA_TOO_LARGE), false)
            );
        }
        assert_eq!(unary(&link, "x").await.unwrap(), "x");
        assert_eq!(net.dials(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_head_and_trailers_that_are_too_many_together_are_a_refusal_all_the_same() {
    let (_net, link) = served(
        |_| (),
        |mut exchange| async move {
            let mut refusal = head(&[("grpc-status", "7")]);
            let mut trailers = headers(&[]);
            for n in 0..20_000 {
                let name = |letter| http::HeaderName::try_from(format!("{letter}{n}")).unwrap();
                refusal.headers_mut().append(name('h'), n.into());
                trailers.append(name('t'), n.into());
            }
            let mut stream = exchange.respond.send_response(refusal, false).unwrap();
            stream.send_trailers(trailers).unwrap();
        },
    );
    let (_sender, body) = requests();
    let status = within("the refusal", link.call(&mut streaming_call(&UPLOAD, body)))
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied, "{status}");
}

#[tokio::test(start_paused = true)]
async fn calls_above_the_servers_bound_take_turns() {
    let (net, mut incoming) = Net::new();
    let link = link(&net);
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let order = Arc::new(std::sync::Mutex::new(Vec::new()));
    let (open, peak, seen) = (Arc::clone(&now), Arc::clone(&most), Arc::clone(&order));
    tokio::spawn(async move {
        let io = incoming.recv().await.unwrap();
        let mut peer = Peer::with(io, |builder| {
            builder.max_concurrent_streams(4);
        })
        .await;
        while let Some(mut exchange) = peer.next().await {
            let open = Arc::clone(&open);
            peak.fetch_max(open.fetch_add(1, SeqCst) + 1, SeqCst);
            let number = exchange.request.headers()["x-number"]
                .to_str()
                .unwrap()
                .parse::<usize>()
                .unwrap();
            seen.lock().unwrap().push(number);
            tokio::spawn(async move {
                let sent = exchange.read().await;
                tokio::time::sleep(Duration::from_millis(10)).await;
                open.fetch_sub(1, SeqCst);
                exchange.answer(&[&sent[5..]], &[OK]);
            });
        }
    });
    // Who waits for the connection itself is woken in no order.
    link.connect();
    reaches(&link, "ready", rpc_core::transport::LinkState::is_ready).await;
    let mut calls = Vec::new();
    for number in 0..100 {
        let link = Arc::clone(&link);
        calls.push(tokio::spawn(async move {
            let mut call = call(&UNARY, "x");
            call.metadata.insert("x-number", &number.to_string()).unwrap();
            link.call(&mut call).await
        }));
    }
    for call in calls {
        within("a call", call).await.unwrap().unwrap();
    }
    assert_eq!(most.load(SeqCst), 4);
    assert_eq!(
        *order.lock().unwrap(),
        (0..100).collect::<Vec<_>>(),
        "first come, first served"
    );
    assert_eq!(net.dials(), 1);
}

#[tokio::test(start_paused = true)]
async fn who_gives_up_in_the_queue_takes_nobodys_turn() {
    let (net, mut incoming) = Net::new();
    let link = link(&net);
    let first = spawn_unary(&link, "first");
    let io = incoming.recv().await.unwrap();
    let mut peer = Peer::with(io, |builder| {
        builder.max_concurrent_streams(1);
    })
    .await;
    let running = peer.next().await.unwrap();
    let quits = spawn_unary(&link, "quits");
    settle().await;
    let waits = spawn_unary(&link, "waits");
    settle().await;
    quits.abort();
    let _ = quits.await;
    let peer = tokio::spawn(async move {
        let exchange = peer.next().await.unwrap();
        tokio::spawn(exchange.echo());
        peer.finish().await;
    });
    running.echo().await;
    assert_eq!(first.await.unwrap().unwrap(), "first");
    assert_eq!(within("its turn", waits).await.unwrap().unwrap(), "waits");
    peer.abort();
}

#[tokio::test(start_paused = true)]
async fn compressed_answers_are_read_and_bombs_are_not() {
    let bomb: Vec<u8> = {
        use std::io::Write;
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        gzip.write_all(&vec![0; 10 << 20]).unwrap();
        gzip.finish().unwrap()
    };
    let fine: Vec<u8> = {
        use std::io::Write;
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        gzip.write_all(b"inflated").unwrap();
        gzip.finish().unwrap()
    };
    let (_net, link) = served(
        |_| (),
        move |mut exchange| {
            let (bomb, fine) = (bomb.clone(), fine.clone());
            async move {
                let sent = exchange.read().await;
                let message = if sent.ends_with(b"bomb") { bomb } else { fine };
                let mut framed = framed(&message);
                framed[0] = 1;
                let mut stream = exchange
                    .respond
                    .send_response(head(&[("grpc-encoding", "gzip")]), false)
                    .unwrap();
                let _ = stream.send_data(framed.into(), false);
                let _ = stream.send_trailers(headers(&[OK]));
            }
        },
    );
    assert_eq!(unary(&link, "x").await.unwrap(), "inflated");
    assert_eq!(
        unary(&link, "bomb").await.unwrap_err().code(),
        Code::ResourceExhausted
    );
}

#[tokio::test(start_paused = true)]
async fn a_compression_that_the_server_cannot_undo_is_left_out_from_then_on() {
    let (_net, link) = served(
        |config| config.compression = Some(rpc_grpc::Compression::Gzip),
        |mut exchange| async move {
            let compressed = exchange.request.headers().contains_key("grpc-encoding");
            let flag = exchange.read().await[0];
            if compressed {
                assert_eq!(flag, 1);
                exchange.end(&[("grpc-status", "12"), ("grpc-accept-encoding", "identity")]);
            } else {
                assert_eq!(flag, 0);
                exchange.answer(&[b"done"], &[OK]);
            }
        },
    );
    assert_eq!(unary(&link, LONG).await.unwrap_err().code(), Code::Unimplemented);
    assert_eq!(unary(&link, LONG).await.unwrap(), "done");
}
