#[rpc_codegen::service(package = "a")]
trait Inventory {
    async fn pair(&self, (a, b): (u32, u32)) -> rpc::Result<u32>;
    async fn ignored(&self, _: u32) -> rpc::Result<u32>;
    async fn with_body(&self, [a, b]: [u32; 2]) -> rpc::Result<u32> {
        Ok(a + b)
    }
}

fn main() {}
