#[rpc_codegen::service(package = "a")]
trait Inventory {
    async fn other(&self, other: Self) -> rpc::Result<u32>;
    async fn list(&self) -> rpc::Result<Option<Box<Self>>>;
}

fn main() {}
