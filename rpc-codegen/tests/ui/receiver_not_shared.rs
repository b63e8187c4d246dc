use std::sync::Arc;

#[rpc_codegen::service(package = "a")]
trait Inventory {
    async fn exclusive(&mut self) -> rpc::Result<u32>;
    async fn by_value(self) -> rpc::Result<u32>;
    async fn shared(self: Arc<Self>) -> rpc::Result<u32>;
    async fn long(self: &Self) -> rpc::Result<u32>;
}

fn main() {}
