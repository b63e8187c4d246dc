//! Messages and traits of the interoperability tests.

fn main() -> Result<(), rpc_build::Error> {
    rpc_build::Config::new()
        .include("proto")
        .compile(["proto/grpc/testing/test.proto"])
}
