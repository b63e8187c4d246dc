//! What most programs need: `use rpc::prelude::*;`.

pub use crate::{
    Client, Code, Context, Instance, MemoryRegistry, Metadata, Request, Response, Result, Server, Status,
    Streaming, service,
};
