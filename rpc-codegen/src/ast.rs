//! A service as the rest of the macro sees it: what `syn` parsed, sorted by what it means on the wire.

use std::time::Duration;

use proc_macro2::{Ident, TokenStream};
use syn::{Attribute, Block, Token, Type, TypeParamBound, Visibility, punctuated::Punctuated};

use crate::args::Args;

/// A trait that is a service.
pub(crate) struct Service {
    pub(crate) args: Args,
    /// All but ours.
    pub(crate) attrs: Vec<Attribute>,
    /// Those of `attrs` that say whether it is there at all.
    pub(crate) cfg: Vec<Attribute>,
    pub(crate) vis: Visibility,
    pub(crate) ident: Ident,
    pub(crate) supertraits: Punctuated<TypeParamBound, Token![+]>,
    pub(crate) methods: Vec<Method>,
}

impl Service {
    /// `shop.v1.Inventory`.
    pub(crate) fn full_name(&self) -> String {
        let name = self
            .args
            .name
            .as_ref()
            .map_or_else(|| self.ident.to_string(), syn::LitStr::value);
        let name = name.trim_start_matches("r#");
        match self.args.package.as_ref().map(syn::LitStr::value) {
            Some(package) if !package.is_empty() => format!("{package}.{name}"),
            _ => name.to_owned(),
        }
    }
}

/// A method of it.
pub(crate) struct Method {
    /// All but ours.
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) cfg: Vec<Attribute>,
    pub(crate) docs: Vec<Attribute>,
    pub(crate) ident: Ident,
    pub(crate) wire_name: String,
    pub(crate) idempotent: bool,
    pub(crate) timeout: Option<Duration>,
    pub(crate) input: Input,
    pub(crate) output: Output,
    pub(crate) default: Option<Block>,
}

impl Method {
    /// Which side streams.
    pub(crate) fn shape(&self) -> Shape {
        let streams_requests = matches!(&self.input, Input::One { streaming: true, .. });
        match (streams_requests, self.output.streaming) {
            (false, false) => Shape::Unary,
            (true, false) => Shape::ClientStreaming,
            (false, true) => Shape::ServerStreaming,
            (true, true) => Shape::Bidi,
        }
    }

    /// Its arguments, without `&self`.
    pub(crate) fn arguments(&self) -> &[Argument] {
        match &self.input {
            Input::None => &[],
            Input::One { argument, .. } => std::slice::from_ref(&**argument),
            Input::Several(arguments) => arguments,
        }
    }
}

/// As `rpc::Shape`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    Unary,
    ClientStreaming,
    ServerStreaming,
    Bidi,
}

impl Shape {
    /// The variant of `rpc::Shape`.
    pub(crate) fn variant(self) -> &'static str {
        match self {
            Self::Unary => "Unary",
            Self::ClientStreaming => "ClientStreaming",
            Self::ServerStreaming => "ServerStreaming",
            Self::Bidi => "Bidi",
        }
    }

    /// The function in `rpc::client` and in `rpc::server`.
    pub(crate) fn function(self) -> &'static str {
        match self {
            Self::Unary => "unary",
            Self::ClientStreaming => "client_streaming",
            Self::ServerStreaming => "server_streaming",
            Self::Bidi => "bidi",
        }
    }

    /// The function beneath it, whose handler takes no `Request`.
    pub(crate) fn ways(self) -> &'static str {
        match self {
            Self::Unary => "one_to_one",
            Self::ClientStreaming => "many_to_one",
            Self::ServerStreaming => "one_to_many",
            Self::Bidi => "many_to_many",
        }
    }
}

/// What a method takes.
pub(crate) enum Input {
    /// Nothing.
    None,
    /// The message itself, or a stream of it; `wrapped` in a `Request` or not.
    One {
        argument: Box<Argument>,
        message: Box<Type>,
        wrapped: bool,
        streaming: bool,
    },
    /// The fields of a message.
    Several(Vec<Argument>),
}

/// An argument.
pub(crate) struct Argument {
    pub(crate) ident: Ident,
    pub(crate) ty: Type,
    /// `mut`, where there is a default body.
    pub(crate) mutable: Option<Token![mut]>,
    /// Its name on the wire, if it is one of several.
    pub(crate) field: String,
    pub(crate) default: Option<Ident>,
    pub(crate) tag: Option<(Ident, u32)>,
}

impl Argument {
    /// As a stub declares it.
    pub(crate) fn declared(&self) -> TokenStream {
        let (ident, ty) = (&self.ident, &self.ty);
        quote::quote!(#ident: #ty)
    }
}

/// What a method returns.
pub(crate) struct Output {
    /// The whole type, a `Result` or an alias of one.
    pub(crate) ty: Type,
    /// The message, where its place in the tokens is known because something is around it.
    pub(crate) inner: Option<Type>,
    /// The tokens to point at where the message is wrong.
    pub(crate) shown: Type,
    /// The tokens to point at where the error is wrong.
    pub(crate) shown_error: Type,
    /// In a `Response`.
    pub(crate) wrapped: bool,
    pub(crate) streaming: bool,
}
