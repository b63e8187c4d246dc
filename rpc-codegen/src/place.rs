//! Generated tokens that are reported at a place in the user's code.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote_spanned};
use syn::{Type, spanned::Spanned};

/// A place in the user's code. Tokens made for it are resolved as generated code is, and shown where the user's token is.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    span: Span,
}

impl Place {
    /// That of a type.
    pub(crate) fn of(ty: &Type) -> Self {
        Self::at(ty.span())
    }

    /// That of a token.
    pub(crate) fn at(span: Span) -> Self {
        Self {
            span: Span::call_site().located_at(span),
        }
    }

    /// `<ty as trait>::name`
    pub(crate) fn projection(self, ty: &impl ToTokens, of: &TokenStream, name: &str) -> TokenStream {
        let of = self.moved(of.clone());
        let name = Ident::new(name, self.span);
        quote_spanned!(self.span=> <#ty as #of>::#name)
    }

    /// `path::name`, to be called.
    pub(crate) fn call(self, path: &TokenStream, name: &str) -> TokenStream {
        let path = self.moved(path.clone());
        let name = Ident::new(name, self.span);
        quote_spanned!(self.span=> #path::#name)
    }

    /// `<ty>::name`, a constant.
    pub(crate) fn constant(self, ty: &TokenStream, name: &str) -> TokenStream {
        let name = Ident::new(name, self.span);
        quote_spanned!(self.span=> <#ty>::#name)
    }

    /// `value.name::<generics>()`
    pub(crate) fn method(self, value: &TokenStream, name: &str, generics: &TokenStream) -> TokenStream {
        let name = Ident::new(name, self.span);
        quote_spanned!(self.span=> #value.#name #generics ())
    }

    /// The same tokens at this place.
    pub(crate) fn moved(self, tokens: TokenStream) -> TokenStream {
        tokens
            .into_iter()
            .map(|mut token| {
                token.set_span(self.span);
                token
            })
            .collect()
    }
}
