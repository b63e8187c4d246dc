#[rpc_codegen::service(package = "a")]
trait Inventory {
    async fn stock(&self, sku: u32, _sku: u32) -> rpc::Result<u32>;
}

fn main() {}
