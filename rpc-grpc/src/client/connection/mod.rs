//! One connection, as calls see it.

mod driver;
mod establish;
mod resets;
mod slots;
mod timeouts;

use std::{
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU8, AtomicU32, Ordering::SeqCst},
    },
    task::Waker,
};

use h2::client::{ResponseFuture, SendRequest};
use http::Request;
use rpc_core::{
    Status,
    net::Address,
    status::{Side, reason},
    transport::supervise::{Life, Phase, Supervised},
};

pub(super) use self::{driver::Driver, establish::establish};
use self::{resets::Resets, slots::Slots, timeouts::Timeouts};
use super::exchange::Abandoned;
use crate::{Compression, io::WriteCounter, wire::frame::Data};

/// Streams have numbers of 31 bits, of which a client uses half. A connection is replaced well before it runs out.
const MAX_STREAMS: u32 = (1 << 30) - (1 << 20);

/// How near to the peer's limit h2 may be when we do not see it.
const NEARLY_FULL: usize = 16;

/// A connection. Its calls share it, and so does its driver.
pub(crate) struct Connection {
    pub(crate) local: Option<Address>,
    pub(crate) peer: Option<Arc<Address>>,
    pub(crate) slots: Slots,
    /// How often bytes were about to be written.
    pub(crate) writes: WriteCounter,
    pub(crate) timeouts: Timeouts,
    resets: Resets,
    sender: Mutex<Sender>,
    /// How many streams were opened so far. Written only by who holds the sender.
    opened: AtomicU32,
    life: Life,
    /// Compressions, by their bit, that the server said it cannot undo.
    refused_compressions: AtomicU8,
    max_given_up: u32,
    /// Why it was lost, where we know better than h2.
    loss: OnceLock<String>,
    driver: Mutex<Option<Waker>>,
}

struct Sender {
    /// `None` once no stream will be opened any more. h2 closes the connection when the last handle is gone.
    requests: Option<SendRequest<Data>>,
}

/// A stream that was opened.
pub(crate) struct Opened {
    pub(crate) response: ResponseFuture,
    pub(crate) stream: h2::SendStream<Data>,
    /// The how manyeth of the connection it is.
    pub(crate) number: u32,
}

/// Why a stream was not opened. Nothing was sent.
pub(crate) enum NotOpened {
    /// The connection takes no calls any more.
    Gone,
    /// The request cannot be sent over any connection.
    Refused(Status),
}

impl Connection {
    /// Opens a stream. `request` makes its head, and may be asked twice.
    pub(crate) fn open(
        &self,
        mut request: impl FnMut() -> Result<Request<()>, Status>,
    ) -> Result<Opened, NotOpened> {
        let head = request().map_err(NotOpened::Refused)?;
        let mut sender = self.sender();
        let sender = &mut *sender;
        let Some(requests) = &mut sender.requests else {
            return Err(NotOpened::Gone);
        };
        let mut sent = requests.send_request(head, false);
        let waited = sent.as_ref().is_err_and(is_misuse);
        if waited {
            // The handle waits for a stream that was queued above the peer's limit. A new one waits for none.
            *requests = requests.clone();
            sent = requests.send_request(request().map_err(NotOpened::Refused)?, false);
        }
        if waited || self.slots.taken() + self.resets.unwritten() + NEARLY_FULL >= self.slots.limit() {
            // It may have begun to wait; and while it does, it holds that stream, which could then not be given up.
            *requests = requests.clone();
        }
        let (response, stream) = match sent {
            Ok(sent) => sent,
            Err(error) if is_misuse(&error) && self.opened() < MAX_STREAMS => {
                return Err(NotOpened::Refused(unsendable(&error)));
            }
            Err(_) => {
                self.advance(Phase::Draining);
                return Err(NotOpened::Gone);
            }
        };
        let number = self.opened() + 1;
        self.opened.store(number, SeqCst);
        if number == MAX_STREAMS {
            self.advance(Phase::Retiring);
        }
        Ok(Opened {
            response,
            stream,
            number,
        })
    }

    /// How many streams were opened so far.
    pub(crate) fn opened(&self) -> u32 {
        self.opened.load(SeqCst)
    }

