//! Calls that have a connection to themselves write their requests themselves, as far as that goes.

use bytes::Bytes;
use rpc_core::Channel;
use rpc_framed::{ClientConfig, ServerConfig};
use tokio::task::JoinSet;

use super::{
    service::TestService,
    support::{Direct, echo, piped_link, serve_one, within},
};

/// A channel over a pipe that takes a part of a request at a time.
fn narrow(bytes: usize) -> Channel {
    channel(bytes, |_| ())
}

fn channel(bytes: usize, change: impl FnOnce(&mut ClientConfig)) -> Channel {
    let (link, io) = piped_link(bytes, change);
    let (served, stop) = serve_one(TestService::new(), io, ServerConfig::default());
    tokio::spawn(async move {
        let _ = served.await;
        drop(stop);
    });
    Channel::new(Direct(link))
}

/// Calls one after the other with messages of all lengths, so that some are written at once and of some a rest is left.
async fn calls(channel: Channel, caller: usize, count: usize) {
    for call in 0..count {
        let message = Bytes::from(vec![(caller * 31 + call) as u8; call * 7 % 300]);
        assert_eq!(
            echo(&channel, message.clone()).await.expect("no call fails"),
            message
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_go_out_at_once_goes_out_before_what_comes_after_it() {
    for bytes in [1, 16, 64, 256] {
        let channel = narrow(bytes);
        within(calls(channel.clone(), 0, 50)).await;
        // Two at a time: each is now and then alone when it begins, and not any more before it has written.
        let mut callers = JoinSet::new();
        for caller in 0..2 {
            callers.spawn(calls(channel.clone(), caller, 300));
        }
        within(callers.join_all()).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_that_come_before_the_call_is_back_are_read() {
    // The pipe takes whole requests, and the other worker answers them at once.
    let channel = narrow(1 << 16);
    within(calls(channel, 0, 5000)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_finds_no_room_while_another_writes_goes_on_after_it() {
    for bytes in [64, 1 << 16] {
        // What one call writes leaves no room for another.
        let channel = channel(bytes, |config| config.max_unwritten_bytes = 1);
        let mut callers = JoinSet::new();
        for caller in 0..3 {
            callers.spawn(calls(channel.clone(), caller, 200));
        }
        within(callers.join_all()).await;
    }
}
