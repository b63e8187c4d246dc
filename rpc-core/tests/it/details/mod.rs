//! Details: typed, on the wire, and what a peer may send.

mod facts;
mod peers;
mod types;

use rpc_core::{Method, Status};

const LIMIT: usize = 8192;

/// The method that is called.
fn method() -> Method {
    Method::unknown("/shop.v1.Cart/Add")
}

fn over_the_wire(status: &Status) -> Status {
    let status = status.clone().at_method(&method());
    let bytes = status.encode_details(LIMIT).expect("there is something to send");
    Status::new(status.code(), status.message().to_owned())
        .at_method(&method())
        .with_decoded_details(&bytes)
}
