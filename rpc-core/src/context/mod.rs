//! What an inbound call hands to the outbound calls it causes: deadline, lane, baggage, trace, caller, cancellation.
//!
//! A handler runs inside the context of its call, task-locally; a stub that is called there takes it on. It is taken
//! when the stub is *called*, not when its future is first polled, so a future that is built in a handler and awaited
//! elsewhere still belongs to the call. [`spawn`] carries it into a task, [`Context::scope`] into any future,
//! [`Context::enter`] into blocking code.
//!
//! Cloning an empty context, or one with a deadline only, allocates nothing: what is rarely there is behind one `Arc`,
//! and the cancellation token is made when somebody first asks for it.

mod baggage;
mod caller;
mod cancel;
mod deadline;
mod expiry;
mod lane;
mod queue;
mod scope;
mod trace;
mod wire;

use std::sync::Arc;

use self::caller::SharedCaller;
pub use self::{
    baggage::{Baggage, InvalidBaggage},
    caller::Caller,
    cancel::Cancellation,
    deadline::Deadline,
    expiry::{Expiry, Until, until},
    lane::{InvalidLane, Lane},
    queue::{DeadlineQueue, Within, forget_woken, woken_by},
    scope::{Scoped, spawn},
    trace::TraceContext,
    wire::{BAGGAGE_KEY, LANE_KEY, TRACEPARENT_KEY, TRACESTATE_KEY},
};
pub(crate) use self::{
    cancel::given_up,
    scope::{child_of_current, enter_shared, scope},
};

/// The context of a call.
///
/// ```
/// use std::time::Duration;
/// use rpc_core::{Context, Deadline};
///
/// let context = Context::new().with_deadline(Deadline::after(Duration::from_secs(1)));
/// let seen = context.enter(|| Context::current().deadline());
/// assert_eq!(seen, context.deadline());
/// ```
#[derive(Debug, Clone, Default)]
pub struct Context {
    deadline: Option<Deadline>,
    carried: Option<Arc<Carried>>,
    caller: Option<SharedCaller>,
    cancellation: Cancellation,
}

/// What is there for few calls.
#[derive(Debug, Clone, Default)]
struct Carried {
    lane: Option<Lane>,
    baggage: Baggage,
    trace: Option<TraceContext>,
}

impl Context {
    /// An empty context: no deadline, the base lane, never cancelled.
    pub fn new() -> Self {
        Self::default()
    }

    /// The context that the current code runs in; empty outside of any call.
    pub fn current() -> Self {
        scope::current()
    }

    /// When the caller stops waiting.
    pub fn deadline(&self) -> Option<Deadline> {
        self.deadline
    }

    /// Sets the deadline, also to a later one.
    pub fn with_deadline(mut self, deadline: impl Into<Option<Deadline>>) -> Self {
        self.deadline = deadline.into();
        self
    }

    pub(crate) fn set_deadline(&mut self, deadline: Deadline) {
        self.deadline = Some(deadline);
    }

    /// Brings the deadline forward, if `deadline` is earlier.
    pub fn bounded_by(mut self, deadline: Option<Deadline>) -> Self {
        self.deadline = Deadline::earlier(self.deadline, deadline);
        self
    }

    pub(crate) fn bring_forward(&mut self, deadline: Deadline) {
        self.deadline = Deadline::earlier(self.deadline, Some(deadline));
    }

    /// The lane that the request travels in; `None` is the base lane.
    pub fn lane(&self) -> Option<&Lane> {
        self.carried.as_ref()?.lane.as_ref()
    }

    /// Puts what is called from here into a lane, or back into the base lane.
    pub fn with_lane(mut self, lane: impl Into<Option<Lane>>) -> Self {
        let lane = lane.into();
        if lane.as_ref() != self.lane() {
            self.carried_mut().lane = lane;
        }
        self
    }

    /// Names and values that travel over every hop.
    pub fn baggage(&self) -> &Baggage {
        self.carried
            .as_ref()
            .map_or(Baggage::none(), |carried| &carried.baggage)
    }

    /// Sets them.
    pub fn with_baggage(mut self, baggage: Baggage) -> Self {
        if !baggage.is_empty() || !self.baggage().is_empty() {
            self.carried_mut().baggage = baggage;
        }
        self
    }

    /// The trace that the call belongs to.
    pub fn trace(&self) -> Option<&TraceContext> {
        self.carried.as_ref()?.trace.as_ref()
    }

    /// Sets it.
    pub fn with_trace(mut self, trace: impl Into<Option<TraceContext>>) -> Self {
        let trace = trace.into();
        if trace.is_some() || self.trace().is_some() {
            self.carried_mut().trace = trace;
        }
        self
    }

    /// Who calls; `None` outside of a handler.
    pub fn caller(&self) -> Option<&Caller> {
        self.caller.as_deref()
    }

    /// Sets who calls. Transports share one per connection.
    pub fn with_caller(mut self, caller: impl Into<Option<Arc<Caller>>>) -> Self {
        self.caller = caller.into().map(SharedCaller::Counted);
        self
    }

    /// The same for a caller that is there as long as the program: it needs no counting.
    pub(crate) fn set_static_caller(&mut self, caller: &'static Caller) {
        self.caller = Some(SharedCaller::Static(caller));
    }

    /// Tells when the call is given up: its caller went away, or its deadline passed.
    pub fn cancellation(&self) -> &Cancellation {
        &self.cancellation
    }

    /// The context of a call made from here: everything but the caller, which will be us.
    pub fn child(&self) -> Self {
        Self {
            deadline: self.deadline,
            carried: self.carried.clone(),
            caller: None,
            cancellation: Cancellation::default(),
        }
    }

    /// Runs a future in this context. It does not end when the call is given up: see
    /// [`Cancellation::run_until_cancelled`].
    pub fn scope<F: Future>(&self, future: F) -> Scoped<F> {
        scope(self.clone(), future)
    }

    /// Runs blocking code in this context.
    pub fn enter<R>(&self, f: impl FnOnce() -> R) -> R {
        scope::enter(self.clone(), f)
    }

    /// Looks at the current context without cloning it; outside of any call, at an empty one.
    ///
    /// # Panics
    /// If what looks at it enters a context itself, by [`enter`](Self::enter) or by polling what [`scope`](Self::scope)
    /// returned. [`current`](Self::current) is for that.
    pub fn with_current<R>(f: impl FnOnce(&Self) -> R) -> R {
        scope::with_current(f)
    }

    /// True if a wire has anything to carry besides the deadline.
    fn carries_anything(&self) -> bool {
        self.carried.is_some()
    }

    fn carried_mut(&mut self) -> &mut Carried {
        Arc::make_mut(self.carried.get_or_insert_default())
    }
}

const _: () = {
    const fn is_send_and_sync<T: Send + Sync>() {}
    is_send_and_sync::<Context>();
    // It is in each call.
    assert!(size_of::<Context>() <= 64);
};
