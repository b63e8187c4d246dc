//! What each side says first: which versions it speaks, and what the other may send to it.

use bytes::{BufMut, BytesMut};

use super::compress;

/// No text and no other protocol begins with it: 0xF5 is in no UTF-8.
pub(crate) const MAGIC: [u8; 8] = *b"\xf5rpcfrm\n";

/// Magic, versions, length of the settings.
pub(crate) const PREFACE_BYTES: usize = 16;

/// The most that settings may take.
pub(crate) const MAX_SETTINGS_BYTES: usize = 4096;

/// The version that this build speaks, highest and lowest.
pub(crate) const VERSION: u8 = 1;

mod setting {
    pub(super) const MAX_CALLS: u16 = 1;
    pub(super) const CREDIT_BYTES: u16 = 2;
    pub(super) const MAX_FRAME_BYTES: u16 = 3;
    pub(super) const MAX_MESSAGE_BYTES: u16 = 4;
    pub(super) const MAX_METADATA_BYTES: u16 = 5;
    pub(super) const MAX_METHODS: u16 = 6;
    pub(super) const COMPRESSIONS: u16 = 7;
}

/// What a side allows the other. A setting that is not said is as it is in [`Settings::least`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Settings {
    /// Calls at once.
    pub(crate) max_calls: u32,
    /// Bytes in CHUNKs of one direction of one call, before any CREDIT.
    pub(crate) credit_bytes: u32,
    /// Bytes of a message in one frame.
    pub(crate) max_frame_bytes: u32,
    /// Bytes of a message.
    pub(crate) max_message_bytes: u32,
    /// Bytes of metadata in one frame.
    pub(crate) max_metadata_bytes: u32,
    /// Numbers of methods.
    pub(crate) max_methods: u32,
    /// Compressions that are undone, by their numbers, best first. Of a peer's, those that are known here.
    pub(crate) compressions: Vec<u8>,
}

impl Settings {
    /// What every peer allows.
    pub(crate) fn least() -> Self {
        Self {
            max_calls: 1,
            credit_bytes: 16 << 10,
            max_frame_bytes: 16 << 10,
            max_message_bytes: 4 << 20,
            max_metadata_bytes: 1 << 10,
            max_methods: 16,
            compressions: Vec::new(),
        }
    }

    /// As a preface.
    pub(crate) fn encode(&self, out: &mut BytesMut) {
        let mut settings = BytesMut::with_capacity(64);
        for (id, value) in [
            (setting::MAX_CALLS, self.max_calls),
            (setting::CREDIT_BYTES, self.credit_bytes),
            (setting::MAX_FRAME_BYTES, self.max_frame_bytes),
            (setting::MAX_MESSAGE_BYTES, self.max_message_bytes),
            (setting::MAX_METADATA_BYTES, self.max_metadata_bytes),
            (setting::MAX_METHODS, self.max_methods),
        ] {
            settings.put_u16_le(id);
            settings.put_u16_le(4);
            settings.put_u32_le(value);
        }
        if !self.compressions.is_empty() {
            settings.put_u16_le(setting::COMPRESSIONS);
            settings.put_u16_le(self.compressions.len() as u16);
            settings.extend_from_slice(&self.compressions);
        }
        out.extend_from_slice(&MAGIC);
        out.put_u8(VERSION);
        out.put_u8(VERSION);
        out.put_u16_le(0);
        out.put_u32_le(settings.len() as u32);
        out.extend_from_slice(&settings);
    }

    /// Brings what a peer says to where it can be worked with: nobody gains by less than the least, nor by more than this.
    fn within_bounds(mut self) -> Self {
        self.max_calls = self.max_calls.clamp(1, 1 << 20);
        self.credit_bytes = self.credit_bytes.clamp(1 << 10, 1 << 30);
        self.max_frame_bytes = self.max_frame_bytes.clamp(1 << 10, crate::MAX_FRAME_BYTES);
        self.max_methods = self.max_methods.min(u32::from(u16::MAX));
        self
    }
}

/// Why bytes are no preface that we can go on with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoPreface {
    /// It is another protocol.
    Foreign,
    /// It is ours, but no version that we speak.
    Version,
    /// It is ours, and broken.
    Broken,
}

