//! The head of a frame: 16 bytes, little-endian, the same for all kinds.

/// How long a head is.
pub(crate) const HEAD_BYTES: usize = 16;

/// What a frame is. Kinds from 128 on may be passed over by who does not know them.
pub(crate) mod kind {
    pub(crate) const REQUEST: u8 = 1;
    pub(crate) const REPLY: u8 = 2;
    pub(crate) const CHUNK: u8 = 3;
    pub(crate) const END: u8 = 4;
    pub(crate) const ERROR: u8 = 5;
    pub(crate) const CANCEL: u8 = 6;
    pub(crate) const CREDIT: u8 = 7;
    pub(crate) const PING: u8 = 8;
    pub(crate) const PONG: u8 = 9;
    pub(crate) const DRAIN: u8 = 10;
    pub(crate) const GOAWAY: u8 = 11;
    /// From here on unknown kinds are passed over.
    pub(crate) const OPTIONAL: u8 = 128;
}

/// Flags; those that are not known are passed over.
pub(crate) mod flag {
    /// The sender's direction of the call is over with this frame.
    pub(crate) const END: u8 = 1;
    /// The message goes on in the next CHUNK of the call.
    pub(crate) const MORE: u8 = 2;
    /// There is a message, or the beginning of one, in the frame; without it the body is none.
    pub(crate) const MESSAGE: u8 = 4;
    /// The message is compressed; its first byte says how.
    pub(crate) const COMPRESSED: u8 = 8;
    /// The milliseconds that are left come first.
    pub(crate) const DEADLINE: u8 = 16;
    /// The method's number is used for the first time, and path and codec follow.
    pub(crate) const DEFINE: u8 = 32;
}

/// Which call of a connection: a slot, and how often it was used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct CallId {
    pub(crate) slot: u32,
    pub(crate) generation: u16,
}

/// The head of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Head {
    /// How many bytes follow the head.
    pub(crate) length: u32,
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    /// How many of them are metadata.
    pub(crate) metadata: u16,
    pub(crate) call: CallId,
    /// REQUEST: the method's number; ERROR: the code; else 0.
    pub(crate) extra: u16,
}

impl Head {
    pub(crate) fn new(kind: u8, call: CallId) -> Self {
        Self {
            kind,
            call,
            ..Self::default()
        }
    }

    pub(crate) fn encode(self) -> [u8; HEAD_BYTES] {
        let mut bytes = [0; HEAD_BYTES];
        bytes[..4].copy_from_slice(&self.length.to_le_bytes());
        bytes[4] = self.kind;
        bytes[5] = self.flags;
        bytes[6..8].copy_from_slice(&self.metadata.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.call.slot.to_le_bytes());
        bytes[12..14].copy_from_slice(&self.call.generation.to_le_bytes());
        bytes[14..].copy_from_slice(&self.extra.to_le_bytes());
        bytes
    }

    pub(crate) fn decode(b: &[u8; HEAD_BYTES]) -> Self {
        Self {
            length: u32::from_le_bytes([b[0], b[1], b[2], b[3]]),
            kind: b[4],
            flags: b[5],
            metadata: u16::from_le_bytes([b[6], b[7]]),
            call: CallId {
                slot: u32::from_le_bytes([b[8], b[9], b[10], b[11]]),
                generation: u16::from_le_bytes([b[12], b[13]]),
            },
            extra: u16::from_le_bytes([b[14], b[15]]),
        }
    }

    pub(crate) fn has(self, flag: u8) -> bool {
        self.flags & flag != 0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_bytes_are_a_head_and_the_same_again(bytes in any::<[u8; HEAD_BYTES]>()) {
            prop_assert_eq!(Head::decode(&bytes).encode(), bytes);
        }
    }
}
