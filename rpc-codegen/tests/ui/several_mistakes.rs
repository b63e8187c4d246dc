#[rpc_codegen::service(codec = Json)]
pub trait Inventory<T> {
    type Item;
    fn stock(&mut self, sku: &str) -> u32;
    #[rpc(timeout = "fast")]
    async fn watch<'a>((a, b): (u32, u32), rows: rpc::Streaming<u32>, more: rpc::Streaming<u32>);
}

fn main() {}
