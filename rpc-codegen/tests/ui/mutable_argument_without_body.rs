#[rpc_codegen::service(package = "a")]
trait Inventory {
    async fn stock(&self, mut sku: u32) -> rpc::Result<u32>;
}

fn main() {}
