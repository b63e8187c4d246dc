//! The arguments of `#[rpc::service(...)]`.

use std::collections::HashSet;

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote};
use syn::{
    Expr, LitStr, Path, Token, bracketed,
    parse::{Parse, ParseStream},
    punctuated::Punctuated,
};

use crate::{
    attr::{self, Keys},
    errors::Errors,
    names, text,
};

const KEYS: Keys = ("`#[rpc::service]`", text::SERVICE_KEYS);

/// The codecs that need no import.
const OURS: [&str; 5] = ["Prost", "Json", "MsgPack", "Postcard", "Bincode"];

/// What the attribute says.
pub(crate) struct Args {
    pub(crate) package: Option<LitStr>,
    pub(crate) name: Option<LitStr>,
    /// `None`: the default ones.
    pub(crate) codecs: Option<Vec<Codec>>,
    pub(crate) krate: Path,
    pub(crate) file_descriptor_set: Option<Expr>,
    pub(crate) object: bool,
    pub(crate) blocking: bool,
}

/// A codec of the service.
pub(crate) struct Codec {
    /// As the user wrote it, and in full if it is one of ours.
    pub(crate) path: Path,
    pub(crate) family: Family,
}

/// What a codec asks of a message.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    /// `prost::Message`.
    Prost,
    /// serde's traits; a codec of the user's is taken to ask for these.
    Serde,
}

impl Args {
    /// Reads them. What is missing or wrong is pushed, and has its default.
    pub(crate) fn parse(tokens: TokenStream, service: &Ident, errors: &mut Errors) -> Self {
        let mut args = Self {
            package: None,
            name: None,
            codecs: None,
            krate: syn::parse_quote!(::rpc),
            file_descriptor_set: None,
            object: false,
            blocking: false,
        };
        let mut package_seen = false;
        attr::entries(
            tokens,
            &mut HashSet::new(),
            errors,
            &mut |key, input| match key.to_string().as_str() {
                "package" => {
                    package_seen = true;
                    package(key, input).map(|package| args.package = Some(package))
                }
                "name" => attr::wire_name(key, input, "name = \"Stock\"").map(|name| args.name = Some(name)),
                "codecs" => codecs(key, input).map(|codecs| args.codecs = Some(codecs)),
                "crate" => krate(key, input).map(|path| args.krate = path),
                "file_descriptor_set" => {
                    attr::equals(key, input, "file_descriptor_set = DESCRIPTOR_SET")?;
                    input.parse().map(|expr| args.file_descriptor_set = Some(expr))
                }
                "dyn" => attr::flag(key, input).map(|()| args.object = true),
                "blocking" => attr::flag(key, input).map(|()| args.blocking = true),
                _ => attr::unknown(key, KEYS),
            },
        );
        if !package_seen {
            errors.at_span(Span::call_site(), text::missing_package(service));
        }
        let krate = args.krate.clone();
        for codec in args.codecs.iter_mut().flatten() {
            codec.resolve(&krate);
        }
        args
    }

    /// The codec by which fields of messages are found where another one cannot: the first of ours of the serde family.
    pub(crate) fn field_codec(&self) -> Option<&Codec> {
        let is_ours = |codec: &&Codec| {
            let last = codec.path.segments.last();
            last.is_some_and(|last| OURS.iter().any(|name| last.ident == name))
        };
        let mut of_serde = self
            .codecs
            .iter()
            .flatten()
            .filter(|codec| codec.family == Family::Serde);
        of_serde.find(is_ours)
    }

    /// True if some codec is of that family.
    pub(crate) fn has(&self, family: Family) -> bool {
        match &self.codecs {
            Some(codecs) => codecs.iter().any(|codec| codec.family == family),
            None => family == Family::Serde,
        }
    }
}

impl Codec {
    fn new(path: Path) -> Self {
        let is_prost = path.segments.last().is_some_and(|last| last.ident == "Prost");
        Self {
            family: if is_prost { Family::Prost } else { Family::Serde },
            path,
        }
    }

    /// A bare name of ours needs no import.
    fn resolve(&mut self, krate: &Path) {
        if let Some(ident) = self
            .path
            .get_ident()
            .filter(|ident| OURS.iter().any(|name| ident == name))
        {
            let tokens = quote!(#krate::codec::#ident);
            self.path = syn::parse2(tokens).expect("a path with two more segments is a path");
        }
    }
}

fn package(key: &Ident, input: ParseStream<'_>) -> syn::Result<LitStr> {
    let package = attr::quoted(key, input, "package = \"shop.v1\"")?;
    if names::is_package(&package.value()) {
        return Ok(package);
    }
    Err(syn::Error::new(
        package.span(),
        text::bad_package(&package.value()),
    ))
}

fn codecs(key: &Ident, input: ParseStream<'_>) -> syn::Result<Vec<Codec>> {
    attr::equals(key, input, "codecs = [MsgPack, Json]")?;
    if !input.peek(syn::token::Bracket) {
        return Err(input.error(text::CODECS_NOT_A_LIST));
    }
    let content;
    let bracket = bracketed!(content in input);
    let paths = Punctuated::<Path, Token![,]>::parse_terminated_with(&content, Path::parse)?;
    if paths.is_empty() {
        return Err(syn::Error::new(bracket.span.join(), text::CODECS_EMPTY));
    }
    let mut seen = HashSet::new();
    for path in &paths {
        if !seen.insert(path.to_token_stream().to_string()) {
            return Err(syn::Error::new_spanned(
                path,
                text::codec_twice(path.to_token_stream()),
            ));
        }
    }
    Ok(paths.into_iter().map(Codec::new).collect())
}

/// Also used by the derive.
pub(crate) fn krate(key: &Ident, input: ParseStream<'_>) -> syn::Result<Path> {
    attr::equals(key, input, "crate = my_rpc")?;
    if input.peek(LitStr) {
        return Err(input.error(text::CRATE_NOT_A_PATH));
    }
    input
        .call(Path::parse_mod_style)
        .map_err(|error| syn::Error::new(error.span(), text::CRATE_NOT_A_PATH))
}
