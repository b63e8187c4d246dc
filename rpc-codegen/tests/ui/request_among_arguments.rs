use rpc::{Request, Response, Result};

#[rpc_codegen::service(package = "a")]
trait Inventory {
    async fn reserve(&self, sku: Request<u32>, count: u32) -> Result<u32>;
    async fn swapped(&self, sku: Response<u32>) -> Result<u32>;
    async fn returned(&self, sku: u32) -> Result<Request<u32>>;
}

fn main() {}
