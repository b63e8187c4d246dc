//! go-zero: one key an instance, and its value is the address. There is room for nothing else, so an instance that is not
//! up has no record at all.

use crate::{Fault, Instance, InstanceState};

use super::common;

pub(super) fn read(value: &[u8]) -> Result<Instance, Fault> {
    let text = std::str::from_utf8(value).map_err(|error| Fault::invalid("record", error))?;
    let address = common::address(text.trim(), "record")?;
    // The key ends with the number of a lease, which another announcement changes: the address is what stays.
    Ok(Instance::new(address.to_string()).with_address("grpc", address))
}

pub(super) fn write(instance: &Instance) -> Result<Option<Vec<u8>>, Fault> {
    let address = common::tcp_address(instance, "grpc")?;
    let is_up = instance.state == InstanceState::Up;
    Ok(is_up.then(|| address.to_string().into_bytes()))
}
