#[rpc_codegen::service(package = "a")]
trait Inventory {
    fn stock(&self, sku: u32) -> rpc::Result<u32>;
    fn future(&self, sku: u32) -> impl Future<Output = rpc::Result<u32>> + Send;
}

struct Shop;

impl Inventory for Shop {
    fn stock(&self, sku: u32) -> rpc::Result<u32> {
        Ok(sku)
    }

    async fn future(&self, sku: u32) -> rpc::Result<u32> {
        Ok(sku)
    }
}

fn main() {}
