#[rpc_codegen::service(package = "",)]
trait Inventory {
    async fn stock(&self) -> rpc::Result<()>;
}

fn main() {
    assert_eq!(InventoryClient::DESCRIPTOR.methods()[0].path(), "/Inventory/Stock");
}
