//! What a transport holds of a server: the pipeline and the router at its end.

use std::{borrow::Cow, pin::pin, sync::Arc};

use futures_util::future::Either;

use super::{Lent, Router, Slot, panic::caught};
use crate::{
    Body, Call, Context, Method, Reply, Stage, Status,
    stage::{Hook, HookList, SharedStage, hooked},
};

/// A server's pipeline. Clones share it.
#[derive(Clone)]
pub struct Dispatch {
    router: Arc<Router>,
    hooks: HookList,
    pipeline: Option<SharedStage>,
}

impl Dispatch {
    /// A router without a pipeline in front of it.
    pub fn new(router: Arc<Router>) -> Self {
        Self {
            router,
            hooks: HookList::default(),
            pipeline: None,
        }
    }

    /// Puts stages in front of the router; `wrap` gets the router as the innermost one.
    pub fn with_pipeline(router: Arc<Router>, wrap: impl FnOnce(Arc<Router>) -> SharedStage) -> Self {
        let pipeline = wrap(Arc::clone(&router));
        Self {
            router,
            hooks: HookList::default(),
            pipeline: Some(pipeline),
        }
    }

    /// Puts hooks in front of everything. Unlike stages they are not erased.
    pub fn with_hooks(mut self, hooks: impl IntoIterator<Item = Box<dyn Hook>>) -> Self {
        self.hooks = hooks.into_iter().collect();
        self
    }

    /// The services behind it.
    pub fn router(&self) -> &Router {
        &self.router
    }

    /// Makes the call of a path. A path that no service has makes one too: the pipeline sees it, the router refuses it.
    pub fn accept<'a>(
        &self,
        path: &str,
        codec: impl Into<Cow<'static, str>>,
        context: Context,
        body: Body<'a>,
    ) -> Call<'a> {
        self.resolve(path).call(codec, context, body)
    }

    /// Looks a path up. A transport that must know the method before it has a body to lend makes the call of what it
    /// gets; who has both uses [`accept`](Self::accept).
    pub fn resolve(&self, path: &str) -> Resolved {
        match self.router.find(path) {
            Some((method, slot)) => Resolved {
                method,
                slot: Some(slot),
            },
            None => Resolved {
                method: Method::unknown(path),
                slot: None,
            },
        }
    }

    /// The same as [`accept`](Self::accept) for a caller in this process, whose call it is made of for that long.
    #[inline]
    pub(crate) fn lend<'c, 'a>(&self, call: &'c mut Call<'a>, context: Context) -> Lent<'c, 'a> {
        if let Some(slot) = self.router.slot_of(&call.method) {
            return Lent::new(call, None, Some(slot), context);
        }
        let Resolved { method, slot } = self.resolve(call.method.path());
        let mut lent = Lent::new(call, Some(method), slot, context);
        if slot.is_none() && self.pipeline.is_some() {
            // Layers see it as well, and the router will refuse it: another server may know it.
            lent.copy();
        }
        lent
    }

    /// Answers a call. Its failure is as the caller shall see it, and says of which method it is.
    ///
    /// # Errors
    /// What the pipeline refused, or what the handler returned. A panic of either is INTERNAL: the future never panics.
    pub fn answer(&self, call: &mut Call<'_>) -> impl Future<Output = Result<Reply, Status>> + Send {
        if self.pipeline.is_none() && self.hooks.is_empty() {
            // It catches panics itself, below the pipeline: there a panic is a failure like others.
            Either::Left(self.router.answer::<false>(call))
        } else {
            Either::Right(self.through(call))
        }
    }

    async fn through(&self, call: &mut Call<'_>) -> Result<Reply, Status> {
        let below = BelowHooks(self);
        let answer = caught(pin!(hooked(&self.hooks, &below, &mut *call))).await;
        answer
            .unwrap_or_else(|panic| Err(Status::from_layer_panic(&*panic)))
            .map_err(|status| status.leave_layers().at_method(&call.method))
    }
}

/// What is below the hooks of a dispatch.
struct BelowHooks<'a>(&'a Dispatch);

impl Stage for BelowHooks<'_> {
    fn call(&self, call: &mut Call<'_>) -> impl Future<Output = Result<Reply, Status>> + Send {
        match &self.0.pipeline {
            Some(pipeline) => Either::Left(pipeline.call(call)),
            None => Either::Right(self.0.router.call(call)),
        }
    }
}

/// A path that was looked up.
#[derive(Debug, Clone)]
pub struct Resolved {
    method: Method,
    slot: Option<Slot>,
}

impl Resolved {
    /// The method behind the path, offered or not.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// True if a service offers it.
    pub fn is_offered(&self) -> bool {
        self.slot.is_some()
    }

    /// Makes a call of it.
    pub fn call(self, codec: impl Into<Cow<'static, str>>, context: Context, body: Body<'_>) -> Call<'_> {
        let mut call = Call::new(self.method, codec, body);
        call.context = context;
        call.slot = self.slot;
        call
    }
}

impl std::fmt::Debug for Dispatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list()
            .entries(self.router.services().map(crate::ServiceDescriptor::name))
            .finish()
    }
}
