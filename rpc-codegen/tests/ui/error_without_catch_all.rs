#[derive(Debug, thiserror::Error, rpc_codegen::ServiceError)]
#[rpc(domain = "shop.v1")]
pub enum ReserveError {
    #[error("unknown")]
    #[rpc(code = NotFound)]
    Unknown,
}

#[rpc_codegen::service(package = "shop.v1")]
pub trait Inventory {
    async fn reserve(&self, sku: u32) -> Result<u32, ReserveError>;
}

fn main() {}
