//! Which calls a rule means.

mod calls;
mod documents;
mod fields;
mod paths;
mod predicates;
mod protobuf;

use rpc_core::{
    Body, Call, Method, MethodDescriptor, Shape,
    codec::{Json, MessageCodec},
    matcher::Matcher,
    message::Typed,
};
use serde::{Serialize, de::DeserializeOwned};

static STOCK: MethodDescriptor = MethodDescriptor::new("/shop.v1.Inventory/Stock", Shape::Unary);

/// A call of `/shop.v1.Inventory/Stock` without a request.
fn call() -> Call<'static> {
    Call::new(Method::Static(&STOCK), "json", Body::Empty)
}

/// One with a request.
fn call_with<T: Serialize + DeserializeOwned + Send + 'static>(request: T) -> Call<'static> {
    let request = Typed::new(request, MessageCodec::of::<Json>());
    Call::new(Method::Static(&STOCK), "json", Body::Boxed(Box::new(request)))
}

fn matcher(json: &str) -> Matcher {
    serde_json::from_str(json).unwrap_or_else(|error| panic!("{error} in {json}"))
}

fn refused(json: &str) -> String {
    match serde_json::from_str::<Matcher>(json) {
        Ok(matcher) => panic!("{matcher:?} was accepted"),
        Err(error) => error.to_string(),
    }
}
