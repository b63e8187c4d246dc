//! W3C trace context: which trace a call belongs to.

use std::fmt;

/// The position of a call in a trace: `traceparent` and `tracestate`.
///
/// ```
/// use rpc_core::context::TraceContext;
///
/// let trace = TraceContext::parse("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01").expect("well-formed");
/// assert!(trace.is_sampled());
/// let child = trace.child(0x53995c3f42cd8ad8).expect("not zero");
/// assert_eq!(child.to_string(), "00-0af7651916cd43dd8448eb211c80319c-53995c3f42cd8ad8-01");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceContext {
    trace_id: u128,
    parent_id: u64,
    flags: u8,
    state: String,
}

/// The caller records the trace.
const SAMPLED: u8 = 1;
/// The trace id is random in its last seven bytes.
const RANDOM: u8 = 2;

impl TraceContext {
    /// The most characters of a `tracestate` that are passed on.
    pub const MAX_STATE_LEN: usize = 512;

    /// A position in a trace; `None` if one of the ids is zero, which the format has no room for.
    pub fn new(trace_id: u128, parent_id: u64, is_sampled: bool) -> Option<Self> {
        Self::with_flags(trace_id, parent_id, if is_sampled { SAMPLED } else { 0 })
    }

    /// What a `traceparent` header says; `None` if it is malformed or an id is zero.
    ///
    /// Of a version to come, what it has in common with this one is understood.
    pub fn parse(traceparent: &str) -> Option<Self> {
        let bytes = traceparent.as_bytes();
        let (version, rest) = (hex(bytes.get(..2)?)?, bytes.get(55..)?);
        let is_known = match version {
            0 => rest.is_empty(),
            0xff => false,
            _ => rest.first().is_none_or(|&b| b == b'-'),
        };
        if !is_known || [2, 35, 52].iter().any(|&at| bytes[at] != b'-') {
            return None;
        }
        let parent_id = u64::try_from(hex(&bytes[36..52])?).ok()?;
        let flags = u8::try_from(hex(&bytes[53..55])?).ok()?;
        // Other flags are not defined, and must not be passed on.
        Self::with_flags(hex(&bytes[3..35])?, parent_id, flags & (SAMPLED | RANDOM))
    }

    /// Sets `tracestate`, which is opaque; several headers are joined by `,`. A malformed one is left out.
    ///
    /// Of one with more than [`MAX_STATE_LEN`](Self::MAX_STATE_LEN) characters, entries of more than 128 are dropped first,
    /// then the last ones.
    pub fn with_state(mut self, tracestate: &str) -> Self {
        self.state = bounded_state(tracestate).unwrap_or_default();
        self
    }

    /// The position below this one: the same trace, called by another span; `None` if its id is zero.
    pub fn child(&self, parent_id: u64) -> Option<Self> {
        (parent_id != 0).then(|| Self {
            parent_id,
            ..self.clone()
        })
    }

    /// The trace. Never zero.
    pub fn trace_id(&self) -> u128 {
        self.trace_id
    }

    /// The span that made the call. Never zero.
    pub fn parent_id(&self) -> u64 {
        self.parent_id
    }

    /// True if the caller records the trace.
    pub fn is_sampled(&self) -> bool {
        self.flags & SAMPLED != 0
    }

    /// Says whether the caller records the trace.
    pub fn with_sampled(mut self, is_sampled: bool) -> Self {
        self.flags = if is_sampled {
            self.flags | SAMPLED
        } else {
            self.flags & !SAMPLED
        };
        self
    }

    /// `tracestate`, as it came.
    pub fn state(&self) -> &str {
        &self.state
    }

    fn with_flags(trace_id: u128, parent_id: u64, flags: u8) -> Option<Self> {
        let is_legal = trace_id != 0 && parent_id != 0;
        is_legal.then_some(Self {
            trace_id,
            parent_id,
            flags,
            state: String::new(),
        })
    }
}

/// The value of a `traceparent` header, of version 00.
impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "00-{:032x}-{:016x}-{:02x}",
            self.trace_id, self.parent_id, self.flags
        )
    }
}

/// The number that lower-case digits, and nothing else, make.
fn hex(digits: &[u8]) -> Option<u128> {
    let is_legal = |b: &u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
    if !digits.iter().all(is_legal) {
        return None;
    }
    u128::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

/// The entries that are passed on; `None` if one is malformed, or there are more than 32.
fn bounded_state(tracestate: &str) -> Option<String> {
    let entries = tracestate.split(',').map(|entry| entry.trim_matches([' ', '\t']));
    let mut entries: Vec<&str> = entries.filter(|entry| !entry.is_empty()).take(33).collect();
    if entries.len() > 32 || !entries.iter().all(|entry| is_state_entry(entry)) {
        return None;
    }
    let len = |entries: &[&str]| entries.iter().map(|entry| entry.len() + 1).sum::<usize>();
    // The last entry has no comma after it.
    let limit = TraceContext::MAX_STATE_LEN + 1;
    while len(&entries) > limit {
        let at = entries
            .iter()
            .rposition(|entry| entry.len() > 128)
            .unwrap_or(entries.len() - 1);
        entries.remove(at);
    }
    Some(entries.join(","))
}

fn is_state_entry(entry: &str) -> bool {
    let Some((key, value)) = entry.split_once('=') else {
        return false;
    };
    let is_key_char =
        |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'-' | b'*' | b'/' | b'@');
    let begins_well = key
        .bytes()
        .next()
        .is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let is_value_char = |b: u8| matches!(b, 0x20..=0x7e) && b != b'=';
    begins_well
        && key.len() <= 256
        && key.bytes().all(is_key_char)
        && (1..=256).contains(&value.len())
        && value.bytes().all(is_value_char)
}
