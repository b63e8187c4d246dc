#[rpc_codegen::service(package = "a")]
trait Inventory {
    #[rpc(idempotency, timeout = "1s")]
    async fn a(&self) -> rpc::Result<u32>;

    #[rpc]
    async fn b(&self) -> rpc::Result<u32>;

    #[rpc(idempotent timeout = "1s")]
    async fn c(&self) -> rpc::Result<u32>;
}

fn main() {}
