#[rpc_codegen::service(package = "a")]
trait Inventory {
    async fn stock(&self, all: ...) -> rpc::Result<u32>;
}

fn main() {}
