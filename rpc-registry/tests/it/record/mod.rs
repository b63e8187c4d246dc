//! The forms of other frameworks.
//!
//! The files in `golden` are what their own libraries wrote into an etcd.

mod bad;
mod golden;
mod round_trip;

use rpc_registry::{
    Fault, Instance,
    record::{Directory, Layout},
};

const ALL: [Layout; 5] = [
    Layout::Kratos,
    Layout::GoZero,
    Layout::Grpc,
    Layout::GoMicro,
    Layout::Kitex,
];

fn directory(layout: Layout) -> Directory {
    Directory::new(layout, None, "shop").expect("`shop` is a name")
}

/// The only instance of a record.
fn read(layout: Layout, tail: &str, record: &[u8]) -> Result<Instance, Fault> {
    let directory = directory(layout);
    let key = format!("{}{tail}", directory.prefix());
    let mut records = directory.read(key.as_bytes(), record);
    assert_eq!(records.len(), 1, "{records:?}");
    records.remove(0).map_err(|bad| bad.fault)
}

fn write(layout: Layout, instance: &Instance) -> String {
    let record = directory(layout).write(instance).expect("it can be written");
    String::from_utf8(record.expect("it is up")).expect("records are text")
}
