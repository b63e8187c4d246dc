#[derive(Debug)]
pub struct ReserveError;

#[rpc_codegen::service(package = "shop.v1", dyn)]
pub trait Inventory {
    async fn reserve(&self, sku: u32) -> Result<u32, ReserveError>;
}

fn main() {}
