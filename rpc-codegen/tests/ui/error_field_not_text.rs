#[derive(Debug)]
pub struct Place;

#[derive(Debug, thiserror::Error, rpc_codegen::ServiceError)]
#[rpc(domain = "shop.v1")]
pub enum ReserveError {
    #[error("misplaced")]
    #[rpc(code = NotFound)]
    Misplaced { place: Place },
    #[error("other")]
    #[rpc(other)]
    Other(rpc::Status),
}

fn main() {}
