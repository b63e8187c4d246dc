//! Messages and a trait from a `.proto` file; no `protoc` is needed.

fn main() -> Result<(), rpc_build::Error> {
    rpc_build::Config::new()
        .include("proto")
        .compile(["proto/shop/v1/inventory.proto"])
}
