use rpc::{Response, Streaming};

#[derive(serde::Serialize, serde::Deserialize)]
pub struct Stock;

#[rpc_codegen::service(package = "a")]
pub trait Inventory {
    async fn nothing(&self);
    async fn stock(&self) -> Stock;
    async fn unit(&self) -> ();
    async fn text(&self) -> String;
    async fn option(&self) -> Option<Stock>;
    async fn pair(&self) -> (u32, u32);
    async fn response(&self) -> Response<Stock>;
    async fn stream(&self) -> Streaming<Stock>;
}

fn main() {}
