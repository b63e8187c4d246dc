//! Where a caller in the same process wants its answer.
//!
//! A reply is of no type while it travels back through the pipelines, so a value in it needs a box. A caller that waits in
//! its own future can lend the place where the value shall end up instead; the handler that makes a value of just that
//! type puts it there, and the reply says [`Body::Placed`](super::Body::Placed).

use std::{any::Any, fmt};

/// A place for one value, lent with a call.
pub(crate) struct Place<'a>(&'a mut (dyn Any + Send));

impl<'a> Place<'a> {
    /// A place that is empty, or whose value is of no use any more.
    pub(crate) fn new<T: Send + 'static>(place: &'a mut Option<T>) -> Self {
        Self(place)
    }

    /// Puts a value there.
    ///
    /// # Errors
    /// The value, if the place is for another type: two traits may describe one service.
    pub(crate) fn put<T: Send + 'static>(&mut self, value: T) -> Result<(), T> {
        match self.0.downcast_mut::<Option<T>>() {
            Some(place) => {
                *place = Some(value);
                Ok(())
            }
            None => Err(value),
        }
    }
}

impl Place<'_> {
    /// Takes the value out that was put there.
    pub(crate) fn take<T: Send + 'static>(self) -> Option<T> {
        self.0.downcast_mut::<Option<T>>()?.take()
    }
}

impl fmt::Debug for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Place")
    }
}
