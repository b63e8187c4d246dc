//! What h2 counts of a peer that may mean no good, and how much of it is borne, on either side.

/// What small DATA frames may spend on a connection with such a window. h2 charges what each is short of 256 bytes, unless it is
/// the last of its stream, and gives up the *connection* when this is spent. What was charged comes back when the frame is read.
///
/// A gRPC message takes five bytes or more. A window full of frames of one message each spends 50 times its size, so no reader
/// is too slow for this. A frame that is buffered takes some 260 bytes of h2's beside what is in it, so this is also what a peer
/// that sends frames of a byte can make us hold.
///
/// What is passed over, because its stream was reset or is not read any more, never comes back: at the defaults that is a million
/// frames over the life of a connection.
///
/// A small window gets more: what one turn reads nobody can have looked at, and at the least window that HTTP/2 knows, of 65,535
/// bytes, it would be spent by a window full of frames of a byte.
pub(crate) fn small_frames_bytes(connection_window: u32) -> usize {
    const TIMES: usize = 64;
    const LEAST: usize = 16 << 20;
    TIMES.saturating_mul(connection_window as usize).max(LEAST)
}

/// How many streams may be reset because of frames that did not belong there, over the *life* of a connection: h2's count never
/// goes down. Frames that are late, for a stream that is forgotten, are most of it. What h2 has by itself, 1024, is
/// reached in time by a client that gives up a call now and then. An attacker gains nothing by it over resetting streams himself:
/// either way a call ends whose stream was reset, and what is not looked at yet has a bound of its own.
pub(crate) const MAX_LATE_FRAMES: usize = 1_000_000;
