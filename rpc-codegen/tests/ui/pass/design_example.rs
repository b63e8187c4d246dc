use rpc::{Request, Response, Result, Streaming};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
pub struct Sku(String);
#[derive(Serialize, Deserialize)]
pub struct Stock {
    units: u32,
}
#[derive(Serialize, Deserialize)]
pub struct Order {
    sku: Sku,
}
#[derive(Serialize, Deserialize)]
pub struct Reservation;
#[derive(Serialize, Deserialize)]
pub struct Row;
#[derive(Serialize, Deserialize)]
pub struct Summary;
#[derive(Serialize, Deserialize)]
pub struct Change;

#[derive(Debug, thiserror::Error, rpc_codegen::ServiceError)]
#[rpc(domain = "shop.v1")]
pub enum ReserveError {
    #[error("only {left} left")]
    #[rpc(code = FailedPrecondition)]
    OutOfStock { left: u32 },
    #[error(transparent)]
    #[rpc(other)]
    Other(rpc::Status),
}

#[rpc_codegen::service(package = "shop.v1")]
pub trait Inventory {
    /// Units of one article in stock.
    #[rpc(idempotent, timeout = "200ms")]
    async fn stock(&self, sku: Sku) -> Result<Stock>;

    async fn reserve(&self, order: Request<Order>) -> Result<Response<Reservation>, ReserveError>;
    async fn watch(&self, sku: Sku) -> Result<Streaming<Stock>>;
    async fn import(&self, rows: Streaming<Row>) -> Result<Summary>;
    async fn sync(&self, changes: Streaming<Change>) -> Result<Streaming<Change>>;
}

fn main() {
    assert_eq!(InventoryClient::DESCRIPTOR.methods().len(), 5);
}
