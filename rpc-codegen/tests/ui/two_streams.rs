use rpc::{Request, Result, Streaming};

#[rpc_codegen::service(package = "a")]
trait Inventory {
    async fn merge(&self, a: Streaming<u32>, b: Streaming<u32>) -> Result<u32>;
    async fn wrapped(&self, a: Request<Streaming<u32>>, b: Streaming<u32>) -> Result<u32>;
}

fn main() {}
