//! Every error text. The first line says what is wrong, in the user's words; the second says what to write.

use std::fmt::Display;

// The attribute.

pub(crate) const NOT_A_TRAIT: &str = "`#[rpc::service]` goes on a trait\n\
    write the methods in a trait, and implement it for your type";

pub(crate) fn missing_package(service: impl Display) -> String {
    format!(
        "`#[rpc::service]` needs a package: it is the first part of the path, `/shop.v1.{service}/Method`\n\
         write `#[rpc::service(package = \"shop.v1\")]`, or `package = \"\"` for none"
    )
}

pub(crate) const SERVICE_KEYS: &[&str] = &[
    "package = \"shop.v1\"",
    "name = \"Stock\"",
    "codecs = [Prost, Json]",
    "crate = path",
    "file_descriptor_set = expression",
    "dyn",
    "blocking",
];
pub(crate) const METHOD_KEYS: &[&str] = &["name = \"Stock\"", "idempotent", "timeout = \"200ms\""];
pub(crate) const ARGUMENT_KEYS: &[&str] = &["default", "tag = 3"];
pub(crate) const ENUM_KEYS: &[&str] = &["domain = \"shop.v1\"", "crate = path"];
pub(crate) const VARIANT_KEYS: &[&str] = &["code = NotFound", "reason = \"SKU_UNKNOWN\"", "other"];
pub(crate) const FIELD_KEYS: &[&str] = &["json"];

pub(crate) fn unknown_key(key: impl Display, place: &str, keys: &[&str]) -> String {
    format!("unknown key `{key}` for {place}\naccepted are {}", list(keys))
}

pub(crate) fn key_wanted(place: &str, keys: &[&str]) -> String {
    format!(
        "this attribute says nothing about {place}\nwrite a key in parentheses, `#[rpc(key)]`; accepted are {}",
        list(keys)
    )
}

pub(crate) fn duplicate_key(key: impl Display) -> String {
    format!("`{key}` is given twice\nremove one of them")
}

pub(crate) fn value_missing(key: impl Display, example: &str) -> String {
    format!("`{key}` needs a value\nwrite `{example}`")
}

pub(crate) fn value_unwanted(key: impl Display) -> String {
    format!("`{key}` takes no value\nwrite `{key}` alone")
}

pub(crate) fn text_wanted(key: impl Display, example: &str) -> String {
    format!("`{key}` is a text in quotes\nwrite `{example}`")
}

pub(crate) const COMMA_WANTED: &str = "expected `,` before the next key";

pub(crate) fn bad_package(package: &str) -> String {
    format!(
        "`{package}` is not a package\n\
         write names of letters, digits and `_` with dots between, `shop.v1`, or nothing, `\"\"`"
    )
}

pub(crate) fn bad_name(name: &str) -> String {
    format!("`{name}` is not a name on the wire\nwrite letters, digits and `_`, not beginning with a digit")
}

pub(crate) const CODECS_NOT_A_LIST: &str =
    "`codecs` is a list of types\nwrite `codecs = [MsgPack, Json]`, the default first";

pub(crate) const CODECS_EMPTY: &str =
    "a service needs a codec\nwrite `codecs = [MsgPack, Json]`, the default first, or leave `codecs` out";

pub(crate) fn codec_twice(codec: impl Display) -> String {
    format!("codec `{codec}` is listed twice\nremove one of them")
}

pub(crate) const CRATE_NOT_A_PATH: &str =
    "`crate` is the path of the `rpc` crate\nwrite it without quotes, `crate = my_rpc`";

pub(crate) const TIMEOUT_UNITS: &str =
    "write a whole number and one of `us`, `ms`, `s`, `m`, `h`: `timeout = \"200ms\"`";

pub(crate) fn bad_timeout(text: &str) -> String {
    format!("`{text}` is not a timeout\n{TIMEOUT_UNITS}")
}

pub(crate) const TIMEOUT_ZERO: &str =
    "a timeout of nothing fails every call\nwrite a longer one, or leave `timeout` out";

pub(crate) fn timeout_long(text: &str) -> String {
    format!("`{text}` is longer than a year\nwrite a shorter timeout, or leave `timeout` out")
}

// The trait.

pub(crate) const TRAIT_GENERIC: &str =
    "a service cannot be generic: one path on the wire stands for one method\nwrite a trait for each type";

pub(crate) const TRAIT_WHERE: &str =
    "a service cannot have a `where` clause\nwrite what it asks for as supertraits, `trait Inventory: Debug`";

pub(crate) const TRAIT_UNSAFE: &str = "a service cannot be an `unsafe` trait\nremove `unsafe`";

pub(crate) const TRAIT_AUTO: &str = "a service cannot be an `auto` trait\nremove `auto`";

pub(crate) fn trait_item(what: &str) -> String {
    format!(
        "a service has methods only, no {what}\nmove it to a trait of its own, which may be a supertrait of this one"
    )
}

// Methods.

pub(crate) fn method_generic(method: impl Display) -> String {
    format!(
        "`{method}` cannot be generic: one path on the wire stands for one type of message\n\
         write a method for each type, or a message that is an enum"
    )
}

