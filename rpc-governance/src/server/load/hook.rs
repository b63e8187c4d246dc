//! What sees each call.

use std::sync::Arc;

use rpc_core::{
    Body, Call, Deadline, Metadata, Status,
    message::StreamEnd,
    stage::{Hook, Outcome},
};

use super::{count::is_servers_fault, reporter::Shared};

/// Counts calls, and adds the report to their answers.
pub(super) struct LoadHook(pub(super) Arc<Shared>);

impl Hook for LoadHook {
    fn before(&self, call: &mut Call<'_>) -> Result<(), Status> {
        if is_counted(call.method.path()) {
            self.0.begin();
        }
        Ok(())
    }

    fn after(&self, call: &mut Call<'_>, outcome: Outcome<'_>) {
        if !is_counted(call.method.path()) {
            return;
        }
        let shared = &self.0;
        match outcome {
            Outcome::Replied(reply) => {
                if let Body::Outgoing(stream) = &mut reply.body {
                    stream.on_end(Box::new(Ending(Some(Arc::clone(shared)))));
                } else {
                    shared.counts.end(false);
                    shared.add_to(&mut reply.trailers);
                }
            }
            Outcome::Failed(status) => {
                shared.counts.end(is_servers_fault(status.code()));
                shared.add_to(status.metadata_mut());
            }
            // The caller went away. If that is because it waited for too long, it was not served.
            _ => {
                let deadline = call.context.deadline();
                shared.counts.end(deadline.is_some_and(Deadline::has_passed));
            }
        }
    }
}

/// What a server answers beside its work.
fn is_counted(path: &str) -> bool {
    let aside = ["/grpc.health.", "/grpc.reflection.", "/xds.service.orca."];
    !aside.iter().any(|service| path.starts_with(service))
}

/// Waits for the end of a stream; nothing once it was told.
struct Ending(Option<Arc<Shared>>);

impl StreamEnd for Ending {
    fn ended(mut self: Box<Self>, outcome: Result<&mut Metadata, &mut Status>) {
        let Some(shared) = self.0.take() else { return };
        match outcome {
            Ok(trailers) => {
                shared.counts.end(false);
                shared.add_to(trailers);
            }
            Err(status) => {
                shared.counts.end(is_servers_fault(status.code()));
                shared.add_to(status.metadata_mut());
            }
        }
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        if let Some(shared) = self.0.take() {
            shared.counts.end(false);
        }
    }
}
