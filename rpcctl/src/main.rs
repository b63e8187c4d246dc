//! rpcctl
fn main() {}