pub(crate) fn method_where(method: impl Display) -> String {
    format!("`{method}` cannot have a `where` clause\nremove it: its types are known already")
}

pub(crate) fn method_not_async(method: impl Display) -> String {
    format!("`{method}` must be `async`: a call may cross the network\nwrite `async fn {method}(&self, ...)`")
}

pub(crate) fn method_qualifier(method: impl Display, qualifier: &str) -> String {
    format!("`{method}` cannot be `{qualifier}`\nremove `{qualifier}`")
}

pub(crate) fn method_variadic(method: impl Display) -> String {
    format!("`{method}` cannot take any number of arguments\nwrite one argument that is a `Vec`")
}

pub(crate) fn no_receiver(method: impl Display) -> String {
    format!(
        "`{method}` has no `&self`: a method is called on a service\nwrite `async fn {method}(&self, ...)`"
    )
}

pub(crate) fn receiver_mutable(method: impl Display) -> String {
    format!(
        "`{method}` cannot take `&mut self`: calls run side by side\n\
         write `&self`, and keep what changes in a `Mutex` or an atomic"
    )
}

pub(crate) fn receiver_by_value(method: impl Display) -> String {
    format!("`{method}` cannot take `self`: the service goes on after the call\nwrite `&self`")
}

pub(crate) fn receiver_odd(method: impl Display) -> String {
    format!("`{method}` takes `self` in a form that a stub does not have\nwrite `&self`")
}

pub(crate) fn name_taken(method: impl Display, item: &str) -> String {
    format!(
        "`{method}` is the name of a function that `{item}` has of its own\n\
         write another name, and keep the one on the wire with `#[rpc(name = \"...\")]`"
    )
}

pub(crate) fn wire_name_twice(name: &str, other: impl Display) -> String {
    format!(
        "this method is named `{name}` on the wire, as `{other}` is\n\
         write `#[rpc(name = \"...\")]` with another name above one of them"
    )
}

// Arguments.

pub(crate) fn argument_pattern(method: impl Display) -> String {
    format!(
        "an argument of `{method}` must be a plain name: it is the field's name on the wire\n\
         write `name: Type`, and take it apart in the implementation"
    )
}

pub(crate) fn argument_mutable(argument: impl Display) -> String {
    format!(
        "`mut` says something about a body, and this method has none\nwrite `{argument}` without `mut`; the implementation may have it"
    )
}

pub(crate) fn argument_attribute() -> String {
    format!(
        "an argument of a service's method cannot have this attribute\naccepted are {}",
        list(&["#[rpc(default)]", "#[rpc(tag = 3)]"])
    )
}

pub(crate) const REFERENCE: &str = "a message cannot borrow: it may cross the network\n\
    write the owned type, `String` for `&str`, `Vec<T>` for `&[T]`, `T` for `&T`";

pub(crate) const LIFETIME: &str =
    "a message cannot borrow: it may cross the network\nwrite a type without lifetimes, or with `'static`";

pub(crate) const IMPL_TRAIT: &str =
    "a message cannot be `impl Trait`: both sides must know its type\nwrite a type with a name";

pub(crate) const SELF_TYPE: &str = "a message cannot be made of `Self`: the stub and the service are different types\nwrite a type with a name";

pub(crate) const INFERRED_TYPE: &str = "a message needs a type\nwrite it out";

pub(crate) fn two_streams(method: impl Display) -> String {
    format!(
        "`{method}` takes two streams, and a call has one in each direction\n\
         write one `Streaming<T>` where `T` is an enum of both messages"
    )
}

pub(crate) fn stream_among(method: impl Display) -> String {
    format!(
        "a stream must be the only argument of `{method}`\n\
         write one `Streaming<T>` whose first message holds the others, or `Request<Streaming<T>>` with them as metadata"
    )
}

pub(crate) fn request_among(method: impl Display) -> String {
    format!(
        "a `Request` must be the only argument of `{method}`: it is the whole message\n\
         write `Request<T>` where `T` is a struct with all the fields"
    )
}

pub(crate) fn response_argument(method: impl Display) -> String {
    format!("`{method}` takes a `Response`, which is what a method returns\nwrite `Request<T>`, or `T` alone")
}

pub(crate) const STREAM_INSIDE: &str = "a stream must be a whole argument or a whole result\n\
    write `Streaming<T>` or `Request<Streaming<T>>` as the argument, `Result<Streaming<T>>` or \
    `Result<Response<Streaming<T>>>` as the result";

pub(crate) const ENVELOPE_INSIDE: &str = "`Request` and `Response` go around a whole argument or a whole result\n\
    write `Request<T>` or `Request<Streaming<T>>` as the argument, `Result<Response<T>>` or \
    `Result<Response<Streaming<T>>>` as the result";

pub(crate) fn field_twice(field: &str) -> String {
    format!("two arguments are named `{field}` on the wire\nwrite another name for one of them")
}

pub(crate) fn lone_argument(key: &str) -> String {
    format!(
        "`{key}` is for one of several arguments: a lone one is the message itself\nwrite a struct with that field, or remove `{key}`"
    )
}

