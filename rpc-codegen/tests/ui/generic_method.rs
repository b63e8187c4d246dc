#[rpc_codegen::service(package = "a")]
trait Inventory {
    async fn typed<T>(&self, sku: T) -> rpc::Result<u32>;
    async fn lifetime<'a>(&'a self, sku: u32) -> rpc::Result<u32>;
    async fn bound(&self, sku: u32) -> rpc::Result<u32>
    where
        u32: Copy;
}

fn main() {}
