//! Snapshots of what the macros write, as people would read it.

use proc_macro2::TokenStream;
use quote::quote;

fn service(args: TokenStream, item: TokenStream) -> String {
    pretty(crate::expand::service(args, item))
}

fn pretty(tokens: TokenStream) -> String {
    let text = tokens.to_string();
    let file = syn::parse2(tokens).unwrap_or_else(|error| panic!("{error} in: {text}"));
    prettyplease::unparse(&file)
}

#[test]
fn a_service_with_all_shapes() {
    let item = quote! {
        /// Articles in stock.
        pub trait Inventory {
            /// Units of one article in stock.
            #[rpc(idempotent, timeout = "200ms")]
            async fn stock(&self, sku: Sku) -> Result<Stock>;
            async fn reserve(&self, order: Request<Order>) -> Result<Response<Reservation>, ReserveError>;
            async fn watch(&self, sku: Sku) -> Result<Streaming<Stock>>;
            async fn import(&self, rows: Streaming<Row>) -> Result<Summary>;
            async fn sync(&self, changes: Streaming<Change>) -> Result<Streaming<Change>>;
        }
    };
    insta::assert_snapshot!(service(quote!(package = "shop.v1"), item));
}

#[test]
fn several_arguments_no_arguments_and_a_default_body() {
    let item = quote! {
        trait Orders {
            async fn ping(&self) -> Result<()>;
            async fn place(&self, sku: Sku, #[rpc(default)] count: u32, _note: Option<String>) -> Result<()> {
                self.ping().await
            }
        }
    };
    insta::assert_snapshot!(service(quote!(package = "shop.v1"), item));
}

#[test]
fn protobuf_and_json() {
    let item = quote! {
        trait Orders {
            async fn place(&self, id: u64, #[rpc(tag = 9)] item: Item, more: Vec<Item>, blob: Option<Bytes>) -> Result<Item>;
        }
    };
    insta::assert_snapshot!(service(
        quote!(package = "", codecs = [Prost, Json], crate = my::rpc),
        item
    ));
}

#[test]
fn twins_supertraits_and_cfg() {
    let item = quote! {
        #[cfg(feature = "shop")]
        pub(crate) trait Inventory: Debug {
            #[cfg(feature = "extra")]
            async fn stock(&self, sku: Sku) -> Result<Stock>;
            /// Documented.
            async fn watch(&self) -> Result<Response<Streaming<Stock>>, ReserveError>;
        }
    };
    let args = quote!(
        package = "shop.v1",
        name = "Stock",
        dyn,
        blocking,
        file_descriptor_set = proto::SET
    );
    insta::assert_snapshot!(service(args, item));
}

#[test]
fn errors_and_the_fallback_beside_them() {
    let item = quote! {
        pub trait Inventory {
            fn stock(&mut self, sku: &str) -> u32;
            async fn watch(&self, (a, b): (u32, u32)) -> Result<u32>;
        }
    };
    insta::assert_snapshot!(service(quote!(), item));
}

#[test]
fn an_error() {
    let item = quote! {
        #[rpc(domain = "shop.v1")]
        pub enum ReserveError {
            #[rpc(code = FailedPrecondition)]
            OutOfStock { sku: String, left: Option<u32> },
            #[rpc(code = NotFound, reason = "SKU_UNKNOWN")]
            Unknown,
            #[rpc(code = Aborted)]
            Place(#[rpc(json)] Place),
            #[rpc(other)]
            Other(Status),
        }
    };
    insta::assert_snapshot!(pretty(crate::error::derive(item)));
}
