#[rpc_codegen::service(package = "shop.v1", codec = Json, version = 3)]
trait Inventory {
    async fn stock(&self) -> rpc::Result<u32>;
}

fn main() {}
