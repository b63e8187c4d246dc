use rpc::{Response, Result, Streaming};

#[rpc_codegen::service(package = "a")]
trait Inventory {
    async fn import(&self, rows: Vec<Streaming<u32>>) -> Result<u32>;
    async fn pair(&self) -> Result<(u32, Streaming<u32>)>;
    async fn swapped(&self) -> Result<Streaming<Response<u32>>>;
}

fn main() {}
