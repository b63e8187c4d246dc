//! Several addresses, one connection: the first that answers.

use std::{
    collections::HashSet,
    future::poll_fn,
    io,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::{Instant, Sleep};

use super::Tried;

/// Puts the families by turns, beginning with the one that the system put first, and drops what is there twice.
pub(super) fn interleave(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let mut seen = HashSet::new();
    let first_is_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) = addresses
        .into_iter()
        .filter(|address| seen.insert(*address))
        .partition(|address| address.is_ipv6() == first_is_v6);
    let mut ordered = Vec::with_capacity(first.len() + second.len());
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    loop {
        let pair = [first.next(), second.next()];
        if pair == [None, None] {
            return ordered;
        }
        ordered.extend(pair.into_iter().flatten());
    }
}

/// Connects to the addresses in order, the next one after `delay` or as soon as an attempt fails, until one answers or
/// the deadline passes. Losers are dropped. On failure it tells what happened to each that was tried.
pub(super) async fn race<T, F, Fut>(
    addresses: &[SocketAddr],
    delay: Duration,
    deadline: Instant,
    connect: F,
) -> Result<T, Vec<Tried>>
where
    F: Fn(SocketAddr) -> Fut,
    Fut: Future<Output = io::Result<T>>,
{
    let mut race = Race {
        waiting: addresses.iter(),
        running: Vec::new(),
        failed: Vec::new(),
        next: Box::pin(tokio::time::sleep_until(deadline)),
        at_once: true,
        over: Box::pin(tokio::time::sleep_until(deadline)),
        delay,
        connect,
    };
    poll_fn(|cx| race.poll(cx)).await
}

struct Race<'a, F, Fut> {
    waiting: std::slice::Iter<'a, SocketAddr>,
    running: Vec<(SocketAddr, Pin<Box<Fut>>)>,
    failed: Vec<Tried>,
    /// When the next address gets its turn.
    next: Pin<Box<Sleep>>,
    /// It gets it now.
    at_once: bool,
    over: Pin<Box<Sleep>>,
    delay: Duration,
    connect: F,
}

impl<T, F, Fut> Race<'_, F, Fut>
where
    F: Fn(SocketAddr) -> Fut,
    Fut: Future<Output = io::Result<T>>,
{
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<T, Vec<Tried>>> {
        loop {
            if let Poll::Ready(connected) = self.poll_running(cx) {
                return Poll::Ready(Ok(connected));
            }
            if self.running.is_empty() && self.waiting.len() == 0 {
                return Poll::Ready(Err(std::mem::take(&mut self.failed)));
            }
            if self.over.as_mut().poll(cx).is_ready() {
                let unanswered = self.running.drain(..).map(|(address, _)| (address, None));
                self.failed.extend(unanswered);
                return Poll::Ready(Err(std::mem::take(&mut self.failed)));
            }
            if !self.start_next(cx) {
                return Poll::Pending;
            }
        }
    }

    fn poll_running(&mut self, cx: &mut Context<'_>) -> Poll<T> {
        let mut index = 0;
        while let Some((address, attempt)) = self.running.get_mut(index) {
            match attempt.as_mut().poll(cx) {
                Poll::Ready(Ok(connected)) => return Poll::Ready(connected),
                Poll::Ready(Err(error)) => {
                    self.failed.push((*address, Some(error)));
                    self.running.remove(index);
                    self.at_once = true;
                }
                Poll::Pending => index += 1,
            }
        }
        Poll::Pending
    }

    /// Starts on the next address, if there is one and its turn has come.
    fn start_next(&mut self, cx: &mut Context<'_>) -> bool {
        if self.waiting.len() == 0 || (!self.at_once && self.next.as_mut().poll(cx).is_pending()) {
            return false;
        }
        let Some(address) = self.waiting.next() else {
            return false;
        };
        self.at_once = false;
        self.running.push((*address, Box::pin((self.connect)(*address))));
        self.next.as_mut().reset(Instant::now() + self.delay);
        true
    }
}
