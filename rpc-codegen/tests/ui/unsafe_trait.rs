#[rpc_codegen::service(package = "a")]
unsafe trait Inventory {
    async fn stock(&self) -> rpc::Result<u32>;
}

fn main() {}
