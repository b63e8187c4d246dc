//! The stubs of the peer volo-grpc.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=../proto/bench.proto");
    volo_build::Builder::protobuf()
        .add_service("../proto/bench.proto")
        .include_dirs(vec!["../proto".into()])
        .write()?;
    Ok(())
}
