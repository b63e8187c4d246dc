//! The last stage of a server's pipeline: path to service and method.

use std::{pin::pin, sync::Arc};

use rustc_hash::{FxHashMap, FxHashSet};

use super::panic::caught;
use crate::{
    BuildError, Call, CallFuture, Context, Method, Reply, ServiceDescriptor, Stage, Status,
    context::scope,
    status::{excerpt, reason},
};

/// A service that can be called: what `#[rpc::service]` generates around an implementation.
pub trait Service: Send + Sync + 'static {
    /// Its name and its methods.
    fn descriptor(&self) -> &'static ServiceDescriptor;

    /// Answers a call of the method with that index in the descriptor.
    fn call<'a>(&'a self, method: usize, call: &'a mut Call<'_>) -> CallFuture<'a>;
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
    paths: FxHashMap<&'static str, Slot>,
    /// By the address of the descriptor: a caller in this process mostly has the very same one.
    descriptors: FxHashMap<usize, Slot>,
}

impl Router {
    /// Without services.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a service.
    ///
    /// # Errors
    /// If a service of that name is there already, or two methods of the service have one path.
    pub fn add(&mut self, service: Arc<dyn Service>) -> Result<(), BuildError> {
        let descriptor = service.descriptor();
        if self.services().any(|other| other.name() == descriptor.name()) {
            let name = descriptor.name();
            return Err(BuildError::new(
                "add_service",
                format!("service `{name}` is there already"),
            ));
        }
        let mut paths = FxHashSet::default();
        if let Some(twice) = descriptor
            .methods()
            .iter()
            .find(|method| !paths.insert(method.path()))
        {
            let path = twice.path();
            return Err(BuildError::new(
                "add_service",
                format!("two methods are called `{path}`: give one of them another name"),
            ));
        }
        let index = self.services.len() as u32;
        for (method, number) in descriptor.methods().iter().zip(0..) {
            let slot = Slot {
                service: index,
                method: number,
            };
            self.paths.insert(method.path(), slot);
            self.descriptors.insert(std::ptr::from_ref(method).addr(), slot);
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

    /// The slot of a method whose descriptor is ours.
    pub(super) fn slot_of(&self, method: &Method) -> Option<Slot> {
        match method {
            Method::Static(method) => self.descriptors.get(&std::ptr::from_ref(*method).addr()).copied(),
            Method::Shared(_) => None,
        }
    }

    /// True if the slot was found here, and not by another router that the call came through.
    fn is_ours(&self, slot: Slot, method: &Method) -> bool {
        let service = self.services.get(slot.service as usize);
        let ours = service.and_then(|service| service.descriptor().methods().get(slot.method as usize));
        matches!((ours, method), (Some(ours), Method::Static(method)) if std::ptr::eq(ours, *method))
    }

    fn unknown(&self, method: &Method) -> Status {
        let (service, name) = (excerpt(method.service()), excerpt(method.name()));
        let (text, why) = if self.services().any(|known| known.name() == service) {
            (
                format!("service `{service}` has no method `{name}`"),
                reason::METHOD_UNKNOWN,
            )
        } else {
            (
                format!("service `{service}` is not offered here"),
                reason::SERVICE_UNKNOWN,
            )
        };
        Status::unimplemented(text)
            .with_reason(why)
            .with_domain(reason::DOMAIN)
            .at_method(method)
            .not_processed()
    }
}

impl Stage for Router {
    fn call(&self, call: &mut Call<'_>) -> impl Future<Output = Result<Reply, Status>> + Send {
        self.answer::<true>(call)
    }
}

impl Router {
    /// Runs the handler. Its context is put back into the call if somebody outside may `LOOK` at it.
    pub(super) async fn answer<const LOOK: bool>(&self, call: &mut Call<'_>) -> Result<Reply, Status> {
        let slot = call.slot.filter(|slot| self.is_ours(*slot, &call.method));
        let Some(slot) = slot.or_else(|| self.find(call.method.path()).map(|(_, slot)| slot)) else {
            return Err(self.unknown(&call.method));
        };
        let service = &*self.services[slot.service as usize];
        // The handler runs in the context; whoever is outside still sees when it must be done.
        let bound = Context::new().with_deadline(call.context.deadline());
        let context = std::mem::replace(&mut call.context, bound);
        let (mut result, context) = {
            let mut handler = pin!(scope(context, run(service, slot.method as usize, call)));
            match caught(handler.as_mut()).await {
                Ok(result) if LOOK => (result, handler.take_context()),
                Ok(result) => (result, None),
                // Its context is needed once more, to drop it in.
                Err(panic) => (Err(Status::from_panic(&*panic)), None),
            }
        };
        if let Some(context) = context {
            call.context = context;
        }
        if let Err(status) = &mut result {
            status.set_method(&call.method);
        }
        result
    }
}

async fn run(service: &dyn Service, method: usize, call: &mut Call<'_>) -> Result<Reply, Status> {
    let mut given_up = GivenUp { on_drop: true };
    let result = service.call(method, call).await;
    given_up.on_drop = false;
    result
}

/// Gives up the work of the current call when a handler is dropped before it is done. It lives inside the call's context.
struct GivenUp {
    on_drop: bool,
}

impl Drop for GivenUp {
    fn drop(&mut self) {
        if self.on_drop {
            Context::with_current(|context| context.cancellation().cancel_if_watched());
        }
    }
}
