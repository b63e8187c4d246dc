#[rpc_codegen::service(package = "a", blocking)]
trait Inventory {
    async fn with_options(&self) -> rpc::Result<u32>;
    async fn new(&self) -> rpc::Result<u32>;
}

fn main() {}
