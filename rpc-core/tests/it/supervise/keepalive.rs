//! When a ping is due, and when a connection counts as dead.

use std::{
    task::{Context, Poll, Waker},
    time::Duration,
};

use rpc_core::transport::supervise::{Activity, Due, LinkConfig, Timers};
use tokio::time::{Instant, advance};

const SECOND: Duration = Duration::from_secs(1);

/// A connection of which only the timers are there: a ping after ten seconds, the end twenty after it.
struct Connection {
    timers: Timers,
    start: Instant,
    activity: Activity,
}

impl Connection {
    fn new(change: impl FnOnce(Timers) -> Timers) -> Self {
        let mut config = LinkConfig::default();
        config.keepalive.interval = Some(10 * SECOND);
        config.idle_timeout = None;
        config.check().expect("the settings are legal");
        Self {
            timers: change(Timers::new(&config, 0)),
            start: Instant::now(),
            activity: Activity {
                calls: 0,
                begun: 0,
                reads: 0,
            },
        }
    }

    fn begin(&mut self) {
        self.activity.calls += 1;
        self.activity.begun += 1;
    }

    fn end(&mut self) {
        self.activity.calls -= 1;
    }

    fn hear(&mut self) {
        self.activity.reads += 1;
    }

    /// What is due, and how many seconds after the beginning.
    fn due(&mut self) -> Option<(Due, u64)> {
        let mut cx = Context::from_waker(Waker::noop());
        match self.timers.poll(&mut cx, self.activity) {
            Poll::Ready(due) => Some((due, self.start.elapsed().as_secs())),
            Poll::Pending => None,
        }
    }

    /// Looks each second for so long. A call that takes half of it begins in each, and is not answered, if there are `calls`.
    async fn silence(&mut self, seconds: u64, calls: bool) -> Vec<(Due, u64)> {
        let mut all = Vec::new();
        for _ in 0..seconds {
            if calls {
                self.begin();
            }
            all.extend(self.due());
            advance(SECOND / 2).await;
            if calls {
                self.end();
            }
            advance(SECOND / 2).await;
            all.extend(self.due());
        }
        all
    }
}

#[tokio::test(start_paused = true)]
async fn a_dead_peer_is_found_by_calls_that_are_over_before_the_interval_is() {
    let mut connection = Connection::new(|timers| timers);
    let due = connection.silence(30, true).await;
    assert_eq!(due, [(Due::Ping, 10), (Due::Dead, 30)]);
}

#[tokio::test(start_paused = true)]
async fn a_call_after_a_long_rest_asks_at_once_and_once() {
    let mut connection = Connection::new(|timers| timers);
    assert_eq!(connection.silence(1000, false).await, []);
    connection.begin();
    assert_eq!(connection.due(), Some((Due::Ping, 1000)));
    assert_eq!(connection.silence(5, false).await, []);
    // The peer answers the ping, and not the call yet.
    connection.hear();
    assert_eq!(connection.silence(9, false).await, []);
    assert_eq!(connection.silence(3, false).await, [(Due::Ping, 1015)]);
    connection.hear();
    connection.end();
    assert_eq!(connection.silence(1000, false).await, [], "nobody waits");
}

#[tokio::test(start_paused = true)]
async fn a_ping_that_was_asked_for_a_call_counts_after_its_end() {
    let mut connection = Connection::new(|timers| timers);
    assert_eq!(connection.silence(100, false).await, []);
    connection.begin();
    assert_eq!(connection.due(), Some((Due::Ping, 100)));
    connection.end();
    let due = connection.silence(20, false).await;
    assert_eq!(due, [(Due::Dead, 120)]);
}

#[tokio::test(start_paused = true)]
async fn who_is_polled_rarely_goes_by_the_calls_that_began_meanwhile() {
    let mut connection = Connection::new(Timers::polled_rarely);
    assert_eq!(connection.silence(100, false).await, []);
    // It is not looked at while the call is there.
    connection.begin();
    connection.end();
    advance(10 * SECOND).await;
    assert_eq!(connection.due(), Some((Due::Ping, 110)));
    advance(5 * SECOND).await;
    connection.hear();
    assert_eq!(connection.silence(1000, false).await, [], "that was an answer");
    connection.begin();
    connection.hear();
    connection.end();
    assert_eq!(connection.silence(1000, false).await, [], "it was answered");
}