/// Reads a preface from the beginning of bytes; `None` if more are needed. With it comes its length.
pub(crate) fn decode(bytes: &[u8]) -> Result<Option<(Settings, usize)>, NoPreface> {
    let seen = bytes.len().min(MAGIC.len());
    if bytes[..seen] != MAGIC[..seen] {
        return Err(NoPreface::Foreign);
    }
    let Some((head, rest)) = bytes.split_at_checked(PREFACE_BYTES) else {
        return Ok(None);
    };
    let (highest, lowest) = (head[8], head[9]);
    if lowest > highest {
        return Err(NoPreface::Broken);
    }
    if highest < VERSION || lowest > VERSION {
        return Err(NoPreface::Version);
    }
    let length = u32::from_le_bytes([head[12], head[13], head[14], head[15]]) as usize;
    if length > MAX_SETTINGS_BYTES {
        return Err(NoPreface::Broken);
    }
    let Some(mut settings) = rest.get(..length) else {
        return Ok(None);
    };
    let mut read = Settings::least();
    while !settings.is_empty() {
        let Some((entry, after)) = settings.split_at_checked(4) else {
            return Err(NoPreface::Broken);
        };
        let id = u16::from_le_bytes([entry[0], entry[1]]);
        let length = usize::from(u16::from_le_bytes([entry[2], entry[3]]));
        let Some((value, after)) = after.split_at_checked(length) else {
            return Err(NoPreface::Broken);
        };
        settings = after;
        let place = match id {
            setting::MAX_CALLS => &mut read.max_calls,
            setting::CREDIT_BYTES => &mut read.credit_bytes,
            setting::MAX_FRAME_BYTES => &mut read.max_frame_bytes,
            setting::MAX_MESSAGE_BYTES => &mut read.max_message_bytes,
            setting::MAX_METADATA_BYTES => &mut read.max_metadata_bytes,
            setting::MAX_METHODS => &mut read.max_methods,
            setting::COMPRESSIONS => {
                read.compressions = compress::known(value);
                continue;
            }
            // Of a later version of this protocol.
            _ => continue,
        };
        *place = u32::from_le_bytes(value.try_into().map_err(|_| NoPreface::Broken)?);
    }
    Ok(Some((read.within_bounds(), PREFACE_BYTES + length)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn settings() -> Settings {
        Settings {
            max_calls: 7,
            compressions: compress::accepted(),
            ..Settings::least()
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let mut bytes = BytesMut::new();
        settings().encode(&mut bytes);
        let whole = bytes.len();
        bytes.extend_from_slice(b"more");
        assert_eq!(decode(&bytes), Ok(Some((settings(), whole))));
        for end in 0..whole {
            assert_eq!(decode(&bytes[..end]), Ok(None), "{end}");
        }
    }

    #[test]
    fn unknown_settings_are_passed_over_and_versions_are_compared() {
        let mut bytes = BytesMut::new();
        settings().encode(&mut bytes);
        let length = bytes.len() - PREFACE_BYTES + 6;
        bytes[12..16].copy_from_slice(&(length as u32).to_le_bytes());
        bytes.extend_from_slice(&[200, 0, 2, 0, 1, 1]);
        assert_eq!(decode(&bytes).unwrap().unwrap().0, settings());
        bytes[8] = 9;
        assert!(decode(&bytes).unwrap().is_some(), "it speaks ours as well");
        bytes[9] = 2;
        assert_eq!(decode(&bytes), Err(NoPreface::Version));
        bytes[9] = 10;
        assert_eq!(decode(&bytes), Err(NoPreface::Broken));
        assert_eq!(decode(b"PRI"), Err(NoPreface::Foreign));
    }

    #[test]
    fn compressions_are_kept_once_each_if_they_are_known() {
        let all: Vec<u8> = (0..=255).cycle().take(MAX_SETTINGS_BYTES - 4).collect();
        let mut bytes = BytesMut::new();
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&[VERSION, VERSION, 0, 0]);
        bytes.put_u32_le(MAX_SETTINGS_BYTES as u32);
        bytes.put_u16_le(setting::COMPRESSIONS);
        bytes.put_u16_le(all.len() as u16);
        bytes.extend_from_slice(&all);
        let (read, _) = decode(&bytes).unwrap().expect("it is complete");
        let mut known = compress::accepted();
        known.sort_unstable();
        assert_eq!(read.compressions, known, "in the order in which they were said");
    }

    proptest! {
        #[test]
        fn reads_anything(bytes in prop::collection::vec(any::<u8>(), 0..200), ours: bool) {
            let mut all = if ours { MAGIC.to_vec() } else { Vec::new() };
            all.extend(bytes);
            let _ = decode(&all);
        }
    }
}
