#[rpc_codegen::service(package = "a", codecs = [])]
trait Empty {
    async fn stock(&self) -> rpc::Result<u32>;
}

#[rpc_codegen::service(package = "a", codecs = Json)]
trait NoList {
    async fn stock(&self) -> rpc::Result<u32>;
}

#[rpc_codegen::service(package = "a", codecs = [Json, MsgPack, Json])]
trait Twice {
    async fn stock(&self) -> rpc::Result<u32>;
}

fn main() {}
