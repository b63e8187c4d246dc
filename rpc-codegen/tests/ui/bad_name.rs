#[rpc_codegen::service(package = "a", name = "Inven.tory")]
trait Inventory {
    #[rpc(name = "get stock")]
    async fn stock(&self) -> rpc::Result<u32>;

    #[rpc(name = "")]
    async fn other(&self) -> rpc::Result<u32>;
}

fn main() {}
