use std::borrow::Cow;

struct Borrowed<'a>(&'a str);

#[rpc_codegen::service(package = "a")]
trait Inventory {
    async fn text(&self, sku: &str) -> rpc::Result<u32>;
    async fn inside(&self, skus: Vec<&'static str>, n: u32) -> rpc::Result<u32>;
    async fn cow(&self, sku: Cow<'_, str>) -> rpc::Result<u32>;
    async fn result(&self) -> rpc::Result<&str>;
    async fn inside_result(&self) -> rpc::Result<Borrowed<'_>>;
}

fn main() {}
