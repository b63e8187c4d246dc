pub struct Sku;

pub struct Stock;

#[rpc_codegen::service(package = "shop.v1")]
pub trait Inventory {
    async fn stock(&self, sku: Sku) -> rpc::Result<Stock>;
    async fn again(&self, sku: Sku) -> rpc::Result<Stock>;
}

fn main() {}
