use std::rc::Rc;

#[rpc_codegen::service(package = "shop.v1")]
pub trait Inventory {
    async fn stock(&self, sku: u32) -> rpc::Result<u32>;
}

struct Shop;

impl Inventory for Shop {
    async fn stock(&self, sku: u32) -> rpc::Result<u32> {
        let shared = Rc::new(sku);
        std::future::ready(()).await;
        Ok(*shared)
    }
}

fn main() {}
