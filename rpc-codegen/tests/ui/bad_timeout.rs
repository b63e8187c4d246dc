#[rpc_codegen::service(package = "a")]
trait Inventory {
    #[rpc(timeout = "soon")]
    async fn a(&self) -> rpc::Result<u32>;

    #[rpc(timeout = 200)]
    async fn b(&self) -> rpc::Result<u32>;

    #[rpc(timeout = "0ms")]
    async fn c(&self) -> rpc::Result<u32>;

    #[rpc(timeout = "99999999999999999999h")]
    async fn d(&self) -> rpc::Result<u32>;

    #[rpc(timeout)]
    async fn e(&self) -> rpc::Result<u32>;

    #[rpc(timeout = "1.5s")]
    async fn f(&self) -> rpc::Result<u32>;
}

fn main() {}
