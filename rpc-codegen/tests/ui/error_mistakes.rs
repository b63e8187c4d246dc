#[derive(Debug, thiserror::Error, rpc_codegen::ServiceError)]
#[rpc(domian = "shop.v1")]
pub enum ReserveError {
    #[error("a")]
    NoCode,
    #[error("b")]
    #[rpc(code = NotThere)]
    BadCode,
    #[error("c")]
    #[rpc(code = NotFound, reason = "sku unknown")]
    BadReason,
    #[error("d")]
    #[rpc(code = NotFound, reason = "GONE")]
    One,
    #[error("e")]
    #[rpc(code = NotFound, reason = "GONE")]
    Other,
    #[error("f")]
    #[rpc(code = NotFound)]
    Unnamed(u32, u32),
    #[error("g")]
    #[rpc(code = NotFound)]
    Field {
        #[rpc(jsn)]
        a: u32,
    },
    #[error("h")]
    #[rpc(other, code = Internal)]
    First(#[from] rpc::Status),
    #[error("i")]
    #[rpc(other)]
    Second(rpc::Status, u32),
}

fn main() {}
