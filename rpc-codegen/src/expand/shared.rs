//! The trait for `Arc` and `Box` of an implementation.

use proc_macro2::TokenStream;
use quote::quote;

use super::{head, passed};
use crate::ast::{Method, Service};

/// Both implementations.
pub(super) fn impls(service: &Service) -> TokenStream {
    let one = |pointer: TokenStream| {
        let Service {
            ident, supertraits, ..
        } = service;
        // Whether the pointer has what the user's supertraits ask for is for the user's types to say.
        let bound = (!supertraits.is_empty()).then(|| quote!(where #pointer<__T>: #supertraits));
        let methods = service.methods.iter().map(|method| {
            let (head, call) = (head(method), forward(service, method));
            quote!(#head { #call })
        });
        quote! {
            impl<__T: #ident + ?::core::marker::Sized> #ident for #pointer<__T> #bound {
                #(#methods)*
            }
        }
    };
    let (arc, boxed) = (one(quote!(::std::sync::Arc)), one(quote!(::std::boxed::Box)));
    quote!(#arc #boxed)
}

fn forward(service: &Service, method: &Method) -> TokenStream {
    let (trait_ident, ident, arguments) = (&service.ident, &method.ident, passed(method));
    quote!(<__T as #trait_ident>::#ident(self, #(#arguments),*))
}
