use std::rc::Rc;

pub struct Failure(Rc<u32>);

impl From<rpc::Status> for Failure {
    fn from(_: rpc::Status) -> Self {
        Self(Rc::new(0))
    }
}

impl From<Failure> for rpc::Status {
    fn from(failure: Failure) -> Self {
        Self::internal(failure.0.to_string())
    }
}

#[rpc_codegen::service(package = "shop.v1")]
pub trait Inventory {
    async fn sell(&self, sku: u32) -> Result<u32, Failure>;
}

fn main() {}
