#[rpc_codegen::service(package = "a", crate = "rpc")]
trait Inventory {
    async fn stock(&self) -> rpc::Result<u32>;
}

fn main() {}
