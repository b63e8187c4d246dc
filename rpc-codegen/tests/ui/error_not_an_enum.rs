#[derive(Debug, rpc_codegen::ServiceError)]
#[rpc(domain = "shop.v1")]
pub struct ReserveError {
    sku: u32,
}

#[derive(Debug, rpc_codegen::ServiceError)]
#[rpc(domain = "shop.v1")]
pub enum Generic<T> {
    #[rpc(code = NotFound)]
    Gone(T),
    #[rpc(other)]
    Other(rpc::Status),
}

fn main() {}
