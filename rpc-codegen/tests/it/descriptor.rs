//! What is known before any call, and which attributes say it.

use std::time::Duration;

use rpc::{Result, Shape, Streaming};

static SET: &[u8] = &[1, 2, 3];

#[rpc_codegen::service(package = "shop.v1", name = "Stock", codecs = [Json], file_descriptor_set = SET)]
#[allow(dead_code)]
pub(crate) trait Warehouse {
    #[rpc(idempotent, timeout = "200ms")]
    async fn get_units(&self, sku: u32) -> Result<u32>;

    #[cfg(any())]
    async fn left_out(&self, sku: NoSuchType) -> Result<NoSuchType>;

    #[rpc(name = "WATCH")]
    #[cfg(not(any()))]
    async fn watch_all(&self) -> Result<Streaming<u32>>;

    async fn r#move(&self, from: Streaming<u32>) -> Result<u32>;

    #[cfg(any())]
    async fn spelled(&self) -> Result<u8>;

    #[cfg(not(any()))]
    async fn spelled(&self) -> Result<u16>;
}

#[rpc_codegen::service(package = "")]
#[cfg(any())]
pub(crate) trait LeftOut {
    async fn nothing(&self, gone: NoSuchType) -> Result<()>;
}

#[test]
fn names_shapes_and_policy() {
    let descriptor = WarehouseClient::DESCRIPTOR;
    assert_eq!(descriptor.name(), "shop.v1.Stock");
    assert_eq!(descriptor.file_descriptor_set(), Some(SET));
    let methods: Vec<_> = descriptor
        .methods()
        .iter()
        .map(|method| (method.path(), method.shape()))
        .collect();
    assert_eq!(
        methods,
        [
            ("/shop.v1.Stock/GetUnits", Shape::Unary),
            ("/shop.v1.Stock/WATCH", Shape::ServerStreaming),
            ("/shop.v1.Stock/Move", Shape::ClientStreaming),
            ("/shop.v1.Stock/Spelled", Shape::Unary),
        ]
    );
    let [units, watch, ..] = descriptor.methods() else {
        panic!("there are four")
    };
    assert!(units.is_idempotent());
    assert_eq!(units.default_timeout(), Some(Duration::from_millis(200)));
    assert_eq!(units.codec_names(), ["json"]);
    assert!(!watch.is_idempotent());
    assert_eq!(watch.default_timeout(), None);
}
