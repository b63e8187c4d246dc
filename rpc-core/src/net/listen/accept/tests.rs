//! The accept loop over a socket that is a script.

use std::{
    collections::VecDeque,
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream},
    sync::Semaphore,
    time::Instant,
};

use super::{Acceptor, Incomer, run};
use crate::{
    BoxFuture,
    net::listen::{ListenConfig, Shared, open::Opener},
    server::{Dispatch, Router},
    transport::{Accepted, Drain, DrainHandle, DrainPhase, Recognition, ServerTransport},
};

/// Hands out what it was given, then waits. Tells when it is dropped: the socket is closed.
struct Script {
    accepts: VecDeque<io::Result<DuplexStream>>,
    asked: Arc<AtomicUsize>,
    closed: Arc<AtomicBool>,
}

impl Acceptor for Script {
    type Io = DuplexStream;

    fn poll_accept(&mut self, _: &mut Context<'_>) -> Poll<io::Result<Incomer<DuplexStream>>> {
        let Some(next) = self.accepts.pop_front() else {
            return Poll::Pending;
        };
        self.asked.fetch_add(1, Ordering::SeqCst);
        Poll::Ready(next.map(|io| Incomer {
            io,
            local: None,
            peer: None,
        }))
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        self.closed.store(true, Ordering::SeqCst);
    }
}

/// Speaks anything that begins with `e`: sends it back until a `.`, or the drain says to cancel.
struct Echo;

impl ServerTransport for Echo {
    fn protocol(&self) -> &'static str {
        "echo"
    }

    fn alpn(&self) -> &'static [u8] {
        b"echo"
    }

    fn recognises(&self, prefix: &[u8]) -> Recognition {
        if prefix.starts_with(b"e") {
            Recognition::Yes
        } else {
            Recognition::No
        }
    }

    fn serve(&self, mut connection: Accepted, _: Dispatch, mut drain: Drain) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            let mut byte = [0];
            loop {
                tokio::select! {
                    read = connection.io.read(&mut byte) => match read {
                        Ok(1) if byte == [b'!'] => panic!("a transport with a fault"),
                        Ok(1) if byte == [b'.'] => return,
                        Ok(1) => connection.io.write_all(&byte).await.unwrap(),
                        _ => return,
                    },
                    () = drain.reached(DrainPhase::Cancelling) => return,
                }
            }
        })
    }
}

struct Bench {
    task: tokio::task::JoinHandle<()>,
    drain: DrainHandle,
    asked: Arc<AtomicUsize>,
    closed: Arc<AtomicBool>,
}

fn start(accepts: Vec<io::Result<DuplexStream>>, max_connections: usize) -> Bench {
    let (handle, drain) = Drain::new();
    let shared = Arc::new(Shared {
        opener: Opener::new(vec![Arc::new(Echo)], &ListenConfig::default()),
        dispatch: Dispatch::new(Arc::new(Router::new())),
        drain,
        room: Arc::new(Semaphore::new(max_connections)),
    });
    let (asked, closed) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let script = Script {
        accepts: accepts.into(),
        asked: Arc::clone(&asked),
        closed: Arc::clone(&closed),
    };
    Bench {
        task: tokio::spawn(run(script, shared)),
        drain: handle,
        asked,
        closed,
    }
}

async fn echoes(peer: &mut DuplexStream) -> bool {
    let mut byte = [0];
    peer.write_all(b"e").await.is_ok() && peer.read_exact(&mut byte).await.is_ok()
}

