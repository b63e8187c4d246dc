#[rpc_codegen::service(package = "a")]
trait Inventory {
    async fn unknown(&self, #[rpc(required)] a: u32, b: u32) -> rpc::Result<u32>;
    async fn lone(&self, #[rpc(default)] a: u32) -> rpc::Result<u32>;
    async fn foreign(&self, #[cfg(unix)] a: u32, b: u32) -> rpc::Result<u32>;
    async fn no_prost(&self, #[rpc(tag = 1)] a: u32, b: u32) -> rpc::Result<u32>;
}

fn main() {}
