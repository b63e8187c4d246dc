//! The stubs of the peers volo-grpc and volo-thrift. Both parsers are libraries: neither `protoc` nor `thrift` is needed.

use volo_build::Builder;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=../proto/bench.proto");
    println!("cargo:rerun-if-changed=bench.thrift");
    Builder::protobuf()
        .add_service("../proto/bench.proto")
        .include_dirs(vec!["../proto".into()])
        .filename("grpc_gen.rs".into())
        .write()?;
    Builder::thrift()
        .add_service("bench.thrift")
        .filename("thrift_gen.rs".into())
        .write()?;
    Ok(())
}
