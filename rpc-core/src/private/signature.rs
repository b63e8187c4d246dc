//! A method with all its types: the one static that the generated stub and server of a method share.

use std::{
    convert::identity,
    pin::Pin,
    task::{Context, Poll, ready},
};

use super::Failure;
use crate::{
    MethodDescriptor, Response, Status,
    codec::{MessageCodec, MethodTypes},
};

/// The messages of a method and the error that its author chose.
///
/// The conversions of the error are function pointers, so that only this static asks for them: a missing one is reported
/// once, and not at each place that converts. They run when a call fails.
#[derive(Debug)]
pub struct Signature<Req: 'static, Res: 'static, E> {
    types: MethodTypes<Req, Res>,
    received: fn(Status) -> E,
    returned: fn(E) -> Status,
}

/// Puts a method together. Not a function of the type: the compiler would say that there is none, not what is missing.
pub const fn signature<Req, Res, E: Failure>(
    descriptor: &'static MethodDescriptor,
    request: &'static [MessageCodec<Req>],
    response: &'static [MessageCodec<Res>],
) -> Signature<Req, Res, E> {
    let types = MethodTypes::new(descriptor, request, response);
    Signature {
        types,
        received: <E as From<Status>>::from,
        returned: <E as Into<Status>>::into,
    }
}

impl<Req, Res, E> Signature<Req, Res, E> {
    /// What `rpc::client` and `rpc::server` work with.
    pub const fn types(&'static self) -> &'static MethodTypes<Req, Res> {
        &self.types
    }

    /// In a stub: the outcome of a method that returns its message, or its stream, plainly.
    pub fn plain<T, F>(&'static self, call: F) -> impl Future<Output = Result<T, E>> + use<Req, Res, T, E, F>
    where
        F: Future<Output = Result<Response<T>, Status>>,
    {
        Mapped {
            future: call,
            ok: Response::into_inner,
            err: self.received,
        }
    }

    /// In a stub: the outcome of a method that returns a `Response`.
    pub fn full<T, F>(
        &'static self,
        call: F,
    ) -> impl Future<Output = Result<Response<T>, E>> + use<Req, Res, T, E, F>
    where
        F: Future<Output = Result<Response<T>, Status>>,
    {
        Mapped {
            future: call,
            ok: identity,
            err: self.received,
        }
    }

    /// In a server: what a method answers that returns its message, or its stream, plainly.
    pub fn answer<T, F>(
        &'static self,
        handler: F,
    ) -> impl Future<Output = Result<Response<T>, Status>> + use<Req, Res, T, E, F>
    where
        F: Future<Output = Result<T, E>>,
    {
        Mapped {
            future: handler,
            ok: Response::new,
            err: self.returned,
        }
    }

    /// In a server: what a method answers that returns a `Response`.
    pub fn answer_full<T, F>(
        &'static self,
        handler: F,
    ) -> impl Future<Output = Result<Response<T>, Status>> + use<Req, Res, T, E, F>
    where
        F: Future<Output = Result<Response<T>, E>>,
    {
        Mapped {
            future: handler,
            ok: identity,
            err: self.returned,
        }
    }
}

pin_project_lite::pin_project! {
    /// A future whose outcome is converted. By hand, since an `async` block that awaits what it captured holds it twice.
    struct Mapped<F, O, X, Y> {
        #[pin]
        future: F,
        ok: O,
        err: fn(X) -> Y,
    }
}

impl<A, B, X, Y, O, F> Future for Mapped<F, O, X, Y>
where
    F: Future<Output = Result<A, X>>,
    O: Fn(A) -> B,
{
    type Output = Result<B, Y>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        Poll::Ready(match ready!(this.future.poll(cx)) {
            Ok(value) => Ok((this.ok)(value)),
            Err(error) => Err((this.err)(error)),
        })
    }
}
