#[rpc_codegen::service(package = "a")]
trait Inventory {
    async fn stock(&self) -> rpc::Result<u32>;

    #[rpc(name = "Stock")]
    async fn level(&self) -> rpc::Result<u32>;
}

fn main() {}
