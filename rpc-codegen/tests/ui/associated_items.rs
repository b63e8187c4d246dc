#[rpc_codegen::service(package = "a")]
trait Inventory {
    type Sku;
    const LIMIT: u32;
    async fn stock(&self) -> rpc::Result<u32>;
}

fn main() {}
