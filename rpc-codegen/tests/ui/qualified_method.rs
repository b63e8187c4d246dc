#[rpc_codegen::service(package = "a")]
trait Inventory {
    const fn constant(&self) -> rpc::Result<u32>;
    async unsafe fn dangerous(&self) -> rpc::Result<u32>;
    async extern "C" fn foreign(&self) -> rpc::Result<u32>;
}

fn main() {}
