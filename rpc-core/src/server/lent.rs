//! A caller's call, lent to the server in the same process.

use crate::{Call, Context, Extensions, Method, call::Options};

use super::Slot;

/// A call that is at the server's while this lives. What is the caller's own is put aside, and put back however the answer
/// ends: a layer above may send the same call again, also after it dropped the future of this one.
///
/// Making another call of the parts was rejected: it moves all of them twice.
#[derive(Debug)]
pub(crate) struct Lent<'c, 'a> {
    call: &'c mut Call<'a>,
    method: Option<Method>,
    context: Context,
    options: Options<'a>,
    extensions: Extensions,
    slot: Option<Slot>,
}

impl<'c, 'a> Lent<'c, 'a> {
    /// Lends a call, which gets what the server knows of it. `method` is the server's own descriptor, where it is another
    /// one.
    #[inline]
    pub(super) fn new(
        call: &'c mut Call<'a>,
        method: Option<Method>,
        slot: Option<Slot>,
        context: Context,
    ) -> Self {
        Self {
            method: method.map(|method| std::mem::replace(&mut call.method, method)),
            context: std::mem::replace(&mut call.context, context),
            options: std::mem::take(&mut call.options),
            extensions: std::mem::take(&mut call.extensions),
            slot: std::mem::replace(&mut call.slot, slot),
            call,
        }
    }

    /// The call as the server sees it.
    pub(crate) fn call(&mut self) -> &mut Call<'a> {
        self.call
    }
}

impl Drop for Lent<'_, '_> {
    #[inline]
    fn drop(&mut self) {
        if let Some(method) = self.method.take() {
            self.call.method = method;
        }
        self.call.context = std::mem::take(&mut self.context);
        self.call.options = std::mem::take(&mut self.options);
        self.call.extensions = std::mem::take(&mut self.extensions);
        self.call.slot = self.slot;
        self.call.tie = None;
    }
}
