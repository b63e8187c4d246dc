//! The client: callers wait in a slab of slots; one task reads and writes the socket.

use std::{
    future::poll_fn,
    io, mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker, ready},
};

use bytes::Bytes;
use tokio::net::{
    TcpStream,
    tcp::{OwnedReadHalf, OwnedWriteHalf},
};

use super::frames::{self, Frames};

/// Callers share this. The connection ends when the last of them is gone.
#[derive(Clone)]
pub(crate) struct Client {
    shared: Arc<Shared>,
}

struct Shared {
    write: OwnedWriteHalf,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    slots: Vec<Slot>,
    free: Vec<u32>,
    output: Vec<u8>,
    /// The connection task, while it waits for something to write.
    idle: Option<Waker>,
    closed: bool,
}

enum Slot {
    Free,
    Waiting(Waker),
    Answered(Bytes),
}

impl Client {
    /// Starts the connection task in the current runtime.
    pub(super) fn start(stream: TcpStream) -> Self {
        let (read, write) = stream.into_split();
        let shared = Arc::new(Shared {
            write,
            state: Mutex::default(),
        });
        let mut connection = Connection {
            read,
            shared: Arc::clone(&shared),
            input: Frames::new(),
            output: Vec::new(),
            written: 0,
            woken: Vec::new(),
            has_let_pass: false,
        };
        tokio::spawn(async move {
            // The peer is gone, or all callers are.
            let _ = poll_fn(|cx| connection.poll(cx)).await;
        });
        Self { shared }
    }

    /// Must be polled to its end: there is no cancellation, and a slot that is given up stays taken.
    pub(super) async fn call(&self, body: &[u8]) -> Bytes {
        let mut id = None;
        poll_fn(|cx| match id {
            None => {
                id = Some(self.shared.submit(body, cx.waker()));
                Poll::Pending
            }
            Some(id) => self.shared.take(id, cx.waker()),
        })
        .await
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // This one, and the connection task's.
        if Arc::strong_count(&self.shared) <= 2 {
            let mut state = self.shared.lock();
            state.closed = true;
            if let Some(idle) = state.idle.take() {
                idle.wake();
            }
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn submit(&self, body: &[u8], waker: &Waker) -> u32 {
        let mut state = self.lock();
        let slot = Slot::Waiting(waker.clone());
        let id = if let Some(id) = state.free.pop() {
            state.slots[id as usize] = slot;
            id
        } else {
            state.slots.push(slot);
            state.slots.len() as u32 - 1
        };
        let alone = state.in_flight() == 1 && state.output.is_empty();
        frames::write(&mut state.output, id, body);
        if alone {
            // Whatever goes wrong, the connection task will find out.
            let written = self.write.try_write(&state.output).unwrap_or(0);
            state.output.drain(..written);
        }
        if !state.output.is_empty()
            && let Some(idle) = state.idle.take()
        {
            drop(state);
            idle.wake();
        }
        id
    }

    fn take(&self, id: u32, waker: &Waker) -> Poll<Bytes> {
        let mut state = self.lock();
        let slot = &mut state.slots[id as usize];
        match mem::replace(slot, Slot::Free) {
            Slot::Answered(body) => {
                state.free.push(id);
                Poll::Ready(body)
            }
            Slot::Waiting(_) | Slot::Free => {
                *slot = Slot::Waiting(waker.clone());
                Poll::Pending
            }
        }
    }
}

impl State {
    /// Calls that wait, and answers that nobody has taken yet.
    fn in_flight(&self) -> usize {
        self.slots.len() - self.free.len()
    }
}

struct Connection {
    read: OwnedReadHalf,
    shared: Arc<Shared>,
    input: Frames,
    output: Vec<u8>,
    written: usize,
    woken: Vec<Waker>,
    /// It has been at the back of the queue since it last wrote.
    has_let_pass: bool,
}

impl Connection {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // As long as the last write was not taken entirely, reading goes on all the same: neither side waits for the other.
        while let Poll::Ready(count) = self.input.poll_fill(&mut self.read, cx)? {
            if count == 0 {
                return Poll::Ready(Ok(()));
            }
            self.deliver();
        }
        loop {
            ready!(self.poll_flush(cx))?;
            let mut state = self.shared.lock();
            if state.closed {
                return Poll::Ready(Ok(()));
            }
            if !self.has_let_pass && state.in_flight() > 1 {
                // Callers that were woken with us, or by us, write first.
                self.has_let_pass = true;
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            self.has_let_pass = false;
            if state.output.is_empty() {
                state.idle = Some(cx.waker().clone());
                return Poll::Pending;
            }
            mem::swap(&mut state.output, &mut self.output);
        }
    }

    fn deliver(&mut self) {
        let mut state = self.shared.lock();
        while let Some((id, body)) = self.input.next() {
            let answer = Slot::Answered(Bytes::copy_from_slice(body));
            let slot = state.slots.get_mut(id as usize).expect("an id that was given");
            if let Slot::Waiting(waker) = mem::replace(slot, answer) {
                self.woken.push(waker);
            }
        }
        drop(state);
        for waker in self.woken.drain(..) {
            waker.wake();
        }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.written < self.output.len() {
            match self.shared.write.try_write(&self.output[self.written..]) {
                Ok(count) => self.written += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    ready!(self.shared.write.as_ref().poll_write_ready(cx))?;
                }
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        self.output.clear();
        self.written = 0;
        Poll::Ready(Ok(()))
    }
}
