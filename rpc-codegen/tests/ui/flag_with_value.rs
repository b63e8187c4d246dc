#[rpc_codegen::service(package = "shop.v1", dyn = true, blocking = "yes")]
trait Inventory {
    #[rpc(idempotent = true)]
    async fn stock(&self) -> rpc::Result<u32>;
}

fn main() {}
