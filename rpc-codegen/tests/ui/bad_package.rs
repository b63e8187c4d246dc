#[rpc_codegen::service(package = "shop/v1")]
trait Inventory {
    async fn stock(&self) -> rpc::Result<u32>;
}

fn main() {}
