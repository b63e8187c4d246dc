//! A context as metadata: how it crosses to another process.
//!
//! Lane, trace and baggage travel as headers that others know: `x-md-global-color` (Kratos' name of a colour, whose
//! services pass it on over every hop), and W3C's `traceparent`, `tracestate` and `baggage`. The lane is a member of the
//! baggage as well, under the same name: a service in between that knows nothing of lanes, but hands baggage on as tracing
//! libraries do, keeps the request in its lane. Where both are there, the header counts. The deadline has a header of each
//! transport's own. Every transport that has a wire calls [`Context::injected`] and [`Context::extract`], so that
//! all carry the same.
//!
//! Nobody's call fails for a malformed header: it is as if it were not there. What a user puts into the metadata under
//! one of these names wins, unless somebody has decided otherwise: see
//! [`Context::remove_other_lanes`].

use std::fmt::Display;

use http::{HeaderName, HeaderValue};

use super::{Baggage, Context, Lane, TraceContext, baggage};
use crate::{
    Metadata,
    metadata::{MetadataKey, MetadataValue},
};

/// The lane: a header, and a member of the baggage.
pub const LANE_KEY: &str = "x-md-global-color";
/// The trace and the calling span.
pub const TRACEPARENT_KEY: &str = "traceparent";
/// What tracing systems add to it.
pub const TRACESTATE_KEY: &str = "tracestate";
/// Names and values.
pub const BAGGAGE_KEY: &str = "baggage";

impl Context {
    /// The entries that carry this context, but for those that `explicit` has already. Empty, it owns no memory.
    pub fn injected(&self, explicit: &Metadata) -> Metadata {
        let mut entries = Metadata::new();
        if !self.carries_anything() {
            return entries;
        }
        let lane = self.lane().filter(|_| !explicit.contains_key(LANE_KEY));
        if let Some(lane) = lane {
            push(&mut entries, LANE_KEY, lane);
        }
        // The state belongs to the parent that it came with.
        if let Some(trace) = self.trace().filter(|_| !explicit.contains_key(TRACEPARENT_KEY)) {
            push(&mut entries, TRACEPARENT_KEY, trace);
            if !trace.state().is_empty() && !explicit.contains_key(TRACESTATE_KEY) {
                push(&mut entries, TRACESTATE_KEY, trace.state());
            }
        }
        if !explicit.contains_key(BAGGAGE_KEY) {
            // The lane is not a part of the context's baggage, which would have to follow each change of it. Where there is
            // no room left for it, the header alone has it.
            let with_lane = lane.map(|lane| self.baggage().clone().with(LANE_KEY, lane.as_str()));
            match with_lane {
                Some(Ok(baggage)) => push(&mut entries, BAGGAGE_KEY, baggage),
                _ if !self.baggage().is_empty() => push(&mut entries, BAGGAGE_KEY, self.baggage()),
                _ => {}
            }
        }
        entries
    }

    /// Adds the entries that carry this context, but for those that are there already.
    pub fn inject(&self, metadata: &mut Metadata) {
        let entries = self.injected(metadata);
        metadata.extend(entries);
    }

    /// Takes on the lane, trace and baggage that the metadata carries; what it does not carry stays as it is.
    pub fn extract(mut self, metadata: &Metadata) -> Self {
        self.take_on(metadata);
        self
    }

    /// [`extract`](Self::extract) for a context in its place.
    #[inline]
    pub(crate) fn take_on(&mut self, metadata: &Metadata) {
        if !metadata.is_empty() {
            *self = std::mem::take(self).extract_some(metadata);
        }
    }

    /// Takes every lane out of the metadata but this context's own: values of [`LANE_KEY`] and members of that name in
    /// `baggage`, whose other members stay as they came. Whoever copies the metadata of an inbound call by hand then says
    /// the lane that the call travels in, or none. What is no lane's name goes too: others may take it for one.
    ///
    /// ```
    /// use rpc_core::{Context, Metadata, context::{BAGGAGE_KEY, LANE_KEY}};
    ///
    /// let mut metadata = Metadata::new();
    /// metadata.insert(LANE_KEY, "red")?;
    /// metadata.insert(BAGGAGE_KEY, "user=jane,x-md-global-color=red")?;
    /// let context = Context::new().extract(&metadata).with_lane(None);
    /// context.remove_other_lanes(&mut metadata);
    /// assert_eq!(metadata.get(LANE_KEY), None);
    /// assert_eq!(metadata.get(BAGGAGE_KEY), Some("user=jane"));
    /// # Ok::<(), rpc_core::metadata::InvalidMetadata>(())
    /// ```
    pub fn remove_other_lanes(&self, metadata: &mut Metadata) {
        let lane = self.lane().map(|lane| lane.as_str().as_bytes());
        let is_own = |said: &[u8]| Some(said) == lane;
        metadata.retain_mut(|key, value| match (key.as_str(), value.as_header()) {
            (LANE_KEY, header) => header.is_some_and(|header| is_own(header.as_bytes())),
            (BAGGAGE_KEY, Some(header)) => {
                let keep = |name: &[u8], said: &[u8]| name != LANE_KEY.as_bytes() || is_own(said);
                if let Some(rest) = baggage::retained(header, keep) {
                    *value = MetadataValue::from_header(rest);
                }
                !value.is_empty()
            }
            _ => true,
        });
    }

    fn extract_some(mut self, metadata: &Metadata) -> Self {
        let (mut lane, mut traceparent, mut tracestate) = (None, None, None::<String>);
        let mut baggage = None::<Baggage>;
        for (key, value) in metadata.iter() {
            if key.as_str() == BAGGAGE_KEY {
                // Not as text: what is not ASCII there must not lose the other members.
                let header = value.as_header().map_or(&[][..], HeaderValue::as_bytes);
                baggage.get_or_insert_default().read(header);
                continue;
            }
            let Some(value) = value.as_str() else { continue };
            match key.as_str() {
                LANE_KEY => lane = lane.or_else(|| Lane::new(value).ok()),
                // Two of them contradict each other: the first one counts.
                TRACEPARENT_KEY => traceparent = traceparent.or_else(|| TraceContext::parse(value)),
                TRACESTATE_KEY => match &mut tracestate {
                    Some(state) => *state = format!("{state},{value}"),
                    None => tracestate = Some(value.to_owned()),
                },
                _ => {}
            }
        }
        let has_lane = lane.is_some();
        if has_lane {
            self = self.with_lane(lane);
        }
        if let Some(trace) = traceparent {
            self = self.with_trace(match tracestate {
                Some(state) => trace.with_state(&state),
                None => trace,
            });
        }
        let Some(mut baggage) = baggage else {
            return self;
        };
        if let Some(value) = baggage.get(LANE_KEY) {
            if !has_lane && let Ok(lane) = Lane::new(value) {
                self = self.with_lane(lane);
            }
            baggage = baggage.without(LANE_KEY);
        }
        self.with_baggage(baggage)
    }
}

/// Adds an entry whose value is printable ASCII, as all forms of a context are.
fn push(entries: &mut Metadata, key: &'static str, value: impl Display) {
    if let Ok(value) = HeaderValue::try_from(value.to_string()) {
        entries.push(
            MetadataKey::from_header(HeaderName::from_static(key)),
            MetadataValue::from_header(value),
        );
    }
}
