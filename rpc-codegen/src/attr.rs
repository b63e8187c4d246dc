//! The grammar that all our attributes share, `key = value, flag`, and the keys of methods and arguments.

use std::{collections::HashSet, time::Duration};

use proc_macro2::{Ident, TokenStream, TokenTree};
use syn::{
    Attribute, Expr, LitInt, LitStr, Meta, Token,
    ext::IdentExt,
    parse::{ParseStream, Parser},
};

use crate::{errors::Errors, names, text};

/// What `#[rpc(...)]` above a method says.
#[derive(Default)]
pub(crate) struct MethodAttr {
    pub(crate) name: Option<LitStr>,
    pub(crate) idempotent: bool,
    pub(crate) timeout: Option<Duration>,
}

impl MethodAttr {
    /// Takes ours out of the attributes.
    pub(crate) fn take(attrs: &mut Vec<Attribute>, errors: &mut Errors) -> Self {
        let mut found = Self::default();
        let keys = ("a method", text::METHOD_KEYS);
        take(attrs, keys, errors, |key, input| match key.to_string().as_str() {
            "name" => wire_name(key, input, "name = \"Stock\"").map(|name| found.name = Some(name)),
            "idempotent" => flag(key, input).map(|()| found.idempotent = true),
            "timeout" => timeout(key, input).map(|timeout| found.timeout = Some(timeout)),
            _ => unknown(key, keys),
        });
        found
    }
}

/// What `#[rpc(...)]` before an argument says.
#[derive(Default)]
pub(crate) struct ArgumentAttr {
    pub(crate) default: Option<Ident>,
    pub(crate) tag: Option<(Ident, u32)>,
}

impl ArgumentAttr {
    /// Takes ours out of the attributes.
    pub(crate) fn take(attrs: &mut Vec<Attribute>, errors: &mut Errors) -> Self {
        let mut found = Self::default();
        let keys = ("an argument", text::ARGUMENT_KEYS);
        take(attrs, keys, errors, |key, input| match key.to_string().as_str() {
            "default" => flag(key, input).map(|()| found.default = Some(key.clone())),
            "tag" => tag(key, input).map(|tag| found.tag = Some((key.clone(), tag))),
            _ => unknown(key, keys),
        });
        found
    }
}

/// Where an attribute stands, for people, and the keys that it has there.
pub(crate) type Keys = (&'static str, &'static [&'static str]);

/// Takes each `#[rpc(...)]` out of the attributes and hands its keys over.
pub(crate) fn take(
    attrs: &mut Vec<Attribute>,
    keys: Keys,
    errors: &mut Errors,
    mut handle: impl FnMut(&Ident, ParseStream<'_>) -> syn::Result<()>,
) {
    let mut seen = HashSet::new();
    attrs.retain(|attr| {
        if !attr.path().is_ident("rpc") {
            return true;
        }
        match &attr.meta {
            Meta::List(list) => entries(list.tokens.clone(), &mut seen, errors, &mut handle),
            _ => errors.at(attr, text::key_wanted(keys.0, keys.1)),
        }
        false
    });
}

/// Hands the keys of one attribute over, each with the input behind it. A mistake in one does not hide the next.
pub(crate) fn entries(
    tokens: TokenStream,
    seen: &mut HashSet<String>,
    errors: &mut Errors,
    handle: &mut impl FnMut(&Ident, ParseStream<'_>) -> syn::Result<()>,
) {
    let parser = |input: ParseStream<'_>| {
        while !input.is_empty() {
            let key = input.call(Ident::parse_any)?;
            if !seen.insert(key.to_string()) {
                errors.at(&key, text::duplicate_key(&key));
                skip(input)?;
            } else if let Err(error) = handle(&key, input) {
                errors.push(error);
                skip(input)?;
            } else if !input.is_empty() && !input.peek(Token![,]) {
                errors.push(input.error(text::COMMA_WANTED));
                skip(input)?;
            }
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(())
    };
    let parsed = Parser::parse2(parser, tokens);
    errors.take(parsed);
}

/// A key that is not known here.
pub(crate) fn unknown(key: &Ident, (place, keys): Keys) -> syn::Result<()> {
    Err(syn::Error::new(key.span(), text::unknown_key(key, place, keys)))
}

/// Checks that a key stands alone.
pub(crate) fn flag(key: &Ident, input: ParseStream<'_>) -> syn::Result<()> {
    if input.peek(Token![=]) {
        return Err(syn::Error::new(key.span(), text::value_unwanted(key)));
    }
    Ok(())
}

/// The `=` after a key.
pub(crate) fn equals(key: &Ident, input: ParseStream<'_>, example: &str) -> syn::Result<()> {
    if input.peek(Token![=]) {
        return input.parse::<Token![=]>().map(drop);
    }
    Err(syn::Error::new(key.span(), text::value_missing(key, example)))
}

/// The quoted text of a key.
pub(crate) fn quoted(key: &Ident, input: ParseStream<'_>, example: &str) -> syn::Result<LitStr> {
    equals(key, input, example)?;
    if input.peek(LitStr) {
        return input.parse();
    }
    let value: Expr = input
        .parse()
        .map_err(|_| syn::Error::new(key.span(), text::text_wanted(key, example)))?;
    Err(syn::Error::new_spanned(value, text::text_wanted(key, example)))
}

/// The quoted text of a key, if it can be a name on the wire.
pub(crate) fn wire_name(key: &Ident, input: ParseStream<'_>, example: &str) -> syn::Result<LitStr> {
    let name = quoted(key, input, example)?;
    if names::is_name(&name.value()) {
        return Ok(name);
    }
    Err(syn::Error::new(name.span(), text::bad_name(&name.value())))
}

fn tag(key: &Ident, input: ParseStream<'_>) -> syn::Result<u32> {
    equals(key, input, "tag = 3")?;
    let value: Expr = input.parse()?;
    let number = match &value {
        Expr::Lit(literal) => syn::parse2::<LitInt>(quote::quote!(#literal))
            .and_then(|tag| tag.base10_parse::<u32>())
            .ok(),
        _ => None,
    };
    match number {
        Some(number @ (1..=18_999 | 20_000..=536_870_911)) => Ok(number),
        _ => Err(syn::Error::new_spanned(value, text::TAG_RANGE)),
    }
}

fn timeout(key: &Ident, input: ParseStream<'_>) -> syn::Result<Duration> {
    const YEAR: Duration = Duration::from_hours(365 * 24);

    let text = quoted(key, input, "timeout = \"200ms\"")?;
    let wrong = |what: String| Err(syn::Error::new(text.span(), what));
    let value = text.value();
    let digits = value.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = value.split_at(digits);
    let unit_nanos: u64 = match unit.trim_start() {
        "us" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return wrong(text::bad_timeout(&value)),
    };
    if number.is_empty() {
        return wrong(text::bad_timeout(&value));
    }
    let nanos = number
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(unit_nanos));
    match nanos.map(Duration::from_nanos) {
        Some(Duration::ZERO) => wrong(text::TIMEOUT_ZERO.to_owned()),
        Some(timeout) if timeout <= YEAR => Ok(timeout),
        _ => wrong(text::timeout_long(&value)),
    }
}

/// Passes over what is left of a key's value.
fn skip(input: ParseStream<'_>) -> syn::Result<()> {
    while !input.is_empty() && !input.peek(Token![,]) {
        input.parse::<TokenTree>()?;
    }
    Ok(())
}
