//! A number of the request's own.

use crate::Call;

/// What decides for a request, as long as it lasts, about shares of all requests.
///
/// It is drawn at random once, by the layer that first needs it, and goes with the call from attempt to attempt: a retry
/// falls on the same side as the attempt before. Layers draw it only where [`Matcher::needs_request_key`] says that some rule
/// asks for it, so that nobody else pays. A call without a key is told by its trace, and by a number of the moment if it has
/// none either.
///
/// [`Matcher::needs_request_key`]: super::Matcher::needs_request_key
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestKey(u64);

impl RequestKey {
    /// A key of that number: for tests, and for who has such a number from elsewhere.
    pub fn new(number: u64) -> Self {
        Self(number)
    }

    /// Gives the call a key, unless it has one.
    pub fn draw(call: &mut Call<'_>) {
        if call.extensions.get::<Self>().is_none() {
            let key = Self(Self::of(call));
            call.extensions.insert(key);
        }
    }

    /// The number of a call.
    pub(super) fn of(call: &Call<'_>) -> u64 {
        let drawn = call.extensions.get::<Self>().map(|key| key.0);
        // The last bytes of a trace id are the random ones.
        let traced = || call.context.trace().map(|trace| trace.trace_id() as u64);
        drawn.or_else(traced).unwrap_or_else(|| fastrand::u64(..))
    }
}
