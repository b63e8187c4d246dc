//! A connection that breaks off: calls of which nothing was written go to the next one, the others may have been begun.

use std::{sync::Arc, time::Duration};

use rpc_core::{Code, Result, Status, status::reason, transport::Link};
use tokio::task::JoinHandle;

use super::{
    peer::{END, MESSAGE, REPLY, Server, call, connect, frame},
    support::{late_links, piped_links, within},
};

const MS: Duration = Duration::from_millis(1);

fn begin(link: &Arc<dyn Link>, bytes: usize) -> JoinHandle<Result<(), Status>> {
    let link = Arc::clone(link);
    tokio::spawn(async move { link.call(&mut call(bytes)).await.map(drop) })
}

/// The call failed, and is not known not to have been begun.
fn is_lost(result: Result<(), Status>) {
    let status = result.expect_err("it may have been begun");
    assert_eq!(
        (status.code(), status.reason()),
        (Code::Unavailable, Some(reason::CONNECTION_LOST))
    );
    assert!(status.was_processed());
}

/// The calls are made again on a connection to that server, which answers them.
async fn are_answered(calls: Vec<JoinHandle<Result<(), Status>>>, server: &mut Server) {
    server.greet(10).await;
    for _ in &calls {
        let request = server.next_request().await;
        server.answer(&request).await;
    }
    for call in calls {
        within(call).await.unwrap().expect("it is answered");
    }
}

#[tokio::test(start_paused = true)]
async fn requests_that_were_taken_and_not_begun_to_be_written_go_elsewhere() {
    // Copied behind each other, and as they are between two pieces of what is copied.
    for bytes in [4 << 10, 16 << 10] {
        for read in 0..3 {
            // The pipe takes the beginning of the next request.
            let (link, pipes) = piped_links(64, |_| ());
            let [mut server, mut other] = pipes.map(Server);
            connect(&link, &mut server, 10).await;
            let mut calls: Vec<_> = (0..4).map(|_| begin(&link, bytes)).collect();
            for _ in 0..read {
                server.next_request().await;
            }
            // Until all that goes into the pipe is in there.
            tokio::time::sleep(MS).await;
            drop(server);
            let untouched = calls.split_off(read + 1);
            for call in calls {
                is_lost(within(call).await.unwrap());
            }
            are_answered(untouched, &mut other).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_that_its_call_could_not_begin_to_write_goes_elsewhere() {
    let (link, pipes) = piped_links(64, |_| ());
    let [mut server, mut other] = pipes.map(Server);
    connect(&link, &mut server, 1).await;
    // Its request fills the pipe, and is answered without being read.
    let fills = begin(&link, 48);
    tokio::time::sleep(MS).await;
    server.write(&frame(REPLY, MESSAGE | END, 0, 2, 0, b"")).await;
    within(fills).await.unwrap().expect("it is answered");
    let call = begin(&link, 48);
    tokio::time::sleep(MS).await;
    drop(server);
    are_answered(vec![call], &mut other).await;
}

#[tokio::test(start_paused = true)]
async fn a_request_whose_write_failed_goes_elsewhere_unless_a_part_may_be_out() {
    let (link, pipes) = piped_links(1 << 10, |_| ());
    let [mut server, mut other] = pipes.map(Server);
    connect(&link, &mut server, 1).await;
    drop(server);
    // It writes before the connection's task finds out.
    let mut called = call(1);
    let (reply, ()) = tokio::join!(within(link.call(&mut called)), async {
        other.greet(1).await;
        let request = other.next_request().await;
        other.answer(&request).await;
    });
    reply.expect("it is answered");

    let (link, [server]) = late_links(1 << 10);
    let mut server = Server(server);
    connect(&link, &mut server, 1).await;
    drop(server);
    is_lost(within(link.call(&mut call(1))).await.map(drop));
}
