use rpc::Result;

#[rpc_codegen::service]
pub trait Inventory {
    async fn stock(&self, sku: u64) -> Result<u32>;
}

struct Shop;

impl Inventory for Shop {
    async fn stock(&self, sku: u64) -> Result<u32> {
        Ok(sku as u32)
    }
}

// Beside the error, what the macro would have made is there, and causes no others.
async fn use_it(channel: rpc::Channel) -> Result<u32> {
    let _ = InventoryServer::new(Shop);
    InventoryClient::new(channel).stock(1).await
}

fn main() {}
