use rpc::{Result, Streaming};

#[rpc_codegen::service(package = "a")]
trait Inventory {
    async fn import(&self, shop: u32, rows: Streaming<u32>) -> Result<u32>;
}

fn main() {}