#[tokio::test(start_paused = true)]
async fn without_file_descriptors_it_pauses_and_recovers() {
    let (io, mut peer) = tokio::io::duplex(64);
    let mut accepts: Vec<_> = (0..10).map(|_| Err(io::Error::from_raw_os_error(24))).collect();
    accepts.push(Ok(io));
    let bench = start(accepts, 10);
    let start = Instant::now();
    assert!(echoes(&mut peer).await);
    // 10 + 20 + 40 + ... + 640 ms, then one second each.
    assert_eq!(start.elapsed().as_secs(), 4);
    assert_eq!(bench.asked.load(Ordering::SeqCst), 11);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_broke_early_pauses_nothing() {
    let (io, mut peer) = tokio::io::duplex(64);
    let mut accepts: Vec<_> = (0..1000)
        .map(|_| Err(io::ErrorKind::ConnectionAborted.into()))
        .collect();
    accepts.push(Ok(io));
    let _bench = start(accepts, 10);
    let start = Instant::now();
    assert!(echoes(&mut peer).await);
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn above_the_limit_it_closes_at_once() {
    let (ios, mut peers): (Vec<_>, Vec<_>) = (0..3).map(|_| tokio::io::duplex(64)).unzip();
    let _bench = start(ios.into_iter().map(Ok).collect(), 2);
    assert!(echoes(&mut peers[0]).await);
    assert!(echoes(&mut peers[1]).await);
    assert!(!echoes(&mut peers[2]).await);
}

#[tokio::test(start_paused = true)]
async fn a_slow_peer_is_closed_in_the_end_and_holds_up_nobody() {
    let (slow_io, mut slow) = tokio::io::duplex(64);
    let (io, mut peer) = tokio::io::duplex(64);
    let _bench = start(vec![Ok(slow_io), Ok(io)], 10);
    let start = Instant::now();
    assert!(echoes(&mut peer).await);
    assert_eq!(start.elapsed(), Duration::ZERO);
    assert_eq!(slow.read(&mut [0]).await.unwrap(), 0);
    assert_eq!(start.elapsed().as_secs(), 10);
}

#[tokio::test(start_paused = true)]
async fn a_panic_ends_its_connection_alone() {
    let (ios, mut peers): (Vec<_>, Vec<_>) = (0..2).map(|_| tokio::io::duplex(64)).unzip();
    let _bench = start(ios.into_iter().map(Ok).collect(), 10);
    assert!(echoes(&mut peers[0]).await);
    assert!(echoes(&mut peers[1]).await);
    peers[0].write_all(b"!").await.unwrap();
    assert_eq!(peers[0].read(&mut [0]).await.unwrap(), 0);
    assert!(echoes(&mut peers[1]).await);
}

#[tokio::test(start_paused = true)]
async fn a_drain_closes_the_socket_and_waits_for_what_is_served() {
    let (half_io, mut half) = tokio::io::duplex(64);
    let (io, mut peer) = tokio::io::duplex(64);
    let mut bench = start(vec![Ok(half_io), Ok(io)], 10);
    assert!(echoes(&mut peer).await);
    let start = Instant::now();
    bench.drain.advance(DrainPhase::Draining);
    // Nothing was asked on the connection that is half open: it is closed, and holds up nothing.
    assert_eq!(half.read(&mut [0]).await.unwrap(), 0);
    assert_eq!(start.elapsed(), Duration::ZERO);
    assert!(bench.closed.load(Ordering::SeqCst));
    assert!(echoes(&mut peer).await);
    assert!(
        tokio::time::timeout(Duration::from_secs(1), &mut bench.task)
            .await
            .is_err()
    );
    bench.drain.advance(DrainPhase::Cancelling);
    bench.task.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_goes_on_once_it_was_served_is_waited_for() {
    let (ios, mut peers): (Vec<_>, Vec<_>) = (0..3).map(|_| tokio::io::duplex(64)).unzip();
    let bench = start(ios.into_iter().map(Ok).collect(), 10);
    for peer in &mut peers {
        assert!(echoes(peer).await);
    }
    // The server begins to stop while the last one goes on.
    for (n, pause_ms, seconds) in [(0, 1001, 1), (1, 500, 30), (2, 500, 11)] {
        let peer = &mut peers[n];
        peer.write_all(b".").await.unwrap();
        assert_eq!(peer.read(&mut [0]).await.unwrap(), 0);
        let start = Instant::now();
        loop {
            tokio::time::sleep(Duration::from_millis(pause_ms)).await;
            if peer.write_all(b"x").await.is_err() {
                break;
            }
            if n == 2 && start.elapsed().as_secs() == 10 {
                bench.drain.advance(DrainPhase::Cancelling);
            }
        }
        assert_eq!(start.elapsed().as_secs(), seconds);
    }
    bench.task.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn dropping_it_breaks_the_connections_off() {
    let (io, mut peer) = tokio::io::duplex(64);
    let bench = start(vec![Ok(io)], 10);
    assert!(echoes(&mut peer).await);
    bench.task.abort();
    assert_eq!(peer.read(&mut [0]).await.unwrap(), 0);
    assert!(bench.closed.load(Ordering::SeqCst));
}
