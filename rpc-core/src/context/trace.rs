//! W3C trace context: which trace a call belongs to.

/// The position of a call in a trace: `traceparent` and `tracestate`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceContext {
    trace_id: u128,
    parent_id: u64,
    flags: u8,
    state: String,
}

impl TraceContext {
    /// The trace.
    pub fn trace_id(&self) -> u128 {
        self.trace_id
    }

    /// The span that made the call.
    pub fn parent_id(&self) -> u64 {
        self.parent_id
    }

    /// True if the caller records the trace.
    pub fn is_sampled(&self) -> bool {
        self.flags & 1 == 1
    }

    /// `tracestate`, as it came.
    pub fn state(&self) -> &str {
        &self.state
    }
}