pub(crate) const TAG_WITHOUT_PROST: &str = "`tag` is a number in protobuf, and this service has no such codec\nwrite `codecs = [Prost]`, or remove `tag`";

pub(crate) const TAG_RANGE: &str =
    "a protobuf tag is a number from 1 to 536870911, without 19000 to 19999\nwrite `tag = 3`";

pub(crate) fn tag_twice(tag: u32) -> String {
    format!(
        "two arguments have protobuf tag {tag}\nwrite `#[rpc(tag = N)]` with another number before one of them"
    )
}

pub(crate) fn not_a_prost_field(method: impl Display, message: &str, fields: &str) -> String {
    format!(
        "this type is no field of a protobuf message, and `Prost` is one of the codecs\n\
         write one argument of a message of your own, `{method}(&self, request: {message})`, with\n\
         #[derive(Clone, PartialEq, prost::Message)] pub struct {message} {{ {fields} }}"
    )
}

// Results.

pub(crate) fn no_result(method: impl Display, found: &str) -> String {
    format!(
        "`{method}` must return a `Result`: a call can always fail on the way\n\
         write `Result<{found}>`, or `Result<{found}, E>` where `E` converts to and from `rpc::Status`"
    )
}

pub(crate) fn odd_result(method: impl Display, found: &str) -> String {
    format!(
        "{}\nan alias of it is known by a name that ends in `Result`",
        no_result(method, found)
    )
}

pub(crate) fn request_result(method: impl Display) -> String {
    format!(
        "`{method}` returns a `Request`, which is what a method takes\nwrite `Result<Response<T>>`, or `Result<T>`"
    )
}

// The derive.

pub(crate) const NOT_AN_ENUM: &str = "`rpc::ServiceError` is derived for an enum: each variant gets a code and a reason\n\
    write an enum with a variant for each failure";

pub(crate) const ERROR_GENERIC: &str = "an error of a service cannot be generic: it must come back as the type that it was\nwrite a type without parameters";

pub(crate) const DOMAIN_MISSING: &str = "the error needs a domain: reasons are unique inside of one\n\
    write `#[rpc(domain = \"shop.v1\")]` above the enum; the package of the service is a good one";

pub(crate) const DOMAIN_EMPTY: &str =
    "a domain cannot be empty\nwrite the package of the service: `domain = \"shop.v1\"`";

pub(crate) const OTHER_MISSING: &str = "the error needs a variant for failures that are not its own, such as a lost connection\n\
    write `#[rpc(other)] Other(rpc::Status)` as the last variant";

pub(crate) const OTHER_TWICE: &str =
    "there can be one variant marked `#[rpc(other)]`\nremove one of the marks";

pub(crate) const OTHER_FORM: &str =
    "the variant marked `#[rpc(other)]` holds a `Status` and nothing else\nwrite `Other(rpc::Status)`";

pub(crate) const OTHER_KEYS: &str = "the variant marked `#[rpc(other)]` keeps the code and the reason that its status has\n\
    remove `code` and `reason`";

pub(crate) const FROM_TWICE: &str =
    "`From<rpc::Status>` is written by `rpc::ServiceError`\nwrite `#[source]` instead of `#[from]`";

pub(crate) fn code_missing(variant: impl Display) -> String {
    format!(
        "`{variant}` needs a code\nwrite `#[rpc(code = FailedPrecondition)]` above it; accepted are {CODES}"
    )
}

pub(crate) fn code_unknown(code: impl Display) -> String {
    format!("`{code}` is not a code\naccepted are {CODES}")
}

pub(crate) const CODE_NAMES: [&str; 16] = [
    "Cancelled",
    "Unknown",
    "InvalidArgument",
    "DeadlineExceeded",
    "NotFound",
    "AlreadyExists",
    "PermissionDenied",
    "ResourceExhausted",
    "FailedPrecondition",
    "Aborted",
    "OutOfRange",
    "Unimplemented",
    "Internal",
    "Unavailable",
    "DataLoss",
    "Unauthenticated",
];

const CODES: &str = "Cancelled, Unknown, InvalidArgument, DeadlineExceeded, NotFound, AlreadyExists, PermissionDenied, \
    ResourceExhausted, FailedPrecondition, Aborted, OutOfRange, Unimplemented, Internal, Unavailable, DataLoss, \
    Unauthenticated";

pub(crate) fn bad_reason(reason: &str) -> String {
    format!(
        "`{reason}` is not a reason\nwrite at most 63 of `A` to `Z`, digits and `_`, not beginning with a digit"
    )
}

pub(crate) fn reason_twice(reason: &str, other: impl Display) -> String {
    format!(
        "reason `{reason}` is that of `{other}` already\nwrite `#[rpc(reason = \"...\")]` with another one"
    )
}

pub(crate) fn fields_unnamed(variant: impl Display) -> String {
    format!(
        "the fields of `{variant}` need names: they are the names of the parameters that travel\nwrite `{variant} {{ name: Type, ... }}`"
    )
}

fn list(items: &[&str]) -> String {
    items
        .iter()
        .map(|item| format!("`{item}`"))
        .collect::<Vec<_>>()
        .join(", ")
}
