//! The last stage of a server's pipeline: path to service and method.

use std::{
    collections::HashMap,
    future::poll_fn,
    panic::{self, AssertUnwindSafe},
    pin::pin,
    sync::Arc,
    task::Poll,
};

use crate::{
    BoxFuture, BuildError, Call, Context, Method, Reply, ServiceDescriptor, Stage, Status, context::Cancellation,
    status::reason,
};

/// A service that can be called: what `#[rpc::service]` generates around an implementation.
pub trait Service: Send + Sync + 'static {
    /// Its name and its methods.
    fn descriptor(&self) -> &'static ServiceDescriptor;

    /// Answers a call of the method with that index in the descriptor.
    fn call<'a>(&'a self, method: usize, call: &'a mut Call<'_>) -> BoxFuture<'a, Result<Reply, Status>>;
}

/// Which service and method of a [`Router`] a call is for.
#[derive(Debug, Clone, Copy)]
pub struct Slot {
    service: u32,
    method: u32,
}

/// The services of a server, by path.
#[derive(Default)]
pub struct Router {
    services: Vec<Arc<dyn Service>>,
    paths: HashMap<&'static str, Slot>,
}

impl Router {
    /// Without services.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a service.
    ///
    /// # Errors
    /// If a service of that name is there already.
    pub fn add(&mut self, service: Arc<dyn Service>) -> Result<(), BuildError> {
        let descriptor = service.descriptor();
        if self.services().any(|other| other.name() == descriptor.name()) {
            let name = descriptor.name();
            return Err(BuildError::new("add_service", format!("service `{name}` is there already")));
        }
        let index = self.services.len() as u32;
        for (method, number) in descriptor.methods().iter().zip(0..) {
            if let Some(path) = method.static_path() {
                self.paths.insert(path, Slot { service: index, method: number });
            }
        }
        self.services.push(service);
        Ok(())
    }

    /// The services, in the order in which they were added.
    pub fn services(&self) -> impl Iterator<Item = &'static ServiceDescriptor> {
        self.services.iter().map(|service| service.descriptor())
    }

    /// The method behind a path.
    pub fn find(&self, path: &str) -> Option<(Method, Slot)> {
        let slot = *self.paths.get(path)?;
        let methods = self.services[slot.service as usize].descriptor().methods();
        Some((Method::Static(&methods[slot.method as usize]), slot))
    }

    fn unknown(&self, method: &Method) -> Status {
        let service = method.service();
        let (text, why) = if self.services().any(|known| known.name() == service) {
            (format!("service `{service}` has no method `{}`", method.name()), reason::METHOD_UNKNOWN)
        } else {
            (format!("service `{service}` is not offered here"), reason::SERVICE_UNKNOWN)
        };
        Status::unimplemented(text).with_reason(why).with_domain(reason::DOMAIN).not_processed()
    }
}

impl Stage for Router {
    async fn call(&self, call: &mut Call<'_>) -> Result<Reply, Status> {
        let Some(slot) = call.slot.or_else(|| self.find(call.method.path()).map(|(_, slot)| slot)) else {
            return Err(self.unknown(&call.method));
        };
        let service = &self.services[slot.service as usize];
        // The handler runs in the context; whoever is outside still sees when it must be done.
        let bound = Context::new().with_deadline(call.context.deadline());
        let context = std::mem::replace(&mut call.context, bound);
        let handler = context.scope(async {
            let cancel = CancelOnDrop;
            let result = service.call(slot.method as usize, call).await;
            std::mem::forget(cancel);
            result
        });
        caught(handler).await
    }
}

/// Gives up the work of the current call when it is dropped. It is made inside the call's scope, and dropped there.
struct CancelOnDrop;

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        Context::with_current(|context| drop(Cancellation::guard(context.cancellation())));
    }
}

/// Runs a handler; a panic is its failure, and the process goes on.
async fn caught(handler: impl Future<Output = Result<Reply, Status>>) -> Result<Reply, Status> {
    let mut handler = pin!(handler);
    poll_fn(|cx| {
        panic::catch_unwind(AssertUnwindSafe(|| handler.as_mut().poll(cx)))
            .unwrap_or_else(|panic| Poll::Ready(Err(Status::from_panic(&*panic))))
    })
    .await
}
