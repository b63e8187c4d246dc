//! The stub of gRPC's health service.

fn main() -> Result<(), rpc_build::Error> {
    rpc_build::Config::new()
        .include("proto")
        .bare_messages()
        .compile(["proto/health.proto"])
}
