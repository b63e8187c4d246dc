use std::collections::HashMap;

#[rpc_codegen::service(package = "a", codecs = [Prost])]
trait Inventory {
    async fn map(&self, shop: u32, prices: HashMap<String, u32>) -> rpc::Result<u32>;
    async fn small(&self, a: u16, b: Option<Vec<u32>>, c: (u32, u32)) -> rpc::Result<u32>;
    async fn tags(&self, #[rpc(tag = 2)] a: u32, b: u32, #[rpc(tag = 2)] c: u32) -> rpc::Result<u32>;
    async fn range(&self, #[rpc(tag = 0)] a: u32, #[rpc(tag = 19500)] b: u32) -> rpc::Result<u32>;
}

fn main() {}
