type WatchResult = rpc::Result<rpc::Streaming<u32>>;

#[rpc_codegen::service(package = "shop.v1")]
pub trait Inventory {
    async fn watch(&self, sku: u32) -> WatchResult;
}

fn main() {}
