#[rpc_codegen::service(package = "a")]
trait Inventory<T>
where
    T: Send,
{
    async fn stock(&self, sku: T) -> rpc::Result<u32>;
}

fn main() {}
