//! Metadata: the headers and trailers of a call.
//!
//! A small ordered multimap. Keys are lower-case; a key that ends in `-bin` carries bytes, every other one printable
//! ASCII. Keys that the protocol needs for itself (`grpc-*`, `content-type`, `te`, ...) are reserved and refused, so
//! that a user cannot break a call by setting one.
//!
//! Entries are kept as the HTTP types hold them: what arrives over HTTP/2 is taken over without a copy, and an empty
//! map owns no memory. A hash map was rejected: calls carry zero to five entries, and order must survive.

mod key;
mod value;

use std::fmt;

use bytes::Bytes;
use thin_vec::ThinVec;

pub use self::{
    key::{InvalidMetadata, MetadataKey},
    value::MetadataValue,
};

/// Headers or trailers of a call, in the order in which they were added.
///
/// ```
/// use rpc_core::Metadata;
///
/// let mut metadata = Metadata::new();
/// metadata.insert("x-tenant", "acme")?;
/// metadata.insert_bin("x-token-bin", b"\x00\x01".as_slice())?;
/// assert_eq!(metadata.get("x-tenant"), Some("acme"));
/// assert_eq!(metadata.get_bin("x-token-bin").as_deref(), Some(b"\x00\x01".as_slice()));
/// # Ok::<(), rpc_core::metadata::InvalidMetadata>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Metadata {
    entries: ThinVec<(MetadataKey, MetadataValue)>,
}

impl Metadata {
    /// An empty map; owns no memory.
    pub const fn new() -> Self {
        Self {
            entries: ThinVec::new(),
        }
    }

    /// The first value of a text key.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.get_all(key).next().and_then(MetadataValue::as_str)
    }

    /// The first value of a `-bin` key.
    pub fn get_bin(&self, key: &str) -> Option<Bytes> {
        self.get_all(key).next().and_then(MetadataValue::as_bytes)
    }

    /// All values of a key, in order.
    pub fn get_all<'m>(&'m self, key: &str) -> impl Iterator<Item = &'m MetadataValue> {
        self.entries
            .iter()
            .filter(move |(k, _)| k.as_str() == key)
            .map(|(_, value)| value)
    }

    /// True if there is a value of the key.
    pub fn contains_key(&self, key: &str) -> bool {
        self.get_all(key).next().is_some()
    }

    /// Sets a text value, in place of all earlier ones of the key.
    ///
    /// # Errors
    /// If the key is not `[0-9a-z_.-]+`, is reserved or ends in `-bin`; if the value is not printable ASCII.
    pub fn insert(&mut self, key: &str, value: &str) -> Result<(), InvalidMetadata> {
        let (key, value) = (MetadataKey::text(key)?, MetadataValue::text(value)?);
        self.remove(key.as_str());
        self.push(key, value);
        Ok(())
    }

    /// Adds a text value after those that the key has.
    ///
    /// # Errors
    /// As [`insert`](Self::insert).
    pub fn append(&mut self, key: &str, value: &str) -> Result<(), InvalidMetadata> {
        let (key, value) = (MetadataKey::text(key)?, MetadataValue::text(value)?);
        self.push(key, value);
        Ok(())
    }

    /// Sets the bytes of a `-bin` key, in place of all earlier ones.
    ///
    /// # Errors
    /// If the key is not `[0-9a-z_.-]+` with `-bin` at its end, or is reserved.
    pub fn insert_bin(&mut self, key: &str, value: impl Into<Bytes>) -> Result<(), InvalidMetadata> {
        let key = MetadataKey::binary(key)?;
        self.remove(key.as_str());
        self.push(key, MetadataValue::binary(value));
        Ok(())
    }

    /// Adds bytes after those that the `-bin` key has.
    ///
    /// # Errors
    /// As [`insert_bin`](Self::insert_bin).
    pub fn append_bin(&mut self, key: &str, value: impl Into<Bytes>) -> Result<(), InvalidMetadata> {
        let key = MetadataKey::binary(key)?;
        self.push(key, MetadataValue::binary(value));
        Ok(())
    }

    /// Takes all values of a key away; true if there were any.
    pub fn remove(&mut self, key: &str) -> bool {
        let before = self.entries.len();
        self.entries.retain(|(k, _)| k.as_str() != key);
        before != self.entries.len()
    }

    /// Takes away the entries for which `keep` says no; the others stay in order.
    pub fn retain(&mut self, mut keep: impl FnMut(&MetadataKey, &MetadataValue) -> bool) {
        self.retain_mut(|key, value| keep(key, value));
    }

    /// The same where what stays may get another value: text for text, bytes for bytes.
    pub(crate) fn retain_mut(&mut self, mut keep: impl FnMut(&MetadataKey, &mut MetadataValue) -> bool) {
        self.entries.retain_mut(|(key, value)| keep(key, value));
    }

    /// Adds an entry that was checked already. Transports use it for what came off the wire.
    pub fn push(&mut self, key: MetadataKey, value: MetadataValue) {
        self.entries.push((key, value));
    }

    /// Adds all entries of another map after our own.
    pub fn extend(&mut self, other: Metadata) {
        if self.entries.is_empty() {
            self.entries = other.entries;
        } else {
            self.entries.extend(other.entries);
        }
    }

    /// All entries, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&MetadataKey, &MetadataValue)> {
        self.entries.iter().map(|(key, value)| (key, value))
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// True if there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

impl fmt::Debug for Metadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map()
            .entries(self.entries.iter().map(|(key, value)| (key, value)))
            .finish()
    }
}