    /// The stream with that number was answered.
    pub(crate) fn answered(&self, number: u32) {
        self.resets.answered(number);
    }

    /// Resets the stream of a call that was not answered, as soon as that does no harm.
    pub(crate) fn give_up(&self, number: u32, call: Abandoned) {
        if self.resets.give_up(number, call) {
            self.wake_driver();
        }
        self.count_reset();
    }

    /// A stream was reset, or is about to be, that its peer may count. To be said before its slot is given back.
    pub(crate) fn note_reset(&self) {
        self.resets.note_unwritten();
        self.count_reset();
    }

    fn count_reset(&self) {
        if self.resets.count() >= self.max_given_up {
            self.advance(Phase::Retiring);
        }
    }

    /// True unless the server said that it cannot undo it.
    pub(crate) fn takes_compression(&self, compression: Compression) -> bool {
        self.refused_compressions.load(SeqCst) & bit(compression) == 0
    }

    /// The server said that it cannot undo it.
    pub(crate) fn refuse_compression(&self, compression: Compression) {
        self.refused_compressions.fetch_or(bit(compression), SeqCst);
    }

    /// Adds to a status of a call on this connection where that was. Where the connection was lost it is another one, which says why.
    pub(crate) fn explain(&self, status: Status) -> Status {
        let status = match self.loss.get() {
            Some(loss) if status.reason() == Some(reason::CONNECTION_LOST) => {
                Status::unavailable(format!("the connection was lost: {loss}"))
                    .with_reason(reason::CONNECTION_LOST)
                    .with_domain(reason::DOMAIN)
                    .at_side(Side::Network)
            }
            _ => status,
        };
        status.at_addresses(self.local.as_ref(), self.peer.as_deref())
    }

    fn set_driver(&self, waker: &Waker) {
        let mut driver = self.driver.lock().unwrap_or_else(PoisonError::into_inner);
        if !driver.as_ref().is_some_and(|known| known.will_wake(waker)) {
            *driver = Some(waker.clone());
        }
    }

    fn wake_driver(&self) {
        let driver = self.driver.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(driver) = driver {
            driver.wake();
        }
    }

    fn sender(&self) -> MutexGuard<'_, Sender> {
        // What may panic while it is held is h2, and then its own lock is poisoned as well.
        self.sender.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Supervised for Connection {
    fn life(&self) -> &Life {
        &self.life
    }

    fn peer(&self) -> Option<&Address> {
        self.peer.as_deref()
    }

    fn load(&self) -> usize {
        self.slots.taken() + self.slots.waiting()
    }

    fn capacity(&self) -> usize {
        self.slots.limit()
    }

    fn was_of_use(&self) -> bool {
        self.resets.has_answers()
    }

    fn has_advanced(&self, phase: Phase) {
        if phase >= Phase::Draining {
            self.slots.close();
        }
        self.wake_driver();
    }

    fn regroup(&self) {
        self.slots.send_away();
    }
}

/// A stream that a call may have, given back on drop. It keeps its connection.
pub(crate) struct Slot(Arc<Connection>);

impl Slot {
    /// Takes a slot; waits for its turn if there is none. `None` if the connection takes no calls any more, or another one
    /// has room.
    pub(crate) async fn take(connection: &Arc<Connection>) -> Option<Self> {
        connection
            .slots
            .take(|| connection.life.note_crowded())
            .await
            .ok()?;
        Some(Self(Arc::clone(connection)))
    }

    pub(crate) fn connection(&self) -> &Arc<Connection> {
        &self.0
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.slots.release();
        if !self.0.takes_calls() && self.0.slots.taken() == 0 {
            self.0.wake_driver();
        }
    }
}

/// An error of ours rather than of the connection or the stream.
fn is_misuse(error: &h2::Error) -> bool {
    !error.is_io() && !error.is_go_away() && !error.is_reset() && error.reason().is_none()
}

fn unsendable(error: &h2::Error) -> Status {
    Status::internal(format!("HTTP/2 cannot carry the request: {error}"))
        .at_side(Side::Client)
        .not_processed()
}

fn bit(compression: Compression) -> u8 {
    let place = Compression::ALL
        .iter()
        .position(|known| *known == compression)
        .unwrap_or(0);
    1 << place
}
