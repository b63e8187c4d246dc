//! What is known before any call, and which attributes say it.

use std::{sync::Arc, time::Duration};

use rpc::{Result, Shape, Streaming, server::Router};

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

#[rpc_codegen::service(package = "shop.v1")]
pub(crate) trait Twice {
    async fn get(&self) -> Result<u8>;

    #[cfg(not(any()))]
    #[rpc(name = "Get")]
    async fn get_later(&self) -> Result<u8>;
}

#[test]
fn two_methods_of_one_name_are_refused_where_the_compiler_sees_both() {
    struct Both;

    impl Twice for Both {
        async fn get(&self) -> Result<u8> {
            Ok(1)
        }

        async fn get_later(&self) -> Result<u8> {
            Ok(2)
        }
    }

    let mut router = Router::new();
    let error = router
        .add(Arc::new(TwiceServer::new(Both)))
        .expect_err("one would get the calls of the other");
    assert!(error.to_string().contains("`/shop.v1.Twice/Get`"), "{error}");
    assert_eq!(router.services().count(), 0);
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
