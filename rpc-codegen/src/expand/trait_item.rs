//! The trait: what the user wrote, with futures that are `Send`.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};

use crate::ast::{Argument, Method, Service};

/// The trait itself.
pub(super) fn item(service: &Service) -> TokenStream {
    let Service {
        attrs,
        vis,
        ident,
        supertraits,
        methods,
        ..
    } = service;
    let supertraits = supertraits.iter();
    let methods = methods.iter().map(method);
    quote! {
        #(#attrs)*
        #vis trait #ident: #(#supertraits +)* ::core::marker::Send + ::core::marker::Sync + 'static {
            #(#methods)*
        }
    }
}

fn method(method: &Method) -> TokenStream {
    let Method {
        attrs, ident, output, ..
    } = method;
    let ty = &output.ty;
    let arguments = method.arguments().iter().map(
        |Argument {
             mutable, ident, ty, ..
         }| quote!(#mutable #ident: #ty),
    );
    let body = method
        .default
        .as_ref()
        .map_or_else(|| quote!(;), |block| quote!({ async move #block }));
    let allow = method
        .default
        .is_some()
        .then(|| quote!(#[allow(clippy::manual_async_fn)]));
    // Lints about the signature belong to what the user wrote.
    let function = quote_spanned!(ident.span()=> fn);
    quote! {
        #(#attrs)*
        #allow
        #function #ident(&self, #(#arguments),*) -> impl ::core::future::Future<Output = #ty> + ::core::marker::Send #body
    }
}
