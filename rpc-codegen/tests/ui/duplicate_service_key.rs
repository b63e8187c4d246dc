#[rpc_codegen::service(package = "shop.v1", dyn, package = "shop.v2", dyn)]
trait Inventory {
    async fn stock(&self) -> rpc::Result<u32>;
}

fn main() {}
