pub struct Sku;

#[rpc_codegen::service(package = "shop.v1")]
pub trait Inventory {
    async fn stock(&self, sku: Sku, count: u32) -> rpc::Result<u32>;
}

fn main() {}
