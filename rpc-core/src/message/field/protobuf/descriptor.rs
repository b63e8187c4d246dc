//! The messages of `google/protobuf/descriptor.proto`, as far as we have fields for them. Unknown fields are passed over.

use prost::Message;

#[derive(Clone, PartialEq, Message)]
pub(super) struct FileSet {
    #[prost(message, repeated, tag = "1")]
    pub(super) files: Vec<File>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct File {
    #[prost(string, tag = "2")]
    pub(super) package: String,
    #[prost(message, repeated, tag = "4")]
    pub(super) messages: Vec<Type>,
    #[prost(message, repeated, tag = "5")]
    pub(super) enums: Vec<Enum>,
    #[prost(message, repeated, tag = "6")]
    pub(super) services: Vec<Service>,
    #[prost(string, tag = "12")]
    pub(super) syntax: String,
}

/// `DescriptorProto`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Type {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(message, repeated, tag = "2")]
    pub(super) fields: Vec<Field>,
    #[prost(message, repeated, tag = "3")]
    pub(super) messages: Vec<Type>,
    #[prost(message, repeated, tag = "4")]
    pub(super) enums: Vec<Enum>,
    #[prost(message, optional, tag = "7")]
    pub(super) options: Option<TypeOptions>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct TypeOptions {
    #[prost(bool, tag = "7")]
    pub(super) map_entry: bool,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Field {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(int32, tag = "3")]
    pub(super) number: i32,
    #[prost(int32, tag = "4")]
    pub(super) label: i32,
    #[prost(int32, tag = "5")]
    pub(super) kind: i32,
    #[prost(string, tag = "6")]
    pub(super) type_name: String,
    #[prost(int32, optional, tag = "9")]
    pub(super) oneof_index: Option<i32>,
    #[prost(string, tag = "10")]
    pub(super) json_name: String,
}

impl Field {
    pub(super) const REPEATED: i32 = 3;
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Enum {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(message, repeated, tag = "2")]
    pub(super) values: Vec<EnumValue>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct EnumValue {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(int32, tag = "2")]
    pub(super) number: i32,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Service {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(message, repeated, tag = "2")]
    pub(super) methods: Vec<Method>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Method {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(string, tag = "2")]
    pub(super) input: String,
}
