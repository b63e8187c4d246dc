//! Services whose requests have fields, or none that can be found.

use rpc_core::{MethodDescriptor, ServiceDescriptor, Shape, message::expected_field};
use serde::Deserialize;

#[derive(Deserialize)]
#[expect(dead_code, reason = "only its fields' names are looked at")]
struct Order {
    user: String,
}

static METHODS: [MethodDescriptor; 2] = [
    MethodDescriptor::new("/test.v1.Shop/Place", Shape::Unary).request_fields(expected_field::<Order>),
    MethodDescriptor::new("/test.v1.Shop/Import", Shape::ClientStreaming)
        .request_fields(expected_field::<Order>),
];
pub(crate) static SHOP: ServiceDescriptor = ServiceDescriptor::new("test.v1.Shop", &METHODS);

/// As of messages that have protobuf alone.
static PLACE: [MethodDescriptor; 1] = [MethodDescriptor::new("/test.v1.Encoded/Place", Shape::Unary)];
pub(crate) static ENCODED: ServiceDescriptor = ServiceDescriptor::new("test.v1.Encoded", &PLACE);
