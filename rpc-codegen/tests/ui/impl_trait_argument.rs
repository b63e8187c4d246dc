#[rpc_codegen::service(package = "a")]
trait Inventory {
    async fn stock(&self, sku: impl Into<String>) -> rpc::Result<u32>;
    async fn list(&self) -> rpc::Result<impl Iterator<Item = u32>>;
}

fn main() {}
