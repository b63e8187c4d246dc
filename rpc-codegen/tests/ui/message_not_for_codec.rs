#[derive(serde::Serialize, serde::Deserialize)]
pub struct Sku;

#[rpc_codegen::service(package = "shop.v1", codecs = [Json, Prost])]
pub trait Inventory {
    async fn stock(&self, sku: Sku) -> rpc::Result<u32>;
    async fn watch(&self, sku: Sku) -> rpc::Result<rpc::Streaming<Vec<Sku>>>;
}

fn main() {}
