//! The stubs of the peer tonic, and the name of the compiler for what is written down.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=proto/bench.proto");
    let set = protox::compile(["proto/bench.proto"], ["proto"])?;
    tonic_prost_build::configure().bytes(".").compile_fds(set)?;
    let compiler = std::env::var("RUSTC")?;
    let version = std::process::Command::new(compiler).arg("--version").output()?;
    let version = String::from_utf8(version.stdout)?;
    println!("cargo:rustc-env=BENCHES_COMPILER={}", version.trim());
    Ok(())
}
