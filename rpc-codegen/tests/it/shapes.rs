//! The four shapes, in each form that arguments and results may have.

use rpc::{Request, Response, Result, Status, Streaming};
use serde::{Deserialize, Serialize};

use crate::support::channel;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Sku(pub(crate) String);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Stock {
    pub(crate) units: u32,
}

#[rpc_codegen::service(package = "shop.v1")]
pub(crate) trait Inventory {
    async fn stock(&self, sku: Sku) -> Result<Stock>;
    async fn reserve(&self, order: Request<Sku>) -> Result<Response<Stock>>;
    async fn watch(&self, sku: Sku) -> Result<Streaming<Stock>>;
    async fn watch_full(&self, sku: Request<Sku>) -> Result<Response<Streaming<Stock>>>;
    async fn import(&self, rows: Streaming<Stock>) -> Result<Stock>;
    async fn import_full(&self, rows: Request<Streaming<Stock>>) -> Result<Response<Stock>>;
    async fn sync(&self, changes: Streaming<Stock>) -> Result<Streaming<Stock>>;
    async fn sync_full(&self, changes: Request<Streaming<Stock>>) -> Result<Response<Streaming<Stock>>>;
}

struct Shop;

impl Inventory for Shop {
    async fn stock(&self, sku: Sku) -> Result<Stock> {
        match sku.0.as_str() {
            "none" => Err(Status::not_found("no such article")),
            sku => Ok(Stock {
                units: sku.len() as u32,
            }),
        }
    }

    async fn reserve(&self, order: Request<Sku>) -> Result<Response<Stock>> {
        let tenant = order
            .metadata()
            .get("x-tenant")
            .map_or(0, |tenant| tenant.len() as u32);
        let mut response = Response::new(Stock { units: tenant });
        response
            .metadata_mut()
            .insert("x-before", "1")
            .expect("the key is legal");
        response
            .trailers_mut()
            .insert("x-after", "2")
            .expect("the key is legal");
        Ok(response)
    }

    async fn watch(&self, sku: Sku) -> Result<Streaming<Stock>> {
        Ok(Streaming::from_iter(
            (0..sku.0.len() as u32).map(|units| Stock { units }),
        ))
    }

    async fn watch_full(&self, sku: Request<Sku>) -> Result<Response<Streaming<Stock>>> {
        let mut response = Response::new(self.watch(sku.into_inner()).await?);
        response
            .metadata_mut()
            .insert("x-before", "1")
            .expect("the key is legal");
        Ok(response)
    }

    async fn import(&self, mut rows: Streaming<Stock>) -> Result<Stock> {
        let mut units = 0;
        while let Some(row) = rows.message().await? {
            units += row.units;
        }
        Ok(Stock { units })
    }

    async fn import_full(&self, rows: Request<Streaming<Stock>>) -> Result<Response<Stock>> {
        let extra = u32::from(rows.metadata().get("x-tenant").is_some());
        let sum = self.import(rows.into_inner()).await?;
        Ok(Response::new(Stock {
            units: sum.units + extra,
        }))
    }

    async fn sync(&self, changes: Streaming<Stock>) -> Result<Streaming<Stock>> {
        Ok(changes)
    }

    async fn sync_full(&self, changes: Request<Streaming<Stock>>) -> Result<Response<Streaming<Stock>>> {
        Ok(Response::new(changes.into_inner()))
    }
}

fn stub() -> InventoryClient {
    InventoryClient::new(channel(InventoryServer::new(Shop)))
}

fn rows() -> Streaming<Stock> {
    Streaming::from_iter([Stock { units: 2 }, Stock { units: 3 }])
}

async fn all(mut stream: Streaming<Stock>) -> Vec<u32> {
    let mut units = Vec::new();
    while let Some(stock) = stream.message().await.expect("the stream does not fail") {
        units.push(stock.units);
    }
    units
}

fn with_tenant<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request
        .metadata_mut()
        .insert("x-tenant", "acme")
        .expect("the key is legal");
    request
}

#[tokio::test]
async fn unary() {
    let stock = stub().stock(Sku("4711".into())).await.expect("it is there");
    assert_eq!(stock, Stock { units: 4 });
    let status = stub()
        .stock(Sku("none".into()))
        .await
        .expect_err("it is not there");
    assert_eq!(status.code(), rpc::Code::NotFound);
}

#[tokio::test]
async fn unary_with_metadata() {
    let response = stub()
        .reserve(with_tenant(Sku("4711".into())))
        .await
        .expect("it is there");
    assert_eq!(response.message().units, 4);
    assert!(response.metadata().get("x-before").is_some());
    assert!(response.trailers().get("x-after").is_some());
}

#[tokio::test]
async fn server_streaming() {
    assert_eq!(
        all(stub().watch(Sku("abc".into())).await.expect("it starts")).await,
        [0, 1, 2]
    );
    let response = stub()
        .watch_full(Request::new(Sku("ab".into())))
        .await
        .expect("it starts");
    assert!(response.metadata().get("x-before").is_some());
    assert_eq!(all(response.into_inner()).await, [0, 1]);
}

#[tokio::test]
async fn client_streaming() {
    assert_eq!(stub().import(rows()).await.expect("it ends").units, 5);
    let response = stub().import_full(with_tenant(rows())).await.expect("it ends");
    assert_eq!(response.message().units, 6);
}

#[tokio::test]
async fn bidi() {
    assert_eq!(all(stub().sync(rows()).await.expect("it starts")).await, [2, 3]);
    let response = stub().sync_full(Request::new(rows())).await.expect("it starts");
    assert_eq!(all(response.into_inner()).await, [2, 3]);
}

/// Business code that does not know where the service is.
async fn double(inventory: &impl Inventory) -> Result<u32> {
    Ok(inventory.stock(Sku("12345".into())).await?.units * 2)
}

#[tokio::test]
async fn a_stub_and_an_implementation_are_the_same_to_business_code() {
    assert_eq!(double(&Shop).await.expect("it is there"), 10);
    assert_eq!(double(&stub()).await.expect("it is there"), 10);
}

#[tokio::test]
async fn stubs_and_servers_are_cheap_to_clone_and_say_what_they_are() {
    let server = InventoryServer::new(Shop);
    assert_eq!(format!("{:?}", server.clone()), "InventoryServer");
    let stub = InventoryClient::new(channel(server));
    assert!(format!("{:?}", stub.clone()).starts_with("InventoryClient"));
}
