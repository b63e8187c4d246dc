#[rpc_codegen::service(package = "a")]
trait Inventory {
    async fn stock(sku: u32) -> rpc::Result<u32>;
    async fn none() -> rpc::Result<u32>;
}

fn main() {}
