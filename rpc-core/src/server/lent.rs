//! A caller's call, lent to the server in the same process.

use bytes::BytesMut;

use crate::{
    Body, Call, Context, Extensions, Metadata, Method,
    call::Options,
    message::{Encoded, Value},
};

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
    /// What is the caller's where the server has a copy.
    copied: Option<Box<(Body<'a>, Metadata)>>,
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
            copied: None,
            call,
        }
    }

    /// Lends a copy of message and metadata in their place, as a wire does: layers that own what they pass on take that. A
    /// stream, and a message that its codec cannot write, are lent themselves.
    #[cold]
    pub(super) fn copy(&mut self) {
        let Some(message) = encoded(&self.call.body) else {
            return;
        };
        let metadata = self.call.metadata.clone();
        self.copied = Some(Box::new((
            std::mem::replace(&mut self.call.body, Body::Encoded(message)),
            std::mem::replace(&mut self.call.metadata, metadata),
        )));
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
        if let Some(copied) = self.copied.take() {
            (self.call.body, self.call.metadata) = *copied;
        }
    }
}

fn encoded(body: &Body<'_>) -> Option<Encoded> {
    let value: &dyn Value = match body {
        Body::Value(value) => &**value,
        Body::Boxed(value) => &**value,
        Body::Encoded(encoded) => return Some(encoded.clone()),
        _ => return None,
    };
    let mut bytes = BytesMut::new();
    value.encode(&mut bytes).ok()?;
    Some(Encoded {
        bytes: bytes.freeze(),
    })
}
