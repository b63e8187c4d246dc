//! What h2 counts of a peer that may mean no good, and how much of it is borne, on either side.

/// What small DATA frames may spend on a connection. h2 charges what each is short of 256 bytes, unless it is the last of its stream,
/// and gives up the *connection* when this is spent. What was charged comes back when the frame is read, and never for
/// one that is passed over because its stream was reset or is not read any more: with a finite number, calls that are given up while
/// small records come in would end all others, sooner or later.
///
/// What is buffered is bounded by the connection's window nevertheless, and so is its number of frames. Each takes some 260 bytes
/// of h2's beside what is in it: what is said of the window in the settings follows from that. What is passed over is not kept, and an
/// attacker gains no more by it than by frames of any other kind.
pub(crate) const SMALL_FRAMES_BYTES: usize = usize::MAX;

/// How many streams may be reset because of frames that did not belong there, over the *life* of a connection: h2's count never
/// goes down. Frames that are late, for a stream that is forgotten, are most of it. What h2 has by itself, 1024, is
/// reached in time by a client that gives up a call now and then. An attacker gains nothing by it over resetting streams himself:
/// either way a call ends whose stream was reset, and what is not looked at yet has a bound of its own.
pub(crate) const MAX_LATE_FRAMES: usize = 1_000_000;
