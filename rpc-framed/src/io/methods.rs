//! A client's numbers of methods: a path goes over a connection once.

use std::{borrow::Cow, collections::hash_map::Entry, hash::Hash};

use rpc_core::Method;
use rustc_hash::FxHashMap;

use crate::wire::request::UNNUMBERED;

/// Numbers by method and codec.
#[derive(Debug, Default)]
pub(crate) struct Methods {
    /// By where texts are that live as long as the program.
    fixed: FxHashMap<Place, u16>,
    named: FxHashMap<(Box<str>, Box<str>), u16>,
    next: u16,
}

/// A descriptor, and the name of a codec: its address and its length.
type Place = (usize, usize, usize);

impl Methods {
    /// The number of a method in a codec, and whether the server knows it yet. It may have `limit` of them.
    #[allow(clippy::ptr_arg, reason = "whether it is borrowed is what matters")]
    pub(crate) fn number(&mut self, method: &Method, codec: &Cow<'static, str>, limit: u32) -> (u16, bool) {
        let next = self.next;
        let has_next = u32::from(next) < limit.min(u32::from(UNNUMBERED));
        let number = match place(method, codec) {
            Some(place) => insert(self.fixed.entry(place), next, has_next),
            None => insert(self.named.entry(names(method, codec)), next, has_next),
        };
        let Some((number, known)) = number else {
            return (UNNUMBERED, false);
        };
        self.next += u16::from(!known);
        (number, known)
    }

    /// Takes a number back that was given just now: nothing was said of it.
    #[allow(clippy::ptr_arg, reason = "whether it is borrowed is what matters")]
    pub(crate) fn forget(&mut self, method: &Method, codec: &Cow<'static, str>) {
        match place(method, codec) {
            Some(place) => drop(self.fixed.remove(&place)),
            None => drop(self.named.remove(&names(method, codec))),
        }
        self.next = self.next.saturating_sub(1);
    }
}

#[allow(clippy::ptr_arg, reason = "whether it is borrowed is what matters")]
fn place(method: &Method, codec: &Cow<'static, str>) -> Option<Place> {
    match (method, codec) {
        (Method::Static(method), Cow::Borrowed(codec)) => Some((
            std::ptr::from_ref(*method).addr(),
            codec.as_ptr().addr(),
            codec.len(),
        )),
        _ => None,
    }
}

fn names(method: &Method, codec: &str) -> (Box<str>, Box<str>) {
    (method.path().into(), codec.into())
}

fn insert<K: Eq + Hash>(entry: Entry<'_, K, u16>, next: u16, has_next: bool) -> Option<(u16, bool)> {
    match entry {
        Entry::Occupied(entry) => Some((*entry.get(), true)),
        Entry::Vacant(entry) if has_next => Some((*entry.insert(next), false)),
        Entry::Vacant(_) => None,
    }
}
