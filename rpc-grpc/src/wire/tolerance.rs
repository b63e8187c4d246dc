//! What h2 counts of a peer that may mean no good, and how much of it is borne, on either side.

/// How much the small frames of a connection may take beside what is in them, while nobody has read them, where its window
/// is not more than twice that. h2 counts what a DATA frame is short of 256 bytes, for each that is not the last of its stream,
/// and gives up the *connection* when this is spent; what a window holds back is to be held back, and no attack.
///
/// By itself h2 takes half of the connection's window. A peer that frames each record spends that within one such window,
/// and even within what is [read in one turn](crate::io), which nobody had a chance to look at. This is for a stream window
/// of 1 MiB full of records of 16 bytes, for any frames that one turn reads, and for 65,000 frames of one byte.
const SMALL_FRAMES_BYTES: usize = 16 << 20;

/// How many streams may be reset because of frames that did not belong there, over the *life* of a connection: h2's count never
/// goes down. Frames that are late, for a stream that is forgotten, are most of it. What h2 has by itself, 1024, is
/// reached in time by a client that gives up a call now and then. An attacker gains nothing by it over resetting streams himself:
/// either way a call ends whose stream was reset, and what is not looked at yet has a bound of its own.
pub(crate) const MAX_LATE_FRAMES: usize = 1_000_000;

/// What small frames may take on a connection with such a window.
pub(crate) fn small_frames_bytes(connection_window_bytes: u32) -> usize {
    SMALL_FRAMES_BYTES.max(connection_window_bytes as usize / 2)
}
