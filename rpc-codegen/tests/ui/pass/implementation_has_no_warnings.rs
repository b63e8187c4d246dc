#![deny(warnings)]

use rpc::Result;

/// Documented.
#[rpc_codegen::service(package = "shop.v1")]
pub trait Inventory {
    /// Documented.
    async fn stock(&self, sku: u32) -> Result<u32>;
}

/// Documented.
pub struct Shop;

// `async fn` for a method that returns `impl Future`: no lint calls this a refinement.
impl Inventory for Shop {
    async fn stock(&self, sku: u32) -> Result<u32> {
        Ok(sku)
    }
}

fn main() {
    let _ = InventoryServer::new(Shop);
}
