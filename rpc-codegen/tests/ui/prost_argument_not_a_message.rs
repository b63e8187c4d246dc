pub struct Item;

#[rpc_codegen::service(package = "a", codecs = [Prost])]
pub trait Inventory {
    async fn put(&self, cart: u32, item: Item) -> rpc::Result<u32>;
}

fn main() {}
