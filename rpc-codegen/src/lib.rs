//! `#[rpc::service]` and `#[derive(rpc::ServiceError)]`.
//!
//! A macro runs in stages, each in a module of its own, and no stage stops at the first mistake: they collect in
//! `errors::Errors` and are shown together, each at the token that is wrong and with what to write instead.
//!
//! | stage | module |
//! | --- | --- |
//! | the attribute's arguments, and those of methods and arguments | `args`, `attr` |
//! | a syntax tree of our own: service, method, shape | `ast` |
//! | `syn` to that tree | `parse` |
//! | rules across methods | `check` |
//! | several arguments to one message | `message` |
//! | the items, one file each | `expand` |
//! | what stands beside errors, so that they cause no others | `fallback` |
//! | the derive | `error` |
//!
//! Every error text is in `text`. Everything works on `proc_macro2` tokens, so that tests run it as functions.
//!
//! The macro sees tokens, not types. What a type *is* it leaves to traits in `rpc::__private`: whether an alias is a
//! `Result`, whether a message fits its codecs. `Streaming`, `Request` and `Response` it knows by their name.

mod args;
mod ast;
mod attr;
mod check;
mod error;
mod errors;
mod expand;
mod fallback;
mod message;
mod names;
mod parse;
mod place;
#[cfg(test)]
mod tests;
mod text;

use proc_macro::TokenStream;

/// Makes a service of a trait: a stub, a server and a descriptor.
///
/// ```text
/// #[rpc::service(package = "shop.v1")]
/// pub trait Inventory {
///     /// Units of one article in stock.
///     #[rpc(idempotent, timeout = "200ms")]
///     async fn stock(&self, sku: Sku) -> Result<Stock>;
///     async fn reserve(&self, order: Request<Order>) -> Result<Response<Reservation>, ReserveError>;
///     async fn watch(&self, sku: Sku) -> Result<Streaming<Stock>>;
///     async fn import(&self, rows: Streaming<Row>) -> Result<Summary>;
///     async fn sync(&self, changes: Streaming<Change>) -> Result<Streaming<Change>>;
/// }
/// ```
///
/// # What it generates
/// - The trait, with `Send + Sync + 'static` and futures that are `Send`. Implementations are plain `async fn`.
/// - `InventoryClient`: made of a `Channel`, implements the trait, with `InventoryClient::DESCRIPTOR`.
/// - `InventoryServer<T>`: made of an implementation, what a server is given.
/// - The trait for `Arc<T>` and `Box<T>` of an implementation.
///
/// # Arguments
/// | | |
/// | --- | --- |
/// | `package = "shop.v1"` | first part of the path, `/shop.v1.Inventory/Stock`; required, `""` is none |
/// | `name = "Stock"` | the service's name on the wire; default: the trait's |
/// | `codecs = [Prost, Json]` | how messages are written, the default first; default: `[MsgPack, Json]` |
/// | `dyn` | also `InventoryDyn`, object-safe: `Arc<dyn InventoryDyn>` implements `Inventory` |
/// | `blocking` | also `InventoryBlockingClient`, for callers without a runtime |
/// | `crate = path` | where `rpc` is, if it was renamed |
/// | `file_descriptor_set = expr` | the encoded descriptor set, a `&'static [u8]`: the server's descriptor hands it out, to a reflection service of your own say |
///
/// # Methods
/// `async fn name(&self, ...) -> Result<...>`. `Streaming<T>` as the argument or in the result makes a stream of it;
/// `Request<T>` and `Response<T>` give access to metadata. Several plain arguments travel as one message with fields of
/// those names. The error is `Status`, or a type that derives `rpc::ServiceError`.
///
/// | on a method | |
/// | --- | --- |
/// | `#[rpc(name = "Stock")]` | its name on the wire; default: `UpperCamelCase` of the function's |
/// | `#[rpc(idempotent)]` | the same request may be sent twice: for layers that do so, nothing of ours does |
/// | `#[rpc(timeout = "200ms")]` | upper bound of its calls by stubs: a caller may ask for less, and gets no more; `us`, `ms`, `s`, `m`, `h` |
///
/// | on one of several arguments | |
/// | --- | --- |
/// | `#[rpc(default)]` | may be missing in a request, and is then `Default::default()` |
/// | `#[rpc(tag = 3)]` | its number in protobuf; default: its position |
#[proc_macro_attribute]
pub fn service(args: TokenStream, item: TokenStream) -> TokenStream {
    expand::service(args.into(), item.into()).into()
}

/// Makes an error of a service of an enum: each variant gets a code and a reason, and comes back as itself.
///
/// ```text
/// #[derive(Debug, thiserror::Error, rpc::ServiceError)]
/// #[rpc(domain = "shop.v1")]
/// pub enum ReserveError {
///     #[error("only {left} left of {sku}")]
///     #[rpc(code = FailedPrecondition)]
///     OutOfStock { sku: String, left: u32 },
///     #[error("no such article")]
///     #[rpc(code = NotFound, reason = "SKU_UNKNOWN")]
///     Unknown,
///     #[error(transparent)]
///     #[rpc(other)]
///     Other(rpc::Status),
/// }
/// ```
///
/// It writes `From<ReserveError> for Status` and `From<Status> for ReserveError`; `Display` and `Error` are yours.
/// `Display` is the status's message. Fields travel as parameters of `google.rpc.ErrorInfo`, as text: they need `Display`
/// and `FromStr`, or `#[rpc(json)]` and serde. An `Option` that is `None` is left out. What is not one of the variants,
/// a connection that failed say, comes back as the one marked `#[rpc(other)]`.
///
/// | | |
/// | --- | --- |
/// | `#[rpc(domain = "shop.v1")]` on the enum | whose vocabulary the reasons are of; required |
/// | `#[rpc(crate = path)]` on the enum | where `rpc` is, if it was renamed |
/// | `#[rpc(code = NotFound)]` on a variant | one of gRPC's codes; required |
/// | `#[rpc(reason = "SKU_UNKNOWN")]` on a variant | default: `UPPER_SNAKE_CASE` of the variant's name |
/// | `#[rpc(other)]` on a variant | holds the `Status` of every other failure; required once |
/// | `#[rpc(json)]` on a field | travels as JSON, for what is `Serialize` and `Deserialize`; nests at most 128 levels deep, as messages do |
#[proc_macro_derive(ServiceError, attributes(rpc))]
pub fn service_error(item: TokenStream) -> TokenStream {
    error::derive(item.into()).into()
}
